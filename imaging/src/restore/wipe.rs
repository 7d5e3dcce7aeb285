//! A disk before it is written: nothing of what was on it may be taken for what the image has there.
//!
//! Free space is not in an image. What stands there from before would be found by `blkid` and `mount` beside the file system
//! that was restored, or in its place: a btrfs at 64 KiB, the member of a RAID at a partition's end.

use std::fs::File;
use std::io;
use std::path::Path;

use ghost_contract::image::DiskFacts;

use crate::sys::{disk, zero};

/// libblkid looks for signatures in so much of the beginning of a disk or partition: the last one is the second header of
/// a LUKS2, at 4 MiB (libblkid/src/superblocks, `luks.c`) …
const HEAD: u64 = 5 << 20;
/// … and in so much of its end: Promise's RAID is 3087 sectors before it (`promise_raid.c`), Windows' dynamic disks keep
/// their database in the last MiB.
const TAIL: u64 = 4 << 20;

/// Makes the whole disk read zeros where it does that by itself: a file, or an SSD that reads zeros after it has discarded.
/// Whether it does.
pub(super) fn all(path: &Path, disk: &File, size: u64) -> bool {
    // A disk that rotates would take hours for it.
    !disk::rotates(path) && zero::punch(disk, 0, size).is_ok() && disk.sync_all().is_ok()
}

/// Overwrites all places where a signature can be, in the disk and in each of these parts of it, which are from a byte to
/// another; so neither copy of its table stays, and a disk that is being written does not look like one that can be used.
pub(super) fn signatures(
    disk: &File,
    target: &DiskFacts,
    parts: impl IntoIterator<Item = (u64, u64)>,
) -> io::Result<()> {
    for (start, end) in std::iter::once((0, target.size)).chain(parts) {
        let end = end.min(target.size);
        let head = HEAD.min(end.saturating_sub(start));
        zero::write(disk, start, head)?;
        let tail = TAIL.min(end.saturating_sub(start));
        zero::write(disk, end.saturating_sub(tail), tail)?;
    }
    disk.sync_all()
}
