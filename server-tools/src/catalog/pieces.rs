//! Reads back what is in a folder of the store: names from its listing, sizes and checksums from its files.
//!
//! Believes nothing that a client says of its files, and follows no link that a client planted.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ghost_contract::checksum::Sha256;
use ghost_contract::layout::{MANIFEST, SCREENS};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::sys::folder::{BESIDE, Entry, Folder, Kind, settle};

/// Read at a time: large enough that the calls cost nothing, small enough for the processor's cache.
const BUFFER: usize = 1 << 18;
/// The client's report, which the job keeps beside the images.
pub(crate) const REPORT: &str = "report.jsonl";

/// The record of the last check of a generation. Only the server writes it.
pub(crate) const CHECK: &str = "check.json";

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
    Io(io::Error),
}

/// All files in a folder and below it, without those that the server itself writes there.
pub(crate) fn names(folder: &Folder) -> io::Result<Vec<Entry>> {
    let mut entries = folder.tree()?;
    entries.retain(|entry| !is_ours(&entry.path));
    Ok(entries)
}

pub(crate) fn read_back(folder: &Folder, entry: Entry) -> Found {
    let content = match entry.kind {
        Kind::File => folder.file(&entry.path).and_then(content).map_err(Unread::Io),
        Kind::Folder | Kind::Other => Err(Unread::Stranger),
    };
    Found { path: entry.path, content }
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

fn is_ours(path: &Path) -> bool {
    let name = path.to_str().map(|name| name.strip_prefix(BESIDE).unwrap_or(name));
    name.is_some_and(|name| name == MANIFEST || name == CHECK)
}

fn content(mut file: File) -> io::Result<Content> {
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
        hash.update(&buffer[..read]);
        size += u64::try_from(read).map_err(io::Error::other)?;
    }
}
