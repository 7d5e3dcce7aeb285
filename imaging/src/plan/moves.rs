//! A partition that will end earlier → where those behind it will be: nearer to the beginning of the disk, all by
//! one distance, so that nothing changes between them.

use ghost_contract::image::{Content, DiskImage, FileSystem, Partition};

use super::extent::ALIGNMENT;
use crate::tool::sfdisk::is_extended;

/// Where GRUB's second stage is on a disk with a GPT (GRUB, `disk/gpt.h`: `GRUB_GPT_PARTITION_TYPE_BIOS_BOOT`). The
/// first stage, in the disk's first sector, has its place as a number.
const BIOS_BOOT: &str = "21686148-6449-6E6F-744E-656564454649";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    /// How far, bytes.
    pub distance: u64,
    /// The partitions, in their order on the disk.
    pub partitions: Vec<Move>,
}

/// A partition that is moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub partition: u32,
    /// Its first byte in the image …
    pub from: u64,
    /// … and on the disk.
    pub to: u64,
    /// Its length, bytes.
    pub length: u64,
    /// The file system whose boot sector says where it begins.
    pub boot: Option<FileSystem>,
}

/// Why what stands behind a partition cannot be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Immovable {
    /// A chain of tables would have to be changed.
    #[error("partition {0} is within an extended one, or is one itself")]
    Extended(u32),
    /// A table that cannot be believed.
    #[error("partition {0} overlaps it")]
    Overlaps(u32),
    /// It would not be found any more.
    #[error("partition {0} holds a boot loader that the first sector of the disk finds by its place")]
    BootLoader(u32),
}

impl Moves {
    /// What has to be moved for the last partition to end at this byte at the latest, if this one ends earlier.
    pub(crate) fn behind(image: &DiskImage, shrunk: &Partition, usable: u64) -> Result<Self, Immovable> {
        let behind: Vec<&Partition> = others_behind(image, shrunk)?;
        let end = behind.iter().map(|partition| partition.end()).max().unwrap_or(0);
        let distance = end.saturating_sub(usable).div_ceil(ALIGNMENT).saturating_mul(ALIGNMENT);
        let moved = |partition: &Partition| Move {
            partition: partition.number,
            from: partition.start,
            to: partition.start.saturating_sub(distance),
            length: partition.length,
            boot: boot(image, partition),
        };
        Ok(Self { distance, partitions: behind.into_iter().map(moved).collect() })
    }

    /// What was done, in words.
    pub(crate) fn notes(&self) -> Vec<String> {
        let note = |moved: &Move| {
            format!("partition {} was moved from byte {} to byte {}", moved.partition, moved.from, moved.to)
        };
        self.partitions.iter().map(note).collect()
    }
}

fn others_behind<'a>(image: &'a DiskImage, shrunk: &Partition) -> Result<Vec<&'a Partition>, Immovable> {
    let (kind, shrunk_end) = (image.table.kind, shrunk.end());
    let mut behind = Vec::new();
    for other in image.table.partitions.iter().filter(|other| other.number != shrunk.number) {
        let number = other.number;
        if other.end() <= shrunk.start {
            continue;
        }
        let is_within = |outer: &Partition| {
            is_extended(kind, outer) && outer.start <= other.start && other.start < outer.end()
        };
        if image.table.partitions.iter().any(is_within) {
            return Err(Immovable::Extended(number));
        }
        if other.start < shrunk_end {
            return Err(Immovable::Overlaps(number));
        }
        if other.kind.eq_ignore_ascii_case(BIOS_BOOT) {
            return Err(Immovable::BootLoader(number));
        }
        behind.push(other);
    }
    behind.sort_by_key(|partition| partition.start);
    let overlaps = |pair: &&[&Partition]| matches!(pair, [a, b] if a.end() > b.start);
    match behind.windows(2).find(overlaps) {
        Some([_, second]) => Err(Immovable::Overlaps(second.number)),
        _ => Ok(behind),
    }
}

/// Whatever its bytes are saved as, what is in it is what was found there.
fn boot(image: &DiskImage, partition: &Partition) -> Option<FileSystem> {
    let own = image.regions.iter().filter(|region| image.is_directly_in(region, partition.number));
    let saved = own.filter_map(|region| match &region.content {
        Content::Partclone { file_system, .. } => Some(*file_system),
        _ => None,
    });
    let found = || match partition.file_system.as_deref() {
        Some("ntfs") => Some(FileSystem::Ntfs),
        Some("vfat") => Some(FileSystem::Fat),
        _ => None,
    };
    let is_told = |file_system: &FileSystem| matches!(file_system, FileSystem::Ntfs | FileSystem::Fat);
    saved.into_iter().next().or_else(found).filter(is_told)
}

#[cfg(test)]
mod tests;
