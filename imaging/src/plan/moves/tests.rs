//! What is moved when a partition is shrunk that has others behind it, where to, and what cannot be?

use ghost_contract::image::{LinuxSettings, Range, RawReason, Region, SmallerDisk, TableKind, UnusedReason};
use proptest::prelude::*;

use super::super::restore::tests::{ALL, MIB, facts, image, partition, raw, saved};
use super::super::restore::{Fit, Plan, Refusal, plan};
use super::super::shrink::{Change, Shrink, shrink};
use super::*;

/// What stands on a disk, from its first MiB on.
#[derive(Debug, Clone)]
enum Piece {
    Gap(u64),
    FileSystem(FileSystem, u64),
    Swap(u64),
}
use Piece::{FileSystem as Fs, Gap, Swap};

/// A disk with these, in sectors of 512 bytes, and so much behind them.
fn disk(kind: TableKind, pieces: &[Piece], rest: u64) -> DiskImage {
    let mut image = image(kind, FileSystem::Ntfs);
    let mut at = MIB;
    image.table.partitions.clear();
    image.regions.truncate(1);
    let mut number = 0;
    let mut add = |at: &mut u64, length: u64, partition, content: Content| {
        image.regions.push(Region { start: *at, length, partition, volume: None, content });
        *at += length;
    };
    let mut partitions = Vec::new();
    for piece in pieces {
        let (Gap(sectors) | Fs(_, sectors) | Swap(sectors)) = *piece;
        let length = sectors * 512;
        if let Gap(_) = piece {
            add(&mut at, length, None, raw(RawReason::BesidePartitions, length));
            continue;
        }
        number += 1;
        partitions.push(Partition { start: at, length, ..partition(number, 0, 0, "7") });
        match piece {
            Fs(file_system, _) => {
                // As NTFS does, with its second boot sector behind it.
                add(&mut at, length - 512, Some(number), saved(*file_system, length - 512));
                add(&mut at, 512, Some(number), raw(RawReason::BehindFileSystem, 512));
            }
            _ => {
                add(&mut at, 65_536, Some(number), raw(RawReason::SwapHeader, 65_536));
                let unused = Content::Unused { reason: UnusedReason::Swap };
                add(&mut at, length - 65_536, Some(number), unused);
            }
        }
    }
    add(&mut at, rest, None, raw(RawReason::BesidePartitions, rest));
    image.table.partitions = partitions;
    image.disk.size = at;
    image.check().unwrap();
    image
}

const fn mib(count: u64) -> u64 {
    count * MIB / 512
}

/// EFI, C: with a bit behind it that nobody has, recovery, swap: 200 MiB.
fn windows(kind: TableKind) -> DiskImage {
    let pieces = [
        Fs(FileSystem::Fat, mib(20)),
        Fs(FileSystem::Ntfs, mib(100) - 100),
        Gap(100),
        Fs(FileSystem::Ntfs, mib(20)),
        Swap(mib(10)),
    ];
    let mut image = disk(kind, &pieces, 49 * MIB);
    // What stands behind C: has less to give.
    for region in &mut image.regions {
        if let Content::Partclone { used, total, .. } = &mut region.content {
            *used = if *total > 50 * MIB { 30 * MIB } else { 15 * MIB };
        }
    }
    image
}

fn shrinking(image: &DiskImage, size: u64) -> Result<Plan, Refusal> {
    let settings = LinuxSettings { smaller_disk: SmallerDisk::Shrink, ..LinuxSettings::default() };
    plan(image, &facts(size, None), &[], &ALL, &settings)
}

fn onto(image: &DiskImage, size: u64) -> Plan {
    shrinking(image, size).unwrap()
}

fn shrunk(plan: &Plan) -> &Shrink {
    match &plan.fit {
        Fit::Shrink(shrink) => shrink,
        other => panic!("{other:?}"),
    }
}

fn why(image: &DiskImage, size: u64) -> String {
    shrink(image, &facts(size, None), &ALL).unwrap_err().to_string()
}

#[test]
fn what_stands_behind_is_moved_by_whole_mebibytes_and_stays_as_it_is() {
    let image = windows(TableKind::Gpt);
    // Its partitions end at 151 MiB, and 33 sectors are needed behind them.
    let plan = onto(&image, 110 * MIB);
    let shrink = shrunk(&plan);
    assert_eq!((shrink.partition, shrink.was - shrink.length), (2, 42 * MIB));
    let moved = |partition, from: u64, length: u64, boot| Move {
        partition,
        from: from * MIB,
        to: (from - 42) * MIB,
        length: length * MIB,
        boot,
    };
    let partitions = vec![moved(3, 121, 20, Some(FileSystem::Ntfs)), moved(4, 141, 10, None)];
    assert_eq!(shrink.moves, Moves { distance: 42 * MIB, partitions });
    assert_eq!(
        shrink.moves.notes(),
        [
            "partition 3 was moved from byte 126877696 to byte 82837504",
            "partition 4 was moved from byte 147849216 to byte 103809024"
        ]
    );
    // In this order: FAT and what is behind it, recovery, the swap's header, the gap, what is beside the table. C: is not
    // written as it is, the rest of swap and what is behind it not at all.
    assert_eq!(plan.regions, [1, 2, 6, 7, 8, 5, 0]);
    for (index, nearer) in [(1, 0), (2, 0), (5, 42 * MIB), (6, 42 * MIB), (8, 42 * MIB)] {
        assert_eq!(plan.nearer(&image.regions[index]), nearer, "{index}");
    }
    // One sector more is a whole MiB less that is moved.
    let distance = |kind, size| shrunk(&onto(&windows(kind), size)).moves.distance;
    assert_eq!(distance(TableKind::Gpt, 110 * MIB + 33 * 512), 41 * MIB);
    assert_eq!(distance(TableKind::Gpt, 110 * MIB + 32 * 512), 42 * MIB);
    assert_eq!(distance(TableKind::Dos, 110 * MIB), 41 * MIB);
    assert_eq!(distance(TableKind::Dos, 110 * MIB - 512), 42 * MIB);
}

#[test]
fn the_last_one_is_shrunk_alone_if_it_has_enough() {
    let mut image = disk(
        TableKind::Dos,
        &[Fs(FileSystem::Ntfs, mib(100)), Fs(FileSystem::Ext, mib(30)), Fs(FileSystem::Ext, mib(40))],
        MIB,
    );
    let of = |image: &DiskImage, size| {
        let plan = onto(image, size * MIB);
        (shrunk(&plan).partition, shrunk(&plan).moves.distance / MIB, plan.regions)
    };
    assert_eq!(of(&image, 135), (3, 0, vec![1, 2, 3, 4, 0]));
    // If it needs more than what is used, another is.
    let otherwise = *onto(&image, 135 * MIB).otherwise.unwrap();
    assert_eq!((shrunk(&otherwise).partition, otherwise.regions), (1, vec![3, 4, 5, 6, 0]));
    assert_eq!(otherwise.otherwise, None);
    assert_eq!(of(&image, 131), (1, 40, vec![3, 4, 5, 6, 0]));
    assert_eq!(onto(&image, 131 * MIB).otherwise, None);
    // Then the one with the most to give, whatever its size.
    if let Content::Partclone { used, .. } = &mut image.regions[1].content {
        *used = 80 * MIB;
    }
    image.bad_ranges.push(Range { start: 140 * MIB, length: 512 });
    assert_eq!(of(&image, 160), (2, 11, vec![1, 2, 5, 6, 0]));
}

#[test]
fn without_the_order_it_is_said_what_would_be_moved() {
    let settings = LinuxSettings::default();
    let image = windows(TableKind::Gpt);
    let said = plan(&image, &facts(110 * MIB, None), &[], &ALL, &settings).unwrap_err().to_string();
    let way = "shrink partition 2 from 104806400 to 60766208 bytes, of which 31457280 are used, and move the 2 behind it \
               44040192 bytes nearer to the beginning; else";
    assert!(said.contains(way), "{said}");
}

#[test]
fn what_does_not_fit_or_cannot_be_moved_is_said() {
    let image = windows(TableKind::Dos);
    let said = "partition 4 begins at byte 147849216, and only 85983232 can be used; partition 2 would have 32454656 \
                bytes, and its file system uses 31457280 and needs at least 33030144";
    assert_eq!(why(&image, 82 * MIB), said);

    // Of an ext nobody knows how little it needs, but not that it needs nothing.
    let ext = disk(TableKind::Dos, &[Fs(FileSystem::Ext, mib(16)), Swap(mib(10))], MIB);
    assert!(why(&ext, 11 * MIB).ends_with("partition 1 has 16777216 bytes, and 16777216 are missing"));
    assert_eq!(shrunk(&onto(&ext, 12 * MIB)).length, MIB);

    let behind = |kind: &str| {
        let mut image = image.clone();
        image.table.partitions[3].kind = kind.to_owned();
        why(&image, 110 * MIB)
    };
    let others = "partition 2 has others behind it that would have to be moved, and partition 4";
    assert!(behind("f").ends_with(&format!("; {others} is within an extended one, or is one itself")));
    let loader = behind(&BIOS_BOOT.to_lowercase());
    assert!(loader.ends_with(&format!(
        "; {others} holds a boot loader that the first sector of the disk finds by its place"
    )));
    assert!(shrink(&image, &facts(110 * MIB, None), &ALL).is_ok());

    let mut logical = image.clone();
    logical.table.partitions[3].number = 5;
    let container = Partition { start: 121 * MIB, length: 30 * MIB, ..partition(4, 0, 0, "5") };
    logical.table.partitions.insert(2, container);
    assert!(why(&logical, 110 * MIB).ends_with("partition 4 is within an extended one, or is one itself"));

    let mut twice = image.clone();
    twice.table.partitions[0].length += 512;
    assert!(why(&twice, 110 * MIB).ends_with("and partition 1 overlaps it"));
    let mut twice = image.clone();
    twice.table.partitions[2].start -= 200 * 512;
    assert!(why(&twice, 110 * MIB).ends_with("and partition 3 overlaps it"));
    let mut twice = image;
    twice.table.partitions[3].start -= 512;
    assert!(why(&twice, 110 * MIB).ends_with("and partition 4 overlaps it"));
}

#[test]
fn whose_boot_sector_says_where_it_is_is_known_however_it_was_saved() {
    let boot = |content: Content, found: Option<&str>| {
        let mut image = windows(TableKind::Gpt);
        let length = image.regions[6].length;
        image.regions[6].content = match content {
            Content::Partclone { file_system, .. } => saved(file_system, length),
            _ => raw(RawReason::NotClean { state: String::new() }, length),
        };
        image.table.partitions[2].file_system = found.map(str::to_owned);
        boot(&image, &image.table.partitions[2])
    };
    let every_byte = || raw(RawReason::NotClean { state: String::new() }, 0);
    assert_eq!(boot(saved(FileSystem::Ntfs, 0), None), Some(FileSystem::Ntfs));
    assert_eq!(boot(saved(FileSystem::Fat, 0), None), Some(FileSystem::Fat));
    assert_eq!(boot(saved(FileSystem::Ext, 0), Some("ext4")), None);
    assert_eq!(boot(every_byte(), Some("ntfs")), Some(FileSystem::Ntfs));
    assert_eq!(boot(every_byte(), Some("vfat")), Some(FileSystem::Fat));
    for other in [Some("BitLocker"), Some("exfat"), None] {
        assert_eq!(boot(every_byte(), other), None, "{other:?}");
    }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let sectors = || 4096_u64..200_000;
    let piece = prop_oneof![
        (1_u64..6000).prop_map(Gap),
        sectors().prop_map(Swap),
        (0..4_usize, sectors()).prop_map(|(kind, sectors)| {
            let kinds = [FileSystem::Ntfs, FileSystem::Ext, FileSystem::Fat, FileSystem::Xfs];
            Fs(kinds[kind], sectors)
        }),
    ];
    proptest::collection::vec(piece, 1..9)
}

proptest! {
    #[test]
    fn nothing_overlaps_and_what_is_moved_stays_as_long_and_in_its_order(
        pieces in pieces(), rest in 40_u64..5000, less in 1_u64..300_000, is_gpt in any::<bool>()
    ) {
        let kind = if is_gpt { TableKind::Gpt } else { TableKind::Dos };
        let image = disk(kind, &pieces, rest * 512);
        let target = facts(image.disk.size.saturating_sub(less * 512), None);
        let Ok(plan) = shrinking(&image, target.size) else { return Ok(()) };
        for plan in std::iter::once(&plan).chain(plan.otherwise.as_deref()) {
            let Fit::Shrink(shrink) = &plan.fit else { return Ok(()) };
            let usable = target.size - if is_gpt { 33 * 512 } else { 0 };
            let table = shrink.table(&image.table);
            prop_assert_eq!(table.partitions.len(), image.table.partitions.len());
            let mut at = MIB;
            for (is, was) in table.partitions.iter().zip(&image.table.partitions) {
                prop_assert!(is.start >= at, "{:?}", table);
                at = is.end();
                let length = if is.number == shrink.partition { shrink.length } else { was.length };
                let start = was.start - if was.start > shrink.start { shrink.moves.distance } else { 0 };
                prop_assert_eq!(is, &Partition { start, length, ..was.clone() });
            }
            prop_assert!(at <= usable, "{} {}", at, usable);
            prop_assert_eq!(shrink.moves.distance % MIB, 0);
            prop_assert!(0 < shrink.length && shrink.length < shrink.was);
            // No more than is needed: what is behind could not stand a MiB further on.
            prop_assert!(at + MIB > usable);
            let changes: Vec<u32> = shrink.changes().iter().map(|change: &Change| change.partition).collect();
            let behind = image.table.partitions.iter().filter(|partition| partition.start >= shrink.start);
            prop_assert_eq!(changes, behind.map(|partition| partition.number).collect::<Vec<_>>());

            // Every region of a moved partition is written within it, and everything in front is where it was.
            for region in plan.regions.iter().map(|&index| &image.regions[index]) {
                let (start, end) = (region.start - plan.nearer(region), region.end() - plan.nearer(region));
                prop_assert!(start < usable && plan.end == usable);
                // What is cut off at the end is nobody's.
                prop_assert!(end <= usable || region.partition.is_none());
                prop_assert!(end <= shrink.start || start >= shrink.start + shrink.length);
                if let Some(number) = region.partition {
                    let own = table.partitions.iter().find(|partition| partition.number == number).unwrap();
                    prop_assert!(own.start <= start && end <= own.end());
                }
            }
            let whole = |number: u32| {
                let streams = |region: &&Region| region.partition == Some(number) && region.stream().is_some();
                let written = plan.regions.iter().map(|&index| &image.regions[index]);
                written.filter(streams).count() == image.regions.iter().filter(streams).count()
            };
            for partition in table.partitions.iter().filter(|partition| partition.number != shrink.partition) {
                prop_assert!(whole(partition.number));
            }
        }
    }
}
