//! Which bytes of a table change, and which tables are not believed?

use ghost_contract::image::FileSystem;
use proptest::prelude::*;

use super::super::moves::{Move, Moves};
use super::super::restore::tests::{ALL, MIB, facts, image};
use super::super::shrink::{Shrink, shrink};
use super::mbr::{FAR_CHS, GEOMETRIES, MBR_ENTRIES, MBR_ENTRY, chs};
use super::*;

/// Of the image of the plan's tests: 100 MiB, the second partition of 60 MiB at 21 MiB.
const DISK: u64 = 100 * MIB / 512;
const START: u64 = 21 * MIB / 512;
const LENGTH: u64 = 60 * MIB / 512;
/// Onto 60 MiB.
const SHORTER: u64 = 38 * MIB / 512;
const SMALLER: u64 = 60 * MIB / 512;

fn write(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    get(bytes, (at, length)).unwrap()
}

fn mbr(bytes: &mut [u8], index: usize, kind: u8, (start, length): (u64, u64), last_chs: [u8; 3]) {
    let at = MBR_ENTRIES + MBR_ENTRY * index;
    write(bytes, at + 4, &[kind]);
    write(bytes, at + 5, &last_chs);
    write(bytes, at + 8, &u32::try_from(start).unwrap().to_le_bytes());
    write(bytes, at + 12, &u32::try_from(length).unwrap().to_le_bytes());
}

/// The first MiB of a disk with two partitions, noise all around.
fn gpt() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    bytes[446..512].fill(0);
    mbr(&mut bytes, 0, 0xEE, (1, DISK - 1), chs(DISK - 1, (255, 63)));
    bytes[512..34 * 512].fill(0);
    for (index, (start, length)) in [(MIB / 512, 20 * MIB / 512), (START, LENGTH)].into_iter().enumerate() {
        let at = 1024 + 128 * index;
        write(&mut bytes, at, &[7; 32]);
        write(&mut bytes, at + 32, &start.to_le_bytes());
        write(&mut bytes, at + 40, &(start + length - 1).to_le_bytes());
        write(&mut bytes, at + 48, &[9; 80]);
    }
    write(&mut bytes, 512, b"EFI PART\0\0\x01\0\x5c\0\0\0");
    for (at, value) in [(24, 1), (32, DISK - 1), (40, 34), (48, DISK - 34), (72, 2)] {
        write(&mut bytes, 512 + at, &value.to_le_bytes());
    }
    write(&mut bytes, 512 + 56, &[5; 16]);
    write(&mut bytes, 512 + 80, &[128, 0, 0, 0, 128]);
    signed(bytes)
}

fn signed(bytes: Vec<u8>) -> Vec<u8> {
    with_checksums(bytes, 128)
}

fn with_checksums(mut bytes: Vec<u8>, entries: usize) -> Vec<u8> {
    let sum = crc32fast::hash(&bytes[1024..1024 + 128 * entries]);
    write(&mut bytes, 512 + 88, &sum.to_le_bytes());
    write(&mut bytes, 512 + 16, &[0; 4]);
    let sum = crc32fast::hash(&bytes[512..512 + 92]);
    write(&mut bytes, 512 + 16, &sum.to_le_bytes());
    bytes
}

fn shortened(kind: TableKind, bytes: Vec<u8>) -> Result<Fitted, TableError> {
    let (image, target) = (image(kind, FileSystem::Ntfs), facts(60 * MIB, None));
    let shrink = Shrink { length: SHORTER * 512, ..shrink(&image, &target, &ALL).unwrap().0 };
    fit(bytes, &[], &image, &target, shrink.changes())
}

fn changes(was: &[u8], is: &[u8]) -> Vec<usize> {
    assert_eq!(was.len(), is.len());
    (0..was.len()).filter(|&at| was[at] != is[at]).collect()
}

#[test]
fn a_gpt_has_its_copy_at_the_disk_s_end_and_only_the_end_of_one_partition_is_another() {
    let Fitted { beginning, copy } = shortened(TableKind::Gpt, gpt()).unwrap();
    let allowed = |at: usize| {
        let header = at.wrapping_sub(512);
        // The end of the protective entry, the header's checksum, the copy's place, the last sector, the entries'
        // checksum, the last sector of the second entry.
        matches!(at, 451..=453 | 458..=461 | 1192..=1199)
            || matches!(header, 16..=19 | 32..=39 | 48..=55 | 88..=91)
    };
    let changed = changes(&gpt(), &beginning);
    assert!(changed.iter().all(|&at| allowed(at)), "{changed:?}");
    assert_eq!(number(&beginning, 458, 4), SMALLER - 1);
    assert_eq!(number(&beginning, 1192, 8), START + SHORTER - 1);
    assert_eq!(number(&beginning, 512 + 32, 8), SMALLER - 1);
    assert_eq!(number(&beginning, 512 + 48, 8), SMALLER - 34);
    assert_eq!(signed(beginning.clone()), beginning, "its checksums");

    let (at, copy) = copy.unwrap();
    assert_eq!((at, copy.len()), ((SMALLER - 33) * 512, 33 * 512));
    assert_eq!(copy[..32 * 512], beginning[1024..34 * 512], "the same entries");
    let header = &copy[32 * 512..];
    for (field, value) in [(OWN_SECTOR, SMALLER - 1), (OTHER_SECTOR, 1), (ENTRIES_SECTOR, SMALLER - 33)] {
        assert_eq!(get(header, field), Some(value), "{field:?}");
    }
    assert_eq!(header[40..72], beginning[512 + 40..512 + 72], "usable sectors and the disk's identifier");
    assert_eq!(checksum_of_header(header, 92), Ok(get(header, HEADER_CRC).unwrap()));
}

#[test]
fn a_hybrid_master_boot_record_stays_one() {
    let mut hybrid = gpt();
    mbr(&mut hybrid, 0, 0xEE, (1, 2047), [0xFE, 0xFF, 0xFF]);
    mbr(&mut hybrid, 1, 0x07, (START, LENGTH), [0xFE, 0xFF, 0xFF]);
    let Fitted { beginning, .. } = shortened(TableKind::Gpt, hybrid.clone()).unwrap();
    assert_eq!(beginning[446..462], hybrid[446..462], "what it protects is the same");
    assert_eq!(number(&beginning, 474, 4), SHORTER);
    // Windows and others protect as much as the entry can say, whatever the disk.
    let mut all = gpt();
    mbr(&mut all, 0, 0xEE, (1, u64::from(u32::MAX)), [0xFE, 0xFF, 0xFF]);
    assert_eq!(shortened(TableKind::Gpt, all.clone()).unwrap().beginning[..512], all[..512]);
}

#[test]
fn in_a_dos_table_only_one_entry_changes() {
    let mut was: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    // Whatever the geometry that its maker believed in.
    for (geometry, is_known) in
        GEOMETRIES.into_iter().map(|geometry| (geometry, true)).chain([((77, 33), false)])
    {
        mbr(&mut was, 1, 0x07, (START, LENGTH), chs(START + LENGTH - 1, geometry));
        let Fitted { beginning, copy } = shortened(TableKind::Dos, was.clone()).unwrap();
        assert_eq!(copy, None);
        let changed = changes(&was, &beginning);
        assert!(changed.iter().all(|at| matches!(at, 467..=469 | 474..=477)), "{changed:?}");
        assert_eq!(number(&beginning, 474, 4), SHORTER);
        let end = if is_known { chs(START + SHORTER - 1, geometry) } else { FAR_CHS };
        assert_eq!(beginning[467..470], end, "{geometry:?}");
    }
}

#[test]
fn places_in_cylinders_heads_and_sectors() {
    for (sector, geometry, expected) in [
        (0, (255, 63), [0, 1, 0]),
        (62, (255, 63), [0, 63, 0]),
        (2048, (255, 63), [32, 33, 0]),
        (1023 * 255 * 63 + 254 * 63 + 62, (255, 63), [254, 0xFF, 0xFF]),
        (1024 * 255 * 63, (255, 63), FAR_CHS),
        (300 * 16 * 63 + 5 * 63, (16, 63), [5, 0x41, 44]),
    ] {
        assert_eq!(chs(sector, geometry), expected, "{sector} {geometry:?}");
    }
}

#[test]
fn a_table_that_is_not_what_the_description_says_is_not_changed() {
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = gpt();
        change(&mut bytes);
        shortened(TableKind::Gpt, bytes).unwrap_err()
    };
    assert_eq!(refused(&|bytes| bytes[1024] ^= 1), TableError::Checksum);
    assert_eq!(refused(&|bytes| bytes[512 + 56] ^= 1), TableError::Checksum);
    assert_eq!(refused(&|bytes| bytes[512] ^= 1), TableError::Partial);
    assert_eq!(refused(&|bytes| bytes.truncate(34 * 512 - 1)), TableError::Partial);
    assert_eq!(refused(&|bytes| bytes.truncate(100)), TableError::Partial);
    let moved = |bytes: &mut Vec<u8>| {
        bytes[1024 + 128 + 32] ^= 1;
        *bytes = signed(std::mem::take(bytes));
    };
    assert_eq!(refused(&moved), TableError::Entry(2));
    let mut dos = vec![0; 1 << 20];
    mbr(&mut dos, 1, 0x07, (START, LENGTH - 1), FAR_CHS);
    assert_eq!(shortened(TableKind::Dos, dos), Err(TableError::Entry(2)));
}

#[test]
fn more_entries_than_fit_behind_the_partition_are_refused() {
    let (image, target) = (image(TableKind::Gpt, FileSystem::Ntfs), facts(60 * MIB + 33 * 512, None));
    let (shrink, _) = shrink(&image, &target, &ALL).unwrap();
    let full = TableError::Copy { partition: 2, needs: 34 * 512, has: 33 * 512 };
    for (entries, expected) in [(128_u32, Ok(())), (132, Err(full))] {
        let mut bytes = gpt();
        bytes[34 * 512..35 * 512].fill(0);
        write(&mut bytes, 512 + 80, &entries.to_le_bytes());
        let bytes = with_checksums(bytes, usize::try_from(entries).unwrap());
        assert_eq!(fit(bytes, &[], &image, &target, shrink.changes()).map(drop), expected, "{entries}");
    }
}

/// The first partition half as long, and the second one so much nearer, on 72 MiB.
fn moved(kind: TableKind, bytes: Vec<u8>) -> Result<Fitted, TableError> {
    let (image, target) = (image(kind, FileSystem::Ntfs), facts(72 * MIB, None));
    let second = Move { partition: 2, from: 21 * MIB, to: 11 * MIB, length: 60 * MIB, boot: None };
    let moves = Moves { distance: 10 * MIB, partitions: vec![second] };
    let (shrink, _) = shrink(&image, &target, &ALL).unwrap();
    let first = Shrink { partition: 1, start: MIB, was: 20 * MIB, length: 10 * MIB, moves, ..shrink };
    fit(bytes, &[], &image, &target, first.changes())
}

/// In sectors of 512 bytes.
const fn mib(count: u64) -> u64 {
    count * MIB / 512
}

#[test]
fn in_a_gpt_a_moved_partition_is_another_only_in_where_it_is() {
    let Fitted { beginning, copy } = moved(TableKind::Gpt, gpt()).unwrap();
    let allowed = |at: usize| {
        let header = at.wrapping_sub(512);
        // As for one that is shrunk, and both places of the second entry.
        matches!(at, 451..=453 | 458..=461 | 1064..=1071 | 1184..=1199)
            || matches!(header, 16..=19 | 32..=39 | 48..=55 | 88..=91)
    };
    let changed = changes(&gpt(), &beginning);
    assert!(changed.iter().all(|&at| allowed(at)), "{changed:?}");
    let entry = |index: usize| (number(&beginning, 1056 + index, 8), number(&beginning, 1064 + index, 8));
    assert_eq!((entry(0), entry(128)), ((mib(1), mib(11) - 1), (mib(11), mib(71) - 1)));
    assert_eq!(signed(beginning.clone()), beginning, "its checksums");
    let (at, copy) = copy.unwrap();
    assert_eq!((at, &copy[..32 * 512]), ((mib(72) - 33) * 512, &beginning[1024..34 * 512]));
    let mut other = gpt();
    other[1024 + 128 + 32] ^= 1;
    assert_eq!(moved(TableKind::Gpt, signed(other)), Err(TableError::Entry(2)));
}

#[test]
fn a_hybrid_master_boot_record_is_right_or_refused_when_partitions_move() {
    let far = [0xFE, 0xFF, 0xFF];
    let with = |entries: &[(u8, u64, u64)]| {
        let mut bytes = gpt();
        bytes[446..510].fill(0);
        for (index, (kind, start, length)) in entries.iter().enumerate() {
            mbr(&mut bytes, index, *kind, (*start, *length), far);
        }
        moved(TableKind::Gpt, bytes).map(|table| {
            let field = |index: usize, at: usize| number(&table.beginning, 446 + 16 * index + at, 4);
            (0..entries.len()).map(|index| (field(index, 8), field(index, 12))).collect::<Vec<_>>()
        })
    };
    // What it repeats is where it is now; what it protects in front is what it was.
    let (efi, second) = ((0xEE, 1, 2047), (0x07, START, LENGTH));
    assert_eq!(with(&[efi, second]), Ok(vec![(1, 2047), (mib(11), LENGTH)]));
    let first = (0x07, mib(1), mib(20));
    assert_eq!(with(&[efi, first, second]), Ok(vec![(1, 2047), (mib(1), mib(10)), (mib(11), LENGTH)]));
    // The usual one, whatever it takes the disk's size to be.
    assert_eq!(with(&[(0xEE, 1, DISK - 1)]), Ok(vec![(1, mib(72) - 1)]));
    for length in [u64::from(u32::MAX), mib(90)] {
        assert_eq!(with(&[(0xEE, 1, length)]), Ok(vec![(1, length)]));
    }
    // What stands for a part of it, or for what is behind it.
    assert_eq!(with(&[(0xEE, 1, START - 1), second]), Err(TableError::Hybrid(1)));
    assert_eq!(with(&[efi, (0x07, START, LENGTH - 1)]), Err(TableError::Hybrid(2)));
    let rest = (0xEE, START + LENGTH, DISK - START - LENGTH);
    assert_eq!(with(&[efi, second, rest]), Err(TableError::Hybrid(3)));
}

#[test]
fn what_protects_a_disk_of_more_than_an_entry_can_say_protects_all_of_it() {
    let change = |partition, was, is| Change { partition, was, is };
    let (was, is) = (5 << 30, 1 << 30);
    let changes = vec![change(1, (2048, was), (2048, is)), change(2, (2048 + was, 2048), (2048 + is, 2048))];
    let fitting = Fitting { sector: 512, disk_was: 6 << 30, disk: 2 << 30, changes };
    let mut bytes = vec![0; 512];
    for (length, expected) in [(u64::from(u32::MAX), Ok(())), (1 << 31, Err(TableError::Hybrid(1)))] {
        mbr(&mut bytes, 0, 0xEE, (1, length), FAR_CHS);
        assert_eq!(fitting.hybrid(&mut bytes), expected, "{length}");
    }
}

#[test]
fn in_a_dos_table_a_moved_partition_begins_and_ends_elsewhere_in_every_way_of_counting() {
    let table = |geometry, entry: usize| {
        let mut bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
        for (index, place) in [(0, (mib(1), mib(20))), (entry, (START, LENGTH))] {
            mbr(&mut bytes, index, 0x07, place, chs(place.0 + place.1 - 1, geometry));
            write(&mut bytes, 447 + 16 * index, &chs(place.0, geometry));
        }
        bytes
    };
    for (geometry, is_known) in
        GEOMETRIES.into_iter().map(|geometry| (geometry, true)).chain([((77, 33), false)])
    {
        let was = table(geometry, 1);
        let Fitted { beginning, copy } = moved(TableKind::Dos, was.clone()).unwrap();
        assert_eq!(copy, None);
        let changed = changes(&was, &beginning);
        let allowed = |at: &usize| matches!(at, 451..=453 | 458..=461 | 463..=465 | 467..=477);
        assert!(changed.iter().all(allowed), "{changed:?}");
        assert_eq!((number(&beginning, 470, 4), number(&beginning, 474, 4)), (mib(11), LENGTH));
        let place = |sector| if is_known { chs(sector, geometry) } else { FAR_CHS };
        assert_eq!(
            (&beginning[463..466], &beginning[467..470]),
            (&place(mib(11))[..], &place(mib(71) - 1)[..])
        );
    }
    // Where the beginning is counted otherwise than the end, neither is believed.
    let mut mixed = table((255, 63), 1);
    write(&mut mixed, 463, &chs(START, (16, 63)));
    let beginning = moved(TableKind::Dos, mixed).unwrap().beginning;
    assert_eq!((&beginning[463..466], &beginning[467..470]), (&FAR_CHS[..], &FAR_CHS[..]));
    assert_eq!(moved(TableKind::Dos, table((255, 63), 2)), Err(TableError::Entry(2)));
}

/// The same disk of 100 MiB onto one of so many, with this at its end.
fn onto(size: u64, bytes: Vec<u8>, end: &[u8]) -> Result<Fitted, TableError> {
    let image = image(TableKind::Gpt, FileSystem::Ntfs);
    fit(bytes, end, &image, &facts(size, None), Vec::new())
}

#[test]
fn on_a_disk_of_another_size_a_gpt_says_only_where_that_disk_ends() {
    let mut was = gpt();
    was[446] = 0x80;
    for size in [90 * MIB, 200 * MIB] {
        let Fitted { beginning, copy } = onto(size, was.clone(), &[]).unwrap();
        let allowed = |at: usize| {
            let header = at.wrapping_sub(512);
            matches!(at, 451..=453 | 458..=461) || matches!(header, 16..=19 | 32..=39 | 48..=55)
        };
        let changed = changes(&was, &beginning);
        assert!(changed.iter().all(|&at| allowed(at)), "{changed:?}");
        assert_eq!(beginning[446], 0x80, "the boot flag");
        assert_eq!(number(&beginning, 458, 4), size / 512 - 1);
        assert_eq!(copy.unwrap().0, size - 33 * 512);
        assert_eq!(signed(beginning.clone()), beginning, "its checksums");
    }
    // More than the entry can say.
    let beginning = onto(3 << 40, was, &[]).unwrap().beginning;
    assert_eq!(number(&beginning, 458, 4), u64::from(u32::MAX));
}

#[test]
fn where_the_first_gpt_is_damaged_the_copy_is_used() {
    let sound = onto(100 * MIB, gpt(), &[]).unwrap();
    let (_, end) = sound.copy.clone().unwrap();
    for damage in [512, 512 + 70, 1024 + 40, 512 + 84] {
        let mut damaged = gpt();
        damaged[damage] ^= 1;
        assert!(onto(200 * MIB, damaged.clone(), &[]).is_err(), "{damage}");
        assert_eq!(onto(200 * MIB, damaged.clone(), &end), onto(200 * MIB, gpt(), &[]), "{damage}");
        let mut both = end.clone();
        both[40] ^= 1;
        assert!(onto(200 * MIB, damaged, &both).is_err(), "{damage}");
    }
}

proptest! {
    #[test]
    fn no_table_s_bytes_break_it(
        noise in proptest::collection::vec(any::<u8>(), 0..3000), header in proptest::collection::vec(any::<u8>(), 84), kind in 0..2
    ) {
        let mut bytes = gpt();
        write(&mut bytes, 512 + 8, &header);
        let _damaged = shortened(TableKind::Gpt, bytes.clone());
        let _mended = onto(200 * MIB, noise.clone(), &bytes);
        let _with_more = moved(TableKind::Gpt, bytes);
        let _noise = shortened(if kind == 0 { TableKind::Gpt } else { TableKind::Dos }, noise);
    }
}
