//! Disks that had something else on them before, and disks whose table nobody understands.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::disk::{self, Loop, MIB, noise, peek, poke, run};
use crate::imager::{done, sums};
use crate::layouts::Layout;

const NEVER: &str = "{\"discard\": \"never\"}";

/// A disk with one NTFS of 40 MiB at 1 MiB.
fn windows(folder: &Path) -> std::path::PathBuf {
    let disk = folder.join("disk");
    disk::blank(&disk, 64 * MIB);
    disk::partition(&disk, "label: gpt\nsize=40M\n");
    disk::put(&disk, &disk::file_system(folder, "ntfs", 40 * MIB), MIB);
    disk
}

/// Everything that blkid finds in this stretch.
fn found(disk: &Path, start: u64, length: u64) -> String {
    let stretch = disk.with_extension("stretch");
    fs::write(&stretch, peek(disk, start, length)).unwrap();
    let output = Command::new("wipefs").arg("--parsable").arg(&stretch).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Signatures of what was on a disk before, each where libblkid looks for it: offset from the beginning or, if negative, from
/// the end of a disk or partition.
fn signatures() -> Vec<(i64, Vec<u8>)> {
    let mut luks = b"SKUL\xba\xbe\0\x02".to_vec();
    luks.resize(512, 0);
    luks[8..16].copy_from_slice(&16_384_u64.to_be_bytes());
    luks[256..264].copy_from_slice(&(4_u64 << 20).to_be_bytes());
    // A RAID of version 1.0: magic, major version, and where its superblock is, in sectors (linux/raid/md_p.h).
    let mut raid = vec![0; 512];
    raid[..8].copy_from_slice(&[0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0]);
    vec![(64 * 1024 + 64, b"_BHRfS_M".to_vec()), (4 << 20, luks), (32_769, b"CD001".to_vec()), (-8192, raid)]
}

fn spoil(disk: &Path, start: u64, length: u64) {
    for (offset, mut bytes) in signatures() {
        let at = offset.checked_add_unsigned(if offset < 0 { length } else { 0 }).unwrap();
        if offset < 0 {
            bytes[144..152].copy_from_slice(&(u64::try_from(at).unwrap() / 512).to_le_bytes());
        }
        poke(disk, start + u64::try_from(at).unwrap(), &bytes);
    }
}

#[test]
fn nothing_that_was_on_the_disk_before_is_found_after_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image, target) =
        (windows(folder.path()), folder.path().join("image"), folder.path().join("target"));
    done("backup", &image, Some(&disk), "{}");
    for settings in [NEVER, "{}"] {
        for size in [64 * MIB, 100 * MIB] {
            disk::blank(&target, 0);
            disk::blank(&target, size);
            spoil(&target, 0, size);
            spoil(&target, MIB, 40 * MIB);
            assert!(found(&target, MIB, 40 * MIB).contains("linux_raid_member"));
            done("restore", &image, Some(&target), settings);
            for (start, length) in [(MIB, 40 * MIB), (0, size)] {
                // At the end of the disk is the copy of the table, wherever that is.
                if (start, size) == (0, 100 * MIB) {
                    run("sgdisk", &["-v", target.to_str().unwrap()]);
                    assert_eq!(found(&target, 0, size).lines().count(), 3);
                    continue;
                }
                let (is, was) = (found(&target, start, length), found(&disk, start, length));
                assert_eq!(is, was, "{settings} {size}: at {start}");
            }
            let again = folder.path().join("again");
            let _old = fs::remove_dir_all(&again);
            done("backup", &again, Some(&target), "{}");
            assert!(size != 64 * MIB || sums(&again) == sums(&image), "{settings}: it is saved otherwise");
        }
    }
}

#[test]
fn nor_is_it_found_in_a_logical_volume() {
    let layout = Layout::new(64).lvm((0, 64), "volume root 40M").file_system("ext", (1, 40), "-t ext4");
    let [image, target] = ["image", "target"].map(|name| layout.folder().join(name));
    done("backup", &image, Some(&layout.disk()), "{}");
    disk::blank(&target, 64 * MIB);
    spoil(&target, MIB, 40 * MIB);
    done("restore", &image, Some(&target), NEVER);
    assert_eq!(found(&target, MIB, 40 * MIB), found(&layout.disk(), MIB, 40 * MIB));
}

#[test]
fn a_disk_that_can_discard_reads_zeros_where_nothing_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image, target) =
        (windows(folder.path()), folder.path().join("image"), folder.path().join("target"));
    done("backup", &image, Some(&disk), "{}");
    fs::write(&target, noise(3, 64 * MIB)).unwrap();
    let device = Loop::of(&target, "512");
    fs::write(
        format!("/sys/block/{}/queue/rotational", device.0.file_name().unwrap().to_str().unwrap()),
        "0",
    )
    .unwrap();
    done("restore", &image, Some(&device.0), "{}");
    drop(device);
    // As the disk itself, which was made of zeros.
    assert!(fs::read(&target).unwrap() == fs::read(&disk).unwrap());
    fs::write(&target, noise(3, 64 * MIB)).unwrap();
    done("restore", &image, Some(&target), NEVER);
    assert!(fs::read(&target).unwrap() != fs::read(&disk).unwrap());
}

/// Of a dos table: which entry it is, its type, first sector and length.
fn entry(disk: &Path, at: u64, index: u64, kind: u8, (start, length): (u32, u32)) {
    let mut bytes = [0; 16];
    bytes[4] = kind;
    bytes[8..12].copy_from_slice(&start.to_le_bytes());
    bytes[12..].copy_from_slice(&length.to_le_bytes());
    poke(disk, at + 446 + 16 * index, &bytes);
    poke(disk, at + 510, &[0x55, 0xAA]);
}

#[test]
fn a_disk_whose_table_is_none_or_contradicts_itself_is_the_same_after_a_restore() {
    type Make = fn(&Path);
    let layouts: [(&str, Make); 5] = [
        ("overlapping partitions", |disk| {
            entry(disk, 0, 0, 0x83, (2048, 8192));
            entry(disk, 0, 1, 0x83, (4096, 8192));
        }),
        ("a partition beyond the end", |disk| entry(disk, 0, 0, 0x83, (2048, 900_000))),
        ("a chain of tables that is a loop", |disk| {
            entry(disk, 0, 0, 0x05, (2048, 16_384));
            entry(disk, MIB, 0, 0x83, (63, 2048));
            entry(disk, MIB, 1, 0x05, (0, 4096));
        }),
        ("junk with the last bytes of a boot sector", |disk| {
            poke(disk, 0, &noise(17, 510));
            poke(disk, 510, &[0x55, 0xAA]);
        }),
        ("entries that are junk", |disk| {
            poke(disk, 446, &noise(23, 64));
            poke(disk, 510, &[0x55, 0xAA]);
        }),
    ];
    for (name, make) in layouts {
        let folder = tempfile::tempdir().unwrap();
        let (disk, image) = (folder.path().join("disk"), folder.path().join("image"));
        fs::write(&disk, noise(5, 10 * MIB)).unwrap();
        poke(&disk, 0, &[0; 1024]);
        make(&disk);
        done("backup", &image, Some(&disk), "{}");
        done("check", &image, None, "{}");
        for fill in [0, 0xFF] {
            let target = folder.path().join("target");
            fs::write(&target, vec![fill; 10 << 20]).unwrap();
            done("restore", &image, Some(&target), NEVER);
            assert!(fs::read(&target).unwrap() == fs::read(&disk).unwrap(), "{name}");
        }
    }
}

#[test]
fn a_restore_of_a_disk_without_a_table_reads_back_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (folder.path().join("disk"), folder.path().join("image"));
    fs::write(&disk, noise(5, 3 * MIB)).unwrap();
    done("backup", &image, Some(&disk), "{}");
    run("truncate", &["--size", "8M", folder.path().join("target").to_str().unwrap()]);
    done("restore", &image, Some(&folder.path().join("target")), "{}");
    assert!(peek(&folder.path().join("target"), 0, 3 * MIB) == fs::read(&disk).unwrap());
}
