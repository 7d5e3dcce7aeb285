//! Looking into a physical volume of LVM: its metadata are read here, and nothing is activated.

use std::path::Path;

use ghost_contract::image::{DiskFacts, Range};

use super::{blkid, part_of};
use crate::plan::backup::{Owner, Part, Stretch, parts};
use crate::tool::blkid::Found;
use crate::tool::lvm;

/// What blkid calls it, and what it is used for.
const MEMBER: (&str, &str) = ("LVM2_member", "raid");

/// What makes the physical volume that this stretch is, or why it is not known; none if it is no such thing.
pub fn volumes(disk: &DiskFacts, stretch: Stretch, found: &Found) -> Option<Result<Vec<Part>, String>> {
    let is_owned = matches!(stretch.owner, Owner::Partition(_) | Owner::Disk | Owner::Inside(_));
    // A disk that also has a table has no `usage` here: its label may be left over from before the table.
    let is_member = (found.kind.as_deref(), found.usage.as_deref()) == (Some(MEMBER.0), Some(MEMBER.1));
    if !is_owned || !is_member || found.table.is_some() || found.doubt.is_some() {
        return None;
    }
    let path = Path::new(&disk.path);
    let place = Range { start: stretch.start, length: stretch.length };
    let group = lvm::group(&|at, length| part_of(path, place, at, length), stretch.length);
    Some(group.map_err(|error| error.to_string()).and_then(|group| {
        let whole = || "its extents are no whole sectors of the disk".to_owned();
        parts(stretch, &group, u64::from(disk.logical_sector)).ok_or_else(whole)
    }))
}

/// What blkid finds in a volume.
pub fn found(disk: &DiskFacts, stretch: Stretch) -> anyhow::Result<Found> {
    blkid(Path::new(&disk.path), stretch.start, Some(stretch.length))
}
