//! Old signatures of file systems beside a table that counts, and disks of two minds.

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::MIB;

const DOS: &str = "label: dos\nstart=2048, size=40M, type=83\n";
const GPT: &str = "label: gpt\nstart=2048, size=40M, type=L\n";

/// A disk that had this file system as a whole, and was partitioned then; an ext4 with files is in its partition.
fn repartitioned(mkfs: &str, table: &str) -> Layout {
    let layout = Layout::new(128).shell(mkfs).table(table);
    layout.leftovers(MIB, 40 * MIB).file_system("ext", (1, 40), "-t ext4").noise(60 * MIB, MIB)
}

fn an_old_ext4_in_front_of_a_dos_table() {
    repartitioned("mkfs.ext4 -q -F disk", DOS).survives_with(1);
}

fn an_old_ext4_in_front_of_a_gpt() {
    repartitioned("mkfs.ext4 -q -F disk", GPT).survives_with(1);
}

fn an_old_btrfs_in_front_of_a_dos_table() {
    repartitioned("mkfs.btrfs -q disk", DOS).survives_with(1);
}

fn an_old_btrfs_in_front_of_a_gpt() {
    repartitioned("mkfs.btrfs -q disk", GPT).survives_with(1);
}

fn an_old_btrfs_in_front_of_a_table_that_parted_made() {
    let made = "mkfs.btrfs -q disk; parted -s disk mklabel gpt mkpart a 1MiB 41MiB";
    let layout = Layout::new(128).shell(made).leftovers(MIB, 40 * MIB);
    layout.file_system("ext", (1, 40), "-t ext4").survives_with(1);
}

fn an_old_btrfs_in_front_of_a_table_that_sgdisk_made() {
    let made = "mkfs.btrfs -q disk; sgdisk -n 1:1M:+40M disk >/dev/null";
    let layout = Layout::new(128).shell(made).leftovers(MIB, 40 * MIB);
    layout.file_system("ext", (1, 40), "-t ext4").survives_with(1);
}

fn an_old_xfs_whose_first_sector_the_table_has_taken() {
    repartitioned("truncate -s 400M disk; mkfs.xfs -q -f disk; truncate -s 128M disk", DOS).survives_with(1);
}

fn an_old_ext2_with_large_blocks() {
    repartitioned("mke2fs -q -F -t ext2 -b 4096 disk", GPT).survives_with(1);
}

fn an_old_udf_in_front_of_a_table() {
    repartitioned("mkudffs --media-type=hd -b 512 disk >/dev/null", DOS).survives();
}

fn an_old_iso_in_front_of_a_table() {
    let iso = "mkdir i; echo a >i/a; genisoimage -quiet -o iso i; dd if=iso of=disk conv=notrunc status=none";
    repartitioned(iso, DOS).survives_with(1);
}

fn an_old_swap_area_in_front_of_a_table() {
    repartitioned("mkswap -q disk", DOS).survives_with(1);
}

fn an_old_fat_whose_parameters_stay_beside_a_dos_table() {
    // blkid sees a FAT, sfdisk a table.
    repartitioned("mkfs.vfat disk >/dev/null", DOS).survives_as_a_whole();
}

fn an_old_ntfs_whose_parameters_stay_beside_a_dos_table() {
    repartitioned("mkntfs -q -Q -F disk", DOS).survives();
}

fn an_old_exfat_whose_parameters_stay_beside_a_dos_table() {
    repartitioned("mkfs.exfat disk >/dev/null", DOS).survives();
}

fn an_f2fs_on_the_whole_disk_that_left_a_table_alone() {
    let made = "mkfs.f2fs -q -f disk; dd if=/dev/zero of=disk bs=512 count=1 conv=notrunc status=none";
    Layout::new(128).shell(made).table(DOS).noise(3 * MIB, MIB).survives_as_a_whole();
}

fn a_jfs_on_the_whole_disk_that_left_a_table_alone() {
    Layout::new(128)
        .table(DOS)
        .file_system("ext", (1, 40), "")
        .shell("jfs_mkfs -q disk >/dev/null")
        .survives_as_a_whole();
}

fn a_reiserfs_on_the_whole_disk_that_left_a_table_alone() {
    Layout::new(128)
        .table(DOS)
        .shell("mkreiserfs -q -f disk >/dev/null 2>&1")
        .noise(90 * MIB, MIB)
        .survives();
}

fn an_nilfs_on_the_whole_disk_that_left_a_table_alone() {
    let made = "mkfs.nilfs2 -q -f -b 1024 -B 16 disk 2>/dev/null";
    Layout::new(160).shell(made).table(DOS).noise(90 * MIB, MIB).survives_as_a_whole();
}

/// An ext4 in this file that has the superblock of a btrfs too.
fn two_signatures(file: &str) -> String {
    format!(
        "mkfs.btrfs -q {file}; dd if={file} of=keep bs=1K skip=64 count=4 status=none; mke2fs -q -F -t ext4 {file}
        dd if=keep of={file} bs=1K seek=64 conv=notrunc status=none"
    )
}

fn two_signatures_on_a_disk_without_a_table() {
    Layout::new(128).shell(&two_signatures("disk")).noise(100 * MIB, MIB).survives_as_a_whole();
}

fn two_signatures_on_a_disk_over_a_table_with_an_ext4() {
    let layout = Layout::new(128).shell(&two_signatures("disk")).table(DOS);
    let layout = layout.file_system_that_is_left_over("ext", (1, 40), "");
    layout.noise(100 * MIB, MIB).survives_as_a_whole();
}

fn two_signatures_in_a_partition() {
    let layout = Layout::new(160).table("label: gpt\nsize=128M\n").made((1, 128), &two_signatures("fs"));
    // blkid of Debian 12 says that it finds more than one thing, that of Debian 13 that it finds nothing.
    let notes = ["more than one", "partition 1 holds nothing that is known and is saved with every byte"];
    layout.noise(100 * MIB, MIB).survives_and_says_one_of(&notes);
}

fn a_file_system_in_a_partition_with_boot_code_in_front_of_it() {
    let layout = Layout::new(64).table(GPT).file_system("ext", (1, 40), "-t ext4");
    let layout = layout.noise(MIB, 440).bytes(MIB + 510, &[0x55, 0xAA]);
    layout.survives_with(1);
}

fn a_table_within_a_partition_that_was_an_ext4() {
    let inner = "mke2fs -q -F -t ext4 fs; echo 'start=2048, size=20M' | sfdisk -q --wipe=never --wipe-partitions=never fs";
    Layout::new(64).table(GPT).made((1, 40), inner).noise(20 * MIB, MIB).survives_with(0);
}

fn a_disk_s_image_within_a_partition() {
    let inner = "echo 'start=2048, size=20M' | sfdisk -q fs";
    Layout::new(64).table(GPT).made((1, 40), inner).noise(20 * MIB, MIB).survives_with(0);
}

fn an_ext4_on_the_whole_disk_with_boot_code() {
    let layout = Layout::new(64).shell("mke2fs -q -F -t ext4 disk").noise(0, 440).bytes(510, &[0x55, 0xAA]);
    layout.survives();
}

fn file_systems_on_whole_disks() {
    for (kind, size, options) in [
        ("ext", 64, "-t ext4"),
        ("fat", 64, ""),
        ("ntfs", 64, ""),
        ("btrfs", 128, "-m single"),
        ("exfat", 32, ""),
        ("xfs", 320, ""),
    ] {
        Layout::new(size).file_system(kind, (0, size), options).survives_with(1);
    }
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    an_old_ext4_in_front_of_a_dos_table,
    an_old_ext4_in_front_of_a_gpt,
    an_old_btrfs_in_front_of_a_dos_table,
    an_old_btrfs_in_front_of_a_gpt,
    an_old_btrfs_in_front_of_a_table_that_parted_made,
    an_old_btrfs_in_front_of_a_table_that_sgdisk_made,
    an_old_xfs_whose_first_sector_the_table_has_taken,
    an_old_ext2_with_large_blocks,
    an_old_udf_in_front_of_a_table,
    an_old_iso_in_front_of_a_table,
    an_old_swap_area_in_front_of_a_table,
    an_old_fat_whose_parameters_stay_beside_a_dos_table,
    an_old_ntfs_whose_parameters_stay_beside_a_dos_table,
    an_old_exfat_whose_parameters_stay_beside_a_dos_table,
    an_f2fs_on_the_whole_disk_that_left_a_table_alone,
    a_jfs_on_the_whole_disk_that_left_a_table_alone,
    a_reiserfs_on_the_whole_disk_that_left_a_table_alone,
    an_nilfs_on_the_whole_disk_that_left_a_table_alone,
    two_signatures_on_a_disk_without_a_table,
    two_signatures_on_a_disk_over_a_table_with_an_ext4,
    two_signatures_in_a_partition,
    a_file_system_in_a_partition_with_boot_code_in_front_of_it,
    a_table_within_a_partition_that_was_an_ext4,
    a_disk_s_image_within_a_partition,
    an_ext4_on_the_whole_disk_with_boot_code,
    file_systems_on_whole_disks,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
