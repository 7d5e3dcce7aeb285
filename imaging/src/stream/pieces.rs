//! Pieces: the files into which a compressed stream is cut, and their checksums.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use ghost_contract::checksum::Sha256;
use ghost_contract::image::{Piece, Stream};
use sha2::Digest;

use crate::board::Board;
use crate::source::Source;
use crate::sys::disk;

/// Read and hashed at a time: what fits the processor's cache.
const BUFFER: usize = 256 << 10;
/// So many bytes of a piece go to the disk together, while the next ones are compressed: so the end has little left
/// to wait for, and never more than twice this is in the memory only.
const STRETCH: u64 = 64 << 20;

/// Cuts a stream into pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    folder: PathBuf,
    name: String,
    largest: u64,
    stretch: u64,
    finished: Vec<Piece>,
    current: Option<Current>,
    syncing: Syncing,
}

/// What was written last, on its way to the store's disk while more is written.
#[derive(Debug, Default)]
pub(crate) struct Syncing(Option<(PathBuf, JoinHandle<io::Result<()>>)>);

#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    size: u64,
    /// As much of it is on the disk, or on its way there.
    sent: u64,
    hash: sha2::Sha256,
}

impl Pieces {
    /// For a stream with this name, no piece larger than so many bytes.
    pub(crate) fn new(folder: &Path, name: String, largest: u64) -> Self {
        let folder = folder.to_owned();
        Self {
            folder,
            name,
            largest: largest.max(1),
            stretch: STRETCH,
            finished: Vec::new(),
            current: None,
            syncing: Syncing::default(),
        }
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => self.next()?,
            };
            let room = usize::try_from(self.largest - current.size).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            current.file.write_all(now).with_context(|| cannot_write(&current.path))?;
            current.hash.update(now);
            current.size += now.len() as u64;
            bytes = later;
            if current.size == self.largest {
                self.close(current)?;
                continue;
            }
            if current.size - current.sent >= self.stretch {
                self.send(&mut current)?;
            }
            self.current = Some(current);
        }
        Ok(())
    }

    /// The end of the stream; all of it is on the disk but the last stretch, which is on its way.
    pub(crate) fn finish(mut self) -> Result<(Vec<Piece>, Syncing)> {
        if let Some(current) = self.current.take() {
            self.close(current)?;
        }
        Ok((self.finished, self.syncing))
    }

    fn next(&self) -> Result<Current> {
        let path = self.folder.join(piece_name(&self.name, self.finished.len()));
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = made.with_context(|| cannot_write(&path))?;
        Ok(Current { file, path, size: 0, sent: 0, hash: sha2::Sha256::new() })
    }

    /// What a piece has so far goes to the disk while more is written.
    fn send(&mut self, current: &mut Current) -> Result<()> {
        self.syncing.wait()?;
        let file = current.file.try_clone().with_context(|| cannot_write(&current.path))?;
        current.sent = current.size;
        self.syncing = Syncing::start(file, current.path.clone(), current.size);
        Ok(())
    }

    /// A piece is whole; its end goes to the disk while the next one is written.
    fn close(&mut self, current: Current) -> Result<()> {
        self.syncing.wait()?;
        let Current { file, path, size, hash, .. } = current;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.finished.push(Piece { file: name, size, sha256: Sha256::new(hash.finalize().into()) });
        self.syncing = Syncing::start(file, path, size);
        Ok(())
    }
}

impl Syncing {
    /// This file, which has so many bytes.
    fn start(file: File, path: PathBuf, size: u64) -> Self {
        let sync = std::thread::spawn(move || {
            file.sync_all()?;
            // The client's memory is for what comes next.
            disk::forget_beginning(&file, size);
            Ok(())
        });
        Self(Some((path, sync)))
    }

    /// Waits until it is there.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let Some((path, sync)) = self.0.take() else { return Ok(()) };
        let synced =
            sync.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs it has a bug")));
        synced.with_context(|| cannot_write(&path))
    }
}

/// Removes the pieces of a stream that was given up.
pub(crate) fn remove(folder: &Path, name: &str) -> Result<()> {
    for number in 0.. {
        let path = folder.join(piece_name(name, number));
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error).with_context(|| cannot_write(&path)),
        }
    }
    Ok(())
}

fn piece_name(stream: &str, number: usize) -> String {
    format!("{stream}.{number:03}")
}

/// Whether every piece of a stream is there with its size.
pub(crate) fn check_sizes(source: Source<'_>, stream: &Stream) -> Result<()> {
    stream.pieces.iter().try_for_each(|piece| open(source, piece).map(|_| ()))
}

fn open(source: Source<'_>, piece: &Piece) -> Result<File> {
    let path = source.path(&piece.file);
    let opened = source.open(&piece.file).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (found, file) = opened.with_context(|| cannot_read(&path))?;
    let expected = piece.size;
    ensure!(found == expected, "{} has {found} bytes, not {expected}: it is damaged", path.display());
    Ok(file)
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Reads all pieces of a stream in order, compares their checksums and hands their bytes on.
///
/// A taker that breaks off has its own reason, which it reports itself. The piece that it broke off in is read to its
/// end, so that a damaged piece is reported and not what the damage made the taker say.
pub(crate) fn read<'a>(
    source: impl Into<Source<'a>>,
    stream: &Stream,
    board: &Board,
    mut taker: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<()> {
    let (source, mut buffer) = (source.into(), vec![0; BUFFER]);
    for piece in &stream.pieces {
        let path = source.path(&piece.file);
        let mut file = open(source, piece)?;
        let (mut hash, mut taken) = (sha2::Sha256::new(), Ok(()));
        loop {
            let length = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(|| cannot_read(&path)),
            };
            ensure!(!board.is_overdue(), "it takes too long to read {}", path.display());
            let bytes = buffer.get(..length).unwrap_or_default();
            hash.update(bytes);
            if taken.is_ok() {
                taken = taker(bytes);
            }
            board.add(length as u64);
        }
        let found = Sha256::new(hash.finalize().into());
        if found != piece.sha256 {
            bail!("{} is damaged: its checksum is {found}, not {}", path.display(), piece.sha256);
        }
        if taken.is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
