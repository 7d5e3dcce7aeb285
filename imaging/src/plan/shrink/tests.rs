//! When is a file system shrunk, how far, and what is said when it is not?

use ghost_contract::image::{Range, RawReason, Volume};

use super::super::restore::tests::{ALL, MIB, facts, image, partition, raw, saved};
use super::*;

fn onto(image: &DiskImage, size: u64) -> Result<Shrink, NoneShrinks> {
    shrink(image, &facts(size, None), &ALL).map(|(shrink, _)| shrink)
}

fn uses(image: &mut DiskImage, bytes: u64) {
    if let Content::Partclone { used, .. } = &mut image.regions[2].content {
        *used = bytes;
    }
}

/// What is in the way of the last partition.
fn why(image: &DiskImage, size: u64) -> String {
    onto(image, size).unwrap_err().0[0].to_string()
}

#[test]
fn the_last_partition_ends_at_a_whole_mebibyte_in_front_of_the_copy() {
    let gpt = image(TableKind::Gpt, FileSystem::Ntfs);
    let length = |image: &DiskImage, size| onto(image, size).unwrap().length;
    assert_eq!(length(&gpt, 60 * MIB), 38 * MIB);
    assert_eq!(length(&gpt, 60 * MIB + 33 * 512), 39 * MIB);
    assert_eq!(length(&gpt, 60 * MIB + 32 * 512), 38 * MIB);
    let dos = image(TableKind::Dos, FileSystem::Ntfs);
    assert_eq!(length(&dos, 60 * MIB), 39 * MIB);
    assert_eq!(length(&dos, 60 * MIB - 512), 38 * MIB);
    let mut large_sectors = gpt;
    large_sectors.disk.logical_sector = 4096;
    assert_eq!(length(&large_sectors, 60 * MIB + 5 * 4096), 39 * MIB);
}

#[test]
fn what_uses_too_much_is_refused_with_the_numbers() {
    let mut ntfs = image(TableKind::Dos, FileSystem::Ntfs);
    // 21 MiB and a twentieth more, which is the most that 22 MiB and a bit hold.
    uses(&mut ntfs, 20 * MIB);
    assert_eq!(onto(&ntfs, 42 * MIB).unwrap().length, 21 * MIB);
    uses(&mut ntfs, 20 * MIB + 20);
    let said = "partition 2 would have 22020096 bytes, and its file system uses 20971540 and needs at least 22020117";
    assert_eq!(why(&ntfs, 42 * MIB), said);
    // Of an ext some is tables of inodes, and nobody knows yet how much.
    let mut ext = image(TableKind::Dos, FileSystem::Ext);
    uses(&mut ext, 23 * MIB);
    assert!(onto(&ext, 42 * MIB).is_ok());
    uses(&mut ext, 24 * MIB);
    assert!(why(&ext, 42 * MIB).contains("uses 25165824 and needs at least "));
}

#[test]
fn what_cannot_be_shrunk_is_said() {
    let dos = || image(TableKind::Dos, FileSystem::Ntfs);
    assert_eq!(why(&dos(), 21 * MIB), "partition 2 begins at byte 22020096, and only 22020096 can be used");

    let mut none = dos();
    none.table.partitions.clear();
    assert_eq!(why(&none, 60 * MIB), "there is no partition");

    let mut logical = dos();
    logical.table.partitions =
        vec![partition(1, 1, 20, "7"), partition(3, 21, 61, "f"), partition(5, 22, 60, "83")];
    assert_eq!(why(&logical, 60 * MIB), "partition 5 is within an extended one, or is one itself");
    logical.table.partitions.pop();
    assert_eq!(why(&logical, 60 * MIB), "partition 3 is within an extended one, or is one itself");
    // One in the middle is in nobody's way.
    let mut middle = dos();
    middle.table.partitions =
        vec![partition(1, 1, 20, "5"), partition(5, 2, 10, "7"), partition(2, 21, 60, "83")];
    assert_eq!(onto(&middle, 60 * MIB).unwrap().partition, 2);

    for (file_system, name) in [
        (FileSystem::Fat, "FAT"),
        (FileSystem::Exfat, "exFAT"),
        (FileSystem::Btrfs, "Btrfs"),
        (FileSystem::Xfs, "XFS"),
    ] {
        let said = format!("partition 2 holds {name}, and only NTFS and ext2/3/4 are shrunk");
        assert_eq!(why(&image(TableKind::Gpt, file_system), 60 * MIB), said);
    }
    let tools = shrink(&dos(), &facts(60 * MIB, None), &[FileSystem::Ext]).unwrap_err();
    assert_eq!(tools.0[0].to_string(), "the tools that shrink its file system are not installed");

    let mut every_byte = dos();
    every_byte.regions[2].content = raw(RawReason::NotClean { state: String::new() }, 60 * MIB);
    let said = "partition 2 holds no file system of which only the used blocks were saved";
    assert_eq!(why(&every_byte, 60 * MIB), said);

    // What is shrunk is the partition, and not a logical volume in it.
    let mut volume = dos();
    volume.regions[2].volume = Some(Volume { name: "vg/root".to_owned(), file_system: None });
    assert_eq!(why(&volume, 60 * MIB), said);

    let mut bad = dos();
    bad.bad_ranges = vec![Range { start: 20 * MIB, length: MIB }];
    assert!(onto(&bad, 60 * MIB).is_ok(), "that is in front of it");
    bad.bad_ranges.push(Range { start: 81 * MIB - 512, length: 512 });
    assert_eq!(why(&bad, 60 * MIB), "partition 2 could not be read everywhere when it was backed up");

    let mut behind = dos();
    behind.regions[2].content = saved(FileSystem::Ntfs, 58 * MIB);
    assert!(onto(&behind, 60 * MIB).is_ok());
    behind.regions[2].content = saved(FileSystem::Ntfs, 58 * MIB - 512);
    assert_eq!(
        why(&behind, 60 * MIB),
        "partition 2 has 2097664 bytes behind its file system, which may be anything"
    );
}

#[test]
fn a_scratch_file_needs_what_is_used_and_what_is_moved() {
    let shrink = |used, was, length| {
        let (partition, start, file_system) = (1, 0, FileSystem::Ntfs);
        Shrink { partition, start, was, length, file_system, used, moves: Moves::default() }
    };
    // All that is used may lie in what is cut off, or all that is cut off may be used.
    assert_eq!(shrink(10 * MIB, 100 * MIB, 50 * MIB).scratch(), 24 * MIB);
    assert_eq!(shrink(40 * MIB, 100 * MIB, 95 * MIB).scratch(), 49 * MIB);
    assert_eq!(shrink(10 * MIB, 100 * MIB, 50 * MIB).check_room(24 * MIB), Ok(()));
    let said = shrink(10 * MIB, 100 * MIB, 50 * MIB).check_room(24 * MIB - 1).unwrap_err().to_string();
    assert_eq!(
        said,
        "the image store has 25165823 bytes free, and 25165824 are needed to shrink a file system that uses 10485760"
    );
}

#[test]
fn a_twentieth_of_a_shrunk_file_system_stays_free() {
    let shrink = onto(&image(TableKind::Dos, FileSystem::Ntfs), 42 * MIB).unwrap();
    assert_eq!(shrink.check_minimum(20 * MIB), Ok(()));
    let said = shrink.check_minimum(20 * MIB + 1).unwrap_err();
    assert_eq!(said, TooFull { partition: 2, minimum: 20 * MIB + 1, needs: 21 * MIB + 1, length: 21 * MIB });
    for number in ["20971521", "22020097", "22020096"] {
        assert!(said.to_string().contains(number), "{said}");
    }
}

#[test]
fn the_table_is_the_image_s_but_for_the_length() {
    let image = image(TableKind::Gpt, FileSystem::Ext);
    let shrink = onto(&image, 60 * MIB).unwrap();
    let mut expected = image.table.clone();
    expected.partitions[1].length = 38 * MIB;
    assert_eq!(shrink.table(&image.table), expected);
    let replaced: Vec<bool> = image.regions.iter().map(|region| shrink.replaces(region)).collect();
    assert_eq!(replaced, [false, false, true, false, false, false]);
}
