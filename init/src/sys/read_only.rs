//! Makes a disk and its partitions read-only, and writable again: `BLKROSET` (linux/fs.h).
#![allow(unsafe_code, reason = "ioctl(2) of block devices takes pointers")]

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::libc;

use super::ioctl;

const BLKROSET: libc::Ioctl = 0x125D;
const BLKROGET: libc::Ioctl = 0x125E;

/// A disk that refuses to be written, and how it was before.
#[derive(Debug)]
pub struct ReadOnly {
    path: PathBuf,
    before: libc::c_int,
}

impl ReadOnly {
    pub fn make(path: &Path) -> anyhow::Result<Self> {
        let disk = open(path)?;
        let mut before: libc::c_int = 0;
        // SAFETY: the request writes one int to where the pointer shows, which is one.
        unsafe { ioctl::ask(&disk, BLKROGET, &raw mut before) }
            .with_context(|| format!("cannot ask whether {} may be written", path.display()))?;
        set(&disk, 1).with_context(|| format!("cannot make {} read-only", path.display()))?;
        Ok(Self { path: path.to_owned(), before })
    }

    pub fn put_back(self) -> anyhow::Result<()> {
        set(&open(&self.path)?, self.before).with_context(|| {
            format!("cannot make {} what it was before it was read-only", self.path.display())
        })
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

fn set(disk: &File, mut value: libc::c_int) -> nix::Result<()> {
    // SAFETY: the request reads one int from where the pointer shows, which is one.
    unsafe { ioctl::ask(disk, BLKROSET, &raw mut value) }
}
