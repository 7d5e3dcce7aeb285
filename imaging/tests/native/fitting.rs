//! Onto a disk of another size, or one that was not meant.

use std::fs;
use std::path::Path;

use ghost_contract::image::TargetDisk;

use crate::disk::{self, EXT, GPT_SIZE, Loop, MIB, NTFS, noise, noise_in, run};
use crate::imager::{done, failed};

const GROW: &str = "{\"larger_disk\": \"grow\"}";

/// The last partition's place, as sfdisk says.
fn last(disk: &Path) -> (u64, u64) {
    let json: serde_json::Value =
        serde_json::from_str(&run("sfdisk", &["--json", disk.to_str().unwrap()])).unwrap();
    let partition = json["partitiontable"]["partitions"].as_array().unwrap().last().unwrap();
    (partition["start"].as_u64().unwrap() * 512, partition["size"].as_u64().unwrap() * 512)
}

fn is_sound(disk: &Path) {
    let said = run("sgdisk", &["-v", disk.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
}

#[test]
fn larger_and_smaller_disks_get_a_sound_table() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::gpt(folder.path()), folder.path().join("image"));
    done("backup", &image, Some(&disk), "{}");
    let target = folder.path().join("target");

    fs::write(&target, noise(8, GPT_SIZE + 100 * MIB)).unwrap();
    let notes = done("restore", &image, Some(&target), "{}");
    assert!(notes[0].contains("104857600 bytes more"), "{notes:?}");
    is_sound(&target);
    assert_eq!(last(&target), EXT);
    assert_eq!(noise_in(&target, "ntfs", NTFS.0, NTFS.1, folder.path()), noise(7, 2 * MIB));

    let notes = done("restore", &image, Some(&target), GROW);
    assert!(notes[0].contains("partition 4 has grown"), "{notes:?}");
    is_sound(&target);
    let (start, length) = last(&target);
    assert!(length > EXT.1 + 130 * MIB, "{length}");
    assert_eq!(noise_in(&target, "ext4", start, length, folder.path()), noise(7, 2 * MIB));
    let blocks = run("dumpe2fs", &["-h", folder.path().join("part").to_str().unwrap()]);
    let field = |name: &str| {
        let line = blocks.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let spans = field("Block count:") * field("Block size:");
    assert!(length - spans < 8192, "the file system spans {spans} of {length} bytes");

    // All partitions and the copy of the table just fit.
    fs::write(&target, noise(8, EXT.0 + EXT.1 + MIB)).unwrap();
    let notes = done("restore", &image, Some(&target), "{}");
    assert!(notes[0].contains("bytes smaller"), "{notes:?}");
    is_sound(&target);
    assert_eq!(noise_in(&target, "ext4", EXT.0, EXT.1, folder.path()), noise(7, 2 * MIB));
}

#[test]
fn a_disk_that_is_too_small_is_refused_with_the_numbers_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    done("backup", &image, Some(&disk), "{}");
    let (target, before) = (folder.path().join("target"), noise(8, 41 * MIB));
    fs::write(&target, &before).unwrap();
    let (reason, disk) = failed("restore", &image, Some(&target), GROW);
    assert_eq!(disk, TargetDisk::Untouched);
    for part in ["has 42991616 bytes", "needs 43008512", "from a disk of 67108864 bytes"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(fs::read(&target).unwrap() == before);
}

#[test]
fn an_ntfs_grows_on_a_disk_with_a_dos_table() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image, target) =
        (folder.path().join("disk"), folder.path().join("image"), folder.path().join("target"));
    disk::blank(&disk, 42 * MIB);
    disk::partition(&disk, "label: dos\nstart=2048, size=40M, type=7, bootable\n");
    disk::put(&disk, &disk::file_system(folder.path(), "ntfs", 40 * MIB), MIB);
    done("backup", &image, Some(&disk), "{}");
    disk::blank(&target, 100 * MIB);
    done("restore", &image, Some(&target), GROW);
    let (start, length) = last(&target);
    assert_eq!((start, length), (MIB, 99 * MIB));
    assert_eq!(noise_in(&target, "ntfs", start, length, folder.path()), noise(7, 2 * MIB));
    let said = run("ntfsresize", &["--info", "--force", folder.path().join("part").to_str().unwrap()]);
    let size = said.lines().find(|line| line.starts_with("Current volume size:")).unwrap();
    let bytes: u64 = size.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(99 * MIB - bytes <= 8192, "{size}");
}

#[test]
fn btrfs_and_xfs_grow_on_a_block_device() {
    for (kind, size) in [("btrfs", 200), ("xfs", 310)] {
        let folder = tempfile::tempdir().unwrap();
        let (disk, image, file) =
            (folder.path().join("disk"), folder.path().join("image"), folder.path().join("target"));
        disk::blank(&disk, (size + 2) * MIB);
        disk::partition(&disk, &format!("label: gpt\nsize={size}M\n"));
        disk::put(&disk, &disk::file_system(folder.path(), kind, size * MIB), MIB);
        done("backup", &image, Some(&disk), "{}");
        disk::blank(&file, (size + 100) * MIB);
        let target = Loop::of(&file, "512");
        let notes = done("restore", &image, Some(&target.0), GROW);
        assert!(notes.iter().any(|note| note.contains("has grown")), "{kind}: {notes:?}");
        is_sound(&file);
        assert!(last(&file).1 > (size + 90) * MIB);
    }
}

#[test]
fn a_disk_in_use_is_neither_saved_nor_written() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::file_system(folder.path(), "ext4", 40 * MIB), folder.path().join("image"));
    done("backup", &image, Some(&disk), "{}");
    let device = Loop::of(&disk, "512");
    let place = folder.path().join("mounted");
    fs::create_dir(&place).unwrap();
    run("mount", &[device.0.to_str().unwrap(), place.to_str().unwrap()]);
    let other = folder.path().join("other");
    let backup = std::panic::catch_unwind(|| failed("backup", &other, Some(&device.0), "{}"));
    let restore = std::panic::catch_unwind(|| failed("restore", &image, Some(&device.0), "{}"));
    run("umount", &[place.to_str().unwrap()]);
    for (reason, target) in [backup.unwrap(), restore.unwrap()] {
        assert!(reason.contains("is in use"), "{reason}");
        assert_eq!(target, TargetDisk::Untouched);
    }
}
