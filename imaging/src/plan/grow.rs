//! A larger disk → whether the last partition gets its room, or why it does not.

use ghost_contract::image::{Content, DiskFacts, DiskImage, FileSystem, LargerDisk, TableKind};

use super::extent::last_partition;
use crate::tool::sfdisk::is_extended;

/// Linux refuses to resize a btrfs to less, with room for the table's copy (fs/btrfs/ioctl.c, `btrfs_ioctl_resize`).
const BTRFS_RESIZES: u64 = 258 << 20;
/// A dos table counts sectors with 32 bits.
const DOS_SECTORS: u64 = u32::MAX as u64;

/// How the last partition grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grow {
    pub partition: u32,
    pub start: u64,
    pub file_system: FileSystem,
}

/// Whether the last partition gets a larger disk's room; if not, why not is noted.
pub(super) fn room(
    image: &DiskImage,
    target: &DiskFacts,
    (resizable, order): (&[FileSystem], LargerDisk),
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
        Content::Partclone { file_system, .. } if image.is_directly_in(region, last.number) => {
            Some(*file_system)
        }
        _ => None,
    });
    match content {
        Some(FileSystem::Fat | FileSystem::Exfat) => leave("FAT and exFAT cannot be grown"),
        Some(FileSystem::F2fs) => leave("an f2fs is left as it is"),
        None => leave("the last partition holds no file system that can be grown"),
        Some(other) if !resizable.contains(&other) => {
            leave("the tools that grow its file system are not installed")
        }
        Some(FileSystem::Btrfs) if target.size.saturating_sub(last.start) < BTRFS_RESIZES => {
            leave("a btrfs is not resized to less than 256 MiB")
        }
        Some(file_system) => Some(Grow { partition: last.number, start: last.start, file_system }),
    }
}
