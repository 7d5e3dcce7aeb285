//! Onto a disk on which the partitions do not fit, with one shrunk that has others behind it, which are moved.

use std::fs;
use std::path::{Path, PathBuf};

use ghost_contract::checksum::Sha256;

use crate::bench::{Bench, ntfs_file, table, used_ntfs};
use crate::disk::{
    self, Loop, MIB, blank, blank_and_file, fat_at, is_sound, noise, ntfs_at, partition, peek, poke, put, run,
};
use crate::imager::{description, done};

/// A place on a disk: first byte and length.
type Place = (u64, u64);

/// The disk of [`windows`]. C: does not end at a whole MiB, as Windows' does not.
const EFI: Place = (MIB, 40 * MIB);
const C: Place = (41 * MIB, 99 * MIB - GAP);
const GAP: u64 = 77 * 512;
const RECOVERY: Place = (140 * MIB, 24 * MIB);
const DATA: Place = (164 * MIB, 40 * MIB);
const HOME: Place = (204 * MIB, 24 * MIB);
const SWAP: Place = (228 * MIB, 10 * MIB);
/// Onto a disk of 200 MiB, with a GPT's copy behind the last partition: 38 MiB would not quite do.
const DISTANCE: u64 = 39 * MIB;

const fn nearer((start, length): Place) -> Place {
    (start - DISTANCE, length)
}

/// A UEFI machine's disk: C: and behind it Windows' recovery partition and more.
fn windows(folder: &Path) -> PathBuf {
    let disk = folder.join("windows.disk");
    blank(&disk, 239 * MIB);
    let script = format!(
        "label: gpt\nsize=40M, type=U, name=\"EFI system\"\n\
         start={}, size={}, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name=\"Basic data partition\"\n\
         start={}, size=24M, type=DE94BBA4-06D1-4D4D-A16A-BFD50179D6AC, name=Recovery, attrs=\"RequiredPartition GUID:63\"\n\
         size=40M, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\nsize=24M, type=L, name=home\nsize=10M, type=S\n",
        C.0 / 512,
        C.1 / 512,
        RECOVERY.0 / 512
    );
    partition(&disk, &script);
    poke(&disk, 0, &noise(1, 440));
    put(&disk, &disk::file_system(folder, "vfat", EFI.1), EFI.0);
    put(&disk, &used_ntfs(folder, C.1, C.0 / 512), C.0);
    poke(&disk, C.0 + C.1, &noise(4, GAP));
    put(&disk, &ntfs_at(folder, RECOVERY, 512), RECOVERY.0);
    put(&disk, &fat_at(folder, DATA, "32"), DATA.0);
    put(&disk, &disk::file_system(folder, "ext4", HOME.1), HOME.0);
    put(&disk, &disk::file_system(folder, "swap", SWAP.1), SWAP.0);
    disk
}

/// What [`table`] says, with these partitions at another place.
fn with_places(table: &str, places: &[(Place, Place)]) -> String {
    let said = |(start, length): Place| format!("start= {:>11}, size= {:>11},", start / 512, length / 512);
    places.iter().fold(table.to_owned(), |table, (was, is)| {
        assert!(table.contains(&said(*was)), "{was:?}: {table}");
        table.replace(&said(*was), &said(*is))
    })
}

fn number(disk: &Path, at: u64) -> u32 {
    u32::from_le_bytes(peek(disk, at, 4).try_into().unwrap())
}

/// Where the boot sectors of an NTFS or FAT at this place are that say where it begins.
fn boot_sectors(place: Place, kind: &str) -> Vec<u64> {
    match kind {
        "ntfs" => vec![place.0, place.0 + place.1 - 512],
        "fat32" => vec![place.0, place.0 + 6 * 512],
        "fat16" => vec![place.0],
        other => panic!("no {other} here"),
    }
}

/// Both boot sectors say where the partition is now, and nothing else in them is another.
fn boot_sectors_are_right(disks: (&Path, &Path), places: (Place, Place), kind: &str) {
    let (original, target) = disks;
    for (was, is) in boot_sectors(places.0, kind).into_iter().zip(boot_sectors(places.1, kind)) {
        assert_eq!(u64::from(number(original, was + 0x1C)), places.0.0 / 512, "{kind}");
        assert_eq!(u64::from(number(target, is + 0x1C)), places.1.0 / 512, "{kind}");
        let rest = |disk, at| [peek(disk, at, 0x1C), peek(disk, at + 0x20, 512 - 0x20)];
        assert!(rest(original, was) == rest(target, is), "{kind}");
    }
}

/// The checksums of what is saved of a partition.
fn sums(image: &Path, number: u32) -> Vec<Sha256> {
    let image = description(image);
    let own = image.regions.iter().filter(|region| region.partition == Some(number));
    own.filter_map(|region| region.stream())
        .flat_map(|stream| &stream.pieces)
        .map(|piece| piece.sha256)
        .collect()
}

#[test]
fn c_with_partitions_behind_it() {
    let bench = Bench::of(windows);
    let original = bench.path("windows.disk");
    let target = bench.target(200 * MIB);
    let notes = bench.done(&target);
    let shrunk = (C.0, C.1 - DISTANCE);
    let mut expected = vec![format!(
        "partition 2 was shrunk from {} to {} bytes, and its file system with it; Windows will check it when it starts",
        C.1, shrunk.1
    )];
    for (number, (start, _)) in [(3, RECOVERY), (4, DATA), (5, HOME), (6, SWAP)] {
        let to = start - DISTANCE;
        expected.push(format!("partition {number} was moved from byte {start} to byte {to}"));
    }
    assert_eq!(notes, expected);

    let moved = [(C, shrunk), (RECOVERY, nearer(RECOVERY)), (DATA, nearer(DATA)), (HOME, nearer(HOME))];
    let expected = with_places(&table(&original), &[&moved[..], &[(SWAP, nearer(SWAP))]].concat());
    let expected = expected.replace("last-lba: 489438", "last-lba: 409566");
    assert_eq!(table(&target), expected, "identifiers, types, names, attributes, order");
    let said = run("sgdisk", &["-v", target.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");

    let scratch = bench.folder.path();
    is_sound(&target, "vfat", EFI, scratch);
    for (file, size) in [("A.BIN", 10), ("B.BIN", 9)] {
        assert!(ntfs_file(&target, shrunk, scratch, file) == noise(size, size * MIB), "{file}");
    }
    let part = bench.path("c.part");
    run("ntfsresize", &["--info", "--force", "--no-progress-bar", part.to_str().unwrap()]);
    run("ntfsfix", &["-n", part.to_str().unwrap()]);
    assert!(peek(&target, shrunk.0 + shrunk.1, GAP) == noise(4, GAP), "what nobody has behind C:");
    is_sound(&target, "ntfs", nearer(RECOVERY), scratch);
    is_sound(&target, "vfat", nearer(DATA), scratch);
    is_sound(&target, "ext4", nearer(HOME), scratch);
    boot_sectors_are_right((&original, &target), (RECOVERY, nearer(RECOVERY)), "ntfs");
    boot_sectors_are_right((&original, &target), (DATA, nearer(DATA)), "fat32");
    assert!(peek(&target, SWAP.0 - DISTANCE, 65_536) == peek(&original, SWAP.0, 65_536), "the swap's header");

    // The disk is as good a source as the first one, and what has moved is byte for byte what it was.
    done("backup", &bench.path("again"), Some(&target), "{\"dirty_ntfs\": \"raw\"}");
    for number in [1, 5, 6] {
        let was = sums(&bench.path("image"), number);
        assert!(!was.is_empty());
        assert_eq!(sums(&bench.path("again"), number), was, "partition {number}");
    }
}

/// A BIOS machine's disk: the system's NTFS, C:, recovery, and a FAT whose boot sector says nothing of its place.
fn bios(folder: &Path) -> PathBuf {
    let disk = folder.join("bios.disk");
    blank(&disk, 166 * MIB);
    let script = "label: dos\nlabel-id: 0xCAFE0002\nsize=20M, type=7, bootable\nsize=99M, type=7\nsize=24M, type=27\n\
        size=20M, type=e\n";
    partition(&disk, script);
    poke(&disk, 0, &noise(3, 440));
    put(&disk, &disk::file_system(folder, "ntfs", 20 * MIB), MIB);
    put(&disk, &used_ntfs(folder, 99 * MIB, 21 * 2048), 21 * MIB);
    put(&disk, &ntfs_at(folder, (120 * MIB, 24 * MIB), 512), 120 * MIB);
    put(&disk, &fat_at(folder, (0, 20 * MIB), "16"), 144 * MIB);
    disk
}

#[test]
fn in_a_dos_table() {
    let bench = Bench::of(bios);
    let original = bench.path("bios.disk");
    let target = bench.target(130 * MIB - 512);
    let notes = bench.done(&target);
    assert_eq!(notes.len(), 3, "{notes:?}");
    let distance = 35 * MIB;
    let places = [(21, 99, 21, 64), (120, 24, 85, 24), (144, 20, 109, 20)]
        .map(|(start, length, to, is)| ((start * MIB, length * MIB), (to * MIB, is * MIB)));
    assert_eq!(table(&target), with_places(&table(&original), &places));
    let (was, is) = (peek(&original, 0, MIB), peek(&target, 0, MIB));
    let changed: Vec<usize> = (0..was.len()).filter(|&at| was[at] != is[at]).collect();
    // Of the second entry the length and the end, of the other two the beginning too.
    let allowed =
        |at: &usize| matches!(at, 467..=469 | 474..=477 | 479..=481 | 483..=493 | 495..=497 | 499..=509);
    assert!(changed.iter().all(allowed), "{changed:?}");

    let scratch = bench.folder.path();
    is_sound(&target, "ntfs", (MIB, 20 * MIB), scratch);
    assert!(ntfs_file(&target, places[0].1, scratch, "B.BIN") == noise(9, 9 * MIB));
    is_sound(&target, "ntfs", places[1].1, scratch);
    boot_sectors_are_right((&original, &target), places[1], "ntfs");
    is_sound(&target, "vfat", places[2].1, scratch);
    assert_eq!(number(&target, 144 * MIB - distance + 0x1C), 0, "what says nothing goes on to say nothing");
}

#[test]
fn sectors_of_4096_bytes() {
    let place = (41 * MIB, 20 * MIB);
    let mut source = None;
    let bench = Bench::of(|folder| {
        let file = folder.join("4k.disk");
        blank(&file, 64 * MIB);
        let device = Loop::of(&file, "4096");
        partition(&device.0, "label: gpt\nsize=40M, type=L\nsize=20M\n");
        put(&file, &disk::file_system(folder, "ext4", 40 * MIB), MIB);
        put(&file, &ntfs_at(folder, place, 4096), place.0);
        run("blockdev", &["--flushbufs", device.0.to_str().unwrap()]);
        source.insert(device).0.clone()
    });
    let file = bench.target(40 * MIB);
    let target = Loop::of(&file, "4096");
    let notes = bench.done(&target.0);
    assert!(notes.iter().any(|note| note.starts_with("partition 2 was moved from")), "{notes:?}");
    let said = run("sgdisk", &["-v", target.0.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
    is_sound(&file, "ext4", (MIB, 18 * MIB), bench.folder.path());
    is_sound(&file, "ntfs", (19 * MIB, 20 * MIB), bench.folder.path());
    for at in [19 * MIB, 39 * MIB - 4096] {
        assert_eq!(number(&file, at + 0x1C), 19 * 256);
    }
}

#[test]
fn what_is_too_full_to_be_shrunk_is_moved_instead() {
    let full = (41 * MIB, 30 * MIB);
    let bench = Bench::of(|folder| {
        let disk = folder.join("full.disk");
        blank(&disk, 72 * MIB);
        partition(&disk, "label: gpt\nsize=40M, type=L\nsize=30M, type=L\n");
        put(&disk, &disk::file_system(folder, "ext4", 40 * MIB), MIB);
        let (name, file) = blank_and_file(folder, full.1);
        let tree = folder.join("full");
        fs::create_dir(&tree).unwrap();
        fs::copy(file, tree.join("NOISE.BIN")).unwrap();
        fs::write(tree.join("FULL.BIN"), noise(5, 18 * MIB)).unwrap();
        run("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "4096", "-d", tree.to_str().unwrap(), &name]);
        put(&disk, Path::new(&name), full.0);
        disk
    });
    let target = bench.target(68 * MIB);
    let notes = bench.done(&target);
    // It would do if many of its used blocks were tables of inodes, which could go.
    assert!(notes[0].starts_with("partition 2 was not shrunk: its file system should have "), "{notes:?}");
    assert!(notes[0].ends_with(" and 27262976 would have been left for it"), "{notes:?}");
    assert_eq!(
        notes[1..],
        [
            "partition 1 was shrunk from 41943040 to 37748736 bytes, and its file system with it",
            "partition 2 was moved from byte 42991616 to byte 38797312"
        ]
    );
    is_sound(&target, "ext4", (MIB, 36 * MIB), bench.folder.path());
    is_sound(&target, "ext4", (37 * MIB, 30 * MIB), bench.folder.path());
}

#[test]
fn files_that_do_not_fit_are_refused_with_the_numbers() {
    let bench = Bench::of(windows);
    let said = bench.refused(&bench.target(160 * MIB), Some(&bench.path("scratch")));
    for part in [
        "partition 6 begins at byte 239075328",
        "partition 2 would have 20932096 bytes, and its file system uses ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn logical_partitions_behind_it_are_refused() {
    let bench = Bench::of(|folder| {
        let disk = folder.join("logical.disk");
        blank(&disk, 102 * MIB);
        partition(
            &disk,
            "label: dos\nsize=60M, type=83\nstart=124928, size=40M, type=f\nstart=126976, size=30M, type=7\n",
        );
        put(&disk, &disk::file_system(folder, "ext4", 60 * MIB), MIB);
        put(&disk, &disk::file_system(folder, "ntfs", 30 * MIB), 62 * MIB);
        disk
    });
    let said = bench.refused(&bench.target(90 * MIB), Some(&bench.path("scratch")));
    for part in [
        "has 94371840 bytes, and the image needs 105906176",
        "partition 1 has others behind it that would have to be moved, and partition 2 is within an extended one, or is one \
         itself",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_hybrid_master_boot_record_that_protects_what_moves_is_refused() {
    let hybrid = |entries: &str| {
        let entries = entries.to_owned();
        let bench = Bench::of(|folder| {
            let disk = folder.join("hybrid.disk");
            blank(&disk, 80 * MIB);
            partition(&disk, "label: gpt\nsize=20M, type=U\nsize=40M, type=L\nsize=10M, type=L\n");
            put(&disk, &disk::file_system(folder, "ext4", 40 * MIB), 21 * MIB);
            run("sgdisk", &["-h", &entries, disk.to_str().unwrap()]);
            disk
        });
        let target = bench.target(60 * MIB);
        (bench, target)
    };
    // The entry in front of the one that repeats the last partition ends where that begins.
    let (bench, target) = hybrid("3");
    let said = bench.refused(&target, Some(&bench.path("scratch")));
    assert!(
        said.contains("entry 1 of the master boot record reaches over partitions that would be moved"),
        "{said}"
    );
    let (bench, target) = hybrid("1:2:3");
    let notes = bench.done(&target);
    assert!(notes[1].starts_with("partition 3 was moved"), "{notes:?}");
    let said = run("sgdisk", &["-v", target.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
    let entry = |index: u64| {
        (number(&target, 446 + 16 * index + 8) / 2048, number(&target, 446 + 16 * index + 12) / 2048)
    };
    assert_eq!((entry(2), entry(3)), ((21, 28), (49, 10)));
}
