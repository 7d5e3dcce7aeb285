//! The image of one disk, as the Linux imager writes it: what `disk.json` says.
//!
//! A generation has one folder a disk ([`crate::layout::disk`]); in it are the pieces, this description, a dump
//! of the partition table for people (`table.sfdisk`) and the checksums of all of them (`SHA256SUMS`, for
//! `sha256sum --check`). The description is written by `ghost-imager` only, after the last piece.
//!
//! A disk is cut into regions that follow one another from its first byte to its last. Each says what it holds,
//! so that writing them back in any order gives the same disk:
//!
//! ```text
//! ├ raw: table, boot code ┼ partclone: NTFS ┼ raw: behind NTFS ┼ raw: swap header ┼ unused ┼ raw: GPT's copy ┤
//! 0                                                                                              disk.size
//! ```
//! Does not know files or devices: bytes and values.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::UnixTime;
use crate::checksum::Sha256;

mod decrypted;
mod hit;
pub mod progress;
mod saved;
pub mod settings;
mod sound;

pub use decrypted::Decrypted;
pub use hit::Hit;
pub use progress::{Ending, Phase, Progress, TargetDisk};
pub use saved::SavedPart;
pub use settings::{
    DirtyNtfs, Discard, Gaps, LargerDisk, LinuxSettings, OnReadError, RestoreCheck, SmallerDisk,
};

/// The version of the format of an image that holds bytes as they stand on the disk.
pub const VERSION: u32 = 1;
/// The version of the format of an image that holds decrypted bytes. A program that does not know of them would write them
/// to the disk as they are, so it must refuse them: it refuses a version that it does not know.
pub const VERSION_OF_DECRYPTED: u32 = 2;

/// What `disk.json` says: one disk, and how it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskImage {
    /// The version of the format, [`DiskImage::version_it_needs`] when written.
    pub version: u32,
    /// The disk that it was made from.
    pub disk: DiskFacts,
    /// The partition table, or that there is none.
    pub table: Table,
    /// All of it, in order, without a gap.
    pub regions: Vec<Region>,
    /// The LUKS containers that were opened, in the order of their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decrypted: Vec<Decrypted>,
    /// How every stream is compressed.
    pub compression: Compression,
    /// What could not be read, and is filled with anything in the image; only with the order's rescue. Positions on
    /// the disk.
    pub bad_ranges: Vec<Range>,
    /// Which files those places belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hits: Vec<Hit>,
    /// What the administrator should know, in words: a file system that was saved raw, and why.
    pub notes: Vec<String>,
    /// The programs that made it.
    pub tools: Vec<Tool>,
    /// When the first byte was saved, by the client's clock: behind the look at it, and the disks before it.
    pub started: UnixTime,
    /// When the last piece was on the store.
    pub ended: UnixTime,
}

/// What is known of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// The device on the client at the time: `/dev/sda`.
    pub path: String,
    /// What its maker calls it.
    pub model: Option<String>,
    /// The serial number, by which a restore knows the disk again.
    pub serial: Option<String>,
    /// Its size in bytes, as the kernel says.
    pub size: u64,
    /// The unit in which its table counts, bytes: 512 or 4096.
    pub logical_sector: u32,
    /// The unit in which it writes, bytes.
    pub physical_sector: u32,
}

/// A partition table with all its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The kind of table, or that there is none.
    pub kind: TableKind,
    /// The disk's identifier in it: a GUID, or `0x` and eight digits.
    pub id: Option<String>,
    /// Its partitions, in the order of their places on the disk; an extended one before those within it.
    pub partitions: Vec<Partition>,
}

/// The kinds of partition tables that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// UEFI's, with a copy at the end of the disk; a hybrid MBR is part of it.
    Gpt,
    /// The table of the master boot record, with logical partitions.
    Dos,
    /// There is none, or one of a kind that is not understood: the disk is one region.
    None,
}

/// An entry of the partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its number in the table, from 1.
    pub number: u32,
    /// Where it begins on the disk, in bytes.
    pub start: u64,
    /// Its length on the disk, in bytes.
    pub length: u64,
    /// The type: a GUID in a GPT, hexadecimal digits in a dos table.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in a GPT.
    pub name: Option<String>,
    /// Its UUID in the table.
    pub uuid: Option<String>,
    /// What is in it, as blkid calls it: `ntfs`, `ext4`, `crypto_LUKS`, …
    pub file_system: Option<String>,
    /// The file system's label, as blkid reads it.
    pub label: Option<String>,
}

/// A stretch of the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Its first byte on the disk.
    pub start: u64,
    /// Its length on the disk, in bytes.
    pub length: u64,
    /// The number of the partition that it belongs to; none outside of all partitions.
    pub partition: Option<u32>,
    /// The logical volume that it belongs to, where the partition or the disk is a physical volume of LVM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// Which of its bytes are kept, and how.
    pub content: Content,
}

/// A logical volume of LVM, and what was found in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// `GROUP/NAME`, as in `debian-vg/root`.
    pub name: String,
    /// What is in it, as blkid calls it; none if it was not looked into, or nothing is known.
    pub file_system: Option<String>,
}

/// Which bytes of a region are kept, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// The used blocks of a file system, as `partclone` writes them.
    Partclone {
        /// The kind that partclone was told.
        file_system: FileSystem,
        /// The program that wrote and restores it: `partclone.ntfs`.
        tool: String,
        /// Its version, as its image says.
        version: String,
        /// What the file system uses, bytes.
        used: u64,
        /// What the file system spans, bytes; the region is as long, rounded up to a sector.
        total: u64,
        /// The pieces in which it is kept.
        stream: Stream,
    },
    /// Every byte of the region, as it stands on the disk.
    Raw {
        /// Why no free blocks are left out.
        reason: RawReason,
        /// The pieces in which it is kept.
        stream: Stream,
    },
    /// Nothing is kept, and a restore leaves there what it finds.
    Unused {
        /// Why none of it is needed.
        reason: UnusedReason,
    },
}

/// The file systems of which only used blocks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// NTFS, the file system of Windows.
    Ntfs,
    /// FAT12, FAT16 and FAT32, the EFI system partition's.
    Fat,
    /// That of large memory cards.
    Exfat,
    /// ext2, ext3 or ext4, which one tool reads.
    Ext,
    /// Btrfs, if it is on one device only.
    Btrfs,
    /// XFS, with the log that belongs to it.
    Xfs,
    /// f2fs, for flash memory.
    F2fs,
}

/// Why every byte of a region is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum RawReason {
    /// The partition table, boot code, and what else stands beside partitions.
    BesidePartitions,
    /// What stands in a partition behind the end of its file system, such as NTFS's second boot sector.
    BehindFileSystem,
    /// The label and the metadata of a physical volume of LVM.
    VolumeGroup,
    /// What no logical volume has of a physical volume.
    BesideVolumes,
    /// The header of a LUKS container that was opened, with its key slots.
    EncryptionHeader,
    /// The header of a swap area: its label and UUID.
    SwapHeader,
    /// Nothing that is known, or without a tool for it.
    NoTool {
        /// What blkid calls it, if it knows.
        found: Option<String>,
    },
    /// LUKS, BitLocker and their like: which blocks are used cannot be seen.
    Encrypted {
        /// blkid's name for it: `crypto_LUKS`.
        found: String,
    },
    /// The file system was not closed, so that what it says of used blocks cannot be believed.
    NotClean {
        /// What it says of itself.
        state: String,
    },
    /// partclone does not take it, or not as it should.
    ToolRefused {
        /// What it said, or what is known of it.
        said: String,
    },
    /// The disk has no partition table, or one that is not understood.
    NoTable {
        /// What blkid calls it, if it knows.
        found: Option<String>,
    },
}

/// Why nothing of a region is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnusedReason {
    /// It lies in no partition, and the order said to leave such gaps out.
    Unallocated,
    /// A swap area, behind its header.
    Swap,
    /// The order was about other partitions only.
    NotChosen,
}

/// A compressed stream, cut into pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its length before compression, in bytes.
    pub length: u64,
    /// Its pieces in order; one after the other they are what the compressor wrote.
    pub pieces: Vec<Piece>,
}

/// A file of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its name in the folder of the image.
    pub file: String,
    /// Its length in bytes, compressed.
    pub size: u64,
    /// SHA-256 of the whole file.
    pub sha256: Sha256,
}

/// The method of compression, for all streams of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Compression {
    /// Zstandard (RFC 8878), as the `zstd` tool reads it.
    Zstd {
        /// The level, as in `zstd -LEVEL`: 1 to 19.
        level: u8,
    },
}

/// A stretch of bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its first byte, counted from the start of the disk.
    pub start: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

/// A program that took part, and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name on the command line: `zstd`.
    pub name: String,
    /// What it prints when asked for its version.
    pub version: String,
}

impl Partition {
    /// The first byte behind it.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

impl Region {
    /// The first byte behind it.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// What is kept of it, if anything.
    pub const fn stream(&self) -> Option<&Stream> {
        match &self.content {
            Content::Partclone { stream, .. } | Content::Raw { stream, .. } => Some(stream),
            Content::Unused { .. } => None,
        }
    }
}

impl Stream {
    /// The sizes of all pieces together, bytes.
    pub fn stored(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.size).fold(0, u64::saturating_add)
    }
}

impl DiskImage {
    /// Whether a region is of this partition as the disk has it: neither of a logical volume in it, nor decrypted.
    pub fn is_directly_in(&self, region: &Region, partition: u32) -> bool {
        region.partition == Some(partition)
            && region.volume.is_none()
            && self.decrypted_around(region).is_none()
    }

    /// The version of the format that says all of it.
    pub const fn version_it_needs(&self) -> u32 {
        if self.decrypted.is_empty() { VERSION } else { VERSION_OF_DECRYPTED }
    }

    /// Everything that is kept, in the order of the regions.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.regions.iter().filter_map(Region::stream)
    }

    /// The partitions that it holds, if it is the image of a part of the disk only.
    pub fn chosen(&self) -> Option<BTreeSet<u32>> {
        let is_chosen =
            |region: &&Region| region.content != Content::Unused { reason: UnusedReason::NotChosen };
        if self.regions.iter().all(|region| is_chosen(&region)) {
            return None;
        }
        Some(self.regions.iter().filter(is_chosen).filter_map(|region| region.partition).collect())
    }

    /// The content of `disk.json`, with a newline at its end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
mod tests;
