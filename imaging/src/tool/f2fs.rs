//! What an f2fs says of itself: its superblock, and of its two checkpoints the one that counts.
//!
//! Places and numbers are those of Linux, include/linux/f2fs_fs.h, little-endian. What was synced after a checkpoint is in
//! no map of used blocks, and found by rolling forward: only a checkpoint of an unmount is the last word.

use std::io;

use super::claims::{Claim, Read, little, strange};

const SUPERBLOCK: u64 = 1024;
/// As much of it as is looked at.
const SUPERBLOCK_LENGTH: usize = 512;
const MAGIC: u32 = 0xF2F5_2010;
/// All blocks have this size, unless they have the size of a page on a machine with larger ones.
const BLOCK: u64 = 4096;
const BLOCK_LENGTH: usize = 4096;
const BLOCK_LOG: u64 = 12;
/// Flags of a checkpoint: that of an unmount, of an error, of a check that is due.
const UNMOUNTED: u64 = 1;
const ERROR: u64 = 8;
const CHECK: u64 = 16;

struct Superblock {
    /// Blocks of all of it.
    blocks: u64,
    /// Blocks in front of the main area: superblocks, checkpoints, tables.
    main: u64,
    /// Where the two checkpoints are, blocks.
    checkpoints: [u64; 2],
}

struct Checkpoint {
    version: u64,
    /// Used blocks of the main area.
    valid: u64,
    flags: u64,
}

pub(super) fn claim(read: Read<'_>) -> io::Result<Claim> {
    let superblock = superblock(read)?;
    let used = superblock.main.saturating_add(checkpoint(read, &superblock)?.valid);
    let (span, used) = (superblock.blocks.saturating_mul(BLOCK), used.saturating_mul(BLOCK));
    Ok(Claim { span, used, features: Vec::new() })
}

/// Why it does not count as closed, in words; none if it is closed.
pub(crate) fn state(read: Read<'_>) -> io::Result<Option<String>> {
    let Checkpoint { flags, .. } = checkpoint(read, &superblock(read)?)?;
    let why = if flags & UNMOUNTED == 0 {
        "it was not unmounted, and what was synced last may be in no map"
    } else if flags & (ERROR | CHECK) != 0 {
        "it is marked to be checked"
    } else {
        return Ok(None);
    };
    Ok(Some(why.to_owned()))
}

fn superblock(read: Read<'_>) -> io::Result<Superblock> {
    let block = read(SUPERBLOCK, SUPERBLOCK_LENGTH)?;
    let field = |at, length| little(&block, at, length);
    if (field(0, 4), field(16, 4)) != (u64::from(MAGIC), BLOCK_LOG) {
        return Err(strange("its superblock is not as it is known here"));
    }
    let (first, segment) = (field(76, 4), 1_u64.checked_shl(u32::try_from(field(20, 4)).unwrap_or(64)));
    let segment = segment.ok_or_else(|| strange("its superblock is not as it is known here"))?;
    Ok(Superblock {
        blocks: field(36, 8),
        main: field(92, 4),
        checkpoints: [first, first.saturating_add(segment)],
    })
}

/// The one with the higher version, of those that are whole; the first one if both have the same.
fn checkpoint(read: Read<'_>, superblock: &Superblock) -> io::Result<Checkpoint> {
    let [first, second] = superblock.checkpoints.map(|block| pack(read, block));
    match (first?, second?) {
        (Some(first), Some(second)) if second.version > first.version => Ok(second),
        (Some(one), _) | (None, Some(one)) => Ok(one),
        (None, None) => Err(strange("it has no whole checkpoint")),
    }
}

/// A checkpoint, whose first block is written again as its last; none if they differ, or are damaged.
fn pack(read: Read<'_>, block: u64) -> io::Result<Option<Checkpoint>> {
    let whole = |block: u64| -> io::Result<Option<Vec<u8>>> {
        let bytes = read(block.saturating_mul(BLOCK), BLOCK_LENGTH)?;
        let at = usize::try_from(little(&bytes, 164, 4)).unwrap_or(usize::MAX);
        let (Some(summed), Some(sum)) = (bytes.get(..at), bytes.get(at..at.saturating_add(4))) else {
            return Ok(None);
        };
        Ok((u64::from(checksum(summed)) == little(sum, 0, 4)).then_some(bytes))
    };
    let Some(head) = whole(block)? else { return Ok(None) };
    let field = |at, length| little(&head, at, length);
    let (version, length) = (field(0, 8), field(136, 4));
    // One of two blocks at least, and within its segment.
    if !(2..=512).contains(&length) {
        return Ok(None);
    }
    let Some(tail) = whole(block + length - 1)? else { return Ok(None) };
    let is_whole = little(&tail, 0, 8) == version;
    Ok(is_whole.then(|| Checkpoint { version, valid: field(16, 8), flags: field(132, 4) }))
}

/// f2fs's CRC-32: that of IEEE 802.3 with the magic number as its beginning, and without the inversion at its end.
fn checksum(bytes: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new_with_initial(!MAGIC);
    hash.update(bytes);
    !hash.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An f2fs of 64 MiB whose checkpoints have these versions, used blocks and flags.
    fn made(checkpoints: [(u64, u64, u32); 2]) -> Vec<u8> {
        let mut bytes = vec![0; 2 << 20];
        bytes.resize(4 << 20, 0);
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(1024, &0xF2F5_2010_u32.to_le_bytes());
        put(1024 + 16, &12_u32.to_le_bytes());
        put(1024 + 20, &8_u32.to_le_bytes());
        put(1024 + 36, &16384_u64.to_le_bytes());
        put(1024 + 76, &256_u32.to_le_bytes());
        put(1024 + 92, &2048_u32.to_le_bytes());
        for ((version, valid, flags), first) in checkpoints.into_iter().zip([256, 512]) {
            let mut block = vec![0; 4096];
            block[..8].copy_from_slice(&version.to_le_bytes());
            block[16..24].copy_from_slice(&valid.to_le_bytes());
            block[132..136].copy_from_slice(&flags.to_le_bytes());
            block[136..140].copy_from_slice(&2_u32.to_le_bytes());
            block[164..168].copy_from_slice(&4092_u32.to_le_bytes());
            let sum = checksum(&block[..4092]);
            block[4092..].copy_from_slice(&sum.to_le_bytes());
            put(first * 4096, &block);
            put((first + 1) * 4096, &block);
        }
        bytes
    }

    fn with<T>(bytes: &[u8], ask: impl Fn(Read<'_>) -> io::Result<T>) -> io::Result<T> {
        ask(&|at, length| {
            let at = usize::try_from(at).unwrap();
            bytes.get(at..at + length).map(<[u8]>::to_vec).ok_or_else(|| strange("it ends there"))
        })
    }

    #[test]
    fn the_newer_checkpoint_counts_and_what_is_in_front_of_the_main_area_is_used() {
        for (checkpoints, valid) in [([(1, 10, 1), (2, 20, 1)], 20), ([(2, 10, 1), (2, 20, 1)], 10)] {
            let found = with(&made(checkpoints), claim).unwrap();
            assert_eq!((found.span, found.used), (64 << 20, (2048 + valid) * 4096));
        }
    }

    #[test]
    fn a_damaged_checkpoint_does_not_count() {
        let mut bytes = made([(1, 10, 1), (2, 20, 1)]);
        bytes[513 * 4096 + 16] ^= 1;
        assert_eq!(with(&bytes, claim).unwrap().used, 2058 * 4096);
        bytes[256 * 4096 + 300] ^= 1;
        assert_eq!(with(&bytes, claim).unwrap_err().to_string(), "it has no whole checkpoint");
    }

    #[test]
    fn only_the_checkpoint_of_an_unmount_is_the_last_word() {
        let state = |flags| with(&made([(1, 10, 1), (2, 20, flags)]), state).unwrap();
        assert_eq!(state(0x181), None);
        assert!(state(0x180).unwrap().contains("not unmounted"));
        assert!(state(0x9).unwrap().contains("checked") && state(0x11).unwrap().contains("checked"));
    }
}
