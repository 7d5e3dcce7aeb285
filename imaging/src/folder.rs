//! The folder of a disk's image: its description, its table for people, its checksums.

use std::fs;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};

use ghost_contract::checksum::{NotASha256, Sha256};
use ghost_contract::image::{DiskImage, Unsound};
use ghost_contract::layout::{CHECKSUMS, DISK_IMAGE, TABLE_DUMP};
use sha2::Digest;

use crate::sys::file;

/// A description is never larger than this, bytes; a larger one is not read.
const LARGEST: u64 = 16 << 20;

/// Why there is no image in a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// There is a description, and it cannot be believed.
    #[error("{} cannot be believed", .0.display())]
    Unsound(PathBuf, #[source] Unsound),
    /// It is not the one that was written.
    #[error("{} is not as it was written: its checksum is another", .0.display())]
    Checksum(PathBuf),
    /// The list of checksums does not name a file, or names it with something else.
    #[error("{} has no checksum of {file}", .path.display())]
    Unlisted { path: PathBuf, file: &'static str },
    /// A line of it has no checksum.
    #[error("{} cannot be believed", .0.display())]
    Line(PathBuf, #[source] NotASha256),
    /// A description that cannot be written.
    #[error("the description cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    #[error("{} is not empty: an image never overwrites another", .0.display())]
    NotEmpty(PathBuf),
}

/// Makes the folder of an image, which must be empty if it is there.
pub fn make(folder: &Path) -> Result<(), FolderError> {
    fs::create_dir_all(folder).map_err(|error| FolderError::Write(folder.to_owned(), error))?;
    let mut entries = fs::read_dir(folder).map_err(|error| FolderError::Read(folder.to_owned(), error))?;
    if entries.next().is_some() { Err(FolderError::NotEmpty(folder.to_owned())) } else { Ok(()) }
}

/// Writes the description, the table and the list of checksums; with them an image is whole.
pub fn finish(folder: &Path, image: &DiskImage, table: &[u8]) -> Result<(), FolderError> {
    let description = image.to_json().map_err(FolderError::Json)?;
    let mut sums = String::new();
    for piece in image.streams().flat_map(|stream| &stream.pieces) {
        sums += &line(piece.sha256, &piece.file);
    }
    sums += &line(sha256(table), TABLE_DUMP);
    sums += &line(sha256(description.as_bytes()), DISK_IMAGE);
    for (name, bytes) in
        [(TABLE_DUMP, table), (CHECKSUMS, sums.as_bytes()), (DISK_IMAGE, description.as_bytes())]
    {
        let path = folder.join(name);
        file::replace(&path, bytes).map_err(|error| FolderError::Write(path.clone(), error))?;
    }
    Ok(())
}

/// The description in this folder, as it was written.
pub fn description(folder: &Path) -> Result<DiskImage, FolderError> {
    let (path, sums) = (folder.join(DISK_IMAGE), folder.join(CHECKSUMS));
    let bytes = read(&path)?;
    if listed(&sums, DISK_IMAGE)? != sha256(&bytes) {
        return Err(FolderError::Checksum(path));
    }
    let dump = folder.join(TABLE_DUMP);
    if listed(&sums, TABLE_DUMP)? != sha256(&read(&dump)?) {
        return Err(FolderError::Checksum(dump));
    }
    DiskImage::parse(&bytes).map_err(|error| FolderError::Unsound(path, error))
}

fn listed(sums: &Path, file: &'static str) -> Result<Sha256, FolderError> {
    let text = read(sums)?;
    let text = String::from_utf8_lossy(&text);
    let named = text.lines().filter_map(|line| line.split_once("  ")).find(|(_, name)| *name == file);
    let (sum, _) = named.ok_or_else(|| FolderError::Unlisted { path: sums.to_owned(), file })?;
    sum.to_owned().try_into().map_err(|error| FolderError::Line(sums.to_owned(), error))
}

fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    let read = || {
        let mut bytes = Vec::new();
        file::open_plain(path)?.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| FolderError::Read(path.to_owned(), error))
}

fn line(sum: Sha256, file: &str) -> String {
    format!("{sum}  {file}\n")
}

fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::new(sha2::Sha256::digest(bytes).into())
}
