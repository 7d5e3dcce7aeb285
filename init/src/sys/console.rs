//! Writes lines for a person to the console (often a serial line) and to the screen (tty1). Never waits.
//!
//! If a terminal takes no more, the line is lost: PID 1 must not wait for a reader. While the imager has the screen,
//! nothing is written there: our line would move what it shows, and split the questions that are read.

#![allow(unsafe_code, reason = "ioctl(2) takes a pointer")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use nix::libc;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{ioctl, mount};

const DEVICES: &str = "/dev";
/// The kernel's console, and the screen that a person at the machine sees.
const CONSOLE: &str = "console";
const SCREEN: &str = "tty1";
/// Asks a virtual terminal for the mode of its display; whatever else a terminal is, it refuses (linux/kd.h).
const KDGETMODE: libc::Ioctl = 0x4B3B;

/// The terminals that lines are written to, opened as soon as they are there.
#[derive(Debug, Default)]
pub struct Console {
    /// Their folder. The way to it leads over the server's root, which is not asked again: a terminal that the imager
    /// had is hung up with it, and has to be opened anew when there may be no server any more.
    devices: Option<OwnedFd>,
    console: Option<File>,
    screen: Option<File>,
    holder: Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Holder {
    #[default]
    Us,
    Imager,
}

impl Console {
    /// Terminals in another folder than the kernel's.
    #[cfg(test)]
    fn of(devices: &std::path::Path) -> Self {
        let folder = openat(CWD, devices, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        Self { devices: folder.ok(), ..Self::default() }
    }

    /// From now on the screen is the imager's.
    pub fn lend_screen(&mut self) {
        self.holder = Holder::Imager;
        self.screen = None;
    }

    /// Writes one line as [`Console::say`], and above what the imager shows while the screen is its own.
    pub(crate) fn say_over(&mut self, line: &str) {
        self.say(line);
        if self.holder == Holder::Imager {
            let text = above(&format!("ghost-init: {line}"));
            // Opened for these words only: it is the imager's.
            write(&mut self.devices, SCREEN, &mut None, &text, |_| true);
        }
    }

    pub fn take_screen_back(&mut self) {
        self.holder = Holder::Us;
    }

    /// Writes one line to each terminal that takes it.
    pub fn say(&mut self, line: &str) {
        let text = format!("ghost-init: {line}\n");
        // The kernel's console may be the screen as well.
        let is_ours = |terminal: &File| self.holder == Holder::Us || !is_virtual_terminal(terminal);
        write(&mut self.devices, CONSOLE, &mut self.console, &text, is_ours);
        if self.holder == Holder::Us {
            write(&mut self.devices, SCREEN, &mut self.screen, &text, |_| true);
        }
    }
}

/// Words above what a program shows on a screen, whose cursor stays where it is (console_codes(4)): in the first lines, in
/// reverse, so that nothing moves.
fn above(text: &str) -> String {
    format!("\x1b7\x1b[1;1H\x1b[7m{}\x1b[0m\x1b8", text.trim_end())
}

/// Writes to a terminal. If it was hung up, because it was the imager's and the imager has ended, opens it again, once.
fn write(
    devices: &mut Option<OwnedFd>,
    name: &str,
    slot: &mut Option<File>,
    text: &str,
    may: impl Fn(&File) -> bool,
) {
    for _attempt in 0..2 {
        if slot.is_none() {
            *slot = open(devices, name);
        }
        let Some(terminal) = slot else { return };
        if !may(terminal) {
            return;
        }
        match terminal.write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => *slot = None,
            _ => return,
        }
    }
}

fn is_virtual_terminal(terminal: &File) -> bool {
    let mut mode: libc::c_int = 0;
    // SAFETY: the request writes one int to where the pointer shows, which is one.
    unsafe { ioctl::ask(terminal, KDGETMODE, &raw mut mode) }.is_ok()
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
    // An initramfs has a console of its own there, which the kernel's devices are mounted over later.
    if mount::is_mounted(std::path::Path::new(DEVICES)).unwrap_or(false) {
        *devices = Some(folder);
    }
    Some(opened)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use nix::pty::openpty;
    use nix::unistd::ttyname;

    use super::*;

    #[test]
    fn words_over_what_the_imager_shows_move_nothing() {
        let terminals = terminals();
        let mut console = Console::of(terminals.path());
        console.lend_screen();
        console.say_over("a");
        let read = |name: &str| fs::read_to_string(terminals.path().join(name)).unwrap();
        assert_eq!(read(CONSOLE), "ghost-init: a\n");
        assert_eq!(read(SCREEN), "\x1b7\x1b[1;1H\x1b[7mghost-init: a\x1b[0m\x1b8");
        console.take_screen_back();
        console.say_over("b");
        assert!(read(SCREEN).starts_with("ghost-init: b\n"), "{:?}", read(SCREEN));
    }

    /// A folder with both terminals, as files.
    fn terminals() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        [CONSOLE, SCREEN].iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        folder
    }

    fn text(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn while_the_imager_has_the_screen_lines_go_to_the_console_only() {
        let folder = terminals();
        let mut console = Console::of(folder.path());
        console.say("one");
        console.lend_screen();
        console.say("two");
        assert_eq!(text(folder.path(), SCREEN), "ghost-init: one\n");
        assert_eq!(text(folder.path(), CONSOLE), "ghost-init: one\nghost-init: two\n");
        fs::write(folder.path().join(SCREEN), "").unwrap();
        console.take_screen_back();
        console.say("three");
        assert_eq!(text(folder.path(), SCREEN), "ghost-init: three\n");
        assert!(text(folder.path(), CONSOLE).ends_with("ghost-init: three\n"));
    }

    #[test]
    fn the_first_line_after_a_hang_up_is_not_lost() {
        let folder = terminals();
        let pty = openpty(None, None).unwrap();
        let screen = folder.path().join(SCREEN);
        fs::remove_file(&screen).unwrap();
        symlink(ttyname(&pty.slave).unwrap(), &screen).unwrap();
        let mut console = Console::of(folder.path());
        console.say("before");
        drop((pty.master, pty.slave));
        fs::remove_file(&screen).unwrap();
        fs::write(&screen, "").unwrap();
        console.say("after");
        assert_eq!(text(folder.path(), SCREEN), "ghost-init: after\n");
    }
}
