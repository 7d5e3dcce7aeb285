//! What a record says of its file, attribute by attribute, and where the bytes of one are.

use std::io;

use super::super::bytes::{broken, part, u8_at, u16_at, u32_at, u64_at};

pub(super) const STANDARD: u32 = 0x10;
pub(super) const ATTRIBUTE_LIST: u32 = 0x20;
pub(super) const DATA: u32 = 0x80;
pub(super) const INDEX_ROOT: u32 = 0x90;
pub(super) const INDEX_ALLOCATION: u32 = 0xa0;
pub(super) const BITMAP: u32 = 0xb0;
const END: u32 = 0xffff_ffff;

/// Windows makes no longer list of attributes, bytes.
pub(super) const LARGEST_LIST: usize = 256 << 10;
/// Flags of an attribute whose bytes are in another form: compressed in some way, or encrypted.
const TRANSFORMED: u16 = 0x40ff;

#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) value: Value,
    /// Its first cluster's number in the value, if this is one of several parts.
    from: u64,
}

impl Attribute {
    pub(super) fn is_as_written(&self) -> bool {
        self.flags & TRANSFORMED == 0
    }
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Resident(Vec<u8>),
    Clusters {
        runs: Vec<Run>,
        size: u64,
        /// How much of it was ever written. What is behind reads as zeros, whatever is on the disk there.
        written: u64,
    },
}

/// Clusters in a row, from a number in the value on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    from: u64,
    count: u64,
    /// Where on the disk; nowhere if it is a hole.
    place: Option<u64>,
}

pub(super) enum Place<'a> {
    Here(&'a [u8]),
    OnDisk(u64),
    /// It reads as zeros.
    Nowhere,
}

impl Value {
    pub(super) const fn empty() -> Self {
        Self::Resident(Vec::new())
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Resident(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Clusters { size, .. } => *size,
        }
    }

    /// Where the byte at this offset is, and how many follow it there.
    pub(super) fn place(&self, offset: u64, cluster: u64) -> io::Result<(Place<'_>, u64)> {
        let (runs, written) = match self {
            Self::Resident(bytes) => {
                let at = usize::try_from(offset).map_err(|_| broken())?;
                let rest = bytes.get(at..).filter(|rest| !rest.is_empty()).ok_or_else(broken)?;
                return Ok((Place::Here(rest), u64::try_from(rest.len()).unwrap_or(u64::MAX)));
            }
            Self::Clusters { runs, written, .. } => (runs, *written),
        };
        if offset >= written {
            return Ok((Place::Nowhere, u64::MAX));
        }
        let number = offset / cluster;
        let index = runs.partition_point(|run| run.from <= number).checked_sub(1).ok_or_else(broken)?;
        let run = runs.get(index).filter(|run| number - run.from < run.count).ok_or_else(broken)?;
        let into = offset - run.from * cluster;
        let length = (run.count * cluster - into).min(written - offset);
        let place = match run.place {
            None => Place::Nowhere,
            Some(place) => {
                let position = place.checked_mul(cluster).and_then(|start| start.checked_add(into));
                Place::OnDisk(position.ok_or_else(broken)?)
            }
        };
        Ok((place, length))
    }
}

/// The attributes in a record.
pub(super) fn all(record: &[u8]) -> io::Result<Vec<Attribute>> {
    let (mut attributes, mut at) = (Vec::new(), usize::from(u16_at(record, 0x14)?));
    loop {
        let kind = u32_at(record, at)?;
        if kind == END {
            return Ok(attributes);
        }
        let length = usize::try_from(u32_at(record, at + 4)?).map_err(|_| broken())?;
        if length < 24 {
            return Err(broken());
        }
        attributes.push(one(part(record, at, length)?, kind)?);
        at += length;
    }
}

fn one(bytes: &[u8], kind: u32) -> io::Result<Attribute> {
    let name = part(bytes, usize::from(u16_at(bytes, 10)?), 2 * usize::from(u8_at(bytes, 9)?))?.to_vec();
    let flags = u16_at(bytes, 12)?;
    if u8_at(bytes, 8)? == 0 {
        let length = usize::try_from(u32_at(bytes, 16)?).map_err(|_| broken())?;
        let value = Value::Resident(part(bytes, usize::from(u16_at(bytes, 20)?), length)?.to_vec());
        return Ok(Attribute { kind, name, flags, value, from: 0 });
    }
    let from = u64_at(bytes, 16)?;
    let runs = bytes.get(usize::from(u16_at(bytes, 32)?)..).ok_or_else(broken)?;
    let (size, written) = (u64_at(bytes, 48)?, u64_at(bytes, 56)?);
    let value = Value::Clusters { runs: read_runs(runs, from)?, size, written };
    Ok(Attribute { kind, name, flags, value, from })
}

/// A run is a byte that says how long the two numbers behind it are: how many clusters, and how far from the run before they are.
fn read_runs(bytes: &[u8], from: u64) -> io::Result<Vec<Run>> {
    let (mut runs, mut from, mut place, mut at) = (Vec::new(), from, 0_i64, 0);
    loop {
        let lengths = u8_at(bytes, at)?;
        if lengths == 0 {
            return Ok(runs);
        }
        let (of_count, of_place) = (usize::from(lengths & 15), usize::from(lengths >> 4));
        let count = u64::try_from(signed(part(bytes, at + 1, of_count)?)?).map_err(|_| broken())?;
        let moved = signed(part(bytes, at + 1 + of_count, of_place)?)?;
        place = place.checked_add(moved).ok_or_else(broken)?;
        let here = match of_place {
            0 => None,
            _ => Some(u64::try_from(place).map_err(|_| broken())?),
        };
        runs.push(Run { from, count, place: here });
        // Far below what a multiplication by the size of a cluster could not hold.
        from = from.checked_add(count).filter(|end| *end < 1 << 40).ok_or_else(broken)?;
        at += 1 + of_count + of_place;
    }
}

fn signed(bytes: &[u8]) -> io::Result<i64> {
    let mut whole = [if bytes.last().is_some_and(|last| *last > 127) { 255 } else { 0 }; 8];
    whole.get_mut(..bytes.len()).ok_or_else(broken)?.copy_from_slice(bytes);
    Ok(i64::from_le_bytes(whole))
}

/// The parts of an attribute as one. The first says how large it is; each begins where the one before ends.
pub(super) fn joined(mut parts: Vec<Attribute>) -> io::Result<Attribute> {
    parts.sort_by_key(|part| part.from);
    let mut parts = parts.into_iter();
    let mut all = parts.next().filter(|first| first.from == 0).ok_or_else(broken)?;
    for part in parts {
        let (Value::Clusters { runs, .. }, Value::Clusters { runs: more, .. }) = (&mut all.value, part.value)
        else {
            return if is_repeated(all.kind) { Ok(all) } else { Err(broken()) };
        };
        if runs.last().is_none_or(|last| last.from + last.count != part.from) {
            return Err(broken());
        }
        runs.extend(more);
    }
    Ok(all)
}

/// Names, and what belongs to them, may be there several times.
fn is_repeated(kind: u32) -> bool {
    !matches!(kind, DATA | INDEX_ROOT | INDEX_ALLOCATION | BITMAP | ATTRIBUTE_LIST)
}
