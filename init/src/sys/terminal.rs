//! The first virtual terminal: its screen, read from the kernel, and the modes that a program may leave it in.
#![allow(unsafe_code, reason = "ioctl(2) of consoles takes numbers and pointers")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::termios::{FlushArg, SetArg, Termios, tcflush, tcgetattr, tcsetattr};

use super::file::{self, FileError};
use super::ioctl;
use crate::screen::TextScreen;
use crate::screen::vt::{self, VtError};

pub const CELLS: &str = "/dev/vcsa1";
/// Unicode characters; kernels before 4.19 do not have it.
const UNICODE: &str = "/dev/vcsu1";

pub const FIRST_VT: &str = "/dev/tty1";
/// Requests of linux/kd.h and linux/vt.h, which the C library does not have: get and set the modes of the keyboard
/// and of the display, and bring a terminal to the front.
const KDGKBMODE: libc::Ioctl = 0x4B44;
const KDSKBMODE: libc::Ioctl = 0x4B45;
const KDSETMODE: libc::Ioctl = 0x4B3A;
const KDGETMODE: libc::Ioctl = 0x4B3B;
const VT_ACTIVATE: libc::Ioctl = 0x5606;
const KD_TEXT: libc::c_int = 0;

/// What is wrong with the terminal.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error(transparent)]
    File(#[from] FileError),
    /// The terminal cannot be opened.
    #[error("cannot open {FIRST_VT}")]
    Open(#[source] io::Error),
    #[error("cannot {what} of {FIRST_VT}")]
    Mode {
        /// What was to be done.
        what: &'static str,
        source: Errno,
    },
    /// A program draws there, and the cells are those of before.
    #[error("a program draws on {FIRST_VT} by itself")]
    Drawn,
    #[error(transparent)]
    Screen(#[from] VtError),
}

/// What stands on the first virtual terminal.
pub fn screen() -> Result<TextScreen, TerminalError> {
    let terminal = open()?;
    if get(&terminal, KDGETMODE).map_err(|source| refused("read the display's mode", source))? != KD_TEXT {
        return Err(TerminalError::Drawn);
    }
    let cells = file::bytes(Path::new(CELLS))?;
    let unicode = file::read(Path::new(UNICODE))?;
    Ok(vt::decode(&cells, unicode.as_deref())?)
}

/// The modes of the first terminal, as they were before a program had it.
pub struct Modes {
    line: libc::termios,
    keyboard: libc::c_int,
}

/// The modes as they are now.
pub fn modes() -> Result<Modes, TerminalError> {
    let terminal = open()?;
    let line = tcgetattr(&terminal).map_err(|source| refused("read the line's mode", source))?;
    let keyboard = get(&terminal, KDGKBMODE).map_err(|source| refused("read the keyboard's mode", source))?;
    Ok(Modes { line: line.into(), keyboard })
}

/// Puts the modes back, throws away what was typed, and shows the terminal. A program that was killed while
/// it had the keyboard raw leaves it so. Every part is tried.
pub fn put_back(modes: &Modes) -> Result<(), TerminalError> {
    let terminal = open()?;
    let line = tcsetattr(&terminal, SetArg::TCSANOW, &Termios::from(modes.line));
    [
        set(&terminal, KDSKBMODE, modes.keyboard)
            .map_err(|source| refused("set the keyboard's mode", source)),
        set(&terminal, KDSETMODE, KD_TEXT).map_err(|source| refused("set the display's mode", source)),
        line.map_err(|source| refused("set the line's mode", source)),
        tcflush(&terminal, FlushArg::TCIFLUSH).map_err(|source| refused("throw away the input", source)),
        set(&terminal, VT_ACTIVATE, 1).map_err(|source| refused("show the screen", source)),
    ]
    .into_iter()
    .collect()
}

fn open() -> Result<File, TerminalError> {
    let mut options = OpenOptions::new();
    // It must not become the controlling terminal of PID 1.
    options.read(true).write(true).custom_flags(libc::O_NOCTTY);
    options.open(FIRST_VT).map_err(TerminalError::Open)
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

const fn refused(what: &'static str, source: Errno) -> TerminalError {
    TerminalError::Mode { what, source }
}
