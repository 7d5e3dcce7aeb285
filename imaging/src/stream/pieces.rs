//! Pieces: the files into which a compressed stream is cut, and their checksums.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use ghost_contract::checksum::Sha256;
use ghost_contract::image::{Piece, Stream};
use sha2::Digest;

use crate::board::Board;
use crate::sys::{disk, file};

/// Read and hashed at a time: what fits the processor's cache.
const BUFFER: usize = 256 << 10;

/// What is wrong with a piece.
#[derive(Debug, thiserror::Error)]
pub enum PieceError {
    /// It cannot be made or written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// It is not there, or cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It has another size.
    #[error("{} has {found} bytes, not {expected}: it is damaged", .path.display())]
    Size {
        /// Which.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// That of the description.
        expected: u64,
    },
    /// It has another content.
    #[error("{} is damaged: its checksum is {found}, not {expected}", .path.display())]
    Checksum {
        /// Which.
        path: PathBuf,
        /// Of what is there.
        found: Sha256,
        /// That of the description.
        expected: Sha256,
    },
    /// Whoever takes the bytes does not take them.
    #[error("cannot hand on {}", .0.display())]
    HandOn(PathBuf, #[source] io::Error),
}

/// Cuts a stream into pieces.
#[derive(Debug)]
pub struct Pieces {
    folder: PathBuf,
    name: String,
    largest: u64,
    finished: Vec<Piece>,
    current: Option<Current>,
    /// The piece before the current one.
    syncing: Syncing,
}

/// A piece on its way to the store's disk, while others are written.
#[derive(Debug, Default)]
pub struct Syncing(Option<(PathBuf, JoinHandle<io::Result<()>>)>);

#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    size: u64,
    hash: sha2::Sha256,
}

impl Pieces {
    /// For a stream with this name, no piece larger than so many bytes.
    #[must_use]
    pub fn new(folder: &Path, name: String, largest: u64) -> Self {
        let folder = folder.to_owned();
        Self {
            folder,
            name,
            largest: largest.max(1),
            finished: Vec::new(),
            current: None,
            syncing: Syncing::default(),
        }
    }

    /// Appends to the stream.
    ///
    /// # Errors
    /// When a piece cannot be made or written.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), PieceError> {
        while !bytes.is_empty() {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => self.next()?,
            };
            let room = usize::try_from(self.largest - current.size).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let write_error = |error| PieceError::Write(current.path.clone(), error);
            current.file.write_all(now).map_err(write_error)?;
            current.hash.update(now);
            current.size += now.len() as u64;
            bytes = later;
            if current.size == self.largest {
                self.close(current)?;
            } else {
                self.current = Some(current);
            }
        }
        Ok(())
    }

    /// The end of the stream; every piece is on the disk but the last one, which is on its way.
    ///
    /// # Errors
    /// When one is not.
    pub fn finish(mut self) -> Result<(Vec<Piece>, Syncing), PieceError> {
        if let Some(current) = self.current.take() {
            self.close(current)?;
        }
        Ok((self.finished, self.syncing))
    }

    fn next(&self) -> Result<Current, PieceError> {
        let path = self.folder.join(piece_name(&self.name, self.finished.len()));
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = made.map_err(|error| PieceError::Write(path.clone(), error))?;
        Ok(Current { file, path, size: 0, hash: sha2::Sha256::new() })
    }

    /// A piece is whole; it goes to the disk while the next one is written.
    fn close(&mut self, current: Current) -> Result<(), PieceError> {
        self.syncing.wait()?;
        let Current { file, path, size, hash } = current;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.finished.push(Piece { file: name, size, sha256: Sha256::new(hash.finalize().into()) });
        let sync = std::thread::spawn(move || {
            file.sync_all()?;
            // The client's memory is for the next pieces.
            disk::forget(&file);
            Ok(())
        });
        self.syncing = Syncing(Some((path, sync)));
        Ok(())
    }
}

impl Syncing {
    /// Waits until it is there.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn wait(&mut self) -> Result<(), PieceError> {
        let Some((path, sync)) = self.0.take() else { return Ok(()) };
        let synced =
            sync.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs it has a bug")));
        synced.map_err(|error| PieceError::Write(path, error))
    }
}

/// Removes the pieces of a stream that was given up.
///
/// # Errors
/// When one cannot be removed.
pub fn remove(folder: &Path, name: &str) -> Result<(), PieceError> {
    for number in 0.. {
        let path = folder.join(piece_name(name, number));
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(PieceError::Write(path, error)),
        }
    }
    Ok(())
}

fn piece_name(stream: &str, number: usize) -> String {
    format!("{stream}.{number:03}")
}

/// Whether every piece of a stream is there with its size.
///
/// # Errors
/// The first that is not.
pub fn check_sizes(folder: &Path, stream: &Stream) -> Result<(), PieceError> {
    stream.pieces.iter().try_for_each(|piece| open(folder, piece).map(|_| ()))
}

fn open(folder: &Path, piece: &Piece) -> Result<File, PieceError> {
    let path = folder.join(&piece.file);
    let opened = file::open_plain(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (found, file) = opened.map_err(|error| PieceError::Read(path.clone(), error))?;
    if found == piece.size { Ok(file) } else { Err(PieceError::Size { path, found, expected: piece.size }) }
}

/// Reads all pieces of a stream in order, compares their checksums and hands their bytes on.
///
/// When the taker breaks off, the piece that is being read is read to its end, so that a damaged piece is
/// named and not the complaint that it brought about.
///
/// # Errors
/// The first piece that is not as it was written, or that the taker does not take.
pub fn read(
    folder: &Path,
    stream: &Stream,
    board: &Board,
    mut taker: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), PieceError> {
    let mut buffer = vec![0; BUFFER];
    for piece in &stream.pieces {
        let path = folder.join(&piece.file);
        let mut file = open(folder, piece)?;
        let (mut hash, mut taken) = (sha2::Sha256::new(), Ok(()));
        loop {
            let length = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(PieceError::Read(path, error)),
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            hash.update(bytes);
            if taken.is_ok() {
                taken = taker(bytes);
            }
            board.add(length as u64);
        }
        let found = Sha256::new(hash.finalize().into());
        if found != piece.sha256 {
            return Err(PieceError::Checksum { path, found, expected: piece.sha256 });
        }
        taken.map_err(|error| PieceError::HandOn(path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> Stream {
        let mut pieces = Pieces::new(folder, "a.zst".to_owned(), 4);
        pieces.write(b"abc").unwrap();
        pieces.write(b"defghij").unwrap();
        let (pieces, mut syncing) = pieces.finish().unwrap();
        syncing.wait().unwrap();
        Stream { length: 10, pieces }
    }

    fn read_back(folder: &Path, stream: &Stream) -> Result<Vec<u8>, PieceError> {
        let mut bytes = Vec::new();
        read(folder, stream, &Board::default(), |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    }

    #[test]
    fn a_stream_is_cut_and_put_together_again() {
        let folder = tempfile::tempdir().unwrap();
        let stream = written(folder.path());
        let names: Vec<_> = stream.pieces.iter().map(|piece| (piece.file.as_str(), piece.size)).collect();
        assert_eq!(names, [("a.zst.000", 4), ("a.zst.001", 4), ("a.zst.002", 2)]);
        assert_eq!(read_back(folder.path(), &stream).unwrap(), b"abcdefghij");
    }

    #[test]
    fn a_stream_that_ends_with_a_piece_has_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut pieces = Pieces::new(folder.path(), "a".to_owned(), 4);
        pieces.write(b"abcdefgh").unwrap();
        assert_eq!(pieces.finish().unwrap().0.len(), 2);
    }

    #[test]
    fn a_piece_that_is_not_as_it_was_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let stream = written(folder.path());
        let second = folder.path().join("a.zst.001");
        fs::write(&second, "efgx").unwrap();
        assert!(
            matches!(read_back(folder.path(), &stream), Err(PieceError::Checksum { path, .. }) if path == second)
        );
        fs::write(&second, "efg").unwrap();
        let error = check_sizes(folder.path(), &stream).unwrap_err();
        assert!(matches!(error, PieceError::Size { found: 3, expected: 4, .. }), "{error}");
        fs::remove_file(&second).unwrap();
        assert!(
            matches!(check_sizes(folder.path(), &stream), Err(PieceError::Read(path, _)) if path == second)
        );
    }

    #[test]
    fn a_damaged_piece_is_named_though_the_taker_breaks_off() {
        let folder = tempfile::tempdir().unwrap();
        let stream = written(folder.path());
        fs::write(folder.path().join("a.zst.000"), "abcx").unwrap();
        let broken = |_: &[u8]| Err(io::ErrorKind::BrokenPipe.into());
        let error = read(folder.path(), &stream, &Board::default(), broken).unwrap_err();
        assert!(matches!(error, PieceError::Checksum { .. }), "{error}");
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let stream = written(folder.path());
        let first = folder.path().join("a.zst.000");
        fs::rename(&first, folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &first).unwrap();
        assert!(matches!(check_sizes(folder.path(), &stream), Err(PieceError::Read(..))));
    }
}
