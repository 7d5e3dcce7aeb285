//! Chosen partitions of a disk: saved alone, and written back into the table that a disk has, with all else left alone.

use std::fs;
use std::path::{Path, PathBuf};

use ghost_contract::image::{Content, TargetDisk, UnusedReason};
use ghost_imaging::board::Board;
use ghost_imaging::restore;

use crate::disk::{self, EXT, FAT, GPT_SIZE, Loop, MIB, NTFS, SWAP, is_sound, noise, peek, poke, run};
use crate::imager::{description, done, failed};

const ON_NO_SSD: &str = "\"discard\": \"never\"";

/// A copy of a disk on which these places hold something else.
fn spoilt(disk: &Path, name: &str, places: &[(u64, u64)]) -> PathBuf {
    let target = disk.with_file_name(name);
    fs::copy(disk, &target).unwrap();
    places.iter().for_each(|&(at, length)| poke(&target, at, &noise(at + 99, length)));
    target
}

/// Outside of these places, which are in order, every byte is what it was.
fn differs_only(was: &[u8], target: &Path, places: &[(u64, u64)]) {
    let (is, mut from) = (fs::read(target).unwrap(), 0);
    assert_eq!(is.len(), was.len());
    let end = was.len() as u64;
    for &(at, length) in places.iter().chain([&(end, 0)]) {
        let index = |byte: u64| usize::try_from(byte).unwrap();
        assert!(is[index(from)..index(at)] == was[index(from)..index(at)], "between {from} and {at}");
        from = at + length;
    }
}

/// What was changed everywhere but in the table, among it what no restore of a whole disk would leave alone.
const ALL_BUT_THE_TABLE: [(u64, u64); 6] = [FAT, NTFS, SWAP, EXT, (60 * 512, 9_000), (170 * MIB, 20 * MIB)];

#[test]
fn the_image_of_a_part_holds_it_alone_and_goes_back_to_its_places() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::gpt(folder.path()), folder.path().join("image"));
    let notes = done("backup", &image, Some(&disk), "{\"partitions\": [2, 4]}");
    assert!(notes.contains(&"the image holds only partitions 2 and 4 of the disk".to_owned()), "{notes:?}");
    let described = description(&image);
    assert_eq!(described.chosen(), Some([2, 4].into()));
    for region in &described.regions {
        let left_out = region.content == Content::Unused { reason: UnusedReason::NotChosen };
        assert_eq!(left_out, !matches!(region.partition, Some(2 | 4)), "{region:?}");
    }
    assert_eq!(done("check", &image, None, "{}"), ["the image holds only partitions 2 and 4 of the disk"]);

    for discard in ["\"discard\": \"auto\"", ON_NO_SSD] {
        let target = spoilt(&disk, "target", &ALL_BUT_THE_TABLE);
        let was = fs::read(&target).unwrap();
        let notes = done("restore", &image, Some(&target), &format!("{{{discard}}}"));
        assert!(notes[0].starts_with("only partitions 2 and 4 were chosen: everything else"), "{notes:?}");
        differs_only(&was, &target, &[NTFS, EXT]);
        is_sound(&target, "ntfs", NTFS, folder.path());
        is_sound(&target, "ext4", EXT, folder.path());
    }
    let path = folder.path().join("exported");
    let file = &fs::File::create_new(&path).unwrap();
    let (image, target) = (image.join("disk0"), || restore::Target { file, path: &path });
    let refused = restore::export(&image, None, target(), &Board::default()).unwrap_err();
    assert!(refused.to_string().contains("holds only partitions 2 and 4"), "{refused}");
    let refused = restore::export_partition((&image, None), 1, target(), &Board::default()).unwrap_err();
    assert!(refused.to_string().ends_with("and not partition 1"), "{refused}");
    assert_eq!(file.metadata().unwrap().len(), 0);
}

#[test]
fn one_partition_of_a_whole_image_goes_back_onto_a_device_with_all_else_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (disk, number, kind, place) in [
        (disk::gpt(folder.path()), 2, "ntfs", NTFS),
        (disk::gpt(folder.path()), 1, "vfat", FAT),
        (disk::dos(folder.path()), 5, "ext4", (51 * MIB, 30 * MIB)),
    ] {
        let image = folder.path().join(format!("image-{number}"));
        done("backup", &image, Some(&disk), "{}");
        let target = spoilt(&disk, "target", &[place, (MIB - 9_000, 9_000)]);
        let was = fs::read(&target).unwrap();
        let device = Loop::of(&target, "512");
        done("restore", &image, Some(&device.0), &format!("{{\"partitions\": [{number}]}}"));
        drop(device);
        differs_only(&was, &target, &[place]);
        is_sound(&target, kind, place, folder.path());
    }
}

#[test]
fn a_table_with_other_places_is_refused_with_the_numbers_and_the_disk_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::gpt(folder.path()), folder.path().join("image"));
    done("backup", &image, Some(&disk), "{\"partitions\": [4]}");
    for (change, said) in [
        ("--delete 4", "has no partition 4: it has partitions 1, 2 and 3"),
        (
            "--part-type 4 E6D6D379-F507-44C2-A23C-238F2A3DF928",
            "41943040 bytes at byte 126877696, of type 0FC63DAF",
        ),
    ] {
        let target = spoilt(&disk, "target", &[]);
        let words: Vec<&str> = change.split(' ').collect();
        let arguments = [&["--no-reread", words[0]][..], &[target.to_str().unwrap()], &words[1..]].concat();
        run("sfdisk", &arguments);
        refused(&image, &target, "{}", said);
    }
    let blank = folder.path().join("blank");
    disk::blank(&blank, GPT_SIZE);
    refused(&image, &blank, "{}", "no partition table that counts");
    refused(
        &image,
        &disk,
        "{\"partitions\": [2]}",
        "holds only partition 4 of the disk, and not partition 2",
    );
}

fn refused(image: &Path, target: &Path, settings: &str, expected: &str) {
    let was = fs::read(target).unwrap();
    let (reason, state) = failed("restore", image, Some(target), settings);
    assert!(reason.contains(expected), "{reason}");
    assert_eq!(state, TargetDisk::Untouched);
    assert!(was == fs::read(target).unwrap());
}

#[test]
fn what_is_not_chosen_cannot_stand_in_the_way_of_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::gpt(folder.path()), folder.path().join("image"));
    let (reason, _) = failed("backup", &image, Some(&disk), "{\"partitions\": [7]}");
    assert!(reason.contains("has no partition 7: it has partitions 1, 2, 3 and 4"), "{reason}");
    // Marked dirty: a backup of the whole disk is refused.
    let ntfs = folder.path().join("dirty");
    fs::write(&ntfs, peek(&disk, NTFS.0, NTFS.1)).unwrap();
    run("ntfsfix", &[ntfs.to_str().unwrap()]);
    poke(&disk, NTFS.0, &fs::read(&ntfs).unwrap());
    failed("backup", &image, Some(&disk), "{}");
    done("backup", &image, Some(&disk), "{\"partitions\": [3]}");
    assert_eq!(description(&image).chosen(), Some([3].into()));
    let device = Loop::of(&disk, "512");
    let was = fs::read(&disk).unwrap();
    done("restore", &image, Some(&device.0), &format!("{{{ON_NO_SSD}}}"));
    drop(device);
    differs_only(&was, &disk, &[SWAP]);
    assert_eq!(peek(&disk, SWAP.0, 4096), was[101 << 20..(101 << 20) + 4096]);
}
