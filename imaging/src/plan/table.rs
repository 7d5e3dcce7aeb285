//! The bytes of a partition table → the same for a smaller disk, with one partition ending earlier and those behind it
//! standing nearer to the beginning.
//!
//! Nothing else in them changes, so that boot code, identifiers, names, attributes and a hybrid master boot record
//! are what they were. A GPT is as UEFI 2.10, 5.3, has it; the master boot record as its 5.2.

use ghost_contract::image::{DiskFacts, DiskImage, TableKind};

use super::shrink::{Change, Shrink};
use field::{get, part, part_mut, place, put};
use mbr::{ALL_SECTORS, MBR_KIND, PROTECTIVE, mbr_entry, place_of, set_mbr_place};

mod field;
mod mbr;

pub use field::TableError;

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

/// A table that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortened {
    /// The beginning of the disk.
    pub beginning: Vec<u8>,
    /// A GPT's copy, and its first byte on the disk.
    pub copy: Option<(u64, Vec<u8>)>,
}

/// The table for this disk, from what stands at the beginning of the image's.
pub fn shorten(
    mut beginning: Vec<u8>,
    image: &DiskImage,
    target: &DiskFacts,
    shrink: &Shrink,
) -> Result<Shortened, TableError> {
    let sector = u64::from(image.disk.logical_sector);
    let in_sectors = |(start, length): (u64, u64)| (start / sector, length / sector);
    let changes = shrink.changes().into_iter().map(|Change { partition, was, is }| Change {
        partition,
        was: in_sectors(was),
        is: in_sectors(is),
    });
    let fitting = Fitting {
        sector,
        disk_was: image.disk.size / sector,
        disk: target.size / sector,
        changes: changes.collect(),
    };
    let copy = match image.table.kind {
        TableKind::Dos => {
            fitting.dos(&mut beginning)?;
            None
        }
        TableKind::Gpt => Some(fitting.gpt(&mut beginning)?),
        TableKind::None => return Err(TableError::None),
    };
    Ok(Shortened { beginning, copy })
}

/// What changes, in sectors.
struct Fitting {
    sector: u64,
    disk_was: u64,
    disk: u64,
    /// The partition that is shrunk, and those behind it in their order.
    changes: Vec<Change>,
}

impl Fitting {
    fn dos(&self, beginning: &mut [u8]) -> Result<(), TableError> {
        for change in &self.changes {
            let missing = TableError::Entry(change.partition);
            let index = (0..4).find(|index| index + 1 == change.partition).ok_or(missing.clone())?;
            let entry = mbr_entry(beginning, index)?;
            if place_of(entry) != change.was {
                return Err(missing);
            }
            set_mbr_place(entry, change.is)?;
        }
        Ok(())
    }

    /// The master boot record in front of a GPT: what it protects, and what it repeats if it is a hybrid one.
    fn hybrid(&self, beginning: &mut [u8]) -> Result<(), TableError> {
        let is_moving = self.changes.len() > 1;
        let end = |(start, length): (u64, u64)| start.saturating_add(length);
        let from = self.changes.first().map_or(0, |shrunk| end(shrunk.is));
        let to = self.changes.last().map_or(0, |last| end(last.was));
        for index in 0..4 {
            let entry = mbr_entry(beginning, index)?;
            let kind = get(entry, (MBR_KIND, 1)).unwrap_or_default();
            let was = place_of(entry);
            let protects_all = kind == PROTECTIVE && was.0 <= 1 && (end(was) >= to || was.1 == ALL_SECTORS);
            if kind == PROTECTIVE && end(was) == self.disk_was && (protects_all || !is_moving) {
                set_mbr_place(entry, (was.0, self.disk.saturating_sub(was.0)))?;
            } else if let Some(change) =
                self.changes.iter().find(|change| change.was == was && !matches!(kind, 0 | PROTECTIVE))
            {
                set_mbr_place(entry, change.is)?;
            } else if is_moving && kind != 0 && !protects_all && end(was) > from {
                return Err(TableError::Hybrid(index + 1));
            }
        }
        Ok(())
    }

    /// The GPT and the master boot record in front of it; its copy, and where it is.
    fn gpt(&self, beginning: &mut [u8]) -> Result<(u64, Vec<u8>), TableError> {
        self.hybrid(beginning)?;
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

        let array_bytes = part_mut(beginning, array_at, array)?;
        let mut last = (0, 0);
        for Change { partition, was, is } in &self.changes {
            let index = u64::from(*partition).checked_sub(1).filter(|index| *index < entries);
            let index = index.ok_or(TableError::Entry(*partition))?;
            let entry = part_mut(array_bytes, place(index.saturating_mul(entry_size))?, entry_size)?;
            let last_of = |(start, length): (u64, u64)| start.saturating_add(length).saturating_sub(1);
            if (get(entry, FIRST_SECTOR), get(entry, LAST_SECTOR)) != (Some(was.0), Some(last_of(*was))) {
                return Err(TableError::Entry(*partition));
            }
            put(entry, FIRST_SECTOR, is.0)?;
            put(entry, LAST_SECTOR, last_of(*is))?;
            last = last.max((last_of(*is), *partition));
        }
        let array_bytes = array_bytes.to_vec();

        // The copy of the header is the last sector, that of the entries stands in front of it.
        let array_sectors = array.div_ceil(self.sector);
        let header_sector = self.disk.saturating_sub(1);
        let array_sector = header_sector.saturating_sub(array_sectors);
        let last_usable = array_sector.saturating_sub(1);
        if last.0 > last_usable {
            return Err(TableError::Copy(last.1));
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

#[cfg(test)]
mod tests;
