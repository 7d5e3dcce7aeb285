//! Reads the screen of the first virtual terminal, and puts back the modes that a program may have changed.
#![allow(unsafe_code, reason = "ioctl(2) of consoles takes numbers and pointers")]

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::termios::{FlushArg, SetArg, Termios, tcflush, tcgetattr, tcsetattr};
use rustix::fs::{Mode, OFlags, openat};

use super::{file, ioctl};

pub(crate) const CELLS: &str = "/dev/vcsa1";
/// Unicode characters; kernels before 4.19 do not have it.
const UNICODE: &str = "/dev/vcsu1";

pub(crate) const FIRST_VT: &str = "/dev/tty1";
/// Requests of linux/kd.h and linux/vt.h, which the C library does not have: get and set the modes of the keyboard
/// and of the display, and bring a terminal to the front.
const KDGKBMODE: libc::Ioctl = 0x4B44;
const KDSKBMODE: libc::Ioctl = 0x4B45;
const KDSETMODE: libc::Ioctl = 0x4B3A;
const KDGETMODE: libc::Ioctl = 0x4B3B;
const VT_ACTIVATE: libc::Ioctl = 0x5606;
const VT_SETMODE: libc::Ioctl = 0x5602;
const KD_TEXT: libc::c_int = 0;

/// Modes of the keyboard in which the kernel itself acts on what keys mean.
const K_XLATE: libc::c_int = 1;
const K_UNICODE: libc::c_int = 3;
/// The virtual terminal that is shown.
const SHOWN: &str = "tty0";

/// What stands on the first virtual terminal, as the kernel gives it.
pub(crate) struct Cells {
    /// Characters and attributes in turn, from `/dev/vcsa1`.
    pub cells: Vec<u8>,
    /// The same characters in Unicode, from `/dev/vcsu1`, where the kernel has it.
    pub unicode: Option<Vec<u8>>,
}

pub(crate) fn cells() -> anyhow::Result<Cells> {
    let terminal = open()?;
    if get(&terminal, KDGETMODE).with_context(|| refused("read the display's mode"))? != KD_TEXT {
        // The cells are those of before.
        bail!("a program draws on {FIRST_VT} by itself");
    }
    Ok(Cells { cells: file::bytes(Path::new(CELLS))?, unicode: file::read(Path::new(UNICODE))? })
}

/// `struct vt_mode` of linux/vt.h; all zeroes is `VT_AUTO`.
#[repr(C)]
#[derive(Default)]
struct Switching {
    mode: libc::c_char,
    waits: libc::c_char,
    signals: [libc::c_short; 3],
}

/// The modes of the first terminal, as they were before a program had it.
pub(crate) struct Modes {
    line: libc::termios,
    keyboard: libc::c_int,
}

/// Whether the kernel acts on Ctrl-Alt-Del now. While a program gets the keyboard's own codes it does not, and the program gets
/// that one too (Linux, drivers/tty/vt/keyboard.c, `k_spec`). `devices` is the folder of the terminals.
pub(super) fn kernel_acts_on_keys(devices: &OwnedFd) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let terminal = openat(devices, SHOWN, flags, Mode::empty()).map(File::from);
    // Without virtual terminals there is nothing in the kernel that would.
    terminal.is_ok_and(|terminal| matches!(get(&terminal, KDGKBMODE), Ok(K_XLATE | K_UNICODE)))
}

/// The modes as they are now.
pub(crate) fn modes() -> anyhow::Result<Modes> {
    let terminal = open()?;
    let line = tcgetattr(&terminal).with_context(|| refused("read the line's mode"))?;
    let keyboard = get(&terminal, KDGKBMODE).with_context(|| refused("read the keyboard's mode"))?;
    Ok(Modes { line: line.into(), keyboard })
}

/// Puts the modes back, throws away what was typed, and shows the terminal. A program that was killed while
/// it had the keyboard raw leaves it so. Every part is tried.
pub(crate) fn put_back(modes: &Modes) -> anyhow::Result<()> {
    let terminal = open()?;
    let line = tcsetattr(&terminal, SetArg::TCSANOW, &Termios::from(modes.line));
    // The kernel switches terminals again, and asks no program that is gone.
    let mut switching = Switching::default();
    // SAFETY: the request reads a struct vt_mode, which this is.
    let switching = unsafe { ioctl::ask(&terminal, VT_SETMODE, &raw mut switching) };
    [
        switching.with_context(|| refused("set who switches the screen")),
        set(&terminal, KDSKBMODE, modes.keyboard).with_context(|| refused("set the keyboard's mode")),
        set(&terminal, KDSETMODE, KD_TEXT).with_context(|| refused("set the display's mode")),
        line.with_context(|| refused("set the line's mode")),
        tcflush(&terminal, FlushArg::TCIFLUSH).with_context(|| refused("throw away the input")),
        set(&terminal, VT_ACTIVATE, 1).with_context(|| refused("show the screen")),
    ]
    .into_iter()
    .collect()
}

fn open() -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    // It must not become the controlling terminal of PID 1.
    options.read(true).write(true).custom_flags(libc::O_NOCTTY);
    options.open(FIRST_VT).with_context(|| format!("cannot open {FIRST_VT}"))
}

fn get(terminal: &File, request: libc::Ioctl) -> Result<libc::c_int, Errno> {
    let mut value: libc::c_int = 0;
    // SAFETY: the descriptor is open, and these requests write one int to where the pointer shows, which is one.
    unsafe { ioctl::ask(terminal, request, &raw mut value) }?;
    Ok(value)
}

fn set(terminal: &File, request: libc::Ioctl, value: libc::c_int) -> Result<(), Errno> {
    // SAFETY: the descriptor is open, and these requests take a number and no pointer.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), request, libc::c_long::from(value)) };
    Errno::result(result).map(drop)
}

fn refused(what: &str) -> String {
    format!("cannot {what} of {FIRST_VT}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::pty::openpty;
    use nix::unistd::ttyname;

    use super::*;

    #[test]
    fn where_there_is_no_virtual_terminal_the_kernel_does_not_act_on_keys() {
        let devices = tempfile::tempdir().unwrap();
        let folder = OwnedFd::from(File::open(devices.path()).unwrap());
        assert!(!kernel_acts_on_keys(&folder));
        let pty = openpty(None, None).unwrap();
        symlink(ttyname(&pty.slave).unwrap(), devices.path().join(SHOWN)).unwrap();
        assert!(!kernel_acts_on_keys(&folder), "this is a terminal without a keyboard");
    }
}
