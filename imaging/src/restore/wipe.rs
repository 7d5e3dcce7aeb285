//! A disk before it is written: nothing of what was on it may be taken for what the image has there.
//!
//! Free space is not in an image. What stands there from before would be found by `blkid` and `mount` beside the file system
//! that was restored, or in its place: a btrfs at 64 KiB, the member of a RAID at a partition's end.

use std::fs::File;
use std::io;
use std::path::Path;

use ghost_contract::image::Range;

use crate::sys::{disk, zero};

/// libblkid looks for signatures in so much of the beginning of a disk or partition: the last one is the second header of
/// a LUKS2, at 4 MiB (libblkid/src/superblocks, `luks.c`) …
const HEAD: u64 = 5 << 20;
/// … and in so much of its end: Promise's RAID is 3087 sectors before it (`promise_raid.c`), Windows' dynamic disks keep
/// their database in the last MiB.
const TAIL: u64 = 4 << 20;

/// Discards these places of a disk, if it is a file or an SSD that reads zeros afterwards. Returns whether they read
/// zeros now.
pub(super) fn all(path: &Path, disk: &File, places: &[Range]) -> bool {
    let punched = |place: &Range| zero::punch(disk, place.start, place.length).is_ok();
    // A disk that rotates would take hours for it.
    !disk::rotates(path) && places.iter().all(punched) && disk.sync_all().is_ok()
}

/// Overwrites everything in these places where a signature can be, and the same in the parts that begin in them. If the whole
/// disk is such a place, neither copy of its table stays, and it does not look like one that can be used while it is written.
pub(super) fn signatures(disk: &File, places: &[Range], parts: &[Range]) -> io::Result<()> {
    let end = |place: &Range| place.start.saturating_add(place.length);
    let within = parts.iter().filter_map(|part| {
        let place = places.iter().find(|place| (place.start..end(place)).contains(&part.start))?;
        Some((part.start, end(part).min(end(place))))
    });
    for (start, end) in places.iter().map(|place| (place.start, end(place))).chain(within) {
        let head = HEAD.min(end.saturating_sub(start));
        zero::write(disk, start, head)?;
        let tail = TAIL.min(end.saturating_sub(start));
        zero::write(disk, end.saturating_sub(tail), tail)?;
    }
    disk.sync_all()
}
