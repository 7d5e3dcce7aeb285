//! A region of the disk, through the compressor, into pieces.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use ghost_contract::image::{FileSystem, OnReadError, Range, Stream};

use super::compressor::Compressor;
use super::handover::{Taker, handover};
use super::pieces::{self, Pieces, Syncing};
use super::raw;
use super::reader::{self, Reader};
use crate::board::Board;
use crate::sys::disk::NoReadAhead;
use crate::sys::pipe;
use crate::sys::program::{LOOKING, ProgramError, Running, last_lines};
use crate::tool::partclone::checksums::Adding;
use crate::tool::partclone::{self, Head};

/// How long a tool may take to end once its pipes are closed.
const ENDING: Duration = Duration::from_secs(60);
/// Taken from partclone at a time: what fits the processor's cache.
const BUFFER: usize = 256 << 10;
/// partclone has met a place that it cannot read, and has not said which.
const SOMEWHERE: &str = "the disk cannot be read everywhere, and partclone does not say where";
const NO_IMAGE: &str = "what partclone writes cannot be understood";
const NOT_PASSED: &str = "partclone's image cannot be passed on";
const COMPRESS: &str = "zstd cannot compress it";
/// A thread has panicked.
const BUG: &str = "a thread has a bug";

/// How every stream of an image is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method<'a> {
    pub folder: &'a Path,
    pub level: u8,
    pub threads: u64,
    /// The largest piece, bytes.
    pub piece_size: u64,
    /// What is done when the disk cannot be read somewhere.
    pub on_read_error: OnReadError,
}

/// A region that was saved.
#[derive(Debug)]
pub(crate) struct Saved {
    pub stream: Stream,
    /// Bytes of the disk that are in the stream: of a file system, the blocks that the image's own map names.
    pub held: u64,
    /// What could not be read: of a file system in bytes from its start, else on the disk.
    pub bad: Vec<Range>,
    /// Its last piece; without it on the disk there is no image.
    pub syncing: Syncing,
}

/// Saves a file system's used blocks from its node.
///
/// The first attempt ends where partclone cannot read. With a rescue a second one goes on there; without, it is
/// only asked for the place.
pub(crate) fn file_system(
    method: Method<'_>,
    name: &str,
    (node, reader): (&Path, Reader),
    (file_system, expected): (FileSystem, &Head),
    board: &Board,
) -> Result<Saved> {
    let before = board.done();
    let saved = match (attempt(method, name, reader, expected, board)?, method.on_read_error) {
        (Attempt::Saved(saved), _) => saved,
        (Attempt::MetBadSectors, OnReadError::Fail) => return Err(locate(file_system, node)?),
        (Attempt::MetBadSectors, OnReadError::Rescue) => {
            board.set(before);
            pieces::remove(method.folder, name)?;
            let _exactly = NoReadAhead::make(node)?;
            let rescuer = reader::start(file_system, node, OnReadError::Rescue)?;
            match attempt(method, name, rescuer, expected, board)? {
                Attempt::Saved(saved) if !saved.bad.is_empty() => saved,
                _ => bail!(SOMEWHERE),
            }
        }
    };
    board.set(before.saturating_add(expected.expected_length()));
    Ok(saved)
}

/// The error that names the first place that cannot be read.
fn locate(file_system: FileSystem, node: &Path) -> Result<Error> {
    let _exactly = NoReadAhead::make(node)?;
    let mut command = reader::command(file_system, node, OnReadError::Rescue);
    let (sender, places) = mpsc::channel();
    let hear = move |line: &str| {
        if let Some(place) = partclone::unreadable(line) {
            // Only the first is waited for.
            let _further = sender.send(place);
        }
    };
    let mut running = Running::start_heard(&mut command, hear)?;
    let mut image = running.child().stdout.take().context(BUG)?;
    let reading = thread::spawn(move || io::copy(&mut image, &mut io::sink()));
    let place = places.recv_timeout(LOOKING);
    drop(running);
    // It ends with its process; what it has read is of no interest.
    let _ended = reading.join();
    Ok(match place {
        Ok(position) => {
            anyhow!(
                "the disk cannot be read at byte {position} of it; ghostctl backup --rescue goes on there"
            )
        }
        Err(_) => anyhow!(SOMEWHERE),
    })
}

/// How an attempt to save a file system ended.
enum Attempt {
    Saved(Saved),
    /// partclone broke off where it could not read.
    MetBadSectors,
}

fn attempt(
    method: Method<'_>,
    name: &str,
    reader: Reader,
    expected: &Head,
    board: &Board,
) -> Result<Attempt> {
    let found = reader.head().context(NO_IMAGE)?;
    ensure!(
        found == *expected,
        "the file system has changed while the disk was read: somebody else writes to it"
    );
    let mut taken = reader.take();
    let (mut adding, head) = Adding::new(&taken.head).context(NO_IMAGE)?;
    pipe::widen(&taken.output);
    let feed = |to: &mut Compressor| relay(&head, &mut adding, &mut taken.output, to, board);
    let (stream, syncing) = compressed(method, name, feed)?;
    // One that breaks off looks like one that has come to its end, except for this.
    let (status, said) = taken.running.end(ENDING)?;
    if !status.success() && partclone::met_bad_sectors(&said) {
        return Ok(Attempt::MetBadSectors);
    }
    if !status.success() {
        let program = taken.running.program().to_owned();
        return Err(ProgramError::Failed { program, status, said: last_lines(&said) }.into());
    }
    // All blocks that its own map and head tell of, whatever its status says.
    let held = adding.end().context(NOT_PASSED)?;
    Ok(Attempt::Saved(Saved { stream, held, bad: taken.unreadable(), syncing }))
}

/// Passes the head on, and the rest with checksums; how long all of it is.
fn relay(
    head: &[u8],
    adding: &mut Adding,
    from: &mut impl Read,
    to: &mut Compressor,
    board: &Board,
) -> Result<u64> {
    to.write_all(head).context(COMPRESS)?;
    let (mut buffer, mut length) = (vec![0; BUFFER], head.len() as u64);
    board.add(length);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("the pipe from partclone is broken"),
        };
        let passed = adding.pass(buffer.get(..read).unwrap_or_default(), to).context(NOT_PASSED)?;
        length += passed;
        board.add(passed);
    }
}

/// Saves every byte of a stretch.
pub(crate) fn raw(
    method: Method<'_>,
    name: &str,
    disk: &File,
    stretch: Range,
    board: &Board,
) -> Result<Saved> {
    let mut bad = Vec::new();
    let (stream, syncing) = compressed(method, name, |to| {
        bad = raw::read(disk, stretch, method.on_read_error, board, to)?;
        Ok(stretch.length)
    })?;
    Ok(Saved { stream, held: stretch.length, bad, syncing })
}

/// Runs the compressor between a feeder, which has a thread, and the pieces. The feeder says how many bytes
/// it has fed.
fn compressed(
    method: Method<'_>,
    name: &str,
    feed: impl FnOnce(&mut Compressor) -> Result<u64> + Send,
) -> Result<(Stream, Syncing)> {
    let mut pieces = Pieces::new(method.folder, name.to_owned(), method.piece_size);
    let (giver, taker) = handover();
    let compressor = Compressor::new(giver, method.level, method.threads);
    let mut compressor = compressor.context(COMPRESS)?;
    let (fed, drained) = thread::scope(|scope| {
        let feeder = scope.spawn(move || {
            let fed = feed(&mut compressor)?;
            let ended = compressor.finish().and_then(|mut giver| giver.flush());
            ended.map(|()| fed).context(COMPRESS)
        });
        // When the store takes no more, the feeder finds the taker gone.
        let drained = drain(taker, &mut pieces);
        (feeder.join().unwrap_or_else(|_| Err(anyhow!(BUG))), drained)
    });
    // What the store refuses is the cause of what the feeder complains of, not the other way round.
    drained?;
    let length = fed?;
    let (pieces, syncing) = pieces.finish()?;
    Ok((Stream { length, pieces }, syncing))
}

fn drain(mut from: Taker, pieces: &mut Pieces) -> Result<()> {
    loop {
        let bytes = from.fill_buf().context(COMPRESS)?;
        let length = bytes.len();
        if length == 0 {
            return Ok(());
        }
        pieces.write(bytes)?;
        from.consume(length);
    }
}
