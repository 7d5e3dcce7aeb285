//! The pieces of a region, through the decompressor, to whoever takes them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ghost_contract::image::Stream;

use super::frames::Frames;
use super::handover::{Taker, handover};
use super::pieces;
use crate::board::Board;
use crate::source::Source;
use crate::sys::pipe;
use crate::sys::program::Running;
use crate::sys::zero;
use crate::tool::partclone::checksums::{PassError, Removing};
use crate::tool::partclone::{HEAD, Head};

/// How long a tool may take to end once its pipes are closed; partclone syncs the disk then.
const ENDING: Duration = Duration::from_secs(3600);
/// Taken from the decompressor at a time.
const BUFFER: usize = 256 << 10;
/// About so many zeros are handed on at a time, so that the progress also moves within a long gap.
const AT_ONCE: u64 = 1 << 30;
/// What is in the pieces is not what zstd wrote.
const DECOMPRESS: &str = "the pieces cannot be decompressed";
const NO_IMAGE: &str = "the pieces hold no whole image of partclone";
/// A thread has panicked.
const BUG: &str = "a thread has a bug";

/// What comes out of the pieces.
pub(crate) type Unpacked = Frames<Taker>;

/// Decompresses a stream for a taker, which has this thread and says how many bytes it took.
pub(crate) fn unpack<'a>(
    source: impl Into<Source<'a>>,
    stream: &Stream,
    stored: &Board,
    take: impl FnOnce(Unpacked) -> Result<u64>,
) -> Result<()> {
    let source = source.into();
    let (mut to, from) = handover();
    let unpacked = Frames::new(from, stream.length).context(DECOMPRESS)?;
    let (fed, taken) = thread::scope(|scope| {
        let feeder = scope.spawn(move || {
            let read = pieces::read(source, stream, stored, |bytes| to.write_all(bytes));
            // A taker that is gone has its own reason.
            let _untaken = to.flush();
            read
        });
        // When the taker is through or gives up, the feeder finds it gone.
        let taken = take(unpacked);
        (feeder.join(), taken)
    });
    fed.unwrap_or_else(|_| Err(anyhow!(BUG)))?;
    let found = taken?;
    ensure!(found == stream.length, other_length(found, stream.length));
    Ok(())
}

fn other_length(found: u64, expected: u64) -> String {
    format!("the pieces hold {found} bytes, the description says {expected}")
}

/// So many bytes of a stream from this one on, and what is behind them is not read.
pub(crate) fn window<'a>(
    source: impl Into<Source<'a>>,
    stream: &Stream,
    from: u64,
    length: u64,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let take = |mut unpacked: Unpacked| {
        io::copy(&mut (&mut unpacked).take(from), &mut io::sink()).context(DECOMPRESS)?;
        unpacked.take(length).read_to_end(&mut bytes).context(DECOMPRESS)?;
        Ok(stream.length)
    };
    unpack(source, stream, &Board::default(), take)?;
    Ok(bytes)
}

/// Takes an image of partclone: one of its programs, whose image is its standard input. Its checksums of blocks are
/// compared here, and the program gets the image without them.
pub(crate) fn to_partclone<R: Read>(
    mut command: Command,
    (total, used): (u64, u64),
    unpacked: &Board,
) -> impl FnOnce(R) -> Result<u64> {
    move |mut from| {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).context(DECOMPRESS)?;
        let found = Head::parse(&head).context("what is in the pieces is not what the description says")?;
        ensure!(
            (found.total, found.used) == (total, used),
            "the pieces hold a file system of {} bytes of which {} are used, the description says {total} and {used}",
            found.total,
            found.used
        );
        let (mut removing, without) = Removing::new(&head).context(NO_IMAGE)?;
        let mut program = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        let mut to = program.child().stdin.take().context(BUG)?;
        pipe::widen(&to);
        unpacked.add(HEAD as u64);
        let mut pass = || -> Result<u64> {
            to.write_all(&without).map_err(PassError::HandOn)?;
            let (mut buffer, mut passed) = (vec![0; BUFFER], 0);
            loop {
                let read = read(&mut from, &mut buffer)? as u64;
                if read == 0 {
                    break;
                }
                let bytes = buffer.get(..usize::try_from(read)?).unwrap_or_default();
                removing.pass(bytes, &mut to).context(NO_IMAGE)?;
                unpacked.add(read);
                passed += read;
            }
            removing.end().context(NO_IMAGE)?;
            Ok(passed)
        };
        let passed = pass();
        drop(to);
        let ended = program.succeed(ENDING);
        match passed {
            Ok(passed) => ended.map(|()| HEAD as u64 + passed).map_err(Into::into),
            // A program that takes no more has said why.
            Err(error) if matches!(error.downcast_ref(), Some(PassError::HandOn(_))) => {
                ended?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// Takes every byte and only counts them.
pub(crate) fn to_nobody(from: Unpacked) -> Result<u64> {
    for_each(from, u64::MAX, |_, _| Ok(()))
}

/// What is done with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zeros {
    Write,
    /// The target has nothing but zeros yet, and they can be left out.
    LeaveOut,
}

/// Where the bytes of a region stand.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub start: u64,
    /// How many there are.
    pub length: u64,
    /// The bytes of the disk that are the region's to write; what would stand outside is left out.
    pub within: Range<u64>,
}

impl Place {
    /// What of this part of the region is within, and where that stands.
    fn clip<'b>(&self, part: Part<'b>, at: u64) -> (Part<'b>, u64) {
        let position = self.start.saturating_add(at);
        let index = |byte: u64| byte.saturating_sub(position).min(part.length());
        let (from, to) = (index(self.within.start), index(self.within.end));
        let clipped = match part {
            Part::Bytes(bytes) => {
                let index = |byte| usize::try_from(byte).unwrap_or(usize::MAX);
                Part::Bytes(bytes.get(index(from)..index(to)).unwrap_or_default())
            }
            Part::Zeros(_) => Part::Zeros(to.saturating_sub(from)),
        };
        (clipped, position + from)
    }
}

/// Takes every byte to its place on a disk.
pub(crate) fn to_disk<'a>(
    disk: &'a File,
    place: Place,
    zeros: Zeros,
    unpacked: &'a Board,
) -> impl FnOnce(Unpacked) -> Result<u64> + 'a {
    move |from| {
        for_each(from, place.length, |part, at| {
            let (wanted, position) = place.clip(part, at);
            let written = match (wanted.is_zero(), zeros) {
                (false, _) => disk.write_all_at(wanted.bytes(), position),
                (true, Zeros::Write) => zero::write(disk, position, wanted.length()),
                (true, Zeros::LeaveOut) => Ok(()),
            };
            written.with_context(|| format!("the disk cannot be written at byte {position}"))?;
            unpacked.add(part.length());
            Ok(())
        })
    }
}

/// Takes every byte and compares it with what stands on the disk.
pub(crate) fn compare(disk: &File, place: Place) -> impl FnOnce(Unpacked) -> Result<u64> + '_ {
    move |from| {
        let mut there = vec![0; BUFFER];
        for_each(from, place.length, |part, at| {
            let (part, mut position) = place.clip(part, at);
            let end = position + part.length();
            // A hole needs not be read to be known.
            while position < end && part.is_zero() {
                position = zero::next_data(disk, position).min(end);
                let length = usize::try_from(end - position).unwrap_or(BUFFER).min(BUFFER);
                let there = there.get_mut(..length).unwrap_or_default();
                read_back(disk, there, position)?;
                ensure!(zero::is_zero(there), other_bytes(position));
                position += length as u64;
            }
            if position < end {
                let there = there.get_mut(..part.bytes().len()).unwrap_or_default();
                read_back(disk, there, position)?;
                ensure!(there == part.bytes(), other_bytes(position));
            }
            Ok(())
        })
    }
}

fn read_back(disk: &File, there: &mut [u8], position: u64) -> Result<()> {
    disk.read_exact_at(there, position)
        .with_context(|| format!("what was written near byte {position} cannot be read back"))
}

fn other_bytes(position: u64) -> String {
    format!("the disk gives back something else than was written, near byte {position}")
}

/// What comes next of a stream.
#[derive(Debug, Clone, Copy)]
enum Part<'b> {
    Bytes(&'b [u8]),
    /// So many zeros, which are not there as bytes.
    Zeros(u64),
}

impl<'b> Part<'b> {
    const fn length(self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(length) => length,
        }
    }

    fn is_zero(self) -> bool {
        match self {
            Self::Bytes(bytes) => zero::is_zero(bytes),
            Self::Zeros(_) => true,
        }
    }

    /// The bytes; of [`Self::Zeros`] there are none.
    const fn bytes(self) -> &'b [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Zeros(_) => &[],
        }
    }
}

/// Hands on all parts of a stream of so many bytes, with where they are in it; how many bytes there were.
fn for_each(
    mut from: Unpacked,
    length: u64,
    mut each: impl FnMut(Part<'_>, u64) -> Result<()>,
) -> Result<u64> {
    let (mut buffer, mut at) = (vec![0; BUFFER], 0);
    loop {
        let zeros = from.zeros(AT_ONCE).context(DECOMPRESS)?;
        let part = match zeros {
            0 => Part::Bytes(match read(&mut from, &mut buffer)? {
                0 => return Ok(at),
                read => buffer.get(..read).unwrap_or_default(),
            }),
            zeros => Part::Zeros(zeros),
        };
        if at + part.length() > length {
            bail!(other_length(at + part.length(), length));
        }
        each(part, at)?;
        at += part.length();
    }
}

fn read(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.context(DECOMPRESS),
        }
    }
}
