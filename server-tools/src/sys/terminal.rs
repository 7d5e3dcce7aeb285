//! The terminal that a person sits at: what it says it can do, how large it is, and writing to it.

#![allow(clippy::disallowed_methods, reason = "what is written here was filtered before")]

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

/// How long a terminal may take to answer. One that does not know the question never does.
const PATIENCE: Duration = Duration::from_millis(300);
/// The question for the terminal's attributes (Primary DA).
const QUESTION: &[u8] = b"\x1b[c";

/// The terminal's answer to the question for its attributes; empty if it gives none or nobody sits there.
pub(crate) fn attributes() -> Vec<u8> {
    if !io::stdout().is_terminal() {
        return Vec::new();
    }
    // A terminal that cannot be asked has answered nothing: then there are just no pictures.
    let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
    // In the background the question would disturb whoever has the terminal, and the answer would stop this program.
    let is_ours = |terminal: &File| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp());
    opened.and_then(|file| if is_ours(&file) { ask(&file) } else { Ok(Vec::new()) }).unwrap_or_default()
}

/// Whether a person sits at standard output and standard input, and this program is the one that they see: one in the
/// background must leave the terminal alone.
pub(crate) fn is_attended() -> bool {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    is_terminal && tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Rows and columns of the terminal that standard output is; those of the oldest ones if it does not say.
pub(crate) fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    size.map_or((24, 80), |size| (size.ws_row.into(), size.ws_col.into()))
}

/// Writes some of the bytes to standard output, at least one, past what the standard library holds back. Waits for as long as
/// nothing is taken.
pub(crate) fn write_some(bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::io::write(io::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => return Ok(written),
            Err(Errno::INTR) => {}
            // Somebody has made it non-blocking, for all who have it open.
            Err(Errno::AGAIN) => {
                let stdout = io::stdout();
                poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks without showing the answer; the modes are put back.
fn ask(terminal: &File) -> io::Result<Vec<u8>> {
    let before = tcgetattr(terminal)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Now, &quiet)?;
    let answer = answer(terminal);
    tcsetattr(terminal, OptionalActions::Flush, &before)?;
    answer
}

fn answer(mut terminal: &File) -> io::Result<Vec<u8>> {
    terminal.write_all(QUESTION)?;
    let deadline = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    while !answer.ends_with(b"c") {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled = [PollFd::new(&terminal, PollFlags::IN)];
        if left.is_zero() || poll(&mut polled, left.try_into().ok().as_ref())? == 0 {
            break;
        }
        let mut some = [0; 64];
        let read = terminal.read(&mut some)?;
        answer.extend_from_slice(&some[..read]);
    }
    Ok(answer)
}
