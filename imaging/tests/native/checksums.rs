//! What is kept of a file system is what partclone would have written by itself, with its own checksums.

use std::fs;
use std::path::Path;

use ghost_contract::image::{Content, Partition, Region};

use crate::disk::{self, MIB, run};
use crate::imager::{description, done};

/// A disk with these file systems, one behind the other from 1 MiB on, sizes in MiB.
fn with(folder: &Path, file_systems: &[(&str, u64)]) -> std::path::PathBuf {
    let disk = folder.join("disk");
    let sizes: Vec<_> = file_systems.iter().map(|(_, size)| format!("size={size}M\n")).collect();
    disk::blank(&disk, (file_systems.iter().map(|(_, size)| size).sum::<u64>() + 2) * MIB);
    disk::partition(&disk, &format!("label: gpt\n{}", sizes.concat()));
    let mut at = MIB;
    for (kind, size) in file_systems {
        disk::put(&disk, &disk::file_system(folder, kind, size * MIB), at);
        at += size * MIB;
    }
    disk
}

/// The image in a region's pieces, and what partclone makes of its partition.
fn both(
    folder: &Path,
    disk: &Path,
    (start, length): (u64, u64),
    region: &Region,
    program: &str,
) -> (Vec<u8>, Vec<u8>) {
    let [kept, own, part] = ["kept", "own", "part"].map(|name| folder.join(name));
    fs::write(&part, disk::peek(disk, start, length)).unwrap();
    let pieces: Vec<_> = region.stream().unwrap().pieces.iter().map(|piece| piece.file.as_str()).collect();
    let script = format!(
        "{program} -q -L /dev/null -c -s {} -o {} && cd {}/image/disk0 && cat {} | zstd -qdc > {} && partclone.chkimg -L /dev/null -s {}",
        part.display(),
        own.display(),
        folder.display(),
        pieces.join(" "),
        kept.display(),
        kept.display()
    );
    run("bash", &["-euo", "pipefail", "-c", &script]);
    let both = (fs::read(&kept).unwrap(), fs::read(&own).unwrap());
    fs::remove_file(own).unwrap();
    both
}

#[test]
fn an_image_is_byte_for_byte_that_of_partclone_itself() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [("vfat", 40), ("ntfs", 40), ("ext4", 40), ("exfat", 20), ("btrfs", 120), ("xfs", 310)];
    let disk = with(folder.path(), &kinds);
    // Several pieces, and groups of blocks that end in none of them.
    done("backup", &folder.path().join("image"), Some(&disk), "{\"piece_size\": 1048576}");
    let image = description(&folder.path().join("image"));
    let mut compared = 0;
    for region in &image.regions {
        let Content::Partclone { tool, .. } = &region.content else { continue };
        // An NTFS is shorter than its partition, and partclone sees this one.
        let is_around = |partition: &&Partition| Some(partition.number) == region.partition;
        let partition = image.table.partitions.iter().find(is_around).unwrap();
        let place = (partition.start, partition.length);
        let (kept, own) = both(folder.path(), &disk, place, region, tool);
        assert!(kept == own, "{tool}: {} bytes, by itself {}", kept.len(), own.len());
        compared += 1;
    }
    assert_eq!(compared, kinds.len());
}
