//! Fields of a partition table: little-endian numbers at places in its bytes, all within bounds.

/// Why a table's bytes cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
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
    #[error(
        "the copy of the partition table takes {needs} bytes at the disk's end, and behind partition {partition} there are {has}: \
         take a larger disk"
    )]
    Copy { partition: u32, needs: u64, has: u64 },
    /// What it repeats of the GPT is not the whole of a partition.
    #[error(
        "entry {0} of the master boot record reaches over partitions that would be moved, and it is none of them"
    )]
    Hybrid(u32),
    #[error("the disk has no partition table that can be changed")]
    None,
}

pub(super) fn place(bytes: u64) -> Result<usize, TableError> {
    usize::try_from(bytes).map_err(|_| TableError::Partial)
}

pub(super) fn part(bytes: &[u8], at: usize, length: u64) -> Result<&[u8], TableError> {
    let end = at.checked_add(place(length)?).ok_or(TableError::Partial)?;
    bytes.get(at..end).ok_or(TableError::Partial)
}

pub(super) fn part_mut(bytes: &mut [u8], at: usize, length: u64) -> Result<&mut [u8], TableError> {
    let end = at.checked_add(place(length)?).ok_or(TableError::Partial)?;
    bytes.get_mut(at..end).ok_or(TableError::Partial)
}

/// A little-endian number of so many bytes.
pub(super) fn get(bytes: &[u8], (at, length): (usize, usize)) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

pub(super) fn put(bytes: &mut [u8], (at, length): (usize, usize), value: u64) -> Result<(), TableError> {
    let field = part_mut(bytes, at, length as u64)?;
    field.iter_mut().zip(value.to_le_bytes()).for_each(|(byte, new)| *byte = new);
    Ok(())
}
