//! What stands beside partitions, and behind file systems within them.

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::MIB;

fn a_boot_loader_at_8_mib_in_front_of_the_first_partition() {
    let layout = Layout::new(64).table("label: dos\nstart=32768, size=40M, type=83\n");
    layout.file_system("ext", (16, 40), "").noise(8 * MIB, MIB).survives_with(1);
}

fn a_boot_loader_in_front_of_the_first_partition_of_a_gpt() {
    let layout = Layout::new(80).table("label: gpt\nstart=32768, size=40M, type=L\n");
    layout.file_system("ext", (16, 40), "").noise(32 * 1024, MIB).noise(9 * MIB, MIB).survives_with(1);
}

fn a_verity_tree_behind_an_ext4() {
    let layout = Layout::new(200).table("label: gpt\nsize=180M, type=L\n");
    layout.file_system("ext", (1, 40), "").noise(60 * MIB, 2 * MIB).noise(150 * MIB, MIB).survives_with(1);
}

fn something_behind_every_file_system() {
    for (kind, size, options) in
        [("ext", 40, ""), ("fat", 40, ""), ("ntfs", 40, ""), ("exfat", 20, ""), ("btrfs", 120, "-m single")]
    {
        let layout = Layout::new(256).table("label: gpt\nsize=240M, type=L\n");
        let layout = layout.file_system(kind, (1, size), options);
        layout.noise((1 + size) * MIB, 3 * 512).noise((30 + size) * MIB, MIB).survives_with(1);
    }
}

fn something_in_a_gap_between_partitions() {
    let layout = Layout::new(128).table("label: gpt\nstart=2048, size=20M\nstart=122880, size=40M\n");
    layout.file_system("ext", (60, 40), "").noise(40 * MIB + 512, MIB).survives_with(1);
}

fn something_behind_the_last_partition() {
    for label in ["gpt", "dos"] {
        let layout = Layout::new(96).table(&format!("label: {label}\nstart=2048, size=40M\n"));
        layout.file_system("ext", (1, 40), "").noise(70 * MIB, MIB).survives_with(1);
    }
}

fn a_backup_gpt_of_an_earlier_disk_in_a_gap() {
    let made = "truncate -s 64M old; sgdisk -n 1:1M:+10M old >/dev/null; dd if=old of=disk bs=512 skip=131039 seek=131039 conv=notrunc status=none";
    let layout = Layout::new(128).shell(made).table("label: dos\nstart=2048, size=40M\n");
    layout.file_system("ext", (1, 40), "").survives_with(1);
}

fn gaps_that_are_left_out_as_ordered_are_said() {
    let layout = Layout::new(128).settings("{\"gaps\": \"leave_out\"}");
    let layout = layout.table("label: gpt\nstart=2048, size=40M\n").file_system("ext", (1, 40), "");
    layout.free_noise(60 * MIB, MIB).survives_and_says("left out");
}

fn a_swap_area_that_was_used() {
    let layout =
        Layout::new(96).table("label: gpt\nsize=40M, type=S\nsize=40M\n").made((1, 40), "mkswap -q -L s fs");
    layout.free_noise(20 * MIB, MIB).noise(50 * MIB, MIB).survives_and_says("swap");
}

fn a_swap_area_of_a_machine_that_is_hibernated() {
    let layout = Layout::new(96).table("label: gpt\nsize=40M, type=S\n").made((1, 40), "mkswap -q fs");
    layout.bytes(MIB + 4086, b"S1SUSPEND\0").noise(20 * MIB, MIB).survives();
}

fn boot_code_in_front_of_file_systems() {
    // What a boot loader keeps in front of the superblock is no file, and not free.
    for (kind, size, options, from, length) in [
        ("ext", 40, "-b 1024", 0, 1024),
        ("ext", 40, "-b 4096", 0, 1024),
        ("btrfs", 120, "-m single", 0, 64 << 10),
        ("btrfs", 120, "-m single", 68 << 10, (1 << 20) - (68 << 10)),
        ("f2fs", 100, "", 0, 1024),
    ] {
        let layout = Layout::new(160).table("label: gpt\nsize=140M\n").file_system(kind, (1, size), options);
        layout.noise(MIB + from, length).survives();
    }
}

fn boot_code_in_front_of_a_fat_s_first_table() {
    let layout =
        Layout::new(160).table("label: gpt\nsize=140M\n").file_system("fat", (1, 100), "-F 32 -R 64");
    layout.noise(MIB + 20 * 512, 40 * 512).survives_with(1);
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    a_boot_loader_at_8_mib_in_front_of_the_first_partition,
    a_boot_loader_in_front_of_the_first_partition_of_a_gpt,
    a_verity_tree_behind_an_ext4,
    something_behind_every_file_system,
    something_in_a_gap_between_partitions,
    something_behind_the_last_partition,
    a_backup_gpt_of_an_earlier_disk_in_a_gap,
    gaps_that_are_left_out_as_ordered_are_said,
    a_swap_area_that_was_used,
    a_swap_area_of_a_machine_that_is_hibernated,
    boot_code_in_front_of_file_systems,
    boot_code_in_front_of_a_fat_s_first_table,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
