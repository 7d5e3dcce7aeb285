//! The pieces of a region, through the decompressor, to whoever takes them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use ghost_contract::image::Stream;

use super::pieces::{self, PieceError};
use crate::board::Board;
use crate::sys::pipe;
use crate::sys::program::{ProgramError, Running};
use crate::tool::partclone::{HEAD, Head, HeadError};

/// How long a tool may take to end once its pipes are closed; partclone syncs the disk then.
const ENDING: Duration = Duration::from_secs(3600);
/// Taken from the decompressor at a time.
const BUFFER: usize = 1 << 20;

/// Why a region did not come out of its pieces.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A piece is not as it was written.
    #[error(transparent)]
    Piece(#[from] PieceError),
    /// A tool cannot be started, or says that it has failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It does not begin as it should.
    #[error("what is in the pieces is not what the description says")]
    Head(#[from] HeadError),
    /// It is another file system, or another image of it.
    #[error("the pieces hold a file system of {found} bytes, the description says {expected}")]
    Another {
        /// What is in them.
        found: u64,
        /// What should be.
        expected: u64,
    },
    /// There is more or less of it.
    #[error("the pieces hold {found} bytes, the description says {expected}")]
    Length {
        /// What is in them.
        found: u64,
        /// What should be.
        expected: u64,
    },
    /// The disk does not take it.
    #[error("the disk cannot be written at byte {position}")]
    Write {
        /// Where.
        position: u64,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// It was written, and something else is read.
    #[error("the disk gives back something else than was written, near byte {0}")]
    ReadBack(u64),
    /// It was written, and cannot be read.
    #[error("what was written near byte {position} cannot be read back")]
    ReadBackFailed {
        /// Where.
        position: u64,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A pipe is broken.
    #[error("the pipe between two programs is broken")]
    Pipe(#[source] io::Error),
    /// A thread of ours.
    #[error("a thread has a bug")]
    Bug,
}

/// Decompresses a stream for a taker, which has this thread and says how many bytes it took.
///
/// # Errors
/// When a piece is damaged, the decompressor or the taker fails, or the length is another.
pub fn unpack(
    folder: &Path,
    stream: &Stream,
    stored: &Board,
    take: impl FnOnce(ChildStdout) -> Result<u64, UnpackError>,
) -> Result<(), UnpackError> {
    let mut command = Command::new("zstd");
    let mut zstd =
        Running::start(command.args(["-q", "-d", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut to = zstd.child().stdin.take().ok_or(UnpackError::Bug)?;
    let from = zstd.child().stdout.take().ok_or(UnpackError::Bug)?;
    pipe::widen(&to);
    pipe::widen(&from);
    let (fed, taken) = thread::scope(|scope| {
        let feeder = scope.spawn(move || pieces::read(folder, stream, stored, |bytes| to.write_all(bytes)));
        let taken = take(from);
        if taken.is_err() {
            // Its input breaks then, and with it the feeder.
            let _gone = zstd.child().kill();
        }
        (feeder.join(), taken)
    });
    match fed.map_err(|_| UnpackError::Bug)? {
        // The taker's own reason, or the decompressor's, is the cause of a broken pipe.
        Ok(()) | Err(PieceError::HandOn(..)) => {}
        Err(error) => return Err(error.into()),
    }
    let found = taken?;
    zstd.succeed(ENDING)?;
    if found == stream.length { Ok(()) } else { Err(UnpackError::Length { found, expected: stream.length }) }
}

/// Takes an image of partclone: one of its programs, whose image is its standard input.
///
/// # Errors
/// When the head is not the one that is expected, or the program fails.
pub fn to_partclone(
    mut command: Command,
    (total, used): (u64, u64),
    unpacked: &Board,
) -> impl FnOnce(ChildStdout) -> Result<u64, UnpackError> {
    move |mut from| {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).map_err(UnpackError::Pipe)?;
        let found = Head::parse(&head)?;
        if (found.total, found.used) != (total, used) {
            return Err(UnpackError::Another { found: found.total, expected: total });
        }
        let mut program = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        let mut to = program.child().stdin.take().ok_or(UnpackError::Bug)?;
        pipe::widen(&to);
        let mut length = HEAD as u64;
        unpacked.add(length);
        let mut relayed = to.write_all(&head).map_err(UnpackError::Pipe);
        while relayed.is_ok() {
            match pipe::relay(&from, &to) {
                Ok(0) => break,
                Ok(moved) => {
                    length += moved as u64;
                    unpacked.add(moved as u64);
                }
                Err(error) => relayed = Err(UnpackError::Pipe(error)),
            }
        }
        drop(to);
        program.succeed(ENDING)?;
        match relayed {
            // It may be gone before the other end is closed, and what is relayed then is nothing at all.
            Err(UnpackError::Pipe(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                match from.read(&mut [0]).map_err(UnpackError::Pipe)? {
                    0 => Ok(length),
                    _ => Err(UnpackError::Pipe(error)),
                }
            }
            relayed => relayed.map(|()| length),
        }
    }
}

/// Takes every byte and only counts them.
///
/// # Errors
/// When the pipe cannot be read.
pub fn to_nobody(mut from: ChildStdout) -> Result<u64, UnpackError> {
    io::copy(&mut from, &mut io::sink()).map_err(UnpackError::Pipe)
}

/// What is done with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zeros {
    /// They are written.
    Write,
    /// The target has nothing but zeros yet, and they can be left out.
    LeaveOut,
}

/// Takes every byte to its place on a disk, never beyond the region.
///
/// # Errors
/// When the disk does not take them, or there are more than the region has.
pub fn to_disk<'a>(
    disk: &'a File,
    (start, length): (u64, u64),
    zeros: Zeros,
    unpacked: &'a Board,
) -> impl FnOnce(ChildStdout) -> Result<u64, UnpackError> + 'a {
    move |from| {
        for_each_part(from, length, |bytes, at| {
            let position = start + at;
            if zeros == Zeros::Write || bytes.iter().any(|&byte| byte != 0) {
                disk.write_all_at(bytes, position)
                    .map_err(|source| UnpackError::Write { position, source })?;
            }
            unpacked.add(bytes.len() as u64);
            Ok(())
        })
    }
}

/// Takes every byte and compares it with what stands on the disk.
///
/// # Errors
/// When something else stands there.
pub fn compare<'a>(
    disk: &'a File,
    (start, length): (u64, u64),
) -> impl FnOnce(ChildStdout) -> Result<u64, UnpackError> + 'a {
    move |from| {
        let mut there = vec![0; BUFFER];
        for_each_part(from, length, |bytes, at| {
            let position = start + at;
            let there = there.get_mut(..bytes.len()).unwrap_or_default();
            disk.read_exact_at(there, position)
                .map_err(|source| UnpackError::ReadBackFailed { position, source })?;
            if there == bytes { Ok(()) } else { Err(UnpackError::ReadBack(position)) }
        })
    }
}

fn for_each_part(
    mut from: ChildStdout,
    length: u64,
    mut each: impl FnMut(&[u8], u64) -> Result<(), UnpackError>,
) -> Result<u64, UnpackError> {
    let (mut buffer, mut at) = (vec![0; BUFFER], 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(at),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Pipe(error)),
        };
        if at + read as u64 > length {
            return Err(UnpackError::Length { found: at + read as u64, expected: length });
        }
        each(buffer.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
}
