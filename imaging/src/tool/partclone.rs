//! partclone's programs, and the head of the images that they write.
//!
//! The head is that of format version 0002 (partclone 0.3, `src/partclone.h`: `image_desc_v2`), little-endian
//! and packed: `image_head_v2`, `file_system_info_v2`, `image_options_v2` and a checksum.

use ghost_contract::image::FileSystem;

/// The length of an image's head, bytes.
pub const HEAD: usize = 110;

const MAGIC: &[u8] = b"partclone-image\0";
const FORMAT: &[u8] = b"0002";

/// What an image's head says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The version of partclone that wrote it.
    pub version: String,
    /// The file system, as partclone calls it: `NTFS`, `FAT16`, `EXTFS`, …
    pub file_system: String,
    /// The unit in which blocks are used or free, bytes.
    pub block: u64,
    /// What all blocks together span, bytes. What stands behind it on the partition is not in the image.
    pub total: u64,
    /// What the used blocks span, bytes.
    pub used: u64,
}

/// Why bytes are not the head of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It does not begin like one.
    #[error("it does not begin like an image of partclone")]
    Magic,
    /// An image of another format.
    #[error("it is an image of partclone's format '{0}', not 0002")]
    Format(String),
    /// Numbers that cannot be.
    #[error("its head has impossible sizes")]
    Sizes,
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8; HEAD]) -> Result<Self, HeadError> {
        let text = |from: usize, to: usize| {
            let field = bytes.get(from..to).unwrap_or_default();
            let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
            String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
        };
        let number = |from: usize, length: usize| {
            let field = bytes.get(from..from + length).unwrap_or_default();
            field.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte))
        };
        if !bytes.starts_with(MAGIC) {
            return Err(HeadError::Magic);
        }
        if bytes.get(30..34) != Some(FORMAT) || number(34, 2) != 0xC0DE {
            return Err(HeadError::Format(text(30, 34)));
        }
        let (blocks, used, block) = (number(60, 8), number(76, 8), number(84, 4));
        let total = blocks.checked_mul(block).filter(|&total| total > 0).ok_or(HeadError::Sizes)?;
        let used = used.checked_mul(block).filter(|&used| used <= total).ok_or(HeadError::Sizes)?;
        Ok(Self { version: text(16, 30), file_system: text(36, 52), block, total, used })
    }

    /// About how long the image is, bytes: the map of used blocks, and these with their checksums.
    #[must_use]
    pub fn expected_length(&self) -> u64 {
        self.used.saturating_add(self.map()).saturating_add(HEAD as u64)
    }

    /// How long the map of used blocks is, bytes.
    #[must_use]
    pub fn map(&self) -> u64 {
        self.total / self.block.max(1) / 8
    }
}

/// The file system that blkid calls so, if partclone has a program for it.
#[must_use]
pub fn file_system(blkid: &str) -> Option<FileSystem> {
    match blkid {
        "ntfs" => Some(FileSystem::Ntfs),
        "vfat" => Some(FileSystem::Fat),
        "exfat" => Some(FileSystem::Exfat),
        "ext2" | "ext3" | "ext4" => Some(FileSystem::Ext),
        "btrfs" => Some(FileSystem::Btrfs),
        "xfs" => Some(FileSystem::Xfs),
        _ => None,
    }
}

/// The program that saves it.
#[must_use]
pub const fn program(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "partclone.ntfs",
        FileSystem::Fat => "partclone.vfat",
        FileSystem::Exfat => "partclone.exfat",
        FileSystem::Ext => "partclone.extfs",
        FileSystem::Btrfs => "partclone.btrfs",
        FileSystem::Xfs => "partclone.xfs",
    }
}

/// The word for it in names of files.
#[must_use]
pub const fn word(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "ntfs",
        FileSystem::Fat => "fat",
        FileSystem::Exfat => "exfat",
        FileSystem::Ext => "ext",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Xfs => "xfs",
    }
}

/// partclone reads what it cannot read in units of so many bytes (`PART_SECTOR_SIZE`).
pub const UNREADABLE: u64 = 512;

/// Whether partclone says, of all it said, that it has met a place that cannot be read.
#[must_use]
pub fn met_bad_sectors(said: &str) -> bool {
    said.contains("bad sectors")
}

/// The place that this line of what it says with `-R` is about, in bytes from the file system's start:
/// `WARNING: Can't read sector at 20971520, lost data.`
#[must_use]
pub fn unreadable(line: &str) -> Option<u64> {
    let (_, behind) = line.split_once("Can't read sector at ")?;
    behind.split_once(',')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an ext4 of 40 MiB with blocks of 1 KiB, by partclone 0.3.23.
    pub(crate) const EXT: [u8; HEAD] = {
        let mut head = [0; HEAD];
        let fields: [(usize, &[u8]); 9] = [
            (0, MAGIC),
            (16, b"0.3.23"),
            (30, FORMAT),
            (34, &[0xde, 0xc0]),
            (36, b"EXTFS"),
            (52, &[0, 0, 0x80, 2]),
            (60, &[0, 0xa0]),
            (76, &[0x1f, 0x1d]),
            (84, &[0, 4]),
        ];
        let mut field = 0;
        while field < fields.len() {
            let (at, bytes) = fields[field];
            let mut byte = 0;
            while byte < bytes.len() {
                head[at + byte] = bytes[byte];
                byte += 1;
            }
            field += 1;
        }
        head
    };

    #[test]
    fn a_head_says_what_is_used() {
        let head = Head::parse(&EXT).unwrap();
        assert_eq!((head.version.as_str(), head.file_system.as_str()), ("0.3.23", "EXTFS"));
        assert_eq!((head.block, head.total, head.used), (1024, 40 << 20, 7455 * 1024));
    }

    #[test]
    fn a_place_that_cannot_be_read_is_found() {
        assert_eq!(unreadable("WARNING: Can't read sector at 20971520, lost data."), Some(20_971_520));
        assert_eq!(unreadable("Syncing... OK!"), None);
        assert!(met_bad_sectors("* WARNING: The disk has bad sectors. This means physical damage on the  *"));
    }

    #[test]
    fn other_bytes_are_no_head() {
        assert_eq!(Head::parse(&[0; HEAD]), Err(HeadError::Magic));
        let mut head = EXT;
        head[33] = b'1';
        assert_eq!(Head::parse(&head), Err(HeadError::Format("0001".to_owned())));
        let mut head = EXT;
        head[83] = 1;
        assert_eq!(Head::parse(&head), Err(HeadError::Sizes));
    }
}
