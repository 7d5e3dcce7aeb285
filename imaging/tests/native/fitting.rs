//! Onto a disk of another size, or one that was not meant.

use std::fs;
use std::path::Path;

use ghost_contract::image::TargetDisk;
use ghost_contract::sample::effects::unmount;

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
    unmount(&place);
    for (reason, target) in [backup.unwrap(), restore.unwrap()] {
        assert!(reason.contains("is in use"), "{reason}");
        assert_eq!(target, TargetDisk::Untouched);
    }
}

/// A copy of an image's disk that is restored onto a disk of this size, where its ext4 must be sound.
fn restored(folder: &Path, image: &Path, size: u64) -> std::path::PathBuf {
    let target = folder.join("target");
    fs::write(&target, noise(8, size)).unwrap();
    done("restore", image, Some(&target), "{\"discard\": \"never\"}");
    assert!(noise_in(&target, "ext4", MIB, 40 * MIB, folder) == noise(7, 2 * MIB));
    target
}

/// Larger than the 64 MiB of the small disk, and smaller.
const SIZES: [u64; 2] = [90 * MIB, 42 * MIB];

#[test]
fn the_boot_flag_of_what_protects_a_gpt_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    disk::poke(&disk, 446, &[0x80]);
    done("backup", &image, Some(&disk), "{}");
    for size in SIZES {
        let target = restored(folder.path(), &image, size);
        assert_eq!(disk::peek(&target, 446, 1), [0x80], "{size}");
        is_sound(&target);
    }
}

#[test]
fn a_hybrid_master_boot_record_fits_a_disk_of_another_size() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    run("sgdisk", &["--hybrid", "1", disk.to_str().unwrap()]);
    done("backup", &image, Some(&disk), "{}");
    let repeated =
        |disk: &Path| disk::peek(disk, 446, 64).chunks(16).find(|e| e[4] == 0x83).unwrap().to_vec();
    for size in SIZES {
        let target = restored(folder.path(), &image, size);
        assert_eq!(repeated(&target), repeated(&disk), "{size}");
        let said = run("sgdisk", &["--print", target.to_str().unwrap()]);
        assert!(said.contains("root") || said.contains("8300"), "{said}");
    }
}

#[test]
fn where_the_first_gpt_is_damaged_the_one_at_the_end_is_used() {
    for damage in [512, 512 + 60, 1024 + 33] {
        let folder = tempfile::tempdir().unwrap();
        let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
        let byte = disk::peek(&disk, damage, 1)[0];
        disk::poke(&disk, damage, &[byte ^ 0x55]);
        done("backup", &image, Some(&disk), "{}");
        for size in SIZES {
            is_sound(&restored(folder.path(), &image, size));
        }
    }
}

#[test]
fn a_table_with_more_entries_than_fit_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    run("sgdisk", &["--resize-table=240", disk.to_str().unwrap()]);
    done("backup", &image, Some(&disk), "{}");
    // 128 entries and the header would take 33 sectors, these take 61.
    let target = folder.path().join("target");
    fs::write(&target, noise(8, 41 * MIB + 60 * 512)).unwrap();
    let before = fs::read(&target).unwrap();
    let (said, became) = failed("restore", &image, Some(&target), "{}");
    assert_eq!(became, TargetDisk::Untouched, "{said}");
    assert!(fs::read(&target).unwrap() == before, "the disk was written");
    for words in ["takes 31232 bytes", "behind partition 1 there are 30720"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    is_sound(&restored(folder.path(), &image, 41 * MIB + 61 * 512));
}

#[test]
fn what_stands_behind_the_last_partition_is_written_as_far_as_the_disk_reaches() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    disk::poke(&disk, 41 * MIB + 4096, &noise(3, 512 << 10));
    done("backup", &image, Some(&disk), "{}");
    let target = restored(folder.path(), &image, 90 * MIB);
    assert!(disk::peek(&target, 41 * MIB, MIB) == disk::peek(&disk, 41 * MIB, MIB));
    let target = restored(folder.path(), &image, 41 * MIB + (256 << 10));
    let kept = (256 << 10) - 33 * 512;
    assert!(disk::peek(&target, 41 * MIB, kept) == disk::peek(&disk, 41 * MIB, kept));
    is_sound(&target);
}

#[test]
fn a_file_that_ends_within_a_sector_is_no_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (folder.path().join("disk"), folder.path().join("image"));
    fs::write(&disk, noise(1, MIB + 100)).unwrap();
    let (said, _) = failed("backup", &image, Some(&disk), "{}");
    assert!(said.contains("has 1048676 bytes, which are no whole sectors of 512"), "{said}");
    assert!(!image.join("disk0").exists());
}
