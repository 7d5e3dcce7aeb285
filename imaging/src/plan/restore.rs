//! An image, a disk and an order → what is written where, or why nothing is. Everything that writes to a disk
//! does what a [`Plan`] from here says, and nothing else.

use ghost_contract::image::{
    Content, DiskFacts, DiskImage, FileSystem, LinuxSettings, RawReason, Region, SmallerDisk, Table,
    TableKind,
};

use super::backup::has_its_end;
use super::extent::{Part, copy_of_gpt, last_partition};
use super::grow::{Grow, room};
use super::shrink::{Change, Shrink, shrink};

mod refusal;

pub(crate) use refusal::{Refusal, Way};

/// Another disk of the machine, whose serial number is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherDisk {
    pub path: String,
    pub serial: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The indexes of the regions that are written as they are, in the order in which they are: the table comes last,
    /// so that a disk that is not whole has none.
    pub regions: Vec<usize>,
    /// Nothing of a region is written from this byte of the disk on.
    pub end: u64,
    /// What is done with the partition table, and when.
    pub table: TableStep,
    /// How it is made to fit a disk of another size.
    pub fit: Fit,
    /// What is done instead if a file system turns out to be too full to be shrunk as this plan says.
    pub otherwise: Option<Box<Plan>>,
    /// What the administrator should know, in words.
    pub notes: Vec<String>,
}

/// What table the disk gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableStep {
    /// The image's own: disk and image have the same size, or the table does not know the disk's.
    Keep,
    /// It is made anew from the image's, for a disk of this size, with a GPT's copy at its end.
    Renew,
}

/// How an image is made to fit a disk of another size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Every partition is what it was.
    Same,
    /// The last partition gets the room that there is, once it stands there.
    Grow(Grow),
    /// A partition is shrunk beside the disk before anything is written. It is written last, and not among the regions;
    /// those behind it are written at another place.
    Shrink(Shrink),
    /// Only some partitions are written, into the table that the disk has.
    Part(Part),
}

impl Plan {
    /// The table as it will be, for tools that read it.
    pub(crate) fn table_of(&self, image: &DiskImage) -> Table {
        match &self.fit {
            Fit::Shrink(shrink) => shrink.table(&image.table),
            Fit::Part(part) => part.table.clone(),
            Fit::Same | Fit::Grow(_) => image.table.clone(),
        }
    }

    /// The partitions that stand elsewhere in the table.
    pub(crate) fn changes(&self) -> Vec<Change> {
        match &self.fit {
            Fit::Shrink(shrink) => shrink.changes(),
            Fit::Same | Fit::Grow(_) | Fit::Part(_) => Vec::new(),
        }
    }

    /// How much nearer to the beginning of the disk this region is written than it was, bytes.
    pub(crate) const fn nearer(&self, region: &Region) -> u64 {
        match &self.fit {
            Fit::Shrink(shrink) => shrink.nearer(region),
            Fit::Same | Fit::Grow(_) | Fit::Part(_) => 0,
        }
    }
}

/// What is to be done to this disk. `resizable` are the file systems for which this machine has the tools.
pub(crate) fn plan(
    image: &DiskImage,
    target: &DiskFacts,
    others: &[OtherDisk],
    resizable: &[FileSystem],
    settings: &LinuxSettings,
) -> Result<Plan, Refusal> {
    same_kind(image, target, others)?;
    let path = || target.path.clone();
    if let Some(found) = at_the_end(image)
        && target.size != image.disk.size
    {
        let (has, was) = (target.size, image.disk.size);
        return Err(Refusal::EndsElsewhere { path: path(), has, was, found: found.to_owned() });
    }
    let needs = needed(image);
    if target.size < needs.bytes {
        let too_small = |way| Refusal::TooSmall {
            path: path(),
            has: target.size,
            needs: needs.bytes,
            what: needs.what,
            was: image.disk.size,
            used: used(image),
            way: Box::new(way),
        };
        return match (shrink(image, target, resizable), settings.smaller_disk) {
            (Ok((first, second)), SmallerDisk::Shrink) => {
                let otherwise = second.map(|second| Box::new(shrunk(image, target, second)));
                Ok(Plan { otherwise, ..shrunk(image, target, first) })
            }
            (Ok((first, _)), SmallerDisk::Refuse) => Err(too_small(Way::Shrink(first))),
            (Err(why), _) => Err(too_small(Way::LargerDisk(why))),
        };
    }
    let mut notes = Vec::new();
    let fit = if target.size > image.disk.size {
        room(image, target, (resizable, settings.larger_disk), &mut notes).map_or(Fit::Same, Fit::Grow)
    } else {
        Fit::Same
    };
    if target.size < image.disk.size {
        let less = image.disk.size - target.size;
        notes.push(format!(
            "{} is {less} bytes smaller than the disk of the image; all its partitions fit, and what was saved of the room \
             behind them is left out",
            path()
        ));
    }
    let same_size = target.size == image.disk.size;
    let renewed = image.table.kind == TableKind::Gpt && !same_size;
    let table = if renewed { TableStep::Renew } else { TableStep::Keep };
    let end = end(image, target, table);
    let mut regions = order(image, end, table, |_| 0);
    if let (Fit::Grow(_), Some(last)) = (&fit, last_partition(image)) {
        // The partition that grows gets their place.
        regions.retain(|&index| image.regions.get(index).is_some_and(|region| region.start < last.end()));
    }
    notes.extend(cut_off(image, end));
    Ok(Plan { regions, end, table, fit, otherwise: None, notes })
}

/// Whether an image can be written to a disk of this kind at all, and whether it is not another one that is meant.
pub(super) fn same_kind(image: &DiskImage, target: &DiskFacts, others: &[OtherDisk]) -> Result<(), Refusal> {
    let path = || target.path.clone();
    if target.logical_sector != image.disk.logical_sector {
        let (has, wants) = (target.logical_sector, image.disk.logical_sector);
        return Err(Refusal::Sector { path: path(), has, wants });
    }
    if let Some(serial) = image.disk.serial.as_ref().filter(|serial| target.serial.as_ref() != Some(serial))
        && let Some(meant) = others.iter().find(|other| other.serial == *serial)
    {
        return Err(Refusal::AnotherDisk { serial: serial.clone(), meant: meant.path.clone(), path: path() });
    }
    Ok(())
}

/// The plan that shrinks a partition.
fn shrunk(image: &DiskImage, target: &DiskFacts, shrink: Shrink) -> Plan {
    let table = TableStep::Renew;
    let end = end(image, target, table);
    let mut regions = order(image, end, table, |region| shrink.nearer(region));
    regions.retain(|&index| image.regions.get(index).is_some_and(|region| !shrink.replaces(region)));
    Plan { regions, end, table, fit: Fit::Shrink(shrink), otherwise: None, notes: Vec::new() }
}

/// The first byte of the disk that regions are not written to: it is the disk's end, or that of the table's copy.
fn end(image: &DiskImage, target: &DiskFacts, table: TableStep) -> u64 {
    let has_new_copy = table == TableStep::Renew && image.table.kind == TableKind::Gpt;
    let copy = if has_new_copy { copy_of_gpt(&image.disk) } else { 0 };
    target.size.saturating_sub(copy)
}

/// What stands behind the last partition and does not fit this disk, in words.
fn cut_off(image: &DiskImage, end: u64) -> Option<String> {
    let is_cut =
        |region: &&Region| region.stream().is_some() && region.end() > end && !is_end_of_disk(image, region);
    let bytes: u64 =
        image.regions.iter().filter(is_cut).map(|region| region.end() - region.start.max(end)).sum();
    (bytes > 0)
        .then(|| format!("{bytes} bytes behind the last partition do not fit this disk, and are not written"))
}

/// Whether a region is the end of the disk, in which a GPT's copy is.
fn is_end_of_disk(image: &DiskImage, region: &Region) -> bool {
    image.table.kind == TableKind::Gpt && region.partition.is_none() && region.end() == image.disk.size
}

/// The regions that are written: not the end of the disk where a GPT's copy will stand elsewhere, nor what is beyond
/// `end`. The table is last. Some are written so many bytes nearer to the beginning.
fn order(image: &DiskImage, end: u64, table: TableStep, nearer: impl Fn(&Region) -> u64) -> Vec<usize> {
    let mut regions: Vec<usize> = (0..)
        .zip(&image.regions)
        .filter_map(|(index, region)| {
            let start = region.start.saturating_sub(nearer(region));
            let is_old_copy = table == TableStep::Renew && is_end_of_disk(image, region);
            let written = region.stream().is_some() && start < end && !is_old_copy;
            written.then_some(index)
        })
        .collect();
    let is_table = |&index: &usize| {
        image.regions.get(index).is_some_and(|region| {
            let Content::Raw { reason, .. } = &region.content else { return false };
            matches!(reason, RawReason::BesidePartitions | RawReason::VolumeGroup)
        })
    };
    // Within the extended partition first, the master boot record last; what LVM finds a disk without a table by, too.
    regions.sort_by_key(|index| if is_table(index) { (1, usize::MAX - index) } else { (0, *index) });
    regions
}

/// What the disk as a whole is a part of, if that has its superblock or database at the disk's end.
fn at_the_end(image: &DiskImage) -> Option<&str> {
    let [Region { content: Content::Raw { reason: RawReason::NoTable { found }, .. }, .. }] = &*image.regions
    else {
        return None;
    };
    found.as_deref().filter(|found| has_its_end(found))
}

/// What a disk must have at least, and why.
struct Needed {
    bytes: u64,
    what: String,
}

fn needed(image: &DiskImage) -> Needed {
    match (image.table.kind, last_partition(image)) {
        (TableKind::Gpt, Some(last)) => {
            let end = last.end();
            let bytes = end.saturating_add(copy_of_gpt(&image.disk)).min(image.disk.size);
            Needed {
                bytes,
                what: format!("partition {} ends at {end}, the table's copy follows", last.number),
            }
        }
        (TableKind::Dos, Some(last)) => {
            let bytes = last.end();
            Needed { bytes, what: format!("partition {} ends there", last.number) }
        }
        (TableKind::Gpt | TableKind::Dos, None) => {
            // Both copies of a table without partitions, and the edges around them.
            let bytes = image.disk.size.min(4 << 20);
            Needed { bytes, what: "an empty partition table".to_owned() }
        }
        (TableKind::None, _) => {
            Needed { bytes: image.disk.size, what: "the disk has no partition table".to_owned() }
        }
    }
}

/// What the image holds, before compression.
fn used(image: &DiskImage) -> u64 {
    let held = image.regions.iter().map(|region| match &region.content {
        Content::Partclone { used, .. } => *used,
        Content::Raw { stream, .. } => stream.length,
        Content::Unused { .. } => 0,
    });
    held.fold(0, u64::saturating_add)
}

#[cfg(test)]
pub(super) mod tests;
