//! Whether an XFS was unmounted, read from its log as the kernel does (fs/xfs/xfs_log_recover.c,
//! `xlog_check_unmount_rec`): the record that was written last is a sole "unmount". partclone does not look,
//! and would save the blocks that were used before the log was replayed.
//!
//! Places and numbers are those of `xfs_dsb` and `xlog_rec_header` (fs/xfs/libxfs), big-endian.

use std::ops::Range;

/// The unit of the log, bytes.
pub(crate) const BLOCK: u64 = 512;
/// As many bytes of the superblock are needed.
pub(crate) const SUPERBLOCK: usize = 512;

const MAGIC: &[u8] = b"XFSB";
/// At the beginning of a record. No other block begins so: the log puts its cycle there.
const RECORD: u64 = 0xFEED_BABE;
/// A record's header grows by a block for each so many bytes that it may have.
const HEADER_FOR: u64 = 32 << 10;
/// The flag of the unmount's operation, and where it is in its block (`xlog_op_header.oh_flags`).
const UNMOUNT: u64 = 0x20;
const FLAGS: usize = 9;

/// The log's place in the file system, bytes; none if it is on another device, or this is no XFS.
pub(crate) fn log(superblock: &[u8]) -> Option<Range<u64>> {
    let field = |at, length| number(superblock, at, length);
    if !superblock.starts_with(MAGIC) {
        return None;
    }
    let (block, start, group_blocks) = (field(4, 4)?, field(48, 8)?, field(84, 4)?);
    let (blocks, shift) = (field(96, 4)?, u32::try_from(field(124, 1)?).ok()?);
    let group = start.checked_shr(shift)?;
    let within = start & 1_u64.checked_shl(shift)?.checked_sub(1)?;
    let at = group.checked_mul(group_blocks)?.checked_add(within)?.checked_mul(block)?;
    let end = at.checked_add(blocks.checked_mul(block)?)?;
    (start > 0 && end > at).then_some(at..end)
}

/// How an XFS is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The length of a block, bytes.
    pub block: u64,
    /// How many blocks a group has.
    pub group: u64,
}

/// How it is divided, by its superblock.
pub(crate) fn shape(superblock: &[u8]) -> Option<Shape> {
    let shape = Shape { block: number(superblock, 4, 4)?, group: number(superblock, 84, 4)? };
    (superblock.starts_with(MAGIC) && shape.block > 0).then_some(shape)
}

/// The record that was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Last {
    /// Its place in the order of all: cycle and block.
    lsn: u64,
    /// The block of its header.
    block: u64,
    /// Its header's length, blocks.
    header: u64,
    /// How many operations it has.
    operations: u64,
}

impl Last {
    /// The last record after these blocks too, which begin with block `from` of the log.
    pub(crate) fn with(last: Option<Self>, blocks: &[u8], from: u64) -> Option<Self> {
        let size = usize::try_from(BLOCK).unwrap_or(SUPERBLOCK);
        let found =
            (from..).zip(blocks.chunks_exact(size)).filter_map(|(block, bytes)| Self::parse(block, bytes));
        found.fold(last, |last, found| last.max(Some(found)))
    }

    fn parse(block: u64, bytes: &[u8]) -> Option<Self> {
        let field = |at, length| number(bytes, at, length);
        if field(0, 4)? != RECORD {
            return None;
        }
        let header = field(320, 4)?.div_ceil(HEADER_FOR).max(1);
        Some(Self { lsn: field(16, 8)?, block, header, operations: field(40, 4)? })
    }

    /// The block with its first operation, of a log with so many.
    pub(crate) fn first_operation(&self, blocks: u64) -> u64 {
        (self.block + self.header).checked_rem(blocks).unwrap_or(0)
    }

    /// Whether it is the unmount's, by the block with its first operation.
    pub(crate) fn is_unmount(&self, operation: &[u8]) -> bool {
        self.operations == 1 && number(operation, FLAGS, 1).is_some_and(|flags| flags & UNMOUNT != 0)
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(log_start: u64) -> Vec<u8> {
        let mut bytes = vec![0; SUPERBLOCK];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&4096_u32.to_be_bytes());
        bytes[48..56].copy_from_slice(&log_start.to_be_bytes());
        bytes[84..88].copy_from_slice(&25_600_u32.to_be_bytes());
        bytes[96..100].copy_from_slice(&1000_u32.to_be_bytes());
        bytes[124] = 15;
        bytes
    }

    fn record(cycle: u32, block: u32, operations: u32) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[..4].copy_from_slice(&[0xFE, 0xED, 0xBA, 0xBE]);
        bytes[16..20].copy_from_slice(&cycle.to_be_bytes());
        bytes[20..24].copy_from_slice(&block.to_be_bytes());
        bytes[40..44].copy_from_slice(&operations.to_be_bytes());
        bytes
    }

    #[test]
    fn the_log_is_in_its_allocation_group() {
        assert_eq!(
            log(&superblock((2 << 15) + 6)),
            Some((2 * 25_600 + 6) * 4096..(2 * 25_600 + 1006) * 4096)
        );
        assert_eq!(log(&superblock(0)), None);
        assert_eq!(log(&[0; SUPERBLOCK]), None);
    }

    #[test]
    fn the_last_record_counts_wherever_it_is() {
        let mut operation = vec![0; 512];
        operation[FLAGS] = 0x20;
        let blocks = [record(2, 0, 1), operation.clone(), record(1, 2, 7), vec![0; 512]].concat();
        let last = Last::with(None, &blocks, 0).unwrap();
        assert_eq!((last.block, last.first_operation(4)), (0, 1));
        assert!(last.is_unmount(&operation));
        assert!(!last.is_unmount(&[0; 512]));
        let later = Last::with(Some(last), &record(2, 4, 3), 4).unwrap();
        assert_eq!((later.block, later.first_operation(5)), (4, 0));
        assert!(!later.is_unmount(&operation));
    }
}
