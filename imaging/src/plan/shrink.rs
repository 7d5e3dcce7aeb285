//! A disk on which the image's partitions do not fit → which one would have to be shrunk and how far, or why none can
//! be.
//!
//! ```text
//! image + disk ──▶ Shrink ──(scratch file)──▶ the least that the file system can be ──▶ fits, or the numbers
//! ```

use std::cmp::Reverse;

use ghost_contract::image::{Content, DiskFacts, DiskImage, FileSystem, Partition, Region, Table, TableKind};

use super::extent::{ALIGNMENT, copy_of_gpt, last_partition};
use super::moves::Moves;
use crate::tool::sfdisk::is_extended;

mod refusal;

pub(crate) use refusal::{NoRoom, NoneShrinks, TooFull, Unshrinkable};

/// A shrunk file system keeps at least this part of itself free: one that is full to the last block serves nobody.
const FREE_PART: u64 = 20;
/// What is left behind a file system by rounding: NTFS's largest cluster. More is somebody's.
const ROUNDING: u64 = 2 << 20;
/// Of an ext at most this part are tables of inodes, some of which go when it is shrunk (`mke2fs -T small`).
const INODE_TABLES: u64 = 16;
/// What a tool writes besides what it moves.
const SLACK: u64 = 4 << 20;

/// How a partition is shrunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shrink {
    pub partition: u32,
    pub start: u64,
    /// Its length in the image, bytes …
    pub was: u64,
    /// … and on the disk.
    pub length: u64,
    pub file_system: FileSystem,
    /// What that uses, bytes.
    pub used: u64,
    /// What stands behind it and is moved.
    pub moves: Moves,
}

/// Where a partition was and will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub partition: u32,
    /// Its first byte and its length in the image …
    pub was: (u64, u64),
    /// … and on the disk.
    pub is: (u64, u64),
}

/// How this image is made to fit this disk. Shrinks the last partition if that is enough, since then nothing else changes.
/// Otherwise, or if the tool for the last one needs more room than its files, shrinks the one with the most free space.
/// `shrinkable` are the file systems for which this machine has the tools.
pub(crate) fn shrink(
    image: &DiskImage,
    target: &DiskFacts,
    shrinkable: &[FileSystem],
) -> Result<(Shrink, Option<Shrink>), NoneShrinks> {
    let last = last_partition(image).ok_or_else(|| NoneShrinks(vec![Unshrinkable::NoPartition]))?;
    let of = |partition| shrink_one(image, target, shrinkable, partition);
    let others = image.table.partitions.iter().filter(|partition| partition.number != last.number);
    let mut others: Vec<(u64, &Partition)> =
        others.filter_map(|partition| Some((spare(image, partition)?, partition))).collect();
    // Of two with as much to give the one behind, so that less is moved.
    others.sort_by_key(|(spare, partition)| Reverse((*spare, partition.start)));
    let mut others = others.into_iter().map(|(_, partition)| of(partition)).peekable();
    let most = others.peek().and_then(|most| most.clone().err());
    match (of(last), others.find_map(Result::ok)) {
        (Ok(first), second) => Ok((first, second)),
        (Err(_), Some(first)) => Ok((first, None)),
        (Err(why), None) => Err(NoneShrinks(std::iter::once(why).chain(most).collect())),
    }
}

/// How much shorter a partition could be, bytes, as far as is known from what its file system uses; none if that is of
/// a kind that is not shrunk.
fn spare(image: &DiskImage, partition: &Partition) -> Option<u64> {
    let (file_system, used, total) = saved(image, partition)?;
    let shrinks = matches!(file_system, FileSystem::Ntfs | FileSystem::Ext);
    shrinks.then(|| partition.length.saturating_sub(least(file_system, used, total)))
}

fn shrink_one(
    image: &DiskImage,
    target: &DiskFacts,
    shrinkable: &[FileSystem],
    shrunk: &Partition,
) -> Result<Shrink, Unshrinkable> {
    let partition = shrunk.number;
    let within = |other: &Partition| {
        is_extended(image.table.kind, other) && other.start <= shrunk.start && shrunk.start < other.end()
    };
    if image.table.partitions.iter().any(within) {
        return Err(Unshrinkable::Extended(partition));
    }
    let (length, moves) = fit(image, target, shrunk)?;
    let saved = saved(image, shrunk).ok_or(Unshrinkable::NoFileSystem(partition))?;
    let (file_system, used, total) = saved;
    if !matches!(file_system, FileSystem::Ntfs | FileSystem::Ext) {
        return Err(Unshrinkable::Kind { partition, file_system });
    }
    if !shrinkable.contains(&file_system) {
        return Err(Unshrinkable::NoTool);
    }
    let is_bad =
        |start: u64, length: u64| start < shrunk.end() && shrunk.start < start.saturating_add(length);
    if image.bad_ranges.iter().any(|range| is_bad(range.start, range.length)) {
        return Err(Unshrinkable::BadRanges(partition));
    }
    let behind = shrunk.length.saturating_sub(total);
    if behind > ROUNDING {
        return Err(Unshrinkable::Behind { partition, length: behind });
    }
    let needs = least(file_system, used, total);
    if needs > length {
        return Err(Unshrinkable::Full { partition, length, used, needs });
    }
    Ok(Shrink { partition, start: shrunk.start, was: shrunk.length, length, file_system, used, moves })
}

/// How long this partition can be on this disk, and what is moved for that.
fn fit(image: &DiskImage, target: &DiskFacts, shrunk: &Partition) -> Result<(u64, Moves), Unshrinkable> {
    let (partition, start) = (shrunk.number, shrunk.start);
    let copy = if image.table.kind == TableKind::Gpt { copy_of_gpt(&image.disk) } else { 0 };
    let usable = target.size.saturating_sub(copy);
    if last_partition(image).is_some_and(|last| last.number == partition) {
        let end = usable / ALIGNMENT * ALIGNMENT;
        return match end.checked_sub(start) {
            None | Some(0) => Err(Unshrinkable::Beyond { partition, start, end }),
            Some(length) => Ok((length, Moves::default())),
        };
    }
    let moves = Moves::behind(image, shrunk, usable);
    let moves = moves.map_err(|why| Unshrinkable::Immovable { partition, why })?;
    match shrunk.length.checked_sub(moves.distance) {
        None | Some(0) => {
            let (length, distance) = (shrunk.length, moves.distance);
            Err(Unshrinkable::Short { partition, length, distance })
        }
        Some(length) => Ok((length, moves)),
    }
}

/// What is saved of its file system: of which kind it is, what that uses, and what it spans.
fn saved(image: &DiskImage, partition: &Partition) -> Option<(FileSystem, u64, u64)> {
    let own = |region: &&Region| image.is_directly_in(region, partition.number);
    image.regions.iter().filter(own).find_map(|region| match &region.content {
        Content::Partclone { file_system, used, total, .. } => Some((*file_system, *used, *total)),
        _ => None,
    })
}

/// The least that a file system can be that uses so much of what it spans, as far as is known.
fn least(file_system: FileSystem, used: u64, total: u64) -> u64 {
    let tables = if file_system == FileSystem::Ext { total / INODE_TABLES } else { 0 };
    with_free_part(used.saturating_sub(tables))
}

fn with_free_part(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / FREE_PART)
}

impl Shrink {
    /// How much room a scratch file needs in which it is done, bytes: what is used, and again what is moved to the
    /// front, which is neither more than what is used nor than what is cut off.
    pub(crate) fn scratch(&self) -> u64 {
        let moved = self.used.min(self.was.saturating_sub(self.length));
        self.used.saturating_add(moved).saturating_add(SLACK)
    }

    /// Whether there is room for it.
    pub(crate) fn check_room(&self, free: u64) -> Result<(), NoRoom> {
        let needs = self.scratch();
        if needs <= free { Ok(()) } else { Err(NoRoom { free, needs, used: self.used }) }
    }

    /// Whether a file system fits that can be shrunk to so many bytes at least.
    pub(crate) fn check_minimum(&self, minimum: u64) -> Result<(), TooFull> {
        let (partition, length, needs) = (self.partition, self.length, with_free_part(minimum));
        if needs <= length { Ok(()) } else { Err(TooFull { partition, minimum, needs, length }) }
    }

    /// The regions of the image that are written otherwise: what is in the partition.
    pub(crate) fn replaces(&self, region: &Region) -> bool {
        region.partition == Some(self.partition)
    }

    /// How much nearer to the beginning of the disk this region is written, bytes.
    pub(crate) const fn nearer(&self, region: &Region) -> u64 {
        if region.start >= self.start.saturating_add(self.was) { self.moves.distance } else { 0 }
    }

    /// The partitions that are others in the table, in the order of their places.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let (was, is) = ((self.start, self.was), (self.start, self.length));
        let moved = self.moves.partitions.iter().map(|moved| Change {
            partition: moved.partition,
            was: (moved.from, moved.length),
            is: (moved.to, moved.length),
        });
        std::iter::once(Change { partition: self.partition, was, is }).chain(moved).collect()
    }

    /// The table with the partitions where they will be.
    pub(crate) fn table(&self, table: &Table) -> Table {
        let mut table = table.clone();
        for change in self.changes() {
            for partition in table.partitions.iter_mut().filter(|found| found.number == change.partition) {
                (partition.start, partition.length) = change.is;
            }
        }
        table
    }
}

#[cfg(test)]
mod tests;
