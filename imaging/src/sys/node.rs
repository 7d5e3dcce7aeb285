//! A stretch of a disk as a device or file of its own, for tools that know no offsets.
//!
//! The partition's own node where the kernel has one of the same place and length; else a loop device, which
//! goes when this is dropped, and also when this process dies.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::disk;
use super::program::{self, LOOKING};

/// The kernel gives places and sizes in sectors of this many bytes, whatever the disk's own are.
const KERNEL_SECTOR: u64 = 512;

/// What an error with a loop device begins with.
const LOOP: &str = "cannot make a loop device";

/// What may be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// A stretch of a disk.
#[derive(Debug)]
pub struct Node {
    path: PathBuf,
    /// Keeps a loop device that the kernel removes with its last user.
    _user: Option<File>,
}

impl Node {
    /// This stretch of this disk, in bytes.
    pub fn of(disk: &Path, start: u64, length: u64, sector: u32, access: Access) -> Result<Self> {
        if start == 0 && disk::facts(disk)?.size == length {
            return Ok(Self { path: disk.to_owned(), _user: None });
        }
        if disk::is_block_device(disk)?
            && let Some(path) = partition(&disk::sys_folder(disk)?, start, length)
        {
            return Ok(Self { path, _user: None });
        }
        loop_device(disk, start, length, sector, access)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The kernel's own node of a partition with this place and length.
fn partition(disk: &Path, start: u64, length: u64) -> Option<PathBuf> {
    let is_sectors = |path: PathBuf, bytes: u64| {
        let sectors = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
        sectors.and_then(|sectors| sectors.checked_mul(KERNEL_SECTOR)) == Some(bytes)
    };
    let folders = fs::read_dir(disk).ok()?.flatten().map(|entry| entry.path());
    let found = folders
        .filter(|folder| folder.join("partition").exists())
        .find(|folder| is_sectors(folder.join("start"), start) && is_sectors(folder.join("size"), length))?;
    let node = Path::new("/dev").join(found.file_name()?);
    node.exists().then_some(node)
}

fn loop_device(disk: &Path, start: u64, length: u64, sector: u32, access: Access) -> Result<Node> {
    let mut command = Command::new("losetup");
    command.args(["--find", "--show", "--offset", &start.to_string(), "--sizelimit", &length.to_string()]);
    command.args(["--sector-size", &sector.to_string()]);
    if access == Access::Read {
        command.arg("--read-only");
    }
    let said = program::must(command.arg(disk), LOOKING).context(LOOP)?;
    let path = PathBuf::from(String::from_utf8_lossy(&said).trim());
    let opened = File::open(&path);
    // While somebody has it open it only goes with the last user, which is what we want.
    program::must(Command::new("losetup").arg("--detach").arg(&path), LOOKING).context(LOOP)?;
    let user = opened.with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Node { path, _user: Some(user) })
}
