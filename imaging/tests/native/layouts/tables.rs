//! Tables: without partitions, strange, damaged, contradictory, and what they are beside.

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::MIB;

fn a_dos_table_without_partitions_and_something_at_2_mib() {
    Layout::new(64).table("label: dos\n").noise(2 * MIB, MIB).survives_as_a_whole();
}

fn a_gpt_without_partitions_and_something_at_2_mib() {
    Layout::new(64).table("label: gpt\n").noise(2 * MIB, MIB).survives_as_a_whole();
}

fn only_a_gpt_s_copy_without_partitions() {
    let made = "echo 'label: gpt' | sfdisk -q disk; dd if=/dev/urandom of=disk bs=512 seek=1 count=33 conv=notrunc status=none";
    Layout::new(64).shell(made).noise(40 * MIB, MIB).survives_as_a_whole();
}

fn nothing_but_a_boot_signature() {
    Layout::new(64).bytes(510, &[0x55, 0xAA]).noise(40 * MIB, MIB).survives();
}

fn junk_with_a_boot_signature() {
    Layout::new(64).noise(0, 510).bytes(510, &[0x55, 0xAA]).noise(40 * MIB, MIB).survives();
}

fn a_pc_98_table() {
    // NEC's: the signature, and entries in the second sector (parted, libparted/labels/pc98.c).
    let mut entry = [0_u8; 32];
    entry[0] = 0xA0;
    entry[1] = 0xA1;
    entry[16..].copy_from_slice(b"MS-DOS 6.20     ");
    Layout::new(64)
        .bytes(4, b"IPL1")
        .bytes(510, &[0x55, 0xAA])
        .bytes(512, &entry)
        .noise(5 * MIB, MIB)
        .survives_as_a_whole();
}

fn a_blank_disk() {
    Layout::new(16).survives();
}

fn a_disk_of_which_nothing_is_known() {
    Layout::new(8).noise(0, 8 * MIB).survives_as_a_whole();
}

fn a_gpt_with_four_partitions() {
    Layout::new(256)
        .table("label: gpt\nsize=40M, type=U\nsize=60M\nsize=20M, type=S\nsize=40M, type=L\n")
        .file_system("fat", (1, 40), "")
        .file_system("ntfs", (41, 60), "")
        .made((101, 20), "mkswap -q fs")
        .file_system("ext", (121, 40), "")
        .noise(0, 440)
        .survives_with(3);
}

fn a_dos_table_with_an_extended_partition_and_things_in_its_gaps() {
    let script =
        "label: dos\nstart=2048, size=40M, type=7\nsize=60M, type=f\nstart=104448, size=30M, type=83\n";
    Layout::new(120)
        .table(script)
        .file_system("ntfs", (1, 40), "")
        .file_system("ext", (51, 30), "")
        .noise(45 * MIB, MIB)
        .noise(90 * MIB, MIB)
        .survives_with(2);
}

fn three_logical_partitions() {
    let made = "parted -s disk mklabel msdos mkpart primary 1MiB 11MiB mkpart extended 11MiB 100MiB \
        mkpart logical 12MiB 32MiB mkpart logical 33MiB 53MiB mkpart logical 54MiB 74MiB";
    let layout = Layout::new(110).shell(made).file_system("fat", (33, 20), "-F 16 -s 1");
    layout.noise(15 * MIB, 10 * MIB).noise(60 * MIB, 10 * MIB).noise(80 * MIB, MIB).survives_with(1);
}

fn a_gpt_whose_partitions_are_not_in_the_order_of_their_numbers() {
    let made = "sgdisk -n 3:30M:+10M -n 1:50M:+5M -n 2:2M:+20M disk >/dev/null";
    Layout::new(64).shell(made).noise(30 * MIB, MIB).noise(51 * MIB, MIB).survives();
}

fn a_dos_table_whose_partitions_are_not_in_the_order_of_their_numbers() {
    let script = "label: dos\nstart=81920, size=10M\nstart=2048, size=20M\n";
    Layout::new(64).table(script).file_system("fat", (1, 20), "").noise(41 * MIB, MIB).survives_with(1);
}

fn a_hybrid_master_boot_record() {
    let made = "sgdisk -n 1:1M:+40M -h 1 disk >/dev/null";
    Layout::new(64).shell(made).file_system("ext", (1, 40), "").survives_at_its_size();
}

fn a_gpt_with_240_entries() {
    let made = "sgdisk -S 240 -n 200:1M:+40M disk >/dev/null";
    Layout::new(64).shell(made).file_system("ext", (1, 40), "").survives_with(1);
}

fn a_gpt_with_attributes_and_names() {
    let made = "sgdisk -n 1:1M:+40M -c '1:häuser & höfe' -A 1:set:2 -A 1:set:63 disk >/dev/null";
    Layout::new(64).shell(made).file_system("ext", (1, 40), "").survives_with(1);
}

fn a_gpt_whose_first_copy_is_damaged() {
    let made = "sgdisk -n 1:1M:+40M disk >/dev/null; dd if=/dev/zero of=disk bs=512 seek=1 count=1 conv=notrunc status=none";
    let layout = Layout::new(64).shell(made).file_system("ext", (1, 40), "");
    layout.noise(50 * MIB, MIB).survives_at_its_size();
}

fn a_gpt_whose_second_copy_is_gone() {
    let made = "sgdisk -n 1:1M:+40M disk >/dev/null; truncate -s 60M disk; truncate -s 64M disk";
    Layout::new(64).shell(made).file_system("ext", (1, 40), "").noise(50 * MIB, MIB).survives_at_its_size();
}

fn a_gpt_whose_copy_is_not_at_the_end_of_the_disk() {
    let made = "truncate -s 64M disk; sgdisk -n 1:1M:+40M disk >/dev/null; truncate -s 96M disk";
    Layout::new(96).shell(made).file_system("ext", (1, 40), "").survives_with(1);
}

fn a_protective_record_without_a_gpt() {
    let made = "sgdisk -n 1:1M:+40M disk >/dev/null; dd if=/dev/zero of=disk bs=512 seek=1 count=33 conv=notrunc status=none; truncate -s 60M disk; truncate -s 64M disk";
    Layout::new(64).shell(made).noise(5 * MIB, MIB).survives();
}

fn partitions_that_overlap() {
    // Two entries of type 83: sectors 2048 to 43007, and 22528 to 63487.
    let entry = |start: u32, length: u32| {
        let mut entry = [0_u8; 16];
        entry[4] = 0x83;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&length.to_le_bytes());
        entry
    };
    Layout::new(64)
        .bytes(446, &[entry(2048, 40960), entry(22528, 40960)].concat())
        .bytes(510, &[0x55, 0xAA])
        .noise(12 * MIB, MIB)
        .survives_as_a_whole();
}

fn a_partition_that_has_the_table_in_it() {
    let mut entry = [0_u8; 16];
    entry[4] = 0x17;
    entry[12..].copy_from_slice(&65536_u32.to_le_bytes());
    Layout::new(64).bytes(446, &entry).bytes(510, &[0x55, 0xAA]).noise(12 * MIB, MIB).survives_as_a_whole();
}

fn a_partition_that_reaches_beyond_the_disk() {
    let made = "truncate -s 128M disk; echo 'size=100M' | sfdisk -q disk; truncate -s 64M disk";
    Layout::new(64).shell(made).noise(12 * MIB, MIB).survives_as_a_whole();
}

fn a_bootable_iso_that_was_written_to_a_stick() {
    let made = "mkdir i; head -c 3000000 /dev/urandom >i/a; genisoimage -quiet -o iso i
        dd if=iso of=disk conv=notrunc status=none; echo 'start=64, size=8000, type=17' | sfdisk -q --wipe=never disk";
    Layout::new(64).shell(made).noise(40 * MIB, MIB).survives();
}

fn a_sun_label() {
    Layout::new(64).shell("echo 'label: sun' | sfdisk -q disk").noise(20 * MIB, MIB).survives_as_a_whole();
}

fn an_sgi_label() {
    Layout::new(64).shell("echo 'label: sgi' | sfdisk -q disk").noise(20 * MIB, MIB).survives_as_a_whole();
}

fn a_mac_label() {
    let made = "parted -s disk mklabel mac mkpart a ext2 10MiB 30MiB";
    Layout::new(64).shell(made).noise(12 * MIB, MIB).survives_as_a_whole();
}

fn an_amiga_label() {
    Layout::new(64).shell("parted -s disk mklabel amiga").noise(20 * MIB, MIB).survives();
}

fn a_bsd_label_in_a_partition() {
    let made = "echo 'label: dos
        size=40M, type=a6' | sfdisk -q disk; parted -s fs mklabel bsd";
    let layout = Layout::new(64).shell("truncate -s 40M fs").shell(made);
    layout.shell("dd if=fs of=disk bs=1M seek=1 conv=notrunc status=none").noise(20 * MIB, MIB).survives();
}

fn partitions_that_begin_at_the_63rd_sector() {
    let script = "label: dos\nstart=63, size=81920, type=83\n";
    Layout::new(64).table(script).noise(512, 62 * 512).noise(63 * 512, 3 * MIB).survives();
}

fn a_partition_to_the_last_sector_of_a_dos_disk() {
    Layout::new(64)
        .table("label: dos\nstart=2048, type=83\n")
        .file_system("ext", (1, 63), "")
        .survives_with(1);
}

fn a_partition_to_the_last_usable_sector_of_a_gpt() {
    Layout::new(64).table("label: gpt\nstart=2048\n").file_system("ext", (1, 62), "").survives_with(1);
}

fn partitions_of_one_sector() {
    let script = "label: dos\nstart=2048, size=1\nstart=4096, size=1\n";
    Layout::new(16).table(script).noise(MIB, 512).noise(2 * MIB, 512).survives();
}

fn forty_partitions() {
    let script: String = (0..40).map(|_| "size=1M\n").collect();
    Layout::new(64).table(&format!("label: gpt\n{script}")).noise(MIB, 40 * MIB).survives();
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    a_dos_table_without_partitions_and_something_at_2_mib,
    a_gpt_without_partitions_and_something_at_2_mib,
    only_a_gpt_s_copy_without_partitions,
    nothing_but_a_boot_signature,
    junk_with_a_boot_signature,
    a_pc_98_table,
    a_blank_disk,
    a_disk_of_which_nothing_is_known,
    a_gpt_with_four_partitions,
    a_dos_table_with_an_extended_partition_and_things_in_its_gaps,
    three_logical_partitions,
    a_gpt_whose_partitions_are_not_in_the_order_of_their_numbers,
    a_dos_table_whose_partitions_are_not_in_the_order_of_their_numbers,
    a_hybrid_master_boot_record,
    a_gpt_with_240_entries,
    a_gpt_with_attributes_and_names,
    a_gpt_whose_first_copy_is_damaged,
    a_gpt_whose_second_copy_is_gone,
    a_gpt_whose_copy_is_not_at_the_end_of_the_disk,
    a_protective_record_without_a_gpt,
    partitions_that_overlap,
    a_partition_that_has_the_table_in_it,
    a_partition_that_reaches_beyond_the_disk,
    a_bootable_iso_that_was_written_to_a_stick,
    a_sun_label,
    an_sgi_label,
    a_mac_label,
    an_amiga_label,
    a_bsd_label_in_a_partition,
    partitions_that_begin_at_the_63rd_sector,
    a_partition_to_the_last_sector_of_a_dos_disk,
    a_partition_to_the_last_usable_sector_of_a_gpt,
    partitions_of_one_sector,
    forty_partitions,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
