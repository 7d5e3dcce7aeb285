//! A btrfs's superblock, its tree of chunks, and whether it has subvolumes (Linux, include/uapi/linux/btrfs_tree.h).
//!
//! Only trees of one leaf are read, and one that has grown beyond that is taken to have whatever it might have.

use std::io;

use super::claims::{Claim, Read, little};
use super::partclone::cannot::Feature;

const SUPERBLOCK: u64 = 64 << 10;
const SUPERBLOCK_LENGTH: usize = 4096;
const ROOT: usize = 0x50;
const CHUNK_ROOT: usize = 0x58;
const USED: usize = 0x78;
const DEVICES: usize = 0x88;
const NODE: usize = 0x94;
const CHUNKS_LENGTH: usize = 0xA0;
const ROOT_LEVEL: usize = 0xC6;
const CHUNK_ROOT_LEVEL: usize = 0xC7;
/// What the device itself spans, in its item.
const DEVICE_TOTAL: usize = 0xD1;
const CHUNKS: usize = 0x32B;
/// A key: the number of what it is about, its kind, another number.
const KEY: usize = 17;
/// A chunk without its stripes, and a stripe.
const CHUNK: usize = 48;
const STRIPE: usize = 32;
/// The head of a leaf, and an item's in it.
const HEAD: usize = 101;
const ITEM: usize = 25;
/// Kinds of items.
const CHUNK_ITEM: u64 = 228;
const ROOT_ITEM: u64 = 132;
/// Every byte twice on one device; what spreads a chunk over several.
const DUP: u64 = 0x20;
/// The numbers of subvolumes; above are btrfs's own.
const SUBVOLUMES: std::ops::Range<u64> = 256..u64::MAX - 255;
/// No node is larger.
const LARGEST_NODE: u64 = 64 << 10;

/// A stretch of btrfs's own addresses.
struct Chunk {
    start: u64,
    length: u64,
    kind: u64,
    /// Its first byte on the device.
    place: u64,
}

/// What it says of itself.
pub(crate) fn claim(read: Read<'_>) -> io::Result<Claim> {
    let block = read(SUPERBLOCK, SUPERBLOCK_LENGTH)?;
    let field = |at, length| little(&block, at, length);
    let mut features = Vec::new();
    if field(DEVICES, 8) != 1 {
        features.push(Feature::Devices);
    }
    let system = block.get(CHUNKS..).unwrap_or_default();
    let length = usize::try_from(field(CHUNKS_LENGTH, 4)).unwrap_or(0).min(system.len());
    let system = system_chunks(system.get(..length).unwrap_or_default());
    let node = usize::try_from(field(NODE, 4).min(LARGEST_NODE)).unwrap_or(0);
    let chunks = match field(CHUNK_ROOT_LEVEL, 1) {
        0 => leaf(read, &system, field(CHUNK_ROOT, 8), node)?,
        _ => None,
    };
    let Some(items) = chunks else {
        features.extend([Feature::Dup, Feature::Subvolumes]);
        return Ok(Claim { span: field(DEVICE_TOTAL, 8), used: field(USED, 8), features });
    };
    let chunks: Vec<Chunk> = items
        .iter()
        .filter(|item| item.kind == CHUNK_ITEM)
        .filter_map(|item| chunk(item.other, &item.bytes))
        .collect();
    if chunks.iter().chain(&system).any(|chunk| chunk.kind & DUP != 0) {
        features.push(Feature::Dup);
    }
    let roots = match field(ROOT_LEVEL, 1) {
        0 => leaf(read, &chunks, field(ROOT, 8), node)?,
        _ => None,
    };
    let has_subvolumes = roots.is_none_or(|items| {
        items.iter().any(|item| item.kind == ROOT_ITEM && SUBVOLUMES.contains(&item.about))
    });
    if has_subvolumes {
        features.push(Feature::Subvolumes);
    }
    Ok(Claim { span: field(DEVICE_TOTAL, 8), used: field(USED, 8), features })
}

struct Item {
    about: u64,
    kind: u64,
    other: u64,
    bytes: Vec<u8>,
}

/// The chunks that the superblock itself names, in which the tree of all chunks is.
fn system_chunks(mut bytes: &[u8]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    while let Some(body) = bytes.get(KEY..) {
        let Some(found) = chunk(little(bytes, 9, 8), body) else { break };
        chunks.push(found);
        let stripes = usize::try_from(little(body, 44, 2)).unwrap_or(0);
        bytes = body.get(CHUNK + stripes * STRIPE..).unwrap_or_default();
    }
    chunks
}

fn chunk(start: u64, bytes: &[u8]) -> Option<Chunk> {
    let field = |at| little(bytes, at, 8);
    (bytes.len() >= CHUNK + STRIPE).then(|| Chunk {
        start,
        length: field(0),
        kind: field(24),
        place: field(CHUNK + 8),
    })
}

/// The items of the leaf at this address; none if there is no leaf.
fn leaf(read: Read<'_>, chunks: &[Chunk], address: u64, node: usize) -> io::Result<Option<Vec<Item>>> {
    let found = chunks
        .iter()
        .find(|chunk| address.checked_sub(chunk.start).is_some_and(|within| within < chunk.length));
    let Some(found) = found else { return Ok(None) };
    let bytes = read(found.place.saturating_add(address - found.start), node)?;
    if little(&bytes, 48, 8) != address {
        return Ok(None);
    }
    let count = usize::try_from(little(&bytes, 96, 4)).unwrap_or(0).min(node / ITEM);
    let heads = bytes.get(HEAD..).unwrap_or_default().chunks_exact(ITEM).take(count);
    let item = |head: &[u8]| {
        let (at, length) = (little(head, KEY, 4), little(head, KEY + 4, 4));
        let at = HEAD.saturating_add(usize::try_from(at).unwrap_or(node));
        let end = at.saturating_add(usize::try_from(length).unwrap_or(node));
        let bytes = bytes.get(at..end).unwrap_or_default().to_vec();
        Item { about: little(head, 0, 8), kind: little(head, 8, 1), other: little(head, 9, 8), bytes }
    };
    Ok(Some(heads.map(item).collect()))
}
