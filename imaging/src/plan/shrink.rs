//! A disk on which the image's partitions do not fit → how far its last one would have to be shrunk, or why it
//! cannot be.
//!
//! ```text
//! image + disk ──▶ Shrink ──(scratch file)──▶ the least that the file system can be ──▶ fits, or the numbers
//! ```

use ghost_contract::image::{
    Content, DiskFacts, DiskImage, FileSystem, Partition, RawReason, Region, Table, TableKind,
};

use super::restore::{copy_of_gpt, last_partition};
use crate::tool::sfdisk::is_extended;

/// Partitions end there since Windows Vista, and so does one that is shrunk.
const ALIGNMENT: u64 = 1 << 20;
/// A shrunk file system keeps at least this part of itself free: one that is full to the last block serves nobody.
const FREE_PART: u64 = 20;
/// What is left behind a file system by rounding: NTFS's largest cluster. More is somebody's.
const ROUNDING: u64 = 2 << 20;
/// Of an ext at most this part are tables of inodes, some of which go when it is shrunk (`mke2fs -T small`).
const INODE_TABLES: u64 = 16;
/// What a tool writes besides what it moves.
const SLACK: u64 = 4 << 20;

/// How the last partition is shrunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrink {
    /// Its number.
    pub partition: u32,
    /// Its first byte.
    pub start: u64,
    /// Its length in the image, bytes …
    pub was: u64,
    /// … and on the disk.
    pub length: u64,
    /// What is in it.
    pub file_system: FileSystem,
    /// What that uses, bytes.
    pub used: u64,
}

/// Why the last partition cannot be shrunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unshrinkable {
    /// There is none.
    #[error("there is no partition")]
    NoPartition,
    /// A chain of tables would have to be changed.
    #[error("partition {0} is within an extended one, or is one itself")]
    Extended(u32),
    /// It would be gone.
    #[error("partition {partition} begins at byte {start}, and only {end} can be used")]
    Beyond {
        /// Its number.
        partition: u32,
        /// Its first byte.
        start: u64,
        /// Where a partition could end at the latest.
        end: u64,
    },
    /// It was saved with every byte.
    #[error("partition {0} holds no file system of which only the used blocks were saved")]
    NoFileSystem(u32),
    /// No tool does it, or none that works on a file.
    #[error("partition {partition} holds {}, and only NTFS and ext2/3/4 are shrunk", name(*.file_system))]
    Kind {
        /// Its number.
        partition: u32,
        /// What is in it.
        file_system: FileSystem,
    },
    /// No tool on this machine.
    #[error("the tools that shrink its file system are not installed")]
    NoTool,
    /// The image has holes.
    #[error("partition {0} could not be read everywhere when it was backed up")]
    BadRanges(u32),
    /// Somebody keeps something at the partition's end.
    #[error("partition {partition} has {length} bytes behind its file system, which may be anything")]
    Behind {
        /// Its number.
        partition: u32,
        /// How much.
        length: u64,
    },
    /// The files do not fit.
    #[error(
        "partition {partition} would have {length} bytes, and its file system uses {used} and needs at least {needs}"
    )]
    Full {
        /// Its number.
        partition: u32,
        /// What it would have.
        length: u64,
        /// What its file system uses.
        used: u64,
        /// The least that this needs.
        needs: u64,
    },
}

/// A file system that cannot be made as small as is needed, once it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file system of partition {partition} can be shrunk to {minimum} bytes and should have {needs} so that some of it \
     stays free, and {length} are left for it on this disk: take a larger one"
)]
pub struct TooFull {
    /// Its number.
    pub partition: u32,
    /// The least that the file system's tool says.
    pub minimum: u64,
    /// The least that is done.
    pub needs: u64,
    /// What there is.
    pub length: u64,
}

/// No room for a scratch file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the image store has {free} bytes free, and {needs} are needed to shrink a file system that uses {used}"
)]
pub struct NoRoom {
    /// What is free.
    pub free: u64,
    /// What is needed.
    pub needs: u64,
    /// What the file system uses.
    pub used: u64,
}

/// How the last partition of this image can be shrunk for this disk. `shrinkable` are the file systems for which
/// this machine has the tools.
///
/// # Errors
/// Why it cannot.
pub fn shrink(
    image: &DiskImage,
    target: &DiskFacts,
    shrinkable: &[FileSystem],
) -> Result<Shrink, Unshrinkable> {
    let last = last_partition(image).ok_or(Unshrinkable::NoPartition)?;
    let partition = last.number;
    let within = |other: &Partition| {
        is_extended(image.table.kind, other)
            && other.start <= last.start
            && last.start < other.start.saturating_add(other.length)
    };
    if image.table.partitions.iter().any(within) {
        return Err(Unshrinkable::Extended(partition));
    }
    let end = usable_end(image, target);
    if end <= last.start {
        return Err(Unshrinkable::Beyond { partition, start: last.start, end });
    }
    let own = |region: &&Region| region.partition == Some(partition);
    let saved = image.regions.iter().filter(own).find_map(|region| match &region.content {
        Content::Partclone { file_system, used, total, .. } => Some((*file_system, *used, *total)),
        _ => None,
    });
    let Some((file_system, used, total)) = saved else { return Err(Unshrinkable::NoFileSystem(partition)) };
    if !matches!(file_system, FileSystem::Ntfs | FileSystem::Ext) {
        return Err(Unshrinkable::Kind { partition, file_system });
    }
    if !shrinkable.contains(&file_system) {
        return Err(Unshrinkable::NoTool);
    }
    let last_end = last.start.saturating_add(last.length);
    let is_bad = |start: u64, length: u64| start < last_end && last.start < start.saturating_add(length);
    if image.bad_ranges.iter().any(|range| is_bad(range.start, range.length)) {
        return Err(Unshrinkable::BadRanges(partition));
    }
    let behind = last.length.saturating_sub(total);
    if behind > ROUNDING {
        return Err(Unshrinkable::Behind { partition, length: behind });
    }
    let length = end - last.start;
    let tables = if file_system == FileSystem::Ext { total / INODE_TABLES } else { 0 };
    let needs = with_free_part(used.saturating_sub(tables));
    if needs > length {
        return Err(Unshrinkable::Full { partition, length, used, needs });
    }
    Ok(Shrink { partition, start: last.start, was: last.length, length, file_system, used })
}

/// Where the last partition can end on this disk at the latest.
fn usable_end(image: &DiskImage, target: &DiskFacts) -> u64 {
    let copy = if image.table.kind == TableKind::Gpt { copy_of_gpt(&image.disk) } else { 0 };
    target.size.saturating_sub(copy) / ALIGNMENT * ALIGNMENT
}

fn with_free_part(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / FREE_PART)
}

impl Shrink {
    /// How much room a scratch file needs in which it is done, bytes: what is used, and again what is moved to the
    /// front, which is neither more than what is used nor than what is cut off.
    #[must_use]
    pub fn scratch(&self) -> u64 {
        let moved = self.used.min(self.was.saturating_sub(self.length));
        self.used.saturating_add(moved).saturating_add(SLACK)
    }

    /// Whether there is room for it.
    ///
    /// # Errors
    /// With the numbers, when there is not.
    pub fn check_room(&self, free: u64) -> Result<(), NoRoom> {
        let needs = self.scratch();
        if needs <= free { Ok(()) } else { Err(NoRoom { free, needs, used: self.used }) }
    }

    /// Whether a file system fits that can be shrunk to so many bytes at least.
    ///
    /// # Errors
    /// With the numbers, when it does not.
    pub fn check_minimum(&self, minimum: u64) -> Result<(), TooFull> {
        let (partition, length, needs) = (self.partition, self.length, with_free_part(minimum));
        if needs <= length { Ok(()) } else { Err(TooFull { partition, minimum, needs, length }) }
    }

    /// The regions of the image that are written otherwise: the table, and what is in the partition.
    #[must_use]
    pub fn replaces(&self, region: &Region) -> bool {
        let is_table = matches!(region.content, Content::Raw { reason: RawReason::BesidePartitions, .. });
        region.partition == Some(self.partition) || (is_table && region.start == 0)
    }

    /// The table with the partition as long as it will be.
    #[must_use]
    pub fn table(&self, table: &Table) -> Table {
        let mut table = table.clone();
        for partition in table.partitions.iter_mut().filter(|partition| partition.number == self.partition) {
            partition.length = self.length;
        }
        table
    }
}

const fn name(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "NTFS",
        FileSystem::Fat => "FAT",
        FileSystem::Exfat => "exFAT",
        FileSystem::Ext => "ext2/3/4",
        FileSystem::Btrfs => "Btrfs",
        FileSystem::Xfs => "XFS",
    }
}

#[cfg(test)]
mod tests;
