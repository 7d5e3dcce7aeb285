//! partclone's programs, and the head of the images that they write.
//!
//! The head is that of format version 0002 (partclone 0.3, `src/partclone.h`: `image_desc_v2`), little-endian
//! and packed: `image_head_v2`, `file_system_info_v2`, `image_options_v2` and a checksum.

use ghost_contract::image::FileSystem;

pub(crate) mod cannot;
pub(crate) mod checksums;

/// The length of an image's head, bytes.
pub(crate) const HEAD: usize = 110;

const MAGIC: &[u8] = b"partclone-image\0";
const FORMAT: &[u8] = b"0002";

/// For all of its programs: no log, and it is looked every second whether they are through, not every other one: so long they
/// may stay when all is done.
pub(crate) const BRIEF: [&str; 4] = ["-L", "/dev/null", "-f", "1"];

/// Where its fields are that tell of checksums: which kind, how long one is, how many blocks it is of, whether each begins
/// anew, and the head's own.
const MODE: usize = 96;
const LENGTH: usize = 98;
const BLOCKS: usize = 100;
const ANEW: usize = 104;
const OWN: usize = 106;
/// Kinds of checksums (`CSM_NONE`, `CSM_CRC32`), and how long the latter are.
const NONE: u64 = 0;
const CRC32: u64 = 32;
const CRC32_LENGTH: usize = 4;

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
    pub checksums: Checksums,
}

/// How the used blocks of an image are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksums {
    None,
    /// By the CRC-32 of so many at a time.
    Crc32 {
        blocks: u32,
    },
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
    #[error("its head has impossible sizes")]
    Sizes,
    /// It is not as it was written.
    #[error("its head is damaged")]
    Damaged,
    /// Others than partclone writes, or than were asked for.
    #[error("its head tells of another kind of checksums")]
    Checksums,
}

impl Head {
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
        if number(OWN, CRC32_LENGTH) != u64::from(own_checksum(bytes)) {
            return Err(HeadError::Damaged);
        }
        let blocks = u32::try_from(number(BLOCKS, 4)).unwrap_or_default();
        let checksums = match (number(MODE, 2), number(LENGTH, 2), blocks, number(ANEW, 1)) {
            (NONE, ..) => Checksums::None,
            (CRC32, 4, 1.., 1) => Checksums::Crc32 { blocks },
            _ => return Err(HeadError::Checksums),
        };
        Ok(Self { version: text(16, 30), file_system: text(36, 52), block, total, used, checksums })
    }

    /// About how long the image is, bytes: the map of used blocks, and these with their checksums.
    pub fn expected_length(&self) -> u64 {
        self.used.saturating_add(self.map()).saturating_add(HEAD as u64)
    }

    /// How long the map of used blocks is, bytes.
    pub fn map(&self) -> u64 {
        self.total / self.block.max(1) / 8
    }
}

/// The same head with these checksums of used blocks.
fn with(head: &[u8; HEAD], checksums: Checksums) -> [u8; HEAD] {
    let (mode, length, blocks) = match checksums {
        Checksums::None => (NONE, 0, 0),
        Checksums::Crc32 { blocks } => (CRC32, CRC32_LENGTH as u64, blocks),
    };
    let mut head = *head;
    put(&mut head, MODE, &mode.to_le_bytes()[..2]);
    put(&mut head, LENGTH, &length.to_le_bytes()[..2]);
    put(&mut head, BLOCKS, &blocks.to_le_bytes());
    let own = own_checksum(&head);
    put(&mut head, OWN, &own.to_le_bytes());
    head
}

fn put(head: &mut [u8; HEAD], at: usize, field: &[u8]) {
    head.iter_mut().skip(at).zip(field).for_each(|(byte, new)| *byte = *new);
}

/// What a head's checksum must be: that of all before it.
fn own_checksum(head: &[u8; HEAD]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&head[..OWN]);
    crc32(hash)
}

/// partclone's CRC-32 of what was hashed: that of IEEE 802.3 without the inversion at its end (`src/checksum.c`).
fn crc32(hash: crc32fast::Hasher) -> u32 {
    !hash.finalize()
}

/// The file system that blkid calls so, if partclone has a program for it.
pub(crate) fn file_system(blkid: &str) -> Option<FileSystem> {
    match blkid {
        "ntfs" => Some(FileSystem::Ntfs),
        "vfat" => Some(FileSystem::Fat),
        "exfat" => Some(FileSystem::Exfat),
        "ext2" | "ext3" | "ext4" => Some(FileSystem::Ext),
        "btrfs" => Some(FileSystem::Btrfs),
        "xfs" => Some(FileSystem::Xfs),
        "f2fs" => Some(FileSystem::F2fs),
        _ => None,
    }
}

/// The program that saves it.
pub(crate) const fn program(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "partclone.ntfs",
        FileSystem::Fat => "partclone.vfat",
        FileSystem::Exfat => "partclone.exfat",
        FileSystem::Ext => "partclone.extfs",
        FileSystem::Btrfs => "partclone.btrfs",
        FileSystem::Xfs => "partclone.xfs",
        FileSystem::F2fs => "partclone.f2fs",
    }
}

/// The word for it in names of files.
pub(crate) const fn word(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "ntfs",
        FileSystem::Fat => "fat",
        FileSystem::Exfat => "exfat",
        FileSystem::Ext => "ext",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Xfs => "xfs",
        FileSystem::F2fs => "f2fs",
    }
}

/// partclone reads what it cannot read in units of so many bytes (`PART_SECTOR_SIZE`).
pub(crate) const UNREADABLE: u64 = 512;

/// Whether partclone says, of all it said, that it has met a place that cannot be read.
pub(crate) fn met_bad_sectors(said: &str) -> bool {
    said.contains("bad sectors")
}

/// The place that this line of what it says with `-R` is about, in bytes from the file system's start:
/// `WARNING: Can't read sector at 20971520, lost data.`
pub(crate) fn unreadable(line: &str) -> Option<u64> {
    let (_, behind) = line.split_once("Can't read sector at ")?;
    behind.split_once(',')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an ext4 of 64 MiB with blocks of 1 KiB, by `partclone.extfs -a 1` 0.3.23.
    pub(super) const EXT: &[u8; HEAD] = b"partclone-image\x000.3.23\0\0\0\0\0\0\0\x000002\xde\xc0\
        EXTFS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\x01\0\0\0\0\0\x70\x26\0\0\0\0\0\0\x70\x26\0\0\0\0\0\0\
        \0\x04\0\0\x12\0\0\0\x02\0\x40\0\x20\0\x04\0\0\x04\0\0\x01\x01\xae\xfe\xc0\xa2";

    /// The head with this byte changed and its checksum right again.
    fn changed(at: usize, byte: u8) -> [u8; HEAD] {
        let mut head = *EXT;
        head[at] = byte;
        let own = own_checksum(&head);
        put(&mut head, OWN, &own.to_le_bytes());
        head
    }

    #[test]
    fn a_head_says_what_is_used() {
        let head = Head::parse(EXT).unwrap();
        assert_eq!((head.version.as_str(), head.file_system.as_str()), ("0.3.23", "EXTFS"));
        assert_eq!((head.block, head.total, head.used), (1024, 64 << 20, 9840 * 1024));
        assert_eq!(head.checksums, Checksums::Crc32 { blocks: 1024 });
    }

    #[test]
    fn a_head_without_checksums_is_that_of_an_image_without() {
        let without = with(EXT, Checksums::None);
        assert_eq!(Head::parse(&without).unwrap().checksums, Checksums::None);
        // As partclone.extfs -a 0 writes it.
        assert_eq!(&without[MODE..], b"\0\0\0\0\0\0\0\0\x01\x01\x44\x55\x57\x9c");
        assert_eq!(with(&without, Checksums::Crc32 { blocks: 1024 }), *EXT);
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
        assert_eq!(Head::parse(&changed(33, b'1')), Err(HeadError::Format("0001".to_owned())));
        assert_eq!(Head::parse(&changed(83, 1)), Err(HeadError::Sizes));
        assert_eq!(Head::parse(&changed(MODE, 64)), Err(HeadError::Checksums));
        assert_eq!(Head::parse(&changed(BLOCKS + 1, 0)), Err(HeadError::Checksums));
        let mut head = *EXT;
        head[16] = b'1';
        assert_eq!(Head::parse(&head), Err(HeadError::Damaged));
    }
}
