//! An image, a disk and an order → what is written where, or why nothing is. Everything that writes to a disk
//! does what a [`Plan`] from here says, and nothing else.

use ghost_contract::image::{
    Content, DiskFacts, DiskImage, FileSystem, LargerDisk, PartcloneSettings, Partition, RawReason, Region,
    TableKind,
};

use crate::tool::sfdisk::is_extended;

/// The entries of a GPT take at least so many bytes (UEFI 2.10, 5.3.1), and its header one sector.
const GPT_ENTRIES: u64 = 16 << 10;
/// Linux refuses to resize a btrfs to less, with room for the table's copy (fs/btrfs/ioctl.c, `btrfs_ioctl_resize`).
const BTRFS_RESIZES: u64 = 258 << 20;
/// A dos table counts sectors with 32 bits.
const DOS_SECTORS: u64 = u32::MAX as u64;

/// Another disk of the machine, whose serial number is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherDisk {
    /// `/dev/sdb`.
    pub path: String,
    /// Its serial number.
    pub serial: String,
}

/// What is written where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The indexes of the regions that are written, in the order in which they are: the table comes last, so
    /// that a disk that is not whole has none.
    pub regions: Vec<usize>,
    /// What is done with the table once it stands there.
    pub table: TableStep,
    /// The last partition gets the room that there is.
    pub grow: Option<Grow>,
    /// What the administrator should know, in words.
    pub notes: Vec<String>,
}

/// What is done with the table once it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStep {
    /// Nothing: disk and image have the same size, or the table does not know the disk's.
    Keep,
    /// A GPT's copy is made at the end of the disk, which is not where the image has it.
    MoveCopy,
}

/// How the last partition grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grow {
    /// Its number.
    pub partition: u32,
    /// Its first byte.
    pub start: u64,
    /// What is in it.
    pub file_system: FileSystem,
}

/// Why nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Places in the table would mean others.
    #[error(
        "{path} has sectors of {has} bytes, the image those of {wants}: its partition table cannot be used there"
    )]
    Sector {
        /// The disk.
        path: String,
        /// Its sectors.
        has: u32,
        /// The image's.
        wants: u32,
    },
    /// The disk that the image was made from is another one in this machine.
    #[error(
        "the image was made from the disk with serial number {serial}, which is {meant} here and not {path}"
    )]
    AnotherDisk {
        /// The image's.
        serial: String,
        /// The disk that has it.
        meant: String,
        /// The disk that was chosen.
        path: String,
    },
    /// It does not fit.
    #[error(
        "{path} has {has} bytes, and the image needs {needs} ({what}); it was made from a disk of {was} bytes, of which \
         its file systems use {used}. Shrink the last partition on the original and back it up again, or take a larger disk"
    )]
    TooSmall {
        /// The disk.
        path: String,
        /// Its size.
        has: u64,
        /// What is needed.
        needs: u64,
        /// What ends there.
        what: String,
        /// The size of the disk that it was made from.
        was: u64,
        /// What the image holds.
        used: u64,
    },
}

/// What is to be done to this disk. `growable` are the file systems for which this machine has the tools.
///
/// # Errors
/// Why it must not be touched.
pub fn plan(
    image: &DiskImage,
    target: &DiskFacts,
    others: &[OtherDisk],
    growable: &[FileSystem],
    settings: &PartcloneSettings,
) -> Result<Plan, Refusal> {
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
    let needs = needed(image);
    if target.size < needs.bytes {
        return Err(Refusal::TooSmall {
            path: path(),
            has: target.size,
            needs: needs.bytes,
            what: needs.what,
            was: image.disk.size,
            used: used(image),
        });
    }
    let mut notes = Vec::new();
    let grow = if target.size > image.disk.size {
        room(image, target, (growable, settings.larger_disk), &mut notes)
    } else {
        None
    };
    if target.size < image.disk.size {
        let less = image.disk.size - target.size;
        notes.push(format!(
            "{} is {less} bytes smaller than the disk of the image; all its partitions fit",
            path()
        ));
    }
    let same_size = target.size == image.disk.size;
    let move_copy = image.table.kind == TableKind::Gpt && !same_size;
    let table = if move_copy { TableStep::MoveCopy } else { TableStep::Keep };
    Ok(Plan { regions: order(image, target, table), table, grow, notes })
}

/// The regions that are written: not a GPT's copy that will stand elsewhere, nor what is beyond the disk, both of
/// which are beside the partitions. The table is last.
fn order(image: &DiskImage, target: &DiskFacts, table: TableStep) -> Vec<usize> {
    let end = last_partition(image).map(|last| last.start.saturating_add(last.length));
    let is_copy =
        |region: &Region| table == TableStep::MoveCopy && end.is_some_and(|end| region.start >= end);
    let mut regions: Vec<usize> = (0..)
        .zip(&image.regions)
        .filter_map(|(index, region)| {
            let written = region.stream().is_some() && region.end() <= target.size && !is_copy(region);
            written.then_some(index)
        })
        .collect();
    let is_table = |&index: &usize| {
        image.regions.get(index).is_some_and(|region| {
            matches!(region.content, Content::Raw { reason: RawReason::BesidePartitions, .. })
        })
    };
    // Within the extended partition first, the master boot record last.
    regions.sort_by_key(|index| if is_table(index) { (1, usize::MAX - index) } else { (0, *index) });
    regions
}

/// What a disk must have at least, and why.
struct Needed {
    bytes: u64,
    what: String,
}

fn needed(image: &DiskImage) -> Needed {
    let sector = u64::from(image.disk.logical_sector);
    match (image.table.kind, last_partition(image)) {
        (TableKind::Gpt, Some(last)) => {
            let end = last.start.saturating_add(last.length);
            let copy = GPT_ENTRIES.div_ceil(sector).saturating_add(1).saturating_mul(sector);
            let bytes = end.saturating_add(copy).min(image.disk.size);
            Needed {
                bytes,
                what: format!("partition {} ends at {end}, the table's copy follows", last.number),
            }
        }
        (TableKind::Dos, Some(last)) => {
            let bytes = last.start.saturating_add(last.length);
            Needed { bytes, what: format!("partition {} ends there", last.number) }
        }
        (TableKind::Gpt | TableKind::Dos, None) => {
            // Both copies of a table without partitions, and the edges around them.
            let bytes = image.disk.size.min(4 << 20);
            Needed { bytes, what: "an empty partition table".to_owned() }
        }
        (TableKind::None, _) => {
            let end = image.regions.iter().filter(|region| region.stream().is_some()).map(Region::end).max();
            Needed { bytes: end.unwrap_or(0), what: "the disk has no partition table".to_owned() }
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

/// The partition that ends last.
fn last_partition(image: &DiskImage) -> Option<&Partition> {
    image.table.partitions.iter().max_by_key(|partition| {
        (partition.start.saturating_add(partition.length), !is_extended(image.table.kind, partition))
    })
}

/// Whether the last partition gets a larger disk's room; if not, why not is noted.
fn room(
    image: &DiskImage,
    target: &DiskFacts,
    (growable, order): (&[FileSystem], LargerDisk),
    notes: &mut Vec<String>,
) -> Option<Grow> {
    let more = target.size - image.disk.size;
    let mut leave = |why: &str| {
        notes.push(format!(
            "{} has {more} bytes more than the disk of the image, left unallocated: {why}",
            target.path
        ));
        None
    };
    if order == LargerDisk::Leave {
        return leave("the order does not say that the last partition shall grow");
    }
    let Some(last) = last_partition(image) else { return leave("there is no partition") };
    let within =
        image.table.partitions.iter().any(|other| {
            is_extended(image.table.kind, other) && other.start <= last.start && last.number > 4
        });
    if within || is_extended(image.table.kind, last) {
        return leave("the last partition is within an extended one");
    }
    let sectors = target.size / u64::from(target.logical_sector);
    if image.table.kind == TableKind::Dos && sectors > DOS_SECTORS {
        return leave("a dos partition table does not reach the end of this disk");
    }
    let content = image.regions.iter().find_map(|region| match &region.content {
        Content::Partclone { file_system, .. } if region.partition == Some(last.number) => Some(*file_system),
        _ => None,
    });
    match content {
        Some(FileSystem::Fat | FileSystem::Exfat) => leave("FAT and exFAT cannot be grown"),
        None => leave("the last partition holds no file system that can be grown"),
        Some(other) if !growable.contains(&other) => {
            leave("the tools that grow its file system are not installed")
        }
        Some(FileSystem::Btrfs) if target.size.saturating_sub(last.start) < BTRFS_RESIZES => {
            leave("a btrfs is not resized to less than 256 MiB")
        }
        Some(file_system) => Some(Grow { partition: last.number, start: last.start, file_system }),
    }
}

#[cfg(test)]
mod tests;
