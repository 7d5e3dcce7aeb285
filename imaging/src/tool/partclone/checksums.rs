//! The checksums between the used blocks of an image, put in and taken out on its way.
//!
//! partclone computes them byte by byte, which costs it more than all else that it does. So it writes and reads images
//! without them (`-a 0`), and what is kept is byte for byte the image that it would have written by itself: `partclone.restore`
//! takes it, and `partclone.chkimg` checks it, without us.
//!
//! ```text
//! head ┼ map of used blocks ┼ its checksum ┼ used blocks ┼ checksum ┼ used blocks ┼ checksum …
//! ```
//! A checksum is that of the blocks since the last one: the CRC-32 of IEEE 802.3 without the inversion at its end, little-endian
//! (partclone 0.3, `src/checksum.c`). Only the last group of blocks may be shorter than the head says.
//!
//! Knows no pipes and no programs: bytes.

use std::io::{self, Write};

use super::{CRC32_LENGTH, Checksums, HEAD, Head, HeadError};

/// A group of blocks, bytes, if one block is not longer: what partclone reads at a time (`DEFAULT_BUFFER_SIZE`).
const GROUP: u64 = 1 << 20;

/// Why bytes do not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
    #[error("partclone's image ends too early, at least {0} bytes are missing")]
    Missing(u64),
    /// Something follows the last used block.
    #[error("partclone's image goes on behind its last block")]
    Surplus,
    /// The blocks are not those that were read from the disk.
    #[error("partclone's checksum of the used blocks before block {0} does not match: they are damaged")]
    Damaged(u64),
    /// Whoever takes them does not.
    #[error("what passes is not taken")]
    HandOn(#[source] io::Error),
}

/// What follows an image's head, as far as it has passed.
#[derive(Debug)]
struct Body {
    block: u64,
    /// Blocks of the file system that the map still tells of.
    unmapped: u64,
    /// Bytes of the map's checksum.
    map_checksum: usize,
    /// Bytes of used blocks.
    left: u64,
    group: u64,
    /// Bytes of the current group that have passed.
    grouped: u64,
    passed: u64,
    hash: crc32fast::Hasher,
}

/// The bytes that come next.
enum Next<'a> {
    /// The map, or its checksum.
    Map(&'a [u8]),
    /// Used blocks; with the checksum of their group if they are its last ones.
    Blocks(&'a [u8], Option<[u8; CRC32_LENGTH]>),
}

impl Body {
    fn new(head: &Head, blocks: u32) -> Self {
        Self {
            block: head.block,
            unmapped: head.total / head.block.max(1),
            map_checksum: CRC32_LENGTH,
            left: 0,
            group: head.block.saturating_mul(u64::from(blocks)).max(1),
            grouped: 0,
            passed: 0,
            hash: crc32fast::Hasher::new(),
        }
    }

    /// Splits off what comes next, if there is anything.
    fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Next<'a>>, PassError> {
        let mut split = |length: u64| {
            let (now, later) = bytes.split_at(usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len()));
            *bytes = later;
            now
        };
        if self.unmapped > 0 {
            let map = split(self.unmapped.div_ceil(8));
            for byte in map {
                // What stands behind the last block's bit means nothing.
                let told = self.unmapped.min(8);
                let used = (byte & (0xff_u8 >> (8 - told))).count_ones();
                self.left += u64::from(used) * self.block;
                self.unmapped -= told;
            }
            return Ok((!map.is_empty()).then_some(Next::Map(map)));
        }
        if self.map_checksum > 0 {
            let checksum = split(self.map_checksum as u64);
            self.map_checksum -= checksum.len();
            return Ok((!checksum.is_empty()).then_some(Next::Map(checksum)));
        }
        let blocks = split(self.left.min(self.group - self.grouped));
        if blocks.is_empty() {
            return if bytes.is_empty() { Ok(None) } else { Err(PassError::Surplus) };
        }
        self.hash.update(blocks);
        let length = blocks.len() as u64;
        (self.left, self.grouped, self.passed) =
            (self.left - length, self.grouped + length, self.passed + length);
        if self.left > 0 && self.grouped < self.group {
            return Ok(Some(Next::Blocks(blocks, None)));
        }
        self.grouped = 0;
        let checksum = super::crc32(std::mem::take(&mut self.hash));
        Ok(Some(Next::Blocks(blocks, Some(checksum.to_le_bytes()))))
    }

    /// Whether everything has passed that the map tells of, and a checksum of so many bytes.
    fn end(&self, checksum: usize) -> Result<(), PassError> {
        let missing = self.unmapped.div_ceil(8) + (self.map_checksum + checksum) as u64 + self.left;
        if missing == 0 { Ok(()) } else { Err(PassError::Missing(missing)) }
    }
}

/// Puts checksums into an image without them.
#[derive(Debug)]
pub(crate) struct Adding {
    body: Body,
    /// What the used blocks span at least, bytes.
    used: u64,
}

impl Adding {
    /// For the image with this head; the head of what comes out.
    pub(crate) fn new(bytes: &[u8; HEAD]) -> Result<(Self, [u8; HEAD]), HeadError> {
        let head = Head::parse(bytes)?;
        if head.checksums != Checksums::None {
            return Err(HeadError::Checksums);
        }
        let blocks = u32::try_from(GROUP / head.block).unwrap_or(u32::MAX).max(1);
        let adding = Self { body: Body::new(&head, blocks), used: head.used };
        Ok((adding, super::with(bytes, Checksums::Crc32 { blocks })))
    }

    /// Passes bytes on; how many have come out.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], to: &mut impl Write) -> Result<u64, PassError> {
        let mut given = bytes.len();
        while let Some(next) = self.body.next(&mut bytes)? {
            let (Next::Map(part) | Next::Blocks(part, _)) = next;
            to.write_all(part).map_err(PassError::HandOn)?;
            if let Next::Blocks(_, Some(checksum)) = next {
                to.write_all(&checksum).map_err(PassError::HandOn)?;
                given += CRC32_LENGTH;
            }
        }
        Ok(given as u64)
    }

    /// Whether all has passed, by the map and by the head; how many bytes of used blocks that were.
    pub(crate) fn end(&self) -> Result<u64, PassError> {
        self.body.end(0)?;
        match self.used.saturating_sub(self.body.passed) {
            0 => Ok(self.body.passed),
            missing => Err(PassError::Missing(missing)),
        }
    }
}

/// Takes the checksums out of an image, if it has any, and compares them.
#[derive(Debug)]
pub(crate) struct Removing {
    body: Body,
    checksums: Checksums,
    /// The checksum that comes next.
    expected: [u8; CRC32_LENGTH],
    /// Bytes of the checksum that is being compared.
    to_compare: usize,
}

impl Removing {
    /// For the image with this head; the head of what comes out.
    pub(crate) fn new(bytes: &[u8; HEAD]) -> Result<(Self, [u8; HEAD]), HeadError> {
        let head = Head::parse(bytes)?;
        let checksums = head.checksums;
        let blocks = if let Checksums::Crc32 { blocks } = checksums { blocks } else { u32::MAX };
        let body = Body::new(&head, blocks);
        let removing = Self { body, checksums, expected: [0; CRC32_LENGTH], to_compare: 0 };
        Ok((removing, super::with(bytes, Checksums::None)))
    }

    /// Passes bytes on.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], to: &mut impl Write) -> Result<(), PassError> {
        loop {
            let (found, later) = bytes.split_at(self.to_compare.min(bytes.len()));
            let expected = self.expected.iter().skip(CRC32_LENGTH - self.to_compare);
            if !found.iter().zip(expected).all(|(found, expected)| found == expected) {
                return Err(PassError::Damaged(self.body.passed / self.body.block.max(1)));
            }
            (self.to_compare, bytes) = (self.to_compare - found.len(), later);
            let Some(next) = self.body.next(&mut bytes)? else { return Ok(()) };
            let (Next::Map(part) | Next::Blocks(part, _)) = next;
            to.write_all(part).map_err(PassError::HandOn)?;
            if let Next::Blocks(_, Some(checksum)) = next
                && self.checksums != Checksums::None
            {
                (self.expected, self.to_compare) = (checksum, CRC32_LENGTH);
            }
        }
    }

    pub(crate) fn end(&self) -> Result<(), PassError> {
        self.body.end(self.to_compare)
    }
}

#[cfg(test)]
mod tests;
