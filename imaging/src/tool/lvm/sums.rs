//! Checksums of a physical volume put right, so that a fuzzer's bytes are read further than to the first of them.

use super::{
    AREA_HEADER, LABEL_SECTOR, LABEL_SUM, LABEL_SUMMED, LABELLED, SECTOR, TEXTS, checksum, label, turning,
};
use crate::tool::claims::{Read, little};

/// Puts the checksums of the label in the second sector right, and those of each area that it names and of the area's text.
pub(crate) fn put_right(disk: &mut [u8], read: fn(&[u8], u64, usize) -> std::io::Result<Vec<u8>>) {
    let Some(sector) = disk.get_mut(SECTOR..2 * SECTOR) else { return };
    put(sector, LABEL_SECTOR, &1_u64.to_le_bytes());
    let sum = checksum(&sector[LABEL_SUMMED..]);
    put(sector, LABEL_SUM, &sum.to_le_bytes());
    let Some(Ok(label)) = disk.get(..LABELLED).map(label) else { return };
    for (start, size) in label.areas {
        let at = usize::try_from(start).unwrap_or(usize::MAX);
        let Some(header) = at.checked_add(AREA_HEADER).and_then(|end| disk.get(at..end)) else { continue };
        let (offset, length) = (little(header, TEXTS, 8), little(header, TEXTS + 8, 8));
        if length > disk.len() as u64 {
            continue;
        }
        let whole: Read<'_> = &|at, length| read(disk, at, length);
        let text = turning(whole, (start, size), offset, length);
        let sum = text.map(|text| checksum(&text)).unwrap_or_default();
        let header = &mut disk[at..at + AREA_HEADER];
        put(header, TEXTS + 16, &sum.to_le_bytes());
        let sum = checksum(&header[4..]);
        put(header, 0, &sum.to_le_bytes());
    }
}

/// Bytes with this in them at a place.
pub(super) fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}
