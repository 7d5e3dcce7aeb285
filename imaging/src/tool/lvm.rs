//! The physical volume of LVM that a disk or partition is: its group's logical volumes and where they are on it.
//!
//! Read without LVM's tools, so that nothing is activated and nothing written. Places and numbers are those of LVM2,
//! `lib/label/label.h` and `lib/format_text/layout.h`; the metadata are text ([`text`]) with a checksum.
//!
//! ```text
//! ├ label, its sector ┼ area: a header, texts one behind the other ┼ extents … ┼ perhaps a second area ┤
//! ```
//! Whatever is not as LVM writes it, or is of a kind that is not known here, is an error: then the volume is saved with
//! every byte.

use std::io;

use super::claims::{Read, little, strange};

mod group;
pub(crate) mod sums;
pub(crate) mod text;

pub(crate) use group::{Group, Run, Volume};

const SECTOR: usize = 512;
/// The label is in one of the sectors of so many bytes at the beginning (`LABEL_SCAN_SECTORS`).
pub(crate) const LABELLED: usize = 4 * SECTOR;
const LABEL: &[u8] = b"LABELONE";
const FORMAT: &[u8] = b"LVM2 001";
/// Where its fields are: its sector's number, the checksum of what follows, where the volume's header is.
const LABEL_SECTOR: usize = 8;
const LABEL_SUM: usize = 16;
const LABEL_SUMMED: usize = 20;
/// In the volume's header: its identifier, then lists of areas of which the first are data and the second metadata.
const ID: usize = 32;
const AREAS: usize = 40;
const AREA: usize = 16;
/// The header of an area of metadata (`struct mda_header`), and in it where its texts are (`struct raw_locn`).
const AREA_HEADER: usize = 512;
const AREA_MAGIC: &[u8] = b" LVM2 x[5A%r0N*>";
const TEXTS: usize = 40;
const TEXT: usize = 24;
/// No text is longer: LVM refuses to write more than half an area, and areas of more than a few MiB are not made.
const LONGEST: u64 = 64 << 20;
/// What checksums begin with (`INITIAL_CRC`).
const SEED: u32 = 0xF597_A6CF;

/// The group that the physical volume of this length belongs to.
pub(crate) fn group(read: Read<'_>, length: u64) -> io::Result<Group> {
    let label = label(&read(0, LABELLED)?)?;
    let mut known: Option<Vec<u8>> = None;
    for area in label.areas {
        let text = text_of(read, area)?;
        match &known {
            Some(other) if *other != text => return Err(strange("its copies of the metadata differ")),
            _ => known = Some(text),
        }
    }
    let text = known.ok_or_else(|| strange("it has no metadata"))?;
    of_text(&text, &label.id, length)
}

/// The group that this text describes, for the physical volume with this identifier and length.
pub(crate) fn of_text(text: &[u8], id: &str, length: u64) -> io::Result<Group> {
    let text = str::from_utf8(text).map_err(|_| strange("its metadata are no text"))?;
    let parsed = text::Section::parse(text).ok_or_else(|| strange("its metadata cannot be understood"))?;
    group::of(&parsed, id, length).map_err(|why| strange(&why))
}

/// Whether the beginning of a disk or partition has a label, which need not be a good one.
pub(crate) fn has_label(beginning: &[u8]) -> bool {
    labels(beginning).next().is_some()
}

/// The sectors that have a label, with their numbers.
fn labels(beginning: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    beginning.chunks_exact(SECTOR).enumerate().filter(|(_, sector)| sector.starts_with(LABEL))
}

struct Label {
    id: String,
    /// Where its areas of metadata begin, and how long they are.
    areas: Vec<(u64, u64)>,
}

fn label(beginning: &[u8]) -> io::Result<Label> {
    let labels: Vec<(usize, &[u8])> = labels(beginning).collect();
    let [(number, sector)] = labels[..] else { return Err(strange("it has not one label")) };
    let field = |at, length| little(sector, at, length);
    let summed = sector.get(LABEL_SUMMED..).unwrap_or_default();
    if field(LABEL_SECTOR, 8) != number as u64
        || field(LABEL_SUM, 4) != u64::from(checksum(summed))
        || sector.get(24..32) != Some(FORMAT)
    {
        return Err(strange("its label is damaged"));
    }
    let header = sector.get(usize::try_from(field(20, 4)).unwrap_or(SECTOR)..).unwrap_or_default();
    let id = header.get(..ID).unwrap_or_default();
    let id = String::from_utf8(id.to_vec()).map_err(|_| strange("its label is damaged"))?;
    let entries = header.get(AREAS..).unwrap_or_default().chunks_exact(AREA);
    let entries: Vec<(u64, u64)> = entries.map(|entry| (little(entry, 0, 8), little(entry, 8, 8))).collect();
    let mut lists = entries.split(|entry| entry.0 == 0);
    let (_data, areas) = (lists.next(), lists.next().unwrap_or_default());
    Ok(Label { id, areas: areas.to_vec() })
}

/// The text that counts in an area. It goes on behind the area's header where the area ends.
fn text_of(read: Read<'_>, (start, size): (u64, u64)) -> io::Result<Vec<u8>> {
    let header = read(start, AREA_HEADER)?;
    let field = |at, length| little(&header, at, length);
    let summed = header.get(4..).unwrap_or_default();
    if field(0, 4) != u64::from(checksum(summed))
        || header.get(4..20) != Some(AREA_MAGIC)
        || (field(20, 4), field(24, 8), field(32, 8)) != (1, start, size)
    {
        return Err(strange("an area of its metadata is damaged"));
    }
    let text = |index| {
        let at = TEXTS + index * TEXT;
        (field(at, 8), field(at + 8, 8), field(at + 16, 4), field(at + 20, 4))
    };
    let (offset, length, sum, flags) = text(0);
    if offset == 0 || length == 0 {
        return Err(strange("it belongs to no volume group"));
    }
    if text(1).0 != 0 || flags != 0 {
        return Err(strange("its metadata were being changed, or are said not to count"));
    }
    let room = size.saturating_sub(AREA_HEADER as u64);
    if offset < AREA_HEADER as u64 || offset >= size || length > room.min(LONGEST) {
        return Err(strange("an area of its metadata is damaged"));
    }
    let bytes = turning(read, (start, size), offset, length)?;
    if u64::from(checksum(&bytes)) == sum { Ok(bytes) } else { Err(strange("its metadata are damaged")) }
}

/// So many bytes of an area from this place in it on. Behind the area's end they go on behind its header.
fn turning(read: Read<'_>, (start, size): (u64, u64), offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let first = length.min(size.saturating_sub(offset));
    let mut bytes = read(start.saturating_add(offset), usize::try_from(first).unwrap_or(0))?;
    if first < length {
        let rest = usize::try_from(length - first).unwrap_or(0);
        bytes.extend(read(start.saturating_add(AREA_HEADER as u64), rest)?);
    }
    Ok(bytes)
}

/// LVM's CRC-32: that of IEEE 802.3 with another beginning and without the inversion at its end (`lib/misc/crc.c`).
fn checksum(bytes: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new_with_initial(!SEED);
    hash.update(bytes);
    !hash.finalize()
}

#[cfg(test)]
mod tests;
