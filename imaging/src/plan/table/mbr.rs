//! The entries of a master boot record (UEFI 2.10, 5.2).

use super::field::{TableError, get, part_mut, place, put};

/// The entries of the master boot record, and what is where in one.
pub(super) const MBR_ENTRIES: usize = 446;
pub(super) const MBR_ENTRY: usize = 16;
const MBR_FIRST_CHS: usize = 1;
pub(super) const MBR_KIND: usize = 4;
const MBR_LAST_CHS: usize = 5;
const MBR_START: usize = 8;
const MBR_LENGTH: usize = 12;
/// That of the entry that protects a GPT.
pub(super) const PROTECTIVE: u64 = 0xEE;
/// Such an entry may say so on a disk of any size.
pub(super) const ALL_SECTORS: u64 = u32::MAX as u64;
/// A place that cylinders, heads and sectors do not reach.
pub(super) const FAR_CHS: [u8; 3] = [0xFE, 0xFF, 0xFF];
/// Heads and sectors a track that disks have been taken to have.
pub(super) const GEOMETRIES: [(u64, u64); 6] =
    [(255, 63), (240, 63), (128, 63), (64, 63), (64, 32), (16, 63)];

pub(super) fn mbr_entry(beginning: &mut [u8], index: u32) -> Result<&mut [u8], TableError> {
    let at = MBR_ENTRIES + MBR_ENTRY * place(u64::from(index))?;
    part_mut(beginning, at, MBR_ENTRY as u64)
}

pub(super) fn place_of(entry: &[u8]) -> (u64, u64) {
    let field = |at| get(entry, (at, 4)).unwrap_or_default();
    (field(MBR_START), field(MBR_LENGTH))
}

/// Sets where an entry's partition is, also in cylinders, heads and sectors as the table's maker counted them.
pub(super) fn set_mbr_place(entry: &mut [u8], (start, length): (u64, u64)) -> Result<(), TableError> {
    let (start_was, length_was) = place_of(entry);
    let last = |start: u64, length: u64| start.saturating_add(length).saturating_sub(1);
    let is =
        |entry: &[u8], at: usize, sector, geometry| entry.get(at..at + 3) == Some(&chs(sector, geometry)[..]);
    let is_moved = start != start_was;
    let geometry = GEOMETRIES.into_iter().find(|geometry| {
        is(entry, MBR_LAST_CHS, last(start_was, length_was), *geometry)
            && (!is_moved || is(entry, MBR_FIRST_CHS, start_was, *geometry))
    });
    let chs_of = |sector| geometry.map_or(FAR_CHS, |geometry| chs(sector, geometry));
    part_mut(entry, MBR_LAST_CHS, 3)?.copy_from_slice(&chs_of(last(start, length)));
    if is_moved {
        part_mut(entry, MBR_FIRST_CHS, 3)?.copy_from_slice(&chs_of(start));
        put(entry, (MBR_START, 4), start)?;
    }
    put(entry, (MBR_LENGTH, 4), length)
}

/// A sector's place as the master boot record has it.
pub(super) fn chs(sector: u64, (heads, sectors): (u64, u64)) -> [u8; 3] {
    let (track, number) = (sector / sectors, sector % sectors + 1);
    let (cylinder, head) = (track / heads, track % heads);
    let byte = |value: u64| u8::try_from(value & 0xFF).unwrap_or_default();
    if cylinder > 1023 {
        FAR_CHS
    } else {
        [byte(head), byte(number | (cylinder >> 2 & 0xC0)), byte(cylinder)]
    }
}
