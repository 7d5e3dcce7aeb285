//! A disk's table and what was found in its partitions → the regions that are to be saved.
//!
//! ```text
//! table ──stretches──▶ one a gap, one a partition ──(survey looks at each)──▶ regions ──▶ planned regions
//! ```

use ghost_contract::image::{
    DirtyNtfs, DiskFacts, FileSystem, Gaps, LinuxSettings, OnReadError, Range, RawReason, UnusedReason,
    Volume,
};

use super::extent::copy_of_gpt;
use crate::tool::blkid::Found;
use crate::tool::partclone::{self, Head, cannot::never};

mod believe;
mod cut;
mod volumes;

pub use believe::{Disbelief, believe, has_its_end, is_member, is_member_type};
pub use cut::stretches;
pub use volumes::{Part, parts};

/// As much of each end of a gap is saved when gaps are left out: boot code, a boot loader's second stage, both copies of
/// a GPT. Partitions begin there since Windows Vista.
pub const EDGE: u64 = 1 << 20;
/// A swap area's header is one page (Linux, `union swap_header`), and the largest page has this many bytes.
pub const SWAP_HEADER: u64 = 64 << 10;

/// A stretch of the disk before it is known what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub start: u64,
    /// Bytes.
    pub length: u64,
    pub owner: Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The partition with this number.
    Partition(u32),
    /// Nobody's, outside of all partitions.
    Nobody,
    /// No partition's, within an extended partition: links of its chain of tables may be anywhere in it.
    Extended,
    /// The disk as a whole: it has no table.
    Disk,
    /// What is decrypted of a container that this partition is, or is in; the disk as a whole is it without one.
    Inside(Option<u32>),
    /// A logical volume's, in the physical volume that this partition is; the disk as a whole is it without one.
    Volume(Option<u32>),
}

/// What a look at a stretch has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holding {
    /// A file system of which partclone saves the used blocks.
    FileSystem(FileSystem, Head),
    /// A file system that was not closed, and in which state it is.
    NotClean(FileSystem, String),
    /// A file system that partclone does not take, and what it says.
    Refused(FileSystem, String),
    /// Anything else, as blkid calls it.
    Other(Found),
}

/// A region as it will be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// The partition that it belongs to.
    pub partition: Option<u32>,
    /// The logical volume that it belongs to.
    pub volume: Option<Volume>,
    /// It is decrypted: the index of the open container in which it is. Its places are those on the disk all the same.
    pub container: Option<usize>,
    /// What was looked at to know it: all of the partition, or of the volume; in a container, as places of what is decrypted.
    pub looked_at: Range,
    pub how: How,
}

/// How a region is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its used blocks. The head is what partclone said when it was looked at.
    Partclone(FileSystem, Head),
    Raw(RawReason),
    Unused(UnusedReason),
}

/// Where something is, in words.
fn place(partition: Option<u32>) -> String {
    partition.map_or_else(|| "the disk".to_owned(), |number| format!("partition {number}"))
}

/// The same, where it may be a logical volume.
fn place_of(partition: Option<u32>, volume: Option<&Volume>) -> String {
    let volume = volume.map(|volume| format!(", volume {}", volume.name));
    place(partition) + &volume.unwrap_or_default()
}

/// Why a disk is not backed up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order does not want what such an NTFS can be saved as.
    #[error(
        "{} is an NTFS that Windows has not closed ({state}): shut Windows down without fast start \
         (shutdown /s /f /t 0), or save every byte of it with ghostctl backup --dirty-ntfs raw (dirty_ntfs=raw)",
        place(*.partition)
    )]
    DirtyNtfs {
        /// Its number; none on a disk without a table.
        partition: Option<u32>,
        /// What it says of itself.
        state: String,
    },
    /// A setting is out of its range.
    #[error("compression level {0}: 1 to 19 are possible")]
    Level(u8),
    /// A setting is out of its range.
    #[error("pieces of {0} bytes: at least 1048576 are needed, so that no image has too many of them")]
    PieceSize(u64),
    /// A device that is none.
    #[error("{0} is empty")]
    Empty(String),
}

/// Checks what can be checked before the disk is looked at.
pub fn check_settings(settings: &LinuxSettings) -> Result<(), Refusal> {
    if !(1..=19).contains(&settings.compression_level) {
        return Err(Refusal::Level(settings.compression_level));
    }
    if settings.piece_size < 1 << 20 {
        return Err(Refusal::PieceSize(settings.piece_size));
    }
    Ok(())
}

/// How a stretch is saved that has shown this.
pub fn regions(
    disk: &DiskFacts,
    stretch: Stretch,
    holding: Option<&Holding>,
    settings: &LinuxSettings,
) -> Result<Vec<Planned>, Refusal> {
    let whole = |reason| Ok(vec![all_of(stretch, How::Raw(reason))]);
    let Some(holding) = holding else {
        return Ok(match stretch.owner {
            Owner::Nobody => gap(disk, stretch, settings.gaps),
            _ => vec![all_of(stretch, How::Raw(RawReason::BesidePartitions))],
        });
    };
    match holding {
        Holding::FileSystem(file_system, head) => {
            let sector = u64::from(disk.logical_sector);
            let span = head.total.div_ceil(sector).saturating_mul(sector);
            if span > stretch.length {
                let said =
                    format!("the file system spans {} bytes, its place has {}", head.total, stretch.length);
                return whole(RawReason::ToolRefused { said });
            }
            let how = How::Partclone(*file_system, head.clone());
            let from = stretch.start + span;
            let behind = planned(stretch, from, stretch.end() - from, How::Raw(RawReason::BehindFileSystem));
            let file_system = planned(stretch, stretch.start, span, how);
            Ok([file_system, behind].into_iter().filter(|region| region.length > 0).collect())
        }
        Holding::NotClean(FileSystem::Ntfs, state) if settings.dirty_ntfs == DirtyNtfs::Refuse => {
            Err(Refusal::DirtyNtfs { partition: stretch.partition(), state: state.clone() })
        }
        Holding::NotClean(_, state) => whole(RawReason::NotClean { state: state.clone() }),
        Holding::Refused(_, said) => whole(RawReason::ToolRefused { said: said.clone() }),
        Holding::Other(Found { doubt: Some(said), .. }) => {
            whole(RawReason::ToolRefused { said: said.clone() })
        }
        Holding::Other(found) => match found.kind.as_deref() {
            Some("swap") if stretch.length > SWAP_HEADER && stretch.owner != Owner::Disk => Ok(vec![
                planned(stretch, stretch.start, SWAP_HEADER, How::Raw(RawReason::SwapHeader)),
                planned(
                    stretch,
                    stretch.start + SWAP_HEADER,
                    stretch.length - SWAP_HEADER,
                    How::Unused(UnusedReason::Swap),
                ),
            ]),
            Some(kind) if found.usage.as_deref() == Some("crypto") || kind == "BitLocker" => {
                whole(RawReason::Encrypted { found: kind.to_owned() })
            }
            kind if stretch.owner == Owner::Disk => {
                let found = kind.map(str::to_owned).or_else(|| found.table.clone());
                whole(RawReason::NoTable { found })
            }
            kind => whole(match kind.and_then(|kind| Some((kind, never(kind)?))) {
                Some((kind, why)) => RawReason::ToolRefused { said: format!("it is {kind}, and {why}") },
                None => RawReason::NoTool { found: kind.map(str::to_owned) },
            }),
        },
    }
}

impl Stretch {
    /// How it is left alone when other partitions were chosen.
    pub const fn not_chosen(self) -> Planned {
        planned(self, self.start, self.length, How::Unused(UnusedReason::NotChosen))
    }

    /// The header of the container that it is, with so many bytes.
    pub const fn header(self, length: u64) -> Planned {
        planned(self, self.start, length, How::Raw(RawReason::EncryptionHeader))
    }

    /// Where it is, in words.
    pub fn place(&self, volume: Option<&Volume>) -> String {
        place_of(self.partition(), volume)
    }

    /// The partition whose it is.
    pub const fn partition(&self) -> Option<u32> {
        match self.owner {
            Owner::Partition(number) => Some(number),
            Owner::Volume(partition) | Owner::Inside(partition) => partition,
            Owner::Nobody | Owner::Extended | Owner::Disk => None,
        }
    }

    const fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

/// What no partition has. The end of the disk is a region of its own: a GPT keeps its copy
/// there, which moves with the size of the disk, while everything in front of it stays in place.
fn gap(disk: &DiskFacts, stretch: Stretch, gaps: Gaps) -> Vec<Planned> {
    let (start, end) = (stretch.start, stretch.end());
    let last = if end == disk.size { end.saturating_sub(copy_of_gpt(disk)).max(start) } else { end };
    let is_kept = gaps == Gaps::Save || end - start <= 2 * EDGE;
    let (kept, left_out) = if is_kept { (last, last) } else { (start + EDGE, last.min(end - EDGE)) };
    let raw = || How::Raw(RawReason::BesidePartitions);
    let regions = [
        planned(stretch, start, kept - start, raw()),
        planned(stretch, kept, left_out - kept, How::Unused(UnusedReason::Unallocated)),
        planned(stretch, left_out, last - left_out, raw()),
        planned(stretch, last, end - last, raw()),
    ];
    regions.into_iter().filter(|region| region.length > 0).collect()
}

const fn planned(stretch: Stretch, start: u64, length: u64, how: How) -> Planned {
    let looked_at = Range { start: stretch.start, length: stretch.length };
    Planned { start, length, partition: stretch.partition(), volume: None, container: None, looked_at, how }
}

/// All of a stretch.
const fn all_of(stretch: Stretch, how: How) -> Planned {
    planned(stretch, stretch.start, stretch.length, how)
}

impl Planned {
    /// About how many bytes will be read for it.
    pub fn expected_length(&self) -> u64 {
        match &self.how {
            How::Partclone(_, head) => head.expected_length(),
            How::Raw(_) => self.length,
            How::Unused(_) => 0,
        }
    }

    /// What the administrator should know of it, if anything.
    pub fn note(&self) -> Option<String> {
        let place = place_of(self.partition, self.volume.as_ref());
        match &self.how {
            How::Raw(RawReason::NotClean { state }) => {
                Some(format!("{place} is saved with every byte: {state}"))
            }
            How::Raw(RawReason::Encrypted { found }) => {
                Some(format!("{place} is encrypted ({found}) and saved with every byte"))
            }
            How::Raw(RawReason::ToolRefused { said }) => {
                Some(format!("{place} is saved with every byte: {said}"))
            }
            How::Raw(RawReason::NoTool { found }) => {
                let found = found.as_deref().unwrap_or("nothing that is known");
                Some(format!("{place} holds {found} and is saved with every byte"))
            }
            How::Raw(RawReason::SwapHeader) => Some(format!("{place} is swap: only its header is saved")),
            How::Unused(UnusedReason::Unallocated) => Some(format!(
                "{} bytes at byte {} that no partition has are left out, as ordered",
                self.length, self.start
            )),
            How::Raw(RawReason::NoTable { found }) => {
                let found = found.as_deref().map_or(String::new(), |found| format!(" but {found}"));
                Some(format!(
                    "the disk has no partition table that is understood{found}: every byte is saved"
                ))
            }
            _ => None,
        }
    }

    /// Its name in names of files, such as `p2-ntfs.partclone`.
    pub fn file_name(&self, index: usize) -> String {
        let place = self.partition.map_or_else(String::new, |number| format!("-p{number}"));
        let content = match &self.how {
            How::Partclone(file_system, _) => format!("{}.partclone", partclone::word(*file_system)),
            How::Raw(RawReason::BesidePartitions) => "beside.raw".to_owned(),
            How::Raw(RawReason::BehindFileSystem) => "behind.raw".to_owned(),
            How::Raw(RawReason::VolumeGroup) => "lvm.raw".to_owned(),
            How::Raw(RawReason::BesideVolumes) => "beside.raw".to_owned(),
            How::Raw(RawReason::EncryptionHeader) => "luks.raw".to_owned(),
            How::Raw(RawReason::SwapHeader) => "swap-header.raw".to_owned(),
            How::Raw(_) => "all.raw".to_owned(),
            How::Unused(_) => "unused".to_owned(),
        };
        format!("{index:03}{place}-{content}.zst")
    }
}

/// Whether partclone and the raw reader go on at an error.
pub const fn rescues(settings: &LinuxSettings) -> bool {
    matches!(settings.on_read_error, OnReadError::Rescue)
}

#[cfg(test)]
mod tests;
