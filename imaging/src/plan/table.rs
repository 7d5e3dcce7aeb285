//! The bytes of a partition table → the same for a disk of another size, on which one partition may end earlier and those
//! behind it stand nearer to the beginning.
//!
//! Nothing else in them changes, so that boot code, identifiers, names, attributes, the boot flag of the entry that
//! protects a GPT, and a hybrid master boot record are what they were. A GPT is as UEFI 2.10, 5.3, has it; the master boot
//! record as its 5.2. Where the first copy of a GPT is damaged, the one at the disk's end is used.

use ghost_contract::image::{DiskFacts, DiskImage, TableKind};

use super::shrink::Change;
use field::{get, part, part_mut, place, put};
use mbr::{ALL_SECTORS, MBR_KIND, PROTECTIVE, mbr_entry, place_of, set_mbr_place};

mod field;
mod mbr;

pub(crate) use field::TableError;

/// What is where in the header of a GPT.
const GPT_SIGNATURE: &[u8] = b"EFI PART";
const HEADER_SIZE: (usize, usize) = (12, 4);
const HEADER_CRC: (usize, usize) = (16, 4);
const OWN_SECTOR: (usize, usize) = (24, 8);
const OTHER_SECTOR: (usize, usize) = (32, 8);
const FIRST_USABLE: (usize, usize) = (40, 8);
const LAST_USABLE: (usize, usize) = (48, 8);
const ENTRIES_SECTOR: (usize, usize) = (72, 8);
const ENTRIES: (usize, usize) = (80, 4);
const ENTRY_SIZE: (usize, usize) = (84, 4);
const ENTRIES_CRC: (usize, usize) = (88, 4);
/// … and in an entry.
const FIRST_SECTOR: (usize, usize) = (32, 8);
const LAST_SECTOR: (usize, usize) = (40, 8);
/// An entry that is not used has a type of so many zeros.
const UNUSED_TYPE: usize = 16;
/// No table has larger entries, or more of them, than fit so many bytes.
const LARGEST: u64 = 1 << 20;

/// A table is within so many bytes at the beginning of a disk, and a GPT's copy within as many at its end.
pub(crate) const WITHIN: u64 = LARGEST + (64 << 10);

/// A table that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fitted {
    /// The beginning of the disk.
    pub beginning: Vec<u8>,
    /// A GPT's copy, and its first byte on the disk.
    pub copy: Option<(u64, Vec<u8>)>,
}

/// The table for this disk, from what stands at the beginning and at the end of the image's.
pub(crate) fn fit(
    mut beginning: Vec<u8>,
    end: &[u8],
    image: &DiskImage,
    target: &DiskFacts,
    changes: Vec<Change>,
) -> Result<Fitted, TableError> {
    let sector = u64::from(image.disk.logical_sector);
    let in_sectors = |(start, length): (u64, u64)| (start / sector, length / sector);
    let changes = changes.into_iter().map(|Change { partition, was, is }| Change {
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
        TableKind::Gpt => Some(fitting.gpt(&mut beginning, end)?),
        TableKind::None => return Err(TableError::None),
    };
    Ok(Fitted { beginning, copy })
}

/// What changes, in sectors.
struct Fitting {
    sector: u64,
    disk_was: u64,
    disk: u64,
    /// The partition that is shrunk, and those behind it in their order; none if only the disk's size is another.
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
                let length = self.disk.saturating_sub(was.0).min(ALL_SECTORS);
                set_mbr_place(entry, (was.0, length))?;
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
    fn gpt(&self, beginning: &mut [u8], end: &[u8]) -> Result<(u64, Vec<u8>), TableError> {
        self.hybrid(beginning)?;
        let header_at = place(self.sector)?;
        let found = match self.header(beginning, header_at, 0) {
            Err(damage) => self.mend(beginning, end).map_err(|_| damage)?,
            sound => sound?,
        };
        let Header { size: header_size, entries, entry_size, array, array_at } = found;
        let array_bytes = part_mut(beginning, array_at, array)?;
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
        }
        let array_bytes = array_bytes.to_vec();

        // The copy of the header is the last sector, that of the entries stands in front of it.
        let array_sectors = array.div_ceil(self.sector);
        let header_sector = self.disk.saturating_sub(1);
        let array_sector = header_sector.saturating_sub(array_sectors);
        let last_usable = array_sector.saturating_sub(1);
        let (last_sector, partition) = last_entry(&array_bytes, entry_size)?;
        if last_sector > last_usable {
            let sectors = self.disk.saturating_sub(last_sector).saturating_sub(1);
            let needs = array_sectors.saturating_add(1).saturating_mul(self.sector);
            return Err(TableError::Copy { partition, needs, has: sectors.saturating_mul(self.sector) });
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

    /// A header at this place of some bytes of the disk, whose first is at `from`, if it and its entries are sound.
    fn header(&self, bytes: &[u8], at: usize, from: u64) -> Result<Header, TableError> {
        let header = part(bytes, at, self.sector)?;
        let read = |field| get(header, field).ok_or(TableError::Partial);
        if !header.starts_with(GPT_SIGNATURE) {
            return Err(TableError::Partial);
        }
        let (size, entries, entry_size) = (read(HEADER_SIZE)?, read(ENTRIES)?, read(ENTRY_SIZE)?);
        let array = entries.saturating_mul(entry_size);
        if size > self.sector || array > LARGEST || entry_size < 128 {
            return Err(TableError::Partial);
        }
        let array_from = read(ENTRIES_SECTOR)?.saturating_mul(self.sector);
        let array_at = place(array_from.checked_sub(from).ok_or(TableError::Partial)?)?;
        let sums = (checksum_of_header(header, size)?, checksum(part(bytes, array_at, array)?));
        if sums != (read(HEADER_CRC)?, read(ENTRIES_CRC)?) {
            return Err(TableError::Checksum);
        }
        Ok(Header { size, entries, entry_size, array, array_at })
    }

    /// Puts the copy at the end of the disk in the place of a first GPT that is damaged.
    fn mend(&self, beginning: &mut [u8], end: &[u8]) -> Result<Header, TableError> {
        let from = self.disk_was.saturating_mul(self.sector).saturating_sub(end.len() as u64);
        let at = (end.len()).checked_sub(place(self.sector)?).ok_or(TableError::Partial)?;
        let copy = self.header(end, at, from)?;
        let header = part(end, at, self.sector)?;
        let (array_at, first_usable) = (2 * self.sector, get(header, FIRST_USABLE).unwrap_or_default());
        if array_at.saturating_add(copy.array) > first_usable.saturating_mul(self.sector) {
            return Err(TableError::Partial);
        }
        let mut header = header.to_vec();
        put(&mut header, OWN_SECTOR, 1)?;
        put(&mut header, OTHER_SECTOR, self.disk_was.saturating_sub(1))?;
        put(&mut header, ENTRIES_SECTOR, 2)?;
        put_checksum(&mut header, copy.size)?;
        part_mut(beginning, place(self.sector)?, self.sector)?.copy_from_slice(&header);
        let array_at = place(array_at)?;
        part_mut(beginning, array_at, copy.array)?.copy_from_slice(part(end, copy.array_at, copy.array)?);
        Ok(Header { array_at, ..copy })
    }
}

/// What the header of a GPT says, bytes.
struct Header {
    size: u64,
    entries: u64,
    entry_size: u64,
    /// The length of all entries together …
    array: u64,
    /// … and where they are in what was read.
    array_at: usize,
}

/// The last sector of the partition that ends last, and its number.
fn last_entry(array: &[u8], entry_size: u64) -> Result<(u64, u32), TableError> {
    let entries = (1..).zip(array.chunks_exact(place(entry_size)?.max(1)));
    let used = entries.filter(|(_, entry)| entry.iter().take(UNUSED_TYPE).any(|&byte| byte != 0));
    let ends = used.map(|(number, entry)| (get(entry, LAST_SECTOR).unwrap_or_default(), number));
    Ok(ends.max().unwrap_or_default())
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
