//! Backup → another disk's noise → restore: is it the same disk?

use std::fs;
use std::path::Path;

use ghost_contract::image::{Content, FileSystem, RawReason, TableKind};

use crate::disk::{self, EXT, FAT, Loop, MIB, NTFS, noise, noise_in, peek, run};
use crate::imager::{description, done, sums};

/// Saves a disk, restores it over noise, saves that, and compares.
fn survives(folder: &Path, disk: &Path, settings: &str) {
    let (first, second, target) = (folder.join("first"), folder.join("second"), folder.join("target"));
    done("backup", &first, Some(disk), settings);
    done("check", &first, None, "{}");
    let size = fs::metadata(disk).unwrap().len();
    fs::write(&target, noise(99, size)).unwrap();
    done("restore", &first, Some(&target), "{}");
    done("backup", &second, Some(&target), settings);
    assert_eq!(sums(&first), sums(&second));
    let (before, after) = (description(&first), description(&second));
    assert_eq!(before.table, after.table);
    for region in &before.regions {
        if let Content::Raw { .. } = region.content {
            let [was, is] = [disk, &target].map(|disk| peek(disk, region.start, region.length));
            assert!(was == is, "the region at {} differs", region.start);
        }
    }
}

#[test]
fn a_uefi_machine_s_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk::gpt(folder.path());
    survives(folder.path(), &disk, "{\"piece_size\": 1048576}");
    let target = folder.path().join("target");
    for (kind, (at, size)) in [("vfat", FAT), ("ntfs", NTFS), ("ext4", EXT)] {
        assert_eq!(noise_in(&target, kind, at, size, folder.path()), noise(7, 2 * MIB), "{kind}");
    }
    // NTFS keeps its second boot sector behind the last cluster, where partclone does not look.
    let last = NTFS.0 + NTFS.1 - 512;
    assert_eq!(peek(&target, last, 512), peek(&disk, last, 512));
    run("sgdisk", &["-v", target.to_str().unwrap()]);

    let image = description(&folder.path().join("first"));
    assert_eq!(image.table.kind, TableKind::Gpt);
    let names: Vec<_> = image.table.partitions.iter().map(|p| p.file_system.clone().unwrap()).collect();
    assert_eq!(names, ["vfat", "ntfs", "swap", "ext4"]);
    assert_eq!(image.table.partitions[0].name.as_deref(), Some("EFI system"));
    assert!(image.streams().any(|stream| stream.pieces.len() > 1));
    let swap: u64 = image
        .regions
        .iter()
        .filter(|r| r.partition == Some(3))
        .filter_map(|r| r.stream())
        .map(|s| s.length)
        .sum();
    assert_eq!(swap, 64 << 10);
    // An administrator can check and restore it by hand.
    let sums = folder.path().join("first/disk0");
    let by_hand = format!("cd {} && sha256sum --quiet --check SHA256SUMS", sums.display());
    run("sh", &["-c", &by_hand]);
}

#[test]
fn a_bios_machine_s_disk_with_an_extended_partition() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk::dos(folder.path());
    survives(folder.path(), &disk, "{}");
    let target = folder.path().join("target");
    assert_eq!(noise_in(&target, "ext4", 51 * MIB, 30 * MIB, folder.path()), noise(7, 2 * MIB));
    let table =
        |disk: &Path| run("sfdisk", &["--dump", disk.to_str().unwrap()]).replace(disk.to_str().unwrap(), "");
    assert_eq!(table(&disk), table(&target));
}

#[test]
fn a_hybrid_mbr_and_a_gpt_s_copy_are_byte_equal() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk::small(folder.path());
    run("sgdisk", &["--hybrid", "1", disk.to_str().unwrap()]);
    survives(folder.path(), &disk, "{}");
}

#[test]
fn a_file_system_without_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk::file_system(folder.path(), "vfat", 40 * MIB);
    survives(folder.path(), &disk, "{}");
    let image = description(&folder.path().join("first"));
    assert_eq!(image.table.kind, TableKind::None);
    assert!(matches!(image.regions[0].content, Content::Partclone { file_system: FileSystem::Fat, .. }));
}

#[test]
fn a_disk_of_which_nothing_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("unknown");
    fs::write(&disk, noise(5, 3 * MIB)).unwrap();
    survives(folder.path(), &disk, "{}");
    let image = description(&folder.path().join("first"));
    assert!(matches!(
        image.regions[0].content,
        Content::Raw { reason: RawReason::NoTable { found: None }, .. }
    ));
}

#[test]
fn every_file_system_that_partclone_knows_and_one_that_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("many");
    disk::blank(&disk, 800 * MIB);
    let script = "label: gpt\nsize=20M\nsize=120M\nsize=310M\nsize=40M\n";
    disk::partition(&disk, script);
    for (kind, at, size) in [("exfat", 1, 20), ("btrfs", 21, 120), ("xfs", 141, 310)] {
        disk::put(&disk, &disk::file_system(folder.path(), kind, size * MIB), at * MIB);
    }
    // The magic of a LUKS2 header (LUKS2 on-disk format, 2.1) is enough for blkid.
    let mut luks = b"LUKS\xba\xbe\x00\x02".to_vec();
    luks.resize(4096, 0);
    luks[8..16].copy_from_slice(&16_384_u64.to_be_bytes());
    luks[168..204].copy_from_slice(b"6b7e0ba8-7b6a-4d6b-9f61-0d0f8a3b7c11");
    disk::poke(&disk, 451 * MIB, &luks);
    survives(folder.path(), &disk, "{}");
    let image = description(&folder.path().join("first"));
    let saved: Vec<_> = image
        .regions
        .iter()
        .filter_map(|region| match &region.content {
            Content::Partclone { file_system, .. } => Some(*file_system),
            _ => None,
        })
        .collect();
    assert_eq!(saved, [FileSystem::Exfat, FileSystem::Btrfs, FileSystem::Xfs]);
    // Two images with the same checksums may lack the same blocks.
    let target = folder.path().join("target");
    for (kind, at, size) in [("btrfs", 21, 120), ("xfs", 141, 310)] {
        let found = noise_in(&target, kind, at * MIB, size * MIB, folder.path());
        assert!(found == noise(7, 2 * MIB), "{kind} lost a part");
    }
    let encrypted = |content: &Content| matches!(content, Content::Raw { reason: RawReason::Encrypted { found }, .. } if found == "crypto_LUKS");
    assert!(
        image.regions.iter().any(|region| region.partition == Some(4) && encrypted(&region.content)),
        "{:?}",
        image.regions
    );
}

#[test]
fn a_fat12_of_which_partclone_misses_the_half_is_saved_with_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk::file_system(folder.path(), "vfat", 4 * MIB);
    survives(folder.path(), &disk, "{}");
    let target = folder.path().join("target");
    assert!(noise_in(&target, "vfat", 0, 4 * MIB, folder.path()) == noise(7, 2 * MIB), "it lost a part");
    let image = description(&folder.path().join("first"));
    assert!(image.notes[0].contains("every byte: partclone misses files"), "{:?}", image.notes);
}

#[test]
fn sectors_of_4096_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("4k"), folder.path().join("4k-target"));
    disk::blank(&file, 64 * MIB);
    fs::write(&other, noise(9, 64 * MIB)).unwrap();
    let (source, target) = (Loop::of(&file, "4096"), Loop::of(&other, "4096"));
    disk::partition(&source.0, "label: gpt\nsize=40M, type=L\n");
    disk::put(&file, &disk::file_system(folder.path(), "ext4", 40 * MIB), MIB);
    run("blockdev", &["--flushbufs", source.0.to_str().unwrap()]);
    let image = folder.path().join("image");
    done("backup", &image, Some(&source.0), "{}");
    assert_eq!(description(&image).disk.logical_sector, 4096);
    done("restore", &image, Some(&target.0), "{}");
    assert_eq!(noise_in(&other, "ext4", MIB, 40 * MIB, folder.path()), noise(7, 2 * MIB));
    assert_eq!(peek(&file, 0, MIB), peek(&other, 0, MIB));
}
