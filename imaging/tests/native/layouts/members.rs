//! Disks and partitions that are parts of something larger, or encrypted.

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::MIB;

/// The superblock of a RAID with version 1, at this place (Linux, `struct mdp_superblock_1`).
fn md(place: u64, minor: u64) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xA92B_4EFC_u32.to_le_bytes());
    put(4, &1_u32.to_le_bytes());
    put(16, b"0123456789abcdef");
    put(32, b"john:0");
    put(72, &1_u32.to_le_bytes());
    put(80, &100_000_u64.to_le_bytes());
    put(92, &2_u32.to_le_bytes());
    let data: u64 = if minor == 0 { 0 } else { 2048 };
    put(128, &data.to_le_bytes());
    put(136, &100_000_u64.to_le_bytes());
    put(144, &(place / 512).to_le_bytes());
    put(220, &128_u32.to_le_bytes());
    let sum: u64 = block.chunks(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
    let sum = u32::try_from((sum & 0xFFFF_FFFF) + (sum >> 32)).unwrap();
    block[216..220].copy_from_slice(&sum.to_le_bytes());
    block
}

const DOS: &str = "label: dos\nstart=2048, size=40M, type=83\n";
const GPT: &str = "label: gpt\nstart=2048, size=40M, type=L\n";

fn md_1_2_on_the_whole_disk_over_a_table_with_an_ext4() {
    let layout = Layout::new(64).table(DOS).file_system_that_is_left_over("ext", (1, 40), "");
    layout.bytes(4096, &md(4096, 2)).noise(20 * MIB, 4 * MIB).survives_as_a_whole();
}

fn md_1_2_on_the_whole_disk_over_an_empty_dos_table() {
    Layout::new(64)
        .table("label: dos\n")
        .bytes(4096, &md(4096, 2))
        .noise(20 * MIB, 4 * MIB)
        .survives_as_a_whole();
}

fn md_1_2_on_the_whole_disk_over_a_gpt() {
    let layout = Layout::new(64).table(GPT).file_system_that_is_left_over("ext", (1, 40), "");
    layout.bytes(4096, &md(4096, 2)).noise(20 * MIB, 4 * MIB).survives_as_a_whole();
}

fn md_1_2_over_an_empty_gpt_that_is_found_by_its_copy() {
    let made = "echo 'label: gpt' | sfdisk -q disk; dd if=/dev/zero of=disk bs=512 seek=1 count=1 conv=notrunc status=none";
    Layout::new(64).shell(made).bytes(4096, &md(4096, 2)).noise(20 * MIB, 4 * MIB).survives_as_a_whole();
}

fn md_1_0_at_the_end_of_the_disk_behind_a_table() {
    let place = (64 * MIB - 8192) & !4095;
    let layout = Layout::new(64).table(DOS).file_system_that_is_left_over("ext", (1, 40), "");
    layout.bytes(place, &md(place, 0)).survives_as_a_whole();
}

fn md_1_0_at_the_end_of_a_partition_with_an_ext4() {
    let place = (40 * MIB - 8192) & !4095;
    let layout = Layout::new(64).table(DOS).file_system_that_is_left_over("ext", (1, 30), "");
    layout.bytes(MIB + place, &md(place, 0)).noise(12 * MIB, MIB).survives_with(0);
}

fn md_1_2_in_a_partition_that_was_an_ext4() {
    let layout = Layout::new(64).table(GPT).file_system_that_is_left_over("ext", (1, 40), "");
    layout.bytes(MIB + 4096, &md(4096, 2)).noise(20 * MIB, MIB).survives_with(0);
}

fn a_partition_of_type_raid_that_shows_an_ext4() {
    let layout = Layout::new(64).table("label: dos\nstart=2048, size=40M, type=fd\n");
    layout.file_system_that_is_left_over("ext", (1, 40), "").noise(30 * MIB, MIB).survives_with(0);
}

fn a_partition_of_type_lvm_that_shows_an_ext4() {
    let layout = Layout::new(64).table("label: gpt\nsize=40M, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n");
    layout.file_system_that_is_left_over("ext", (1, 40), "").noise(30 * MIB, MIB).survives_with(0);
}

fn a_storage_space_that_shows_an_ntfs() {
    let layout = Layout::new(64).table("label: gpt\nsize=40M, type=E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D\n");
    layout.file_system_that_is_left_over("ntfs", (1, 40), "").noise(30 * MIB, MIB).survives_with(0);
}

fn a_dynamic_disk_with_a_dos_table() {
    Layout::new(128)
        .table("label: dos\nstart=63, size=120M, type=42\n")
        .shell("truncate -s 20M fs; mkntfs -q -Q -F fs; dd if=fs of=disk bs=512 seek=63 conv=notrunc,sparse status=none")
        .noise(100 * MIB, MIB)
        .bytes(6 * 512, b"PRIVHEAD")
        .noise(128 * MIB - 512 * 1024, 512 * 1024)
        .survives_as_a_whole();
}

fn a_dynamic_disk_with_a_gpt() {
    let script = "label: gpt\nstart=2048, size=1M, type=5808C8AA-7E8F-42E0-85D2-E1E90434CFB3\n\
        size=100M, type=AF9B60A0-1431-4F62-BC68-3311714A69AD\n";
    let made = "mkntfs -q -Q -F fs; truncate -s 100M fs";
    Layout::new(128)
        .table(script)
        .made((2, 20), made)
        .noise(MIB, MIB)
        .noise(90 * MIB, MIB)
        .survives_as_a_whole();
}

fn lvm_on_the_whole_disk() {
    Layout::new(64).bytes(512, &pv()).noise(10 * MIB, MIB).survives_as_a_whole();
}

fn lvm_on_the_whole_disk_behind_an_empty_label() {
    let layout = Layout::new(64).bytes(512, &pv()).bytes(510, &[0x55, 0xAA]);
    layout.noise(10 * MIB, MIB).survives_as_a_whole();
}

fn lvm_on_the_whole_disk_over_a_table() {
    let layout = Layout::new(64).table(DOS).file_system_that_is_left_over("ext", (1, 40), "");
    layout.bytes(512, &pv()).noise(10 * MIB, MIB).survives_as_a_whole();
}

fn lvm_in_a_partition() {
    let layout = Layout::new(64).table("label: gpt\nsize=40M, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n");
    layout.bytes(MIB + 512, &pv()).noise(20 * MIB, MIB).survives_with(0);
}

fn luks_on_the_whole_disk() {
    Layout::new(64).shell(&luks("disk", "luks2")).noise(30 * MIB, MIB).survives_as_a_whole();
}

fn luks_2_in_a_partition() {
    Layout::new(64)
        .table(GPT)
        .made((1, 40), &luks("fs", "luks2"))
        .noise(30 * MIB, MIB)
        .survives_and_says("encrypted");
}

fn luks_1_in_a_partition() {
    Layout::new(64)
        .table(GPT)
        .made((1, 40), &luks("fs", "luks1"))
        .noise(30 * MIB, MIB)
        .survives_and_says("encrypted");
}

fn bitlocker_in_a_partition() {
    Layout::new(64).table(GPT).bytes(MIB, &bitlocker()).noise(30 * MIB, MIB).survives_and_says("encrypted");
}

fn bitlocker_on_the_whole_disk() {
    Layout::new(64).bytes(0, &bitlocker()).noise(30 * MIB, MIB).survives_as_a_whole();
}

fn zfs_in_a_partition_that_was_an_ext4() {
    let layout = Layout::new(96).table("label: gpt\nsize=80M\n");
    let layout = layout.file_system_that_is_left_over("ext", (1, 80), "");
    layout.zfs(MIB, 80 * MIB).noise(20 * MIB, MIB).survives_with(0);
}

fn zfs_on_the_whole_disk_over_a_table() {
    let layout = Layout::new(64).table(DOS).file_system_that_is_left_over("ext", (1, 40), "");
    layout.zfs(0, 64 * MIB).noise(20 * MIB, MIB).survives_as_a_whole();
}

fn firmware_raid_of_intel_at_the_end_of_the_disk() {
    let layout = Layout::new(64).table(DOS).file_system_that_is_left_over("ext", (1, 40), "");
    layout.bytes(64 * MIB - 1024, b"Intel Raid ISM Cfg Sig. 1.3.00\0\0").survives_as_a_whole();
}

fn a_cache_device_of_bcache_in_a_partition() {
    // Its superblock (Linux, bcache_ondisk.h): offset 8 sectors, the magic behind the UUID-less beginning.
    let mut block = vec![0_u8; 64];
    block[8..16].copy_from_slice(&8_u64.to_le_bytes());
    let magic =
        [0xC6, 0x85, 0x73, 0xF6, 0x4E, 0x1A, 0x45, 0xCA, 0x82, 0x65, 0xF5, 0x7F, 0x48, 0xBA, 0x6D, 0x81];
    block[24..40].copy_from_slice(&magic);
    Layout::new(64).table(GPT).bytes(MIB + 4096, &block).noise(20 * MIB, MIB).survives_with(0);
}

fn two_halves_of_a_btrfs() {
    let made = "truncate -s 120M one two; mkfs.btrfs -q -m raid1 -d single one two; mv one fs";
    let layout = Layout::new(256).table("label: gpt\nsize=120M\nsize=120M\n").made((1, 120), made);
    layout.shell("dd if=two of=disk bs=1M seek=121 conv=notrunc,sparse status=none").survives_with(0);
}

/// The label of a physical volume, for the second sector (LVM2, lib/format_text/layout.h and lib/label/label.h).
fn pv() -> Vec<u8> {
    let mut label = vec![0_u8; 512];
    label[..8].copy_from_slice(b"LABELONE");
    label[8] = 1;
    label[20] = 32;
    label[24..32].copy_from_slice(b"LVM2 001");
    label[32..64].copy_from_slice(b"0123456789abcdefghijklmnopqrstuv");
    label[64..72].copy_from_slice(&(64 * MIB).to_le_bytes());
    let mut hash = crc32fast::Hasher::new_with_initial(!0xF597_A6CF);
    hash.update(&label[20..]);
    label[16..20].copy_from_slice(&(!hash.finalize()).to_le_bytes());
    label
}

fn luks(file: &str, kind: &str) -> String {
    format!(
        "echo -n secret | cryptsetup luksFormat -q --type {kind} --pbkdf pbkdf2 --pbkdf-force-iterations 1000 {file} -"
    )
}

/// The beginning of a BitLocker volume, as blkid knows it (util-linux, libblkid/src/superblocks/bitlocker.c): the boot
/// sector of Windows 7 and later, and the block of metadata that it points to.
fn bitlocker() -> Vec<u8> {
    let mut bytes = vec![0_u8; 8192];
    bytes[..11].copy_from_slice(b"\xEB\x58\x90-FVE-FS-");
    for index in 0..3 {
        bytes[176 + index * 8..184 + index * 8].copy_from_slice(&4096_u64.to_le_bytes());
    }
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    bytes[4096..4104].copy_from_slice(b"-FVE-FS-");
    bytes[4106..4108].copy_from_slice(&2_u16.to_le_bytes());
    bytes
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    md_1_2_on_the_whole_disk_over_a_table_with_an_ext4,
    md_1_2_on_the_whole_disk_over_an_empty_dos_table,
    md_1_2_on_the_whole_disk_over_a_gpt,
    md_1_2_over_an_empty_gpt_that_is_found_by_its_copy,
    md_1_0_at_the_end_of_the_disk_behind_a_table,
    md_1_0_at_the_end_of_a_partition_with_an_ext4,
    md_1_2_in_a_partition_that_was_an_ext4,
    a_partition_of_type_raid_that_shows_an_ext4,
    a_partition_of_type_lvm_that_shows_an_ext4,
    a_storage_space_that_shows_an_ntfs,
    a_dynamic_disk_with_a_dos_table,
    a_dynamic_disk_with_a_gpt,
    lvm_on_the_whole_disk,
    lvm_on_the_whole_disk_behind_an_empty_label,
    lvm_on_the_whole_disk_over_a_table,
    lvm_in_a_partition,
    luks_on_the_whole_disk,
    luks_2_in_a_partition,
    luks_1_in_a_partition,
    bitlocker_in_a_partition,
    bitlocker_on_the_whole_disk,
    zfs_in_a_partition_that_was_an_ext4,
    zfs_on_the_whole_disk_over_a_table,
    firmware_raid_of_intel_at_the_end_of_the_disk,
    a_cache_device_of_bcache_in_a_partition,
    two_halves_of_a_btrfs,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
