//! The bytes of a partition table → the same for a smaller disk with its last partition ending earlier.
//!
//! Nothing else in them changes, so that boot code, identifiers, names, attributes and a hybrid master boot record
//! are what they were. A GPT is as UEFI 2.10, 5.3, has it; the master boot record as its 5.2.

use ghost_contract::image::{DiskFacts, DiskImage, TableKind};

use super::shrink::Shrink;

/// The entries of the master boot record, and what is where in one.
const MBR_ENTRIES: usize = 446;
const MBR_ENTRY: usize = 16;
const MBR_KIND: usize = 4;
const MBR_LAST_CHS: usize = 5;
const MBR_START: usize = 8;
const MBR_LENGTH: usize = 12;
/// That of the entry that protects a GPT.
const PROTECTIVE: u64 = 0xEE;
/// A place that cylinders, heads and sectors do not reach.
const FAR_CHS: [u8; 3] = [0xFE, 0xFF, 0xFF];
/// Heads and sectors a track that disks have been taken to have.
const GEOMETRIES: [(u64, u64); 6] = [(255, 63), (240, 63), (128, 63), (64, 63), (64, 32), (16, 63)];

/// What is where in the header of a GPT.
const GPT_SIGNATURE: &[u8] = b"EFI PART";
const HEADER_SIZE: (usize, usize) = (12, 4);
const HEADER_CRC: (usize, usize) = (16, 4);
const OWN_SECTOR: (usize, usize) = (24, 8);
const OTHER_SECTOR: (usize, usize) = (32, 8);
const LAST_USABLE: (usize, usize) = (48, 8);
const ENTRIES_SECTOR: (usize, usize) = (72, 8);
const ENTRIES: (usize, usize) = (80, 4);
const ENTRY_SIZE: (usize, usize) = (84, 4);
const ENTRIES_CRC: (usize, usize) = (88, 4);
/// … and in an entry.
const FIRST_SECTOR: (usize, usize) = (32, 8);
const LAST_SECTOR: (usize, usize) = (40, 8);
/// No table has larger entries, or more of them, than fit so many bytes.
const LARGEST: u64 = 1 << 20;

/// Why a table's bytes cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// There is not all of it.
    #[error("the image does not have the whole partition table in one place")]
    Partial,
    /// It does not say what was read from it.
    #[error("the partition table in the image does not say where partition {0} is")]
    Entry(u32),
    /// It was damaged when it was saved.
    #[error(
        "the checksum of the partition table in the image is wrong: it was damaged when the disk was backed up"
    )]
    Checksum,
    /// It is too large.
    #[error("the copy of the partition table does not fit behind partition {0}")]
    Copy(u32),
    /// There is none.
    #[error("the disk has no partition table that can be changed")]
    None,
}

/// A table that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortened {
    /// The beginning of the disk.
    pub beginning: Vec<u8>,
    /// A GPT's copy, and its first byte on the disk.
    pub copy: Option<(u64, Vec<u8>)>,
}

/// The table for this disk, from what stands at the beginning of the image's.
///
/// # Errors
/// When it is not what the description says.
pub fn shorten(
    mut beginning: Vec<u8>,
    image: &DiskImage,
    target: &DiskFacts,
    shrink: &Shrink,
) -> Result<Shortened, TableError> {
    let sector = u64::from(image.disk.logical_sector);
    let change = Change {
        number: shrink.partition,
        sector,
        start: shrink.start / sector,
        was: shrink.was / sector,
        length: shrink.length / sector,
        disk_was: image.disk.size / sector,
        disk: target.size / sector,
    };
    let copy = match image.table.kind {
        TableKind::Dos => {
            change.dos(&mut beginning)?;
            None
        }
        TableKind::Gpt => Some(change.gpt(&mut beginning)?),
        TableKind::None => return Err(TableError::None),
    };
    Ok(Shortened { beginning, copy })
}

/// What changes, in sectors.
struct Change {
    number: u32,
    sector: u64,
    start: u64,
    was: u64,
    length: u64,
    disk_was: u64,
    disk: u64,
}

impl Change {
    fn dos(&self, beginning: &mut [u8]) -> Result<(), TableError> {
        let entry = (1..=4).find(|number| *number == self.number).ok_or(TableError::Entry(self.number))?;
        let entry = mbr_entry(beginning, entry - 1)?;
        if self.is_mirrored(entry) {
            set_mbr_length(entry, self.length)
        } else {
            Err(TableError::Entry(self.number))
        }
    }

    fn is_mirrored(&self, entry: &[u8]) -> bool {
        get(entry, (MBR_START, 4)) == Some(self.start) && get(entry, (MBR_LENGTH, 4)) == Some(self.was)
    }

    /// The GPT and the master boot record in front of it; its copy, and where it is.
    fn gpt(&self, beginning: &mut [u8]) -> Result<(u64, Vec<u8>), TableError> {
        for number in 0..4 {
            let entry = mbr_entry(beginning, number)?;
            let kind = get(entry, (MBR_KIND, 1)).unwrap_or_default();
            let (start, length) = (
                get(entry, (MBR_START, 4)).unwrap_or_default(),
                get(entry, (MBR_LENGTH, 4)).unwrap_or_default(),
            );
            if kind == PROTECTIVE && start.saturating_add(length) == self.disk_was {
                set_mbr_length(entry, self.disk.saturating_sub(start))?;
            } else if kind != 0 && kind != PROTECTIVE && self.is_mirrored(entry) {
                set_mbr_length(entry, self.length)?;
            }
        }
        let header_at = usize::try_from(self.sector).map_err(|_| TableError::Partial)?;
        let header = part(beginning, header_at, self.sector)?;
        let read = |field| get(header, field).ok_or(TableError::Partial);
        if !header.starts_with(GPT_SIGNATURE) {
            return Err(TableError::Partial);
        }
        let (header_size, entries, entry_size) = (read(HEADER_SIZE)?, read(ENTRIES)?, read(ENTRY_SIZE)?);
        let (entries_sector, array) = (read(ENTRIES_SECTOR)?, entries.saturating_mul(entry_size));
        let (header_crc, entries_crc) = (read(HEADER_CRC)?, read(ENTRIES_CRC)?);
        if header_size > self.sector || array > LARGEST || entry_size < 128 {
            return Err(TableError::Partial);
        }
        let array_at = place(entries_sector.saturating_mul(self.sector))?;
        let found = (checksum_of_header(header, header_size)?, checksum(part(beginning, array_at, array)?));
        if found != (header_crc, entries_crc) {
            return Err(TableError::Checksum);
        }

        let index = u64::from(self.number).checked_sub(1).filter(|index| *index < entries);
        let index = index.ok_or(TableError::Entry(self.number))?;
        let entry_at = place(index.saturating_mul(entry_size))?;
        let array_bytes = part_mut(beginning, array_at, array)?;
        let entry = part_mut(array_bytes, entry_at, entry_size)?;
        let last = self.start.saturating_add(self.was).checked_sub(1);
        if (get(entry, FIRST_SECTOR), get(entry, LAST_SECTOR)) != (Some(self.start), last) {
            return Err(TableError::Entry(self.number));
        }
        let last = self.start.saturating_add(self.length).saturating_sub(1);
        put(entry, LAST_SECTOR, last)?;
        let array_bytes = array_bytes.to_vec();

        // The copy of the header is the last sector, that of the entries stands in front of it.
        let array_sectors = array.div_ceil(self.sector);
        let header_sector = self.disk.saturating_sub(1);
        let array_sector = header_sector.saturating_sub(array_sectors);
        let last_usable = array_sector.saturating_sub(1);
        if last > last_usable {
            return Err(TableError::Copy(self.number));
        }
        let header = part_mut(beginning, header_at, self.sector)?;
        put(header, OTHER_SECTOR, header_sector)?;
        put(header, LAST_USABLE, last_usable)?;
        put(header, ENTRIES_CRC, checksum(&array_bytes))?;
        let mut copy = header.to_vec();
        put_checksum(header, header_size)?;
        put(&mut copy, OWN_SECTOR, header_sector)?;
        put(&mut copy, OTHER_SECTOR, 1)?;
        put(&mut copy, ENTRIES_SECTOR, array_sector)?;
        put_checksum(&mut copy, header_size)?;

        let mut bytes = array_bytes;
        bytes.resize(place(array_sectors.saturating_mul(self.sector))?, 0);
        bytes.extend(copy);
        Ok((array_sector.saturating_mul(self.sector), bytes))
    }
}

fn mbr_entry(beginning: &mut [u8], index: u32) -> Result<&mut [u8], TableError> {
    let at = MBR_ENTRIES + MBR_ENTRY * place(u64::from(index))?;
    part_mut(beginning, at, MBR_ENTRY as u64)
}

/// Sets the length of an entry, and its end in cylinders, heads and sectors as the table's maker counted them.
fn set_mbr_length(entry: &mut [u8], length: u64) -> Result<(), TableError> {
    let start = get(entry, (MBR_START, 4)).ok_or(TableError::Partial)?;
    let was = get(entry, (MBR_LENGTH, 4)).ok_or(TableError::Partial)?;
    let last = |length: u64| start.saturating_add(length).saturating_sub(1);
    let field = part_mut(entry, MBR_LAST_CHS, 3)?;
    let geometry = GEOMETRIES.into_iter().find(|geometry| chs(last(was), *geometry) == *field);
    field.copy_from_slice(&geometry.map_or(FAR_CHS, |geometry| chs(last(length), geometry)));
    put(entry, (MBR_LENGTH, 4), length)
}

/// A sector's place as the master boot record has it.
fn chs(sector: u64, (heads, sectors): (u64, u64)) -> [u8; 3] {
    let (track, number) = (sector / sectors, sector % sectors + 1);
    let (cylinder, head) = (track / heads, track % heads);
    let byte = |value: u64| u8::try_from(value & 0xFF).unwrap_or_default();
    if cylinder > 1023 {
        FAR_CHS
    } else {
        [byte(head), byte(number | (cylinder >> 2 & 0xC0)), byte(cylinder)]
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    u64::from(crc32fast::hash(bytes))
}

/// That of a header counts its own field as zero.
fn checksum_of_header(header: &[u8], size: u64) -> Result<u64, TableError> {
    let mut bytes = part(header, 0, size)?.to_vec();
    put(&mut bytes, HEADER_CRC, 0)?;
    Ok(checksum(&bytes))
}

fn put_checksum(header: &mut [u8], size: u64) -> Result<(), TableError> {
    let sum = checksum_of_header(header, size)?;
    put(header, HEADER_CRC, sum)
}

fn place(bytes: u64) -> Result<usize, TableError> {
    usize::try_from(bytes).map_err(|_| TableError::Partial)
}

fn part(bytes: &[u8], at: usize, length: u64) -> Result<&[u8], TableError> {
    let end = at.checked_add(place(length)?).ok_or(TableError::Partial)?;
    bytes.get(at..end).ok_or(TableError::Partial)
}

fn part_mut(bytes: &mut [u8], at: usize, length: u64) -> Result<&mut [u8], TableError> {
    let end = at.checked_add(place(length)?).ok_or(TableError::Partial)?;
    bytes.get_mut(at..end).ok_or(TableError::Partial)
}

/// A little-endian number of so many bytes.
fn get(bytes: &[u8], (at, length): (usize, usize)) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn put(bytes: &mut [u8], (at, length): (usize, usize), value: u64) -> Result<(), TableError> {
    let field = part_mut(bytes, at, length as u64)?;
    field.iter_mut().zip(value.to_le_bytes()).for_each(|(byte, new)| *byte = new);
    Ok(())
}

#[cfg(test)]
mod tests;
