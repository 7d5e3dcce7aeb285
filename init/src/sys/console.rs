//! Lines for a person, on the console (often a serial line) and on the screen (tty1). Never waits.
//!
//! A terminal that takes nothing more loses the line: no reader may hold up PID 1.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use nix::libc;

/// The kernel's console, and the screen that a person at the machine sees.
const TERMINALS: [&str; 2] = ["/dev/console", "/dev/tty1"];

/// The terminals that lines are written to, opened as soon as they are there.
#[derive(Debug, Default)]
pub struct Console {
    open: [Option<File>; TERMINALS.len()],
}

impl Console {
    /// Writes one line to each terminal that takes it.
    pub fn say(&mut self, line: &str) {
        let text = format!("ghost-init: {line}\n");
        for (path, slot) in TERMINALS.iter().zip(&mut self.open) {
            if slot.is_none() {
                *slot = open(path);
            }
            let written = slot.as_mut().map(|terminal| terminal.write_all(text.as_bytes()));
            if let Some(Err(_)) = written {
                *slot = None;
            }
        }
    }
}

fn open(path: &str) -> Option<File> {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
}
