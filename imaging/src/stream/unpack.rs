//! The pieces of a region, through the decompressor, to whoever takes them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use ghost_contract::image::Stream;

use super::handover::{Taker, handover};
use super::pieces::{self, PieceError};
use crate::board::Board;
use crate::sys::pipe;
use crate::sys::program::{ProgramError, Running};
use crate::tool::partclone::checksums::{PassError, Removing};
use crate::tool::partclone::{HEAD, Head, HeadError};

/// How long a tool may take to end once its pipes are closed; partclone syncs the disk then.
const ENDING: Duration = Duration::from_secs(3600);
/// Taken from the decompressor at a time.
const BUFFER: usize = 256 << 10;

/// What comes out of the pieces.
pub type Unpacked = zstd::Decoder<'static, Taker>;

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
    Another { found: u64, expected: u64 },
    /// There is more or less of it.
    #[error("the pieces hold {found} bytes, the description says {expected}")]
    Length { found: u64, expected: u64 },
    /// The disk does not take it.
    #[error("the disk cannot be written at byte {position}")]
    Write {
        position: u64,
        #[source]
        source: io::Error,
    },
    /// It was written, and something else is read.
    #[error("the disk gives back something else than was written, near byte {0}")]
    ReadBack(u64),
    /// It was written, and cannot be read.
    #[error("what was written near byte {position} cannot be read back")]
    ReadBackFailed {
        position: u64,
        #[source]
        source: io::Error,
    },
    /// What comes out of the pieces is no image of partclone, or a damaged one.
    #[error("the pieces hold no whole image of partclone")]
    Pass(#[from] PassError),
    /// What is in the pieces is not what zstd wrote.
    #[error("the pieces cannot be decompressed")]
    Decompress(#[source] io::Error),
    #[error("a thread has a bug")]
    Bug,
}

/// Decompresses a stream for a taker, which has this thread and says how many bytes it took.
pub fn unpack(
    folder: &Path,
    stream: &Stream,
    stored: &Board,
    take: impl FnOnce(Unpacked) -> Result<u64, UnpackError>,
) -> Result<(), UnpackError> {
    let (mut to, from) = handover();
    let unpacked = zstd::Decoder::with_buffer(from).map_err(UnpackError::Decompress)?;
    let (fed, taken) = thread::scope(|scope| {
        let feeder = scope.spawn(move || {
            pieces::read(folder, stream, stored, |bytes| to.write_all(bytes))?;
            // Nobody takes it any more: the taker has its reason.
            let _untaken = to.flush();
            Ok(())
        });
        // When the taker is through or gives up, the feeder finds it gone.
        let taken = take(unpacked);
        (feeder.join(), taken)
    });
    match fed.map_err(|_| UnpackError::Bug)? {
        // The taker's own reason is the cause.
        Ok(()) | Err(PieceError::HandOn(..)) => {}
        Err(error) => return Err(error.into()),
    }
    let found = taken?;
    if found == stream.length { Ok(()) } else { Err(UnpackError::Length { found, expected: stream.length }) }
}

/// Takes an image of partclone: one of its programs, whose image is its standard input. Its checksums of blocks are
/// compared here, and the program gets the image without them.
pub fn to_partclone<R: Read>(
    mut command: Command,
    (total, used): (u64, u64),
    unpacked: &Board,
) -> impl FnOnce(R) -> Result<u64, UnpackError> {
    move |mut from| {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).map_err(UnpackError::Decompress)?;
        let found = Head::parse(&head)?;
        if (found.total, found.used) != (total, used) {
            return Err(UnpackError::Another { found: found.total, expected: total });
        }
        let (mut removing, without) = Removing::new(&head)?;
        let mut program = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        let mut to = program.child().stdin.take().ok_or(UnpackError::Bug)?;
        pipe::widen(&to);
        unpacked.add(HEAD as u64);
        let pass = || {
            to.write_all(&without).map_err(PassError::HandOn)?;
            let passed = for_each_part(from, u64::MAX, |bytes, _| {
                removing.pass(bytes, &mut to)?;
                unpacked.add(bytes.len() as u64);
                Ok(())
            })?;
            removing.end()?;
            Ok(passed)
        };
        let passed = pass();
        drop(to);
        let ended = program.succeed(ENDING);
        match passed {
            // That it takes no more has its reason there.
            Ok(_) | Err(UnpackError::Pass(PassError::HandOn(_))) => ended?,
            Err(_) => {}
        }
        Ok(HEAD as u64 + passed?)
    }
}

/// Takes every byte and only counts them.
pub fn to_nobody(from: Unpacked) -> Result<u64, UnpackError> {
    for_each_part(from, u64::MAX, |_, _| Ok(()))
}

/// What is done with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zeros {
    Write,
    /// The target has nothing but zeros yet, and they can be left out.
    LeaveOut,
}

/// Takes every byte to its place on a disk, never beyond the region.
pub fn to_disk<'a>(
    disk: &'a File,
    (start, length): (u64, u64),
    zeros: Zeros,
    unpacked: &'a Board,
) -> impl FnOnce(Unpacked) -> Result<u64, UnpackError> + 'a {
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
pub fn compare<'a>(
    disk: &'a File,
    (start, length): (u64, u64),
) -> impl FnOnce(Unpacked) -> Result<u64, UnpackError> + 'a {
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
    mut from: impl Read,
    length: u64,
    mut each: impl FnMut(&[u8], u64) -> Result<(), UnpackError>,
) -> Result<u64, UnpackError> {
    let (mut buffer, mut at) = (vec![0; BUFFER], 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(at),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Decompress(error)),
        };
        if at + read as u64 > length {
            return Err(UnpackError::Length { found: at + read as u64, expected: length });
        }
        each(buffer.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
}
