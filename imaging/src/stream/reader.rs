//! partclone reading a file system: it has looked at it, its image's head is here, and the rest waits in its pipe
//! until it is taken. So a disk is surveyed and saved by the same processes, and looked at only once.

use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use ghost_contract::image::{FileSystem, OnReadError, Range};

use super::raw;
use crate::sys::program::{self, Begun, LOOKING, ProgramError, Running};
use crate::tool::partclone::{self, HEAD, Head, HeadError};

/// A file system that is being read. Ended when dropped.
#[derive(Debug)]
pub struct Reader {
    begun: Begun<HEAD>,
    bad: Arc<Mutex<Vec<Range>>>,
}

/// What is left of one while it is taken.
#[derive(Debug)]
pub struct Taken {
    pub running: Running,
    /// Its image, behind the head.
    pub output: ChildStdout,
    pub head: [u8; HEAD],
    bad: Arc<Mutex<Vec<Range>>>,
}

impl Reader {
    /// Starts reading this node, and waits for the head; why there is none in partclone's words.
    pub fn start(
        file_system: FileSystem,
        node: &Path,
        on_error: OnReadError,
    ) -> std::result::Result<std::result::Result<Self, String>, ProgramError> {
        let bad = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&bad);
        let hear = move |line: &str| {
            if let Some(start) = partclone::unreadable(line) {
                let range = Range { start, length: partclone::UNREADABLE };
                raw::note(&mut noted.lock().unwrap_or_else(PoisonError::into_inner), range);
            }
        };
        let begun = program::beginning(&mut command(file_system, node, on_error), LOOKING, hear)?;
        Ok(begun.map(|begun| Self { begun, bad }))
    }

    /// What its image's head says.
    pub fn head(&self) -> std::result::Result<Head, HeadError> {
        Head::parse(&self.begun.bytes)
    }

    /// For whoever takes the image.
    pub fn take(self) -> Taken {
        let Begun { running, output, bytes } = self.begun;
        Taken { running, output, head: bytes, bad: self.bad }
    }
}

impl Taken {
    /// What could not be read so far, in bytes from the file system's start.
    pub fn unreadable(&self) -> Vec<Range> {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Starts reading a node again that partclone has read before.
pub(crate) fn start(file_system: FileSystem, node: &Path, on_error: OnReadError) -> Result<Reader> {
    let started = Reader::start(file_system, node, on_error)?;
    started.map_err(|said| anyhow!("partclone does not read the file system any more: {said}"))
}

/// The program that writes the image of this node, without checksums of its blocks, to its standard output.
pub(crate) fn command(file_system: FileSystem, node: &Path, on_error: OnReadError) -> Command {
    let mut command = Command::new(partclone::program(file_system));
    // Without checksums, which it computes slowly: they are put in on the way.
    command.args(partclone::BRIEF).args(["-q", "-a", "0", "-c", "-o", "-", "-s"]).arg(node);
    if on_error == OnReadError::Rescue {
        command.arg("-R");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}
