//! Disks that contradict what one would expect of them: long stretches of zeros, wrong counts, wrong types, twins.

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::MIB;

const GPT: &str = "label: gpt\nstart=2048, size=40M\n";

/// Frames of zeros are passed over when they come again: onto 0xFF the zeros must be written all the same.
fn a_gap_of_several_frames_of_zeros() {
    let layout = Layout::new(300).table(GPT).file_system("ext", (1, 40), "");
    layout.noise(290 * MIB, MIB).survives_with(1);
}

fn zeros_between_bytes_in_a_partition_of_an_unknown_kind() {
    let layout = Layout::new(260).table("label: dos\nstart=2048, size=240M, type=da\n");
    layout.noise(MIB, 4096).noise(130 * MIB + 1000, 10).noise(240 * MIB, MIB).survives_with(0);
}

/// It has fewer clusters than a FAT32 must have: Windows takes it for a FAT16, and Linux does not.
fn a_fat32_of_few_clusters() {
    let layout = Layout::new(64).table(GPT).made((1, 40), "mkfs.vfat -F 32 -s 8 fs >/dev/null 2>&1");
    // Clusters of 4 KiB from sector 192 on; the fifth belongs to a file of its own.
    let used = MIB + 32 * 512 + 5 * 4;
    let cluster = MIB + 192 * 512 + 3 * 4096;
    let layout = layout.bytes(used, &0x0FFF_FFFF_u32.to_le_bytes()).noise(cluster, 4096);
    layout.survives_and_says("say different sizes");
}

fn an_ext4_that_says_that_nothing_is_free() {
    let layout =
        Layout::new(64).table(GPT).file_system_that_is_left_over("ext", (1, 40), "-O ^metadata_csum");
    layout.bytes(MIB + 1024 + 12, &[0; 4]).survives_and_says("bitmap free count err");
}

/// partclone counts by itself, and takes neither.
fn an_ext4_that_says_that_all_is_free() {
    let layout =
        Layout::new(64).table(GPT).file_system_that_is_left_over("ext", (1, 40), "-O ^metadata_csum");
    layout.bytes(MIB + 1024 + 12, &10_000_u32.to_le_bytes()).survives();
}

fn the_journal_of_another_ext4() {
    let layout = Layout::new(64).table(GPT).made((1, 40), "mke2fs -q -F -b 4096 -O journal_dev fs");
    layout.noise(20 * MIB, MIB).survives_with(0);
}

fn a_swap_area_of_a_machine_with_large_pages() {
    let layout = Layout::new(64).table("label: gpt\nsize=40M, type=S\n");
    layout.made((1, 40), "mkswap -q -p 65536 -L s fs").free_noise(20 * MIB, MIB).survives_and_says("swap");
}

fn an_ext4_in_a_partition_whose_type_says_swap() {
    let layout = Layout::new(64).table("label: gpt\nsize=40M, type=S\n");
    layout.file_system("ext", (1, 40), "").survives_with(1);
}

fn a_fat_that_calls_itself_an_ntfs() {
    let layout = Layout::new(64).table("label: dos\nstart=2048, size=40M, type=7\n");
    layout.file_system("fat", (1, 40), "-F 16").bytes(MIB + 3, b"NTFS    ").survives();
}

fn twins_with_the_same_identifiers() {
    let layout = Layout::new(96).table("label: gpt\nsize=40M\nsize=40M\n").file_system("ext", (1, 40), "");
    let copy = "dd if=disk of=disk bs=1M skip=1 seek=41 count=40 conv=notrunc status=none";
    layout.shell(copy).survives_with(2);
}

fn a_reserved_partition_that_is_in_use() {
    let layout =
        Layout::new(64).table("label: gpt\nsize=16M, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\nsize=20M\n");
    layout.noise(3 * MIB, 2 * MIB).file_system("ext", (17, 20), "").survives_with(1);
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    a_gap_of_several_frames_of_zeros,
    zeros_between_bytes_in_a_partition_of_an_unknown_kind,
    a_fat32_of_few_clusters,
    an_ext4_that_says_that_nothing_is_free,
    an_ext4_that_says_that_all_is_free,
    the_journal_of_another_ext4,
    a_swap_area_of_a_machine_with_large_pages,
    an_ext4_in_a_partition_whose_type_says_swap,
    a_fat_that_calls_itself_an_ntfs,
    twins_with_the_same_identifiers,
    a_reserved_partition_that_is_in_use,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
