//! The settings of the Linux imager in an order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::checksum::Sha256;

/// What an order may say of how it is done; what is left out has its default. Which disk is not among it: that is the
/// order's own business, whatever the imager ([`crate::DiskChoice`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinuxSettings {
    /// The level of zstd, 1 to 19.
    pub compression_level: u8,
    /// The largest piece, bytes. The default is one that any file system takes.
    pub piece_size: u64,
    /// Backup: what is done when the disk cannot be read somewhere.
    pub on_read_error: OnReadError,
    /// Backup: what is done with an NTFS that was not closed.
    pub dirty_ntfs: DirtyNtfs,
    /// Backup and restore: the only partitions that it is about, by their numbers; all of the disk if it names none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub partitions: BTreeSet<u32>,
    /// Backup: what is done with what no partition has.
    pub gaps: Gaps,
    /// Restore: what is done with the room that a larger disk has.
    pub larger_disk: LargerDisk,
    /// Restore: what is done when the disk is smaller than the partitions need.
    pub smaller_disk: SmallerDisk,
    /// Restore: what is checked before the first byte is written.
    pub restore_check: RestoreCheck,
    /// Restore: whether the disk is emptied before it is written.
    pub discard: Discard,
    /// Verify and restore: the checksum of each disk's description, `disk0` first, which has those of all its pieces. The boot
    /// server vouches for them; an image with another description is refused. None if the server knows none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vouched: Vec<Sha256>,
}

/// What is done when a disk cannot be read somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReadError {
    /// The job fails, and says where.
    #[default]
    Fail,
    /// The job goes on. In the image, which lists the place, zeros stand there, or what partclone puts into a file
    /// system: `BADSECTOR`.
    Rescue,
}

/// What is done with an NTFS that Windows has not closed: hibernated, fast start, switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirtyNtfs {
    /// The job fails before anything is saved.
    #[default]
    Refuse,
    /// Every byte of it is saved, since what it says of used blocks cannot be believed.
    Raw,
}

/// What is done with the gaps between partitions, and behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// Every byte is saved: boot loaders and others keep things there. Zeros take next to no room.
    #[default]
    Save,
    /// Of gaps above 2 MiB only the first and the last MiB are saved, and the notes say what is left out.
    LeaveOut,
}

impl Gaps {
    /// The choice of this word: `save` or `leave_out`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "save" => Some(Self::Save),
            "leave_out" => Some(Self::LeaveOut),
            _ => None,
        }
    }
}

impl DirtyNtfs {
    /// The choice of this word: `refuse` or `raw`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "refuse" => Some(Self::Refuse),
            "raw" => Some(Self::Raw),
            _ => None,
        }
    }
}

/// What is done with the room that a larger disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LargerDisk {
    /// The room stays unallocated, behind the last partition.
    #[default]
    Leave,
    /// The last partition gets it, and its file system with it.
    Grow,
}

/// What is done when a disk is smaller than the partitions of an image need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmallerDisk {
    /// It is refused, with the numbers.
    #[default]
    Refuse,
    /// The last partition, or else the one that has the most to give, gets what room there is, and its file system is
    /// shrunk to it, if its files fit. What stands behind it is moved.
    Shrink,
}

/// Whether a disk is emptied before it is written, so that it knows what is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// All of it, where it reads zeros after that: an SSD that says so, a virtual disk, a file.
    #[default]
    Auto,
    /// Only the places where a signature of what was on it could be found are overwritten.
    Never,
}

/// What is checked before a restore writes its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreCheck {
    /// Every byte of every piece.
    #[default]
    Everything,
    /// The description and the sizes only; the checksums are compared while the disk is being written.
    Skip,
}

impl LinuxSettings {
    /// 1 GiB: FAT takes files below 4 GiB, old NFS servers and clients below 2 GiB.
    pub const PIECE_SIZE: u64 = 1 << 30;
    /// zstd's own default, as without `-LEVEL`.
    pub const COMPRESSION_LEVEL: u8 = 3;
}

impl Default for LinuxSettings {
    fn default() -> Self {
        Self {
            compression_level: Self::COMPRESSION_LEVEL,
            piece_size: Self::PIECE_SIZE,
            on_read_error: OnReadError::default(),
            dirty_ntfs: DirtyNtfs::default(),
            partitions: BTreeSet::new(),
            gaps: Gaps::default(),
            larger_disk: LargerDisk::default(),
            smaller_disk: SmallerDisk::default(),
            restore_check: RestoreCheck::default(),
            discard: Discard::default(),
            vouched: Vec::new(),
        }
    }
}
