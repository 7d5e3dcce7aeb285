//! What a file system says of itself: a second opinion of what partclone saves of it.
//!
//! partclone has been wrong about FAT12, XFS and btrfs, each time silently, and each time the file system's own figures would
//! have told. These are read here without partclone's code and compared with the head of its image.
//!
//! Places and numbers: ext4's superblock (Linux, fs/ext4/ext4.h), Microsoft's specifications of FAT (fatgen103) and exFAT,
//! `xfs_dsb` (big-endian). Btrfs has [`super::btrfs`] of its own.

use std::io;

use super::partclone::cannot::Feature;

/// How much of a bitmap or table is read at a time.
const PART: u64 = 1 << 20;

/// What a file system says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// What all of it spans, bytes.
    pub span: u64,
    /// What of that is used, bytes.
    pub used: u64,
    /// What it has that not every version of partclone can save.
    pub features: Vec<Feature>,
}

/// Reads so many bytes at this place of the file system.
pub(crate) type Read<'a> = &'a dyn Fn(u64, usize) -> io::Result<Vec<u8>>;

impl Claim {
    /// Why an image with such a head does not have all of it, if so.
    pub fn contradicts(&self, total: u64, used: u64) -> Option<String> {
        if total < self.span {
            return Some(format!(
                "partclone finds {total} bytes, the file system says that it has {}",
                self.span
            ));
        }
        (used < self.used)
            .then(|| format!("partclone finds {used} bytes used, the file system says {}", self.used))
    }
}

/// ext2, ext3 and ext4.
pub(super) fn ext(read: Read<'_>) -> io::Result<Claim> {
    const BIGALLOC: u64 = 0x200;
    const SIXTY_FOUR: u64 = 0x80;
    let block = read(1024, 1024)?;
    let field = |at, length| little(&block, at, length);
    let high = |at| if field(0x60, 4) & SIXTY_FOUR != 0 { field(at, 4) << 32 } else { 0 };
    let size = 1024_u64.checked_shl(u32::try_from(field(0x18, 4)).unwrap_or(64)).unwrap_or(0);
    let (blocks, free) = (field(4, 4) | high(0x150), field(12, 4) | high(0x158));
    let features = if field(0x64, 4) & BIGALLOC == 0 { Vec::new() } else { vec![Feature::Bigalloc] };
    let used = blocks.saturating_sub(free);
    Ok(Claim { span: blocks.saturating_mul(size), used: used.saturating_mul(size), features })
}

/// What `xfs_dsb` says; free blocks there are those that no file and no table of inodes has.
pub(super) fn xfs(read: Read<'_>) -> io::Result<Claim> {
    let block = read(0, 512)?;
    let field = |at, length| big(&block, at, length);
    let (size, blocks, free) = (field(4, 4), field(8, 8), field(144, 8));
    let features = if blocks >> 32 == 0 { Vec::new() } else { vec![Feature::ManyBlocks] };
    let used = blocks.saturating_sub(free).saturating_mul(size);
    Ok(Claim { span: blocks.saturating_mul(size), used, features })
}

/// FAT of 16 and 32 bits, whose table is counted.
pub(super) fn fat(read: Read<'_>) -> io::Result<Claim> {
    const NOT_MIRRORED: u64 = 0x80;
    let boot = read(0, 512)?;
    let field = |at, length| little(&boot, at, length);
    let either = |short, long| if short == 0 { long } else { short };
    let (sector, cluster, reserved) = (field(11, 2), field(13, 1), field(14, 2));
    let (tables, root) = (field(16, 1), field(17, 2));
    let (sectors, length) = (either(field(19, 2), field(32, 4)), either(field(22, 2), field(36, 4)));
    if !matches!(sector, 512 | 1024 | 2048 | 4096) {
        return Err(strange("its boot sector has impossible sizes"));
    }
    let start = reserved + tables * length + (root * 32).div_ceil(sector);
    let clusters = sectors.saturating_sub(start) / cluster.max(1);
    let entry: u64 = match clusters {
        0..4085 => return Ok(Claim { features: vec![Feature::Fat12], ..Claim::default() }),
        4085..65525 => 2,
        _ => 4,
    };
    // Microsoft goes by the number of clusters, Linux and partclone by where the length of a table stands.
    if (entry == 4) != (field(22, 2) == 0) {
        return Err(strange(
            "its number of clusters and its form say different sizes of its table's entries",
        ));
    }
    let mut features = Vec::new();
    if entry == 4 && field(40, 2) & NOT_MIRRORED != 0 && field(40, 2) & 0xF != 0 {
        features.push(Feature::OtherTable);
    }
    // A cluster that cannot be read holds nothing.
    let (mask, bad) = if entry == 2 { (0xFFFF, 0xFFF7) } else { (0x0FFF_FFFF, 0x0FFF_FFF7) };
    let mut used = 0;
    in_parts(read, reserved * sector + 2 * entry, clusters * entry, |bytes| {
        let entries = bytes.chunks_exact(usize::try_from(entry).unwrap_or(4));
        let values = entries.map(|bytes| little(bytes, 0, bytes.len()) & mask);
        used += values.filter(|&value| value != 0 && value != bad).count() as u64;
    })?;
    let used = (start + used * cluster).saturating_mul(sector);
    Ok(Claim { span: sectors.saturating_mul(sector), used, features })
}

/// exFAT, whose bitmap is counted. It is a file of the root folder (specification, 7.1).
pub(super) fn exfat(read: Read<'_>) -> io::Result<Claim> {
    const BITMAP: u8 = 0x81;
    /// No folder has more (specification, 7): the bitmap is among its first entries in any case.
    const ROOT: usize = 1 << 16;
    let boot = read(0, 512)?;
    let field = |at, length| little(&boot, at, length);
    let shift = |value: u64, by: u64| value.checked_shl(u32::try_from(by).unwrap_or(64)).unwrap_or(0);
    let (sector_shift, cluster_shift) = (field(108, 1), field(109, 1));
    if !(9..=12).contains(&sector_shift) || cluster_shift > 25 {
        return Err(strange("its boot sector has impossible sizes"));
    }
    let bytes = |sectors| shift(sectors, sector_shift);
    let (length, table, heap) = (bytes(field(72, 8)), bytes(field(80, 4)), bytes(field(88, 4)));
    let (clusters, cluster) = (field(92, 4), bytes(shift(1, cluster_shift)));
    let place = |number: u64| heap.saturating_add(number.saturating_sub(2).saturating_mul(cluster));
    let first = usize::try_from(cluster).unwrap_or(ROOT).min(ROOT);
    let root = read(place(field(96, 4)), first)?;
    let entry = root.chunks_exact(32).find(|entry| entry.first() == Some(&BITMAP));
    let Some(entry) = entry else {
        return Err(strange("its root folder has no bitmap"));
    };
    let (mut number, mut left) = (little(entry, 20, 4), clusters);
    let mut used = 0;
    while left > 0 {
        let told = left.min(cluster.saturating_mul(8)).max(1);
        used += set_bits_of(read, place(number), told)?;
        left -= told;
        if left > 0 {
            number = little(&read(table.saturating_add(number.saturating_mul(4)), 4)?, 0, 4);
        }
    }
    Ok(Claim { span: length, used: heap.saturating_add(used.saturating_mul(cluster)), features: Vec::new() })
}

/// The bits that are set of so many, of which a byte's lowest comes first.
fn set_bits(bytes: &[u8], of: u64) -> u64 {
    let mut left = of;
    let told = |byte: &u8| {
        let here = u32::try_from(left.min(8)).unwrap_or(8);
        left -= u64::from(here);
        u64::from((u32::from(*byte) & ((1 << here) - 1)).count_ones())
    };
    bytes.iter().map(told).sum()
}

/// The bits that are set of so many at this place.
pub(super) fn set_bits_of(read: Read<'_>, at: u64, bits: u64) -> io::Result<u64> {
    let (mut set, mut left) = (0, bits);
    in_parts(read, at, bits.div_ceil(8), |bytes| {
        set += set_bits(bytes, left);
        left = left.saturating_sub(bytes.len() as u64 * 8);
    })?;
    Ok(set)
}

pub(super) fn strange(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

fn in_parts(read: Read<'_>, at: u64, length: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let part = (length - done).min(PART);
        each(&read(at.saturating_add(done), usize::try_from(part).unwrap_or(0))?);
        done += part;
    }
    Ok(())
}

pub(super) fn little(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..at.saturating_add(length)).unwrap_or_default();
    field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn big(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..at.saturating_add(length)).unwrap_or_default();
    field.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests;
