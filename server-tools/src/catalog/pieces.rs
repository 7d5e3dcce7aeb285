//! Reads back what is in a folder of the store: names from its listing, sizes and checksums from its files.
//!
//! Believes nothing that a client says of its files, and follows no link that a client planted.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use ghost_contract::bounds;
use ghost_contract::checksum::Sha256;
use ghost_contract::layout::{MANIFEST, SCREENS};
use ghost_imaging::board::Board;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::signing::SIGNATURE;
use crate::output::plain::FromClient;
use crate::sys::folder::{BESIDE, Entry, Folder, Kind, settle};

/// Read at a time: large enough that the calls cost nothing, small enough for the processor's cache.
const BUFFER: usize = 1 << 18;
/// The kernel takes a lease away 45 s after another program has asked for the file (/proc/sys/fs/lease-break-time).
const GIVEN_BACK: Duration = Duration::from_secs(90);
/// The kernel tells nobody that it has.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The client's report, which the job keeps beside the images.
pub(crate) const REPORT: &str = "report.jsonl";

/// The record of the last check of a generation. Only the server writes it.
pub(crate) const CHECK: &str = "check.json";

/// What the server itself writes beside the pieces, each first under a name that begins with [`BESIDE`].
const OURS: [&str; 3] = [MANIFEST, CHECK, SIGNATURE];

/// One file of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256,
}

/// A file and what became of reading it.
#[derive(Debug)]
pub(crate) struct Found {
    pub path: PathBuf,
    /// Its content, or why there is none.
    pub content: Result<Content, Unread>,
}

/// Size and checksum of a file that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256,
}

/// Why a name in the listing was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is a symbolic link, a device, a pipe or a socket.
    Stranger,
    /// Its name is one of the server's own, and it is no file of the server's.
    Ours,
    Io(io::Error),
}

/// The checksum of a manifest, or of another file, by which it is known again.
pub(crate) fn sum(bytes: &[u8]) -> Sha256 {
    Sha256::new(sha2::Sha256::digest(bytes).into())
}

/// Removes whatever has a name of the server's own, with all that is in it: a client has put it there, or a crash has left it.
pub(crate) fn remove_ours(folder: &Folder) -> io::Result<()> {
    OURS.iter().try_for_each(|name| {
        folder.remove(name)?;
        folder.remove_left_beside(name)
    })
}

/// All files in a folder and below it, without those that the server itself writes there.
pub(crate) fn names(folder: &Folder) -> io::Result<Vec<Entry>> {
    let mut entries = folder.tree()?;
    entries.retain(|Entry { path, kind }| {
        let is_at_the_top = path.components().count() == 1;
        !(is_at_the_top && *kind == Kind::File && has_name_of_ours(path))
    });
    Ok(entries)
}

/// An error unless a folder has these pieces and these files of the server's own, and nothing else. Only names and sizes are looked at.
pub(crate) fn require(folder: &Folder, pieces: &[Piece], own: &[&str]) -> anyhow::Result<()> {
    let mut there: BTreeSet<PathBuf> = folder.tree()?.into_iter().map(|entry| entry.path).collect();
    for name in own {
        ensure!(there.remove(Path::new(name)), "{name} is gone again");
    }
    for Piece { path, size, .. } in pieces {
        ensure!(there.remove(Path::new(path)), "{} is gone since it was read", FromClient(path));
        let now = folder.size(path)?;
        ensure!(now == *size, "{} has {now} bytes, and had {size} when it was read", FromClient(path));
    }
    match there.first() {
        Some(new) => bail!("{} has come since all was read", FromClient(new.display())),
        None => Ok(()),
    }
}

/// Until when these files must be read, by what they take on the disk, what they claim to be, and what the manifest says, if there is one.
pub(crate) fn deadline(folder: &Folder, names: &[Entry], known: Option<u64>) -> Instant {
    let (mut stored, mut apparent) = (0_u64, 0_u64);
    for entry in names.iter().filter(|entry| entry.kind == Kind::File) {
        // What cannot be read is reported when it is read.
        let Ok(takes) = folder.takes(&entry.path) else { continue };
        stored = stored.saturating_add(takes.stored);
        apparent = apparent.saturating_add(takes.apparent);
    }
    Instant::now() + bounds::check_deadline(stored, apparent, known)
}

pub(crate) fn read_back(folder: &Folder, entry: Entry, board: &Board) -> Found {
    let content = match entry.kind {
        _ if has_name_of_ours(&entry.path) => Err(Unread::Ours),
        Kind::File => {
            opened(folder, &entry.path, board).and_then(|file| content(file, board)).map_err(Unread::Io)
        }
        Kind::Folder | Kind::Other => Err(Unread::Stranger),
    };
    Found { path: entry.path, content }
}

/// Opens a file as soon as nobody writes to it alone any more: Linux' NFS server may have delegated it to its client (RFC 8881, 10.4),
/// and this makes the kernel take that back, also from one that is off.
pub(crate) fn opened(folder: &Folder, path: &Path, board: &Board) -> io::Result<File> {
    let until = Instant::now() + GIVEN_BACK;
    loop {
        match folder.file(path) {
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && !board.is_overdue()
                    && Instant::now() < until =>
            {
                thread::sleep(ASK_AGAIN);
            }
            opened => return opened,
        }
    }
}

/// Whether this is what the job was about, and not a picture or a record of it.
pub(crate) fn is_image(piece: &Piece) -> bool {
    piece.path != REPORT && !Path::new(&piece.path).starts_with(SCREENS)
}

/// Whether this has the name that images have unless the administrator chose another: `image.gho`, `IMAGE.001`.
pub(crate) fn is_called_image(piece: &Piece) -> bool {
    let stem = piece.path.split_once('.').map_or(piece.path.as_str(), |(stem, _ending)| stem);
    stem.eq_ignore_ascii_case("image")
}

/// Whether a path is, or lies in, something that has a name of the server's own.
fn has_name_of_ours(path: &Path) -> bool {
    let first = path.components().next().and_then(|first| first.as_os_str().to_str());
    first.is_some_and(|name| OURS.contains(&name.strip_prefix(BESIDE).unwrap_or(name)))
}

fn content(mut file: File, board: &Board) -> io::Result<Content> {
    settle(&file)?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0_u64;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(Content { size, sha256: Sha256::new(hash.finalize().into()) }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if board.is_overdue() {
            let late = "it takes too long: it is far larger than what is stored of it, or the image store does not keep up";
            return Err(io::Error::new(io::ErrorKind::TimedOut, late));
        }
        hash.update(&buffer[..read]);
        size += u64::try_from(read).map_err(io::Error::other)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::lease;

    #[test]
    fn a_file_that_somebody_has_alone_is_read_when_that_is_over() {
        let inside = tempfile::tempdir().unwrap();
        std::fs::write(inside.path().join("image.gho"), "image").unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        let alone = lease::alone(&inside.path().join("image.gho")).unwrap();
        assert_eq!(folder.file("image.gho").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let names = names(&folder).unwrap();
        let board = Board::until(deadline(&folder, &names, None));
        let reader = thread::spawn(move || read_back(&folder, names.into_iter().next().unwrap(), &board));
        thread::sleep(ASK_AGAIN);
        assert!(!reader.is_finished(), "it waits");
        drop(alone);
        assert_eq!(reader.join().unwrap().content.unwrap().size, 5);
    }

    #[test]
    fn a_file_that_claims_to_be_endless_is_given_up_when_its_time_is_over() {
        let inside = tempfile::tempdir().unwrap();
        File::create(inside.path().join("image.gho")).unwrap().set_len(8 << 40).unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        let names = names(&folder).unwrap();
        let hours = deadline(&folder, &names, None).duration_since(Instant::now()).as_secs() / 3_600;
        assert_eq!(hours, 1);
        let late = Board::until(Instant::now());
        let found = read_back(&folder, names.into_iter().next().unwrap(), &late);
        assert!(matches!(found.content, Err(Unread::Io(error)) if error.kind() == io::ErrorKind::TimedOut));
    }
}
