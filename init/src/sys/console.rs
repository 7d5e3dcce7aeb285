//! Lines for a person, on the console (often a serial line) and on the screen (tty1). Never waits.
//!
//! A terminal that takes nothing more loses the line: no reader may hold up PID 1.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};

const DEVICES: &str = "/dev";
/// The kernel's console, and the screen that a person at the machine sees.
const TERMINALS: [&str; 2] = ["console", "tty1"];

/// The terminals that lines are written to, opened as soon as they are there.
#[derive(Debug, Default)]
pub struct Console {
    /// Their folder. The way to it leads over the server's root, which is not asked again: a terminal that the imager
    /// had is hung up with it, and has to be opened anew when there may be no server any more.
    devices: Option<OwnedFd>,
    open: [Option<File>; TERMINALS.len()],
}

impl Console {
    /// Writes one line to each terminal that takes it.
    pub fn say(&mut self, line: &str) {
        let text = format!("ghost-init: {line}\n");
        for (name, slot) in TERMINALS.iter().zip(&mut self.open) {
            if slot.is_none() {
                *slot = open(&mut self.devices, name);
            }
            let written = slot.as_mut().map(|terminal| terminal.write_all(text.as_bytes()));
            if let Some(Err(_)) = written {
                *slot = None;
            }
        }
    }
}

/// A terminal, and the folder if it is one in which there are terminals.
fn open(devices: &mut Option<OwnedFd>, name: &str) -> Option<File> {
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let terminal = |folder: &OwnedFd| openat(folder, name, flags, Mode::empty()).ok().map(File::from);
    if let Some(folder) = devices {
        return terminal(folder);
    }
    let folder =
        openat(CWD, DEVICES, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let opened = terminal(&folder)?;
    *devices = Some(folder);
    Some(opened)
}
