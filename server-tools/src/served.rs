//! The file system in a file, for reading, as the confined process of `images mount` gives it to the kernel over FUSE. The drivers
//! are in Rust, so that a hostile file system finds neither the kernel's drivers nor C.
//!
//! ```text
//! kernel ─▶ /dev/fuse ─▶ front, wire ─▶ tamed ─▶ Tree (ext, ntfs, fat) ─▶ file
//! ```
//! Drivers know nothing of the kernel and of mounts. What one cannot read as it was written, such as a compressed or encrypted
//! file, is an error, and never other bytes.

use std::fs::File;
use std::io;
use std::time::SystemTime;

mod bytes;
mod ext;
mod fat;
pub(crate) mod front;
pub(crate) mod look;
mod ntfs;
mod paths;
mod tamed;
mod wire;

use tamed::Tamed;

/// The folder that all others are in. Numbers of files and folders are a driver's own.
pub(crate) const ROOT: u64 = 1;
/// The longest name that FUSE takes, bytes (fs/fuse/fuse_i.h, `FUSE_NAME_MAX`).
const LONGEST_NAME: usize = 1_024;
/// The longest link, which is a page without its end (fs/fuse/dir.c, `fuse_readlink_page`).
const LONGEST_LINK: usize = 4_095;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    BlockDevice,
    CharacterDevice,
    Pipe,
    Socket,
}

impl Kind {
    /// As it stands in a mode (inode(7)).
    const fn bits(self) -> u32 {
        match self {
            Self::File => libc::S_IFREG,
            Self::Folder => libc::S_IFDIR,
            Self::Link => libc::S_IFLNK,
            Self::BlockDevice => libc::S_IFBLK,
            Self::CharacterDevice => libc::S_IFCHR,
            Self::Pipe => libc::S_IFIFO,
            Self::Socket => libc::S_IFSOCK,
        }
    }
}

/// What is to be known of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub permissions: u16,
    pub user: u32,
    pub group: u32,
    pub size: u64,
    pub changed: SystemTime,
    pub accessed: SystemTime,
}

/// The names in a folder.
type Children = Vec<(Vec<u8>, Kind)>;

/// A file system.
pub(crate) trait Tree {
    fn entry(&mut self, node: u64) -> io::Result<Entry>;
    fn child(&mut self, folder: u64, name: &[u8]) -> io::Result<u64>;
    fn children(&mut self, folder: u64) -> io::Result<Children>;
    /// At most so many bytes; fewer only where the file ends.
    fn read(&mut self, file: u64, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    fn link(&mut self, link: u64) -> io::Result<Vec<u8>>;
}

/// A kind of file system that there is a driver for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Driver {
    Ext,
    Ntfs,
    Fat,
}

impl Driver {
    /// By the name that a file system has in the description of an image.
    pub(crate) fn of(file_system: &str) -> Option<Self> {
        match file_system {
            "ext2" | "ext3" | "ext4" => Some(Self::Ext),
            "ntfs" => Some(Self::Ntfs),
            "vfat" => Some(Self::Fat),
            _ => None,
        }
    }

    pub(crate) fn open(self, file: File) -> io::Result<Box<dyn Tree>> {
        Ok(Box::new(match self {
            Self::Ext => Tamed::open(|| ext::Ext::open(file))?,
            Self::Ntfs => Tamed::open(|| ntfs::Ntfs::open(file))?,
            Self::Fat => Tamed::open(|| fat::Fat::open(file))?,
        }))
    }
}

/// Whether the kernel takes this for a name in a folder. It refuses all of a folder in which it meets another.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && name.len() <= LONGEST_NAME
        && !name.contains(&b'/')
        && !name.contains(&0)
}

/// What a driver was asked for and there is no such file.
fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// What would not be the bytes that were written.
fn unreadable() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

#[cfg(test)]
mod tests;
