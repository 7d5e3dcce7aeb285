//! An NTFS's own map of used clusters, `$Bitmap` (ntfs-3g, layout.h): record 6 of the MFT, whose first records are in one piece.

use std::io;

use super::claims::{Claim, Read, little, set_bits_of, strange};

const RECORD: u64 = 6;
/// The kind of an attribute that has a file's bytes.
const BYTES: u64 = 0x80;
/// The end of a record's attributes.
const END: u64 = 0xFFFF_FFFF;
/// Every so many bytes of a record end in two that were put there to see whether all of it was written.
const FIXED: usize = 512;

/// Its own bitmap, counted.
pub(crate) fn claim(read: Read<'_>) -> io::Result<Claim> {
    let boot = read(0, 512)?;
    let field = |at, length| little(&boot, at, length);
    let sector = field(11, 2);
    let cluster = units(field(13, 1)).saturating_mul(sector);
    let clusters = field(40, 8).saturating_mul(sector).checked_div(cluster).unwrap_or(0);
    // The size of a record: in clusters, or an exponent of two of bytes.
    let record = match field(64, 1) {
        size @ 0..128 => size.saturating_mul(cluster),
        size => 1_u64.checked_shl(u32::try_from(256 - size).unwrap_or(64)).unwrap_or(0),
    };
    let at = field(48, 8).saturating_mul(cluster).saturating_add(RECORD.saturating_mul(record));
    let length = usize::try_from(record.clamp(1024, 64 << 10)).unwrap_or(1024);
    let record = restored(read(at, length)?);
    let (mut used, mut left) = (0, clusters);
    for (place, length) in runs(&record).ok_or_else(unknown)? {
        let bytes = length.saturating_mul(cluster);
        let told = left.min(bytes.saturating_mul(8));
        used += set_bits_of(read, place.saturating_mul(cluster), told)?;
        left -= told;
    }
    if left > 0 {
        return Err(unknown());
    }
    let span = clusters.saturating_mul(cluster);
    Ok(Claim { span, used: used.saturating_mul(cluster), features: Vec::new() })
}

fn unknown() -> io::Error {
    strange("its map of used clusters is not where it should be")
}

/// Sectors in a cluster. From 244 on it is the exponent of two, negative.
const fn units(field: u64) -> u64 {
    match field {
        244..=255 => 1 << (256 - field),
        _ => field,
    }
}

/// A record with the bytes that were at the ends of its sectors.
fn restored(mut record: Vec<u8>) -> Vec<u8> {
    let from = usize::try_from(little(&record, 4, 2)).unwrap_or(0);
    let count = usize::try_from(little(&record, 6, 2)).unwrap_or(0);
    for index in 1..count {
        let end = index * FIXED;
        let kept = record.get(from + index * 2..from + index * 2 + 2).map(<[u8]>::to_vec);
        if let (Some(kept), Some(place)) = (kept, record.get_mut(end - 2..end)) {
            place.copy_from_slice(&kept);
        }
    }
    record
}

/// Where the file's bytes are: places and lengths in clusters.
fn runs(record: &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut at = usize::try_from(little(record, 20, 2)).ok()?;
    loop {
        let attribute = record.get(at..)?;
        let (kind, length) = (little(attribute, 0, 4), usize::try_from(little(attribute, 4, 4)).ok()?);
        if kind == END || length == 0 {
            return None;
        }
        // Without a name, and not within the record.
        if kind == BYTES && attribute.get(8) == Some(&1) && attribute.get(9) == Some(&0) {
            let from = usize::try_from(little(attribute, 32, 2)).ok()?;
            return decoded(attribute.get(from..length)?);
        }
        at += length;
    }
}

/// Each run has its length and how far it is from the one before it.
fn decoded(mut bytes: &[u8]) -> Option<Vec<(u64, u64)>> {
    let (mut runs, mut place) = (Vec::new(), 0_i64);
    while let Some((&sizes, rest)) = bytes.split_first() {
        if sizes == 0 {
            return Some(runs);
        }
        let (length, distance) = (usize::from(sizes & 0xF), usize::from(sizes >> 4));
        if length == 0 || length > 8 || distance == 0 || distance > 8 || rest.len() < length + distance {
            return None;
        }
        let far = little(rest, length, distance);
        let unused = 64 - 8 * u32::try_from(distance).ok()?;
        place = place.checked_add(i64::from_ne_bytes(far.wrapping_shl(unused).to_ne_bytes()) >> unused)?;
        runs.push((u64::try_from(place).ok()?, little(rest, 0, length)));
        bytes = rest.get(length + distance..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_decoded_with_their_signs() {
        // 0x1234 clusters at 0x10000, then 2 clusters 16 in front of it.
        let bytes = [0x32, 0x34, 0x12, 0x00, 0x00, 0x01, 0x11, 0x02, 0xF0, 0x00];
        assert_eq!(decoded(&bytes), Some(vec![(0x10000, 0x1234), (0xFFF0, 2)]));
        assert_eq!(decoded(&[0x11, 0x02, 0xF0, 0x00]), None, "in front of the beginning");
        assert_eq!(decoded(&[0x01, 0x02, 0x00]), None, "nowhere");
        assert_eq!(decoded(&[0x11, 0x02]), None, "cut off");
    }

    #[test]
    fn the_ends_of_sectors_are_put_back() {
        let mut record = vec![0; 1024];
        record[4] = 48;
        record[6] = 3;
        record[48..54].copy_from_slice(&[9, 9, 1, 2, 3, 4]);
        let record = restored(record);
        assert_eq!((&record[510..512], &record[1022..]), (&[1, 2][..], &[3, 4][..]));
    }
}
