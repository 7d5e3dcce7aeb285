//! Which regions does a disk have, and how is each saved?

use ghost_contract::image::{Partition, Table, TableKind};
use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn disk(size: u64) -> DiskFacts {
    let path = "/dev/sda".to_owned();
    DiskFacts { path, model: None, serial: None, size, logical_sector: 512, physical_sector: 512 }
}

fn partition(number: u32, start: u64, length: u64, kind: &str) -> Partition {
    let kind = kind.to_owned();
    Partition { number, start, length, kind, name: None, uuid: None, file_system: None, label: None }
}

fn table(kind: TableKind, partitions: Vec<Partition>) -> Table {
    Table { kind, id: None, partitions }
}

fn cuts(disk: &DiskFacts, table: &Table) -> Vec<(u64, u64, Owner)> {
    stretches(disk, table).iter().map(|s| (s.start / MIB, s.length / MIB, s.owner)).collect()
}

fn head(total: u64) -> Head {
    Head {
        version: String::new(),
        file_system: String::new(),
        block: 512,
        total,
        used: 512,
        checksums: crate::tool::partclone::Checksums::None,
    }
}

fn planned_of(stretch: Stretch, holding: Option<&Holding>) -> Vec<(u64, u64, How)> {
    let regions = regions(&disk(GIB), stretch, holding, &LinuxSettings::default()).unwrap();
    regions.into_iter().map(|region| (region.start, region.length, region.how)).collect()
}

const PARTITION: Stretch = Stretch { start: MIB, length: 100 * MIB, owner: Owner::Partition(1) };

fn found(kind: &str, usage: &str) -> Holding {
    Holding::Other(Found { kind: Some(kind.to_owned()), usage: Some(usage.to_owned()), ..Found::default() })
}

#[test]
fn a_disk_is_cut_at_its_partitions() {
    let table =
        table(TableKind::Gpt, vec![partition(2, MIB, 9 * MIB, "U"), partition(1, 20 * MIB, 30 * MIB, "L")]);
    let expected = [
        (0, 1, Owner::Nobody),
        (1, 9, Owner::Partition(2)),
        (10, 10, Owner::Nobody),
        (20, 30, Owner::Partition(1)),
        (50, 14, Owner::Nobody),
    ];
    assert_eq!(cuts(&disk(64 * MIB), &table), expected);
}

#[test]
fn within_an_extended_partition_gaps_are_told_apart() {
    let partitions = vec![
        partition(1, MIB, 9 * MIB, "83"),
        partition(2, 20 * MIB, 40 * MIB, "f"),
        partition(5, 30 * MIB, 10 * MIB, "83"),
    ];
    let expected = [
        (0, 1, Owner::Nobody),
        (1, 9, Owner::Partition(1)),
        (10, 10, Owner::Nobody),
        (20, 10, Owner::Extended),
        (30, 10, Owner::Partition(5)),
        (40, 20, Owner::Extended),
        (60, 4, Owner::Nobody),
    ];
    assert_eq!(cuts(&disk(64 * MIB), &table(TableKind::Dos, partitions)), expected);
}

#[test]
fn a_table_that_contradicts_itself_is_not_believed() {
    let whole = [(0, 64, Owner::Disk)];
    let overlap = vec![partition(1, MIB, 9 * MIB, "83"), partition(2, 9 * MIB, 9 * MIB, "83")];
    assert_eq!(cuts(&disk(64 * MIB), &table(TableKind::Dos, overlap)), whole);
    let beyond = vec![partition(1, MIB, 64 * MIB, "83")];
    assert_eq!(cuts(&disk(64 * MIB), &table(TableKind::Dos, beyond)), whole);
    assert_eq!(cuts(&disk(64 * MIB), &table(TableKind::None, vec![])), whole);
}

#[test]
fn of_gaps_every_byte_is_saved_and_the_end_of_the_disk_by_itself() {
    let gap = |length| Stretch { start: 10 * MIB, length, owner: Owner::Nobody };
    let raw = || How::Raw(RawReason::BesidePartitions);
    for length in [2 * MIB, 500 * MIB] {
        assert_eq!(planned_of(gap(length), None), [(10 * MIB, length, raw())]);
        let extended = Stretch { owner: Owner::Extended, ..gap(length) };
        assert_eq!(planned_of(extended, None), [(10 * MIB, length, raw())]);
    }
    // A GPT's copy takes 33 sectors.
    let copy = 33 * 512;
    let last = [(10 * MIB, GIB - 10 * MIB - copy, raw()), (GIB - copy, copy, raw())];
    assert_eq!(planned_of(gap(GIB - 10 * MIB), None), last);
}

#[test]
fn of_large_gaps_that_are_left_out_as_ordered_both_ends_are_saved_and_the_rest_is_said() {
    let settings = LinuxSettings { gaps: Gaps::LeaveOut, ..LinuxSettings::default() };
    let gap = |length| {
        let stretch = Stretch { start: 10 * MIB, length, owner: Owner::Nobody };
        regions(&disk(GIB), stretch, None, &settings).unwrap()
    };
    let raw = || How::Raw(RawReason::BesidePartitions);
    let lengths = |regions: &[Planned]| {
        regions.iter().map(|region| (region.length / MIB, region.how.clone())).collect::<Vec<_>>()
    };
    assert_eq!(lengths(&gap(2 * MIB)), [(2, raw())]);
    let large = gap(5 * MIB);
    assert_eq!(lengths(&large), [(1, raw()), (3, How::Unused(UnusedReason::Unallocated)), (1, raw())]);
    let said = "3145728 bytes at byte 11534336 that no partition has are left out, as ordered";
    assert_eq!(large[1].note().as_deref(), Some(said));
}

#[test]
fn what_stands_behind_a_file_system_is_saved() {
    let ntfs = Holding::FileSystem(FileSystem::Ntfs, head(100 * MIB - 4096));
    let expected = [
        (MIB, 100 * MIB - 4096, How::Partclone(FileSystem::Ntfs, head(100 * MIB - 4096))),
        (101 * MIB - 4096, 4096, How::Raw(RawReason::BehindFileSystem)),
    ];
    assert_eq!(planned_of(PARTITION, Some(&ntfs)), expected);
    let full = Holding::FileSystem(FileSystem::Ext, head(100 * MIB));
    assert_eq!(planned_of(PARTITION, Some(&full)).len(), 1);
    let small = Holding::FileSystem(FileSystem::Ext, head(10 * MIB));
    let kinds: Vec<_> =
        planned_of(PARTITION, Some(&small)).into_iter().map(|(_, length, _)| length / MIB).collect();
    assert_eq!(kinds, [10, 90]);
}

#[test]
fn a_file_system_that_is_longer_than_its_place_is_saved_with_every_byte() {
    let long = Holding::FileSystem(FileSystem::Ext, head(100 * MIB + 512));
    let planned = planned_of(PARTITION, Some(&long));
    assert!(
        matches!(planned.as_slice(), [(_, length, How::Raw(RawReason::ToolRefused { .. }))] if *length == 100 * MIB)
    );
}

#[test]
fn of_swap_only_the_header_is_saved() {
    let expected = [
        (MIB, SWAP_HEADER, How::Raw(RawReason::SwapHeader)),
        (MIB + SWAP_HEADER, 100 * MIB - SWAP_HEADER, How::Unused(UnusedReason::Swap)),
    ];
    assert_eq!(planned_of(PARTITION, Some(&found("swap", "other"))), expected);
}

#[test]
fn what_is_not_understood_is_saved_with_every_byte() {
    let reason = |holding: &Holding| match planned_of(PARTITION, Some(holding)).as_slice() {
        [(_, length, How::Raw(reason))] if *length == 100 * MIB => reason.clone(),
        other => panic!("{other:?}"),
    };
    let encrypted = |found: &str| RawReason::Encrypted { found: found.to_owned() };
    assert_eq!(reason(&found("crypto_LUKS", "crypto")), encrypted("crypto_LUKS"));
    assert_eq!(reason(&found("BitLocker", "crypto")), encrypted("BitLocker"));
    let lvm = RawReason::NoTool { found: Some("LVM2_member".to_owned()) };
    assert_eq!(reason(&found("LVM2_member", "raid")), lvm);
    assert_eq!(reason(&Holding::Other(Found::default())), RawReason::NoTool { found: None });
    let said = "it is jfs, and Debian's partclone has no program for it".to_owned();
    assert_eq!(reason(&found("jfs", "filesystem")), RawReason::ToolRefused { said });
    let open = Holding::NotClean(FileSystem::Ext, "open".to_owned());
    assert_eq!(reason(&open), RawReason::NotClean { state: "open".to_owned() });
}

#[test]
fn a_dirty_ntfs_is_refused_or_saved_with_every_byte_as_ordered() {
    let dirty = Holding::NotClean(FileSystem::Ntfs, "hibernated".to_owned());
    let plan = |dirty_ntfs| {
        let settings = LinuxSettings { dirty_ntfs, ..LinuxSettings::default() };
        regions(&disk(GIB), PARTITION, Some(&dirty), &settings)
    };
    let refusal = plan(DirtyNtfs::Refuse).unwrap_err();
    assert_eq!(refusal, Refusal::DirtyNtfs { partition: Some(1), state: "hibernated".to_owned() });
    assert!(matches!(plan(DirtyNtfs::Raw).unwrap()[0].how, How::Raw(RawReason::NotClean { .. })));
}

#[test]
fn settings_out_of_range_are_refused() {
    let settings = LinuxSettings::default();
    assert_eq!(check_settings(&settings), Ok(()));
    let level = LinuxSettings { compression_level: 20, ..settings.clone() };
    assert_eq!(check_settings(&level), Err(Refusal::Level(20)));
    let pieces = LinuxSettings { piece_size: 1000, ..settings };
    assert_eq!(check_settings(&pieces), Err(Refusal::PieceSize(1000)));
}

#[test]
fn files_say_what_is_in_them() {
    let ntfs = Holding::FileSystem(FileSystem::Ntfs, head(99 * MIB));
    let regions = regions(&disk(GIB), PARTITION, Some(&ntfs), &LinuxSettings::default()).unwrap();
    let names: Vec<_> = (7..).zip(&regions).map(|(index, region)| region.file_name(index)).collect();
    assert_eq!(names, ["007-p1-ntfs.partclone.zst", "008-p1-behind.raw.zst"]);
}

/// Partitions anywhere, of any length, also impossible ones.
fn tables() -> impl Strategy<Value = Table> {
    let kinds = prop_oneof![Just("83"), Just("5"), Just("7")];
    let partitions = proptest::collection::vec((0_u64..2000, 0_u64..900, kinds), 0..6);
    partitions.prop_map(|places| {
        let numbered = (1..).zip(places);
        let mut partitions: Vec<_> = numbered
            .map(|(number, (at, long, kind))| partition(number, at * 65_536, long * 65_536, kind))
            .collect();
        partitions.retain(|partition| partition.length > 0);
        partitions.sort_by_key(|partition| partition.start);
        table(TableKind::Dos, partitions)
    })
}

proptest! {
    #[test]
    fn whatever_the_table_the_regions_are_the_disk(table in tables(), holding in 0..4) {
        let disk = disk(128 * MIB);
        let mut at = 0;
        for stretch in stretches(&disk, &table) {
            let holding = match (holding, stretch.owner) {
                (_, Owner::Nobody | Owner::Extended) => None,
                (0, _) => Some(Holding::FileSystem(FileSystem::Ext, head(stretch.length / 2 / 512 * 512 + 512))),
                (1, _) => Some(found("swap", "other")),
                (2, _) => Some(Holding::Refused(FileSystem::Xfs, "no".to_owned())),
                _ => Some(Holding::FileSystem(FileSystem::Ext, head(stretch.length * 2))),
            };
            for region in regions(&disk, stretch, holding.as_ref(), &LinuxSettings::default()).unwrap() {
                prop_assert_eq!(region.start, at);
                prop_assert!(region.length > 0);
                at += region.length;
            }
        }
        prop_assert_eq!(at, disk.size);
    }
}
