//! What is written to which disk, and to which nothing is?

use ghost_contract::UnixTime;
use ghost_contract::image::{
    Compression, Decrypted, LargerDisk, Partition, Range, Stream, Table, UnusedReason, VERSION, Volume,
};
use proptest::prelude::*;

use super::super::moves::Moves;
use super::*;

pub(in crate::plan) const MIB: u64 = 1 << 20;
pub(in crate::plan) const ALL: [FileSystem; 4] =
    [FileSystem::Ntfs, FileSystem::Ext, FileSystem::Btrfs, FileSystem::Xfs];

pub(in crate::plan) fn facts(size: u64, serial: Option<&str>) -> DiskFacts {
    let (path, serial) = ("/dev/sda".to_owned(), serial.map(str::to_owned));
    DiskFacts { path, model: None, serial, size, logical_sector: 512, physical_sector: 512 }
}

pub(in crate::plan) fn partition(number: u32, start: u64, length: u64, kind: &str) -> Partition {
    let (start, length, kind) = (start * MIB, length * MIB, kind.to_owned());
    Partition { number, start, length, kind, name: None, uuid: None, file_system: None, label: None }
}

pub(in crate::plan) fn raw(reason: RawReason, length: u64) -> Content {
    Content::Raw { reason, stream: Stream { length, pieces: vec![] } }
}

pub(in crate::plan) fn saved(file_system: FileSystem, total: u64) -> Content {
    let stream = Stream { length: MIB, pieces: vec![] };
    Content::Partclone { file_system, tool: String::new(), version: String::new(), used: MIB, total, stream }
}

/// 100 MiB: the table, a partition of 20 MiB, one of 60 with this in it, 19 MiB that nobody has.
pub(in crate::plan) fn image(kind: TableKind, last: FileSystem) -> DiskImage {
    let region = |start: u64, length: u64, partition, content| Region {
        start: start * MIB,
        length: length * MIB,
        partition,
        volume: None,
        content,
    };
    let beside = || raw(RawReason::BesidePartitions, MIB);
    DiskImage {
        version: VERSION,
        disk: facts(100 * MIB, Some("OLD")),
        table: Table {
            kind,
            id: None,
            partitions: vec![partition(1, 1, 20, "7"), partition(2, 21, 60, "83")],
        },
        regions: vec![
            region(0, 1, None, beside()),
            region(1, 20, Some(1), saved(FileSystem::Ntfs, 20 * MIB)),
            region(21, 60, Some(2), saved(last, 60 * MIB)),
            region(81, 1, None, beside()),
            region(82, 17, None, Content::Unused { reason: UnusedReason::Unallocated }),
            region(99, 1, None, beside()),
        ],
        decrypted: vec![],
        compression: Compression::Zstd { level: 3 },
        bad_ranges: vec![],
        hits: vec![],
        notes: vec![],
        tools: vec![],
        started: UnixTime::from_millis(0),
        ended: UnixTime::from_millis(0),
    }
}

fn planned(image: &DiskImage, target: &DiskFacts, larger_disk: LargerDisk) -> Result<Plan, Refusal> {
    let settings = LinuxSettings { larger_disk, ..LinuxSettings::default() };
    plan(image, target, &[], &ALL, &settings)
}

#[test]
fn to_a_disk_of_the_same_size_everything_is_written_and_the_table_last() {
    for kind in [TableKind::Gpt, TableKind::Dos] {
        let plan = planned(&image(kind, FileSystem::Ext), &facts(100 * MIB, None), LargerDisk::Grow).unwrap();
        assert_eq!(
            plan,
            Plan {
                regions: vec![1, 2, 5, 3, 0],
                end: 100 * MIB,
                table: TableStep::Keep,
                fit: Fit::Same,
                otherwise: None,
                notes: vec![]
            }
        );
    }
}

#[test]
fn to_a_larger_disk_a_gpt_s_copy_is_made_at_its_end() {
    let plan =
        planned(&image(TableKind::Gpt, FileSystem::Ext), &facts(200 * MIB, None), LargerDisk::Leave).unwrap();
    // What stands behind the last partition stays where it was, without the copy at the end of the old disk.
    assert_eq!((plan.regions, plan.table, plan.fit), (vec![1, 2, 3, 0], TableStep::Renew, Fit::Same));
    assert_eq!(plan.end, 200 * MIB - 33 * 512);
    assert!(plan.notes[0].contains("104857600 bytes more"), "{:?}", plan.notes);
    let plan =
        planned(&image(TableKind::Dos, FileSystem::Ext), &facts(200 * MIB, None), LargerDisk::Leave).unwrap();
    assert_eq!((plan.regions, plan.table), (vec![1, 2, 5, 3, 0], TableStep::Keep));
}

#[test]
fn the_last_partition_grows_if_the_order_says_so_and_its_file_system_can() {
    for file_system in ALL {
        let image = image(TableKind::Gpt, file_system);
        let plan = planned(&image, &facts(300 * MIB, None), LargerDisk::Grow).unwrap();
        assert_eq!(plan.fit, Fit::Grow(Grow { partition: 2, start: 21 * MIB, file_system }));
        assert_eq!(plan.regions, [1, 2, 0], "what the last partition grows over is not written");
        assert!(plan.notes.is_empty());
    }
    for file_system in [FileSystem::Fat, FileSystem::Exfat] {
        let image = image(TableKind::Gpt, file_system);
        let plan = planned(&image, &facts(200 * MIB, None), LargerDisk::Grow).unwrap();
        assert_eq!(plan.fit, Fit::Same);
        assert!(plan.notes[0].ends_with("FAT and exFAT cannot be grown"), "{:?}", plan.notes);
    }
}

#[test]
fn what_cannot_grow_is_left_and_said() {
    let left = |image: &DiskImage, size: u64, growable: &[FileSystem]| {
        let settings = LinuxSettings { larger_disk: LargerDisk::Grow, ..LinuxSettings::default() };
        let plan = plan(image, &facts(size, None), &[], growable, &settings).unwrap();
        assert_eq!(plan.fit, Fit::Same);
        plan.notes[0].rsplit(": ").next().unwrap().to_owned()
    };
    let mut logical = image(TableKind::Dos, FileSystem::Ext);
    logical.table.partitions =
        vec![partition(1, 1, 20, "7"), partition(2, 21, 79, "5"), partition(5, 22, 59, "83")];
    assert_eq!(left(&logical, 200 * MIB, &ALL), "the last partition is within an extended one");
    let dos = image(TableKind::Dos, FileSystem::Ext);
    assert_eq!(left(&dos, 3 << 40, &ALL), "a dos partition table does not reach the end of this disk");
    let no_tool = left(&dos, 200 * MIB, &[FileSystem::Ntfs]);
    assert_eq!(no_tool, "the tools that grow its file system are not installed");
    let btrfs = image(TableKind::Gpt, FileSystem::Btrfs);
    assert_eq!(left(&btrfs, 200 * MIB, &ALL), "a btrfs is not resized to less than 256 MiB");
    let mut unknown = dos;
    unknown.regions[2].content = raw(RawReason::NoTool { found: None }, 60 * MIB);
    assert_eq!(left(&unknown, 200 * MIB, &ALL), "the last partition holds no file system that can be grown");
}

#[test]
fn a_smaller_disk_is_taken_as_long_as_all_partitions_fit() {
    let gpt = image(TableKind::Gpt, FileSystem::Ext);
    let least = 81 * MIB + 33 * 512;
    let plan = planned(&gpt, &facts(least, None), LargerDisk::Leave).unwrap();
    assert_eq!((plan.regions, plan.table), (vec![1, 2, 0], TableStep::Renew));
    let refusal = planned(&gpt, &facts(least - 512, None), LargerDisk::Leave).unwrap_err();
    assert!(matches!(refusal, Refusal::TooSmall { needs, .. } if needs == least));

    let dos = image(TableKind::Dos, FileSystem::Ext);
    let plan = planned(&dos, &facts(81 * MIB, None), LargerDisk::Leave).unwrap();
    assert_eq!(plan.regions, [1, 2, 0]);
    assert!(plan.notes[0].contains("19922944 bytes smaller"), "{:?}", plan.notes);
    let refusal = planned(&dos, &facts(81 * MIB - 512, None), LargerDisk::Leave).unwrap_err();
    let said = refusal.to_string();
    for number in ["84934144", "84934656", "104857600", "partition 2 ends there"] {
        assert!(said.contains(number), "{said}");
    }
}

#[test]
fn a_disk_that_is_too_small_is_shrunk_for_if_the_order_says_so() {
    let onto = |image: &DiskImage, size: u64, smaller_disk| {
        let settings = LinuxSettings { smaller_disk, ..LinuxSettings::default() };
        plan(image, &facts(size, None), &[], &ALL, &settings)
    };
    let gpt = image(TableKind::Gpt, FileSystem::Ext);
    let plan = onto(&gpt, 60 * MIB, SmallerDisk::Shrink).unwrap();
    let shrink = Shrink {
        partition: 2,
        start: 21 * MIB,
        was: 60 * MIB,
        length: 38 * MIB,
        file_system: FileSystem::Ext,
        used: MIB,
        moves: Moves::default(),
    };
    // What is in the partition is not written as it is.
    let expected = Plan {
        regions: vec![1, 0],
        end: 60 * MIB - 33 * 512,
        table: TableStep::Renew,
        fit: Fit::Shrink(shrink),
        otherwise: None,
        notes: vec![],
    };
    assert_eq!(plan, expected);

    let said = onto(&gpt, 60 * MIB, SmallerDisk::Refuse).unwrap_err().to_string();
    for part in
        ["has 62914560 bytes", "needs 84951552", "--shrink", "partition 2 from 62914560 to 39845888 bytes"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said =
        onto(&image(TableKind::Gpt, FileSystem::Xfs), 60 * MIB, SmallerDisk::Shrink).unwrap_err().to_string();
    for part in [
        "has 62914560 bytes",
        "needs 84951552",
        "for it: partition 2 holds XFS",
        "; partition 1 has 20971520 bytes, and 23068672 are missing",
        "a larger disk",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What fits is never shrunk.
    let plan = onto(&gpt, 82 * MIB, SmallerDisk::Shrink).unwrap();
    assert_eq!((plan.fit, plan.regions), (Fit::Same, vec![1, 2, 3, 0]));
}

#[test]
fn a_disk_without_a_table_needs_what_it_holds() {
    let mut none = image(TableKind::None, FileSystem::Ext);
    none.table.partitions.clear();
    none.regions = vec![Region {
        start: 0,
        length: 100 * MIB,
        partition: None,
        volume: None,
        content: raw(RawReason::NoTable { found: None }, 100 * MIB),
    }];
    assert_eq!(planned(&none, &facts(100 * MIB, None), LargerDisk::Leave).unwrap().regions, [0]);
    assert!(planned(&none, &facts(100 * MIB - 512, None), LargerDisk::Leave).is_err());
}

#[test]
fn a_physical_volume_needs_all_of_its_disk_and_is_found_last() {
    let volume = || Some(Volume { name: "vg/swap".to_owned(), file_system: Some("swap".to_owned()) });
    let mut whole = image(TableKind::None, FileSystem::Ext);
    whole.table.partitions.clear();
    let region = |start: u64, length: u64, volume, content| Region {
        start: start * MIB,
        length: length * MIB,
        partition: None,
        volume,
        content,
    };
    whole.regions = vec![
        region(0, 1, None, raw(RawReason::VolumeGroup, MIB)),
        region(1, 1, volume(), raw(RawReason::SwapHeader, MIB)),
        region(2, 98, volume(), Content::Unused { reason: UnusedReason::Swap }),
    ];
    assert_eq!(planned(&whole, &facts(100 * MIB, None), LargerDisk::Leave).unwrap().regions, [1, 0]);
    assert!(planned(&whole, &facts(99 * MIB, None), LargerDisk::Leave).is_err());
}

#[test]
fn a_partition_does_not_grow_by_a_volume_in_it() {
    let mut image = image(TableKind::Gpt, FileSystem::Ext);
    image.regions[2].volume = Some(Volume { name: "vg/root".to_owned(), file_system: None });
    let plan = planned(&image, &facts(200 * MIB, None), LargerDisk::Grow).unwrap();
    assert_eq!(plan.fit, Fit::Same);
    assert!(
        plan.notes[0].ends_with("the last partition holds no file system that can be grown"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn sectors_of_another_size_are_refused() {
    let target = DiskFacts { logical_sector: 4096, ..facts(100 * MIB, None) };
    let refusal = planned(&image(TableKind::Gpt, FileSystem::Ext), &target, LargerDisk::Leave).unwrap_err();
    assert!(matches!(refusal, Refusal::Sector { has: 4096, wants: 512, .. }));
}

#[test]
fn it_is_the_disk_that_was_meant() {
    let image = image(TableKind::Gpt, FileSystem::Ext);
    let onto = |serial, others: &[(&str, &str)]| {
        let others: Vec<_> = others
            .iter()
            .map(|(path, serial)| OtherDisk { path: (*path).to_owned(), serial: (*serial).to_owned() })
            .collect();
        plan(&image, &facts(100 * MIB, serial), &others, &ALL, &LinuxSettings::default())
    };
    assert!(onto(Some("OLD"), &[("/dev/sdb", "X")]).is_ok());
    // A replacement, whatever else is there.
    assert!(onto(Some("NEW"), &[("/dev/sdb", "X")]).is_ok());
    assert!(onto(None, &[]).is_ok());
    // The original is there, and is not the one.
    let refusal = onto(Some("NEW"), &[("/dev/sdb", "OLD")]).unwrap_err();
    let said =
        "the image was made from the disk with serial number OLD, which is /dev/sdb here and not /dev/sda";
    assert_eq!(refusal.to_string(), said);
    assert!(onto(None, &[("/dev/sdb", "OLD")]).is_err());
}

proptest! {
    #[test]
    fn whatever_the_disk_nothing_is_written_beyond_it(sectors in 1_u64..500_000, kind in 0..2, resize in any::<bool>()) {
        let image = image(if kind == 0 { TableKind::Gpt } else { TableKind::Dos }, FileSystem::Ext);
        let (larger_disk, smaller_disk) =
            if resize { (LargerDisk::Grow, SmallerDisk::Shrink) } else { Default::default() };
        let settings = LinuxSettings { larger_disk, smaller_disk, ..LinuxSettings::default() };
        if let Ok(plan) = plan(&image, &facts(sectors * 512, None), &[], &ALL, &settings) {
            let regions: Vec<_> = plan.regions.iter().map(|&index| &image.regions[index]).collect();
            prop_assert!(plan.end <= sectors * 512 && regions.iter().all(|region| region.start < plan.end));
            // What is cut off at the end is nobody's.
            prop_assert!(regions.iter().all(|region| region.end() <= plan.end || region.partition.is_none()));
            if let Fit::Shrink(shrink) = &plan.fit {
                prop_assert!(shrink.start + shrink.length <= sectors * 512 && shrink.length < shrink.was);
                prop_assert!(regions.iter().all(|region| region.end() <= shrink.start));
                return Ok(());
            }
            // Every partition is written whole, and the master boot record last.
            for number in [1, 2] {
                prop_assert!(regions.iter().any(|region| region.partition == Some(number)));
            }
            prop_assert_eq!(regions.last().map(|region| region.start), Some(0));
        }
    }
}

#[test]
fn what_was_decrypted_is_neither_grown_nor_shrunk() {
    let mut image = image(TableKind::Gpt, FileSystem::Ext);
    let container = Range { start: 21 * MIB, length: 60 * MIB };
    image.decrypted = vec![Decrypted { container, inside: container }];
    let settings = LinuxSettings {
        larger_disk: LargerDisk::Grow,
        smaller_disk: SmallerDisk::Shrink,
        ..LinuxSettings::default()
    };
    let plan = |size| plan(&image, &facts(size, None), &[], &[FileSystem::Ext], &settings);
    let grown = plan(200 * MIB).unwrap();
    assert_eq!(grown.fit, Fit::Same);
    assert!(grown.notes[0].contains("holds no file system that can be grown"), "{:?}", grown.notes);
    let refused = plan(60 * MIB).unwrap_err().to_string();
    assert!(refused.contains("partition 2"), "{refused}");
}
