//! Physical volumes of LVM, made by LVM's own tools: nothing is activated, so the kernel needs no device mapper.

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::{MIB, peek, poke};

const LVM: &str = "label: gpt\nstart=2048, size=160M, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n";
/// What the partition of [`LVM`] is, MiB. Its first extent is a MiB further on, and an extent has 4.
const PLACE: (u64, u64) = (1, 160);

/// A group `vg` in the partition of a disk of 200 MiB, with what these commands make in it.
fn group(commands: &str) -> Layout {
    Layout::new(200).table(LVM).lvm(PLACE, commands)
}

fn ext_btrfs_and_swap_in_a_partition() {
    let layout = group("volume root 40M; volume swap 16M; volume data 92M");
    let layout = layout.file_system("ext", (2, 40), "-t ext4").made((42, 16), "mkswap -q fs");
    let layout = layout.file_system("btrfs", (58, 92), "-M -m single -d single").noise(155 * MIB, MIB);
    layout.survives_with(2);
}

fn ext_and_swap_on_the_whole_disk() {
    let layout = Layout::new(65).lvm((0, 65), "volume root 40M; volume swap 24M");
    layout.file_system("ext", (1, 40), "-t ext4").made((41, 24), "mkswap -q fs").survives_with(1);
}

fn ntfs_and_fat() {
    let layout = group("volume windows 60M; volume efi 40M").file_system("ntfs", (2, 60), "");
    layout.file_system("fat", (62, 40), "-F 16").survives_with(2);
}

fn xfs() {
    let place = "label: dos\nstart=2048, size=325M, type=8e\n";
    let layout = Layout::new(340).table(place).lvm((1, 325), "volume root 320M");
    layout.file_system("xfs", (2, 320), "").survives_with(1);
}

fn in_a_logical_partition() {
    let script = "label: dos\nstart=2048, size=100M, type=5\nstart=4096, size=90M, type=8e\n";
    let layout = Layout::new(120).table(script).lvm((2, 90), "volume root 40M");
    layout.file_system("ext", (3, 40), "-t ext4").survives_with(1);
}

fn of_free_extents_and_what_is_behind_them_every_byte() {
    let layout = group("volume one 40M; volume gone 20M; volume two 40M; lvremove -y vg/gone");
    let layout = layout.file_system("ext", (2, 40), "-t ext4").file_system("ext", (62, 40), "-t ext3");
    layout.noise(45 * MIB, 10 * MIB).noise(110 * MIB, MIB).noise(161 * MIB - 4096, 4096).survives_with(2);
}

fn behind_a_file_system_that_is_shorter_than_its_volume() {
    let layout = group("volume root 60M").file_system("ext", (2, 40), "-t ext4");
    layout.noise(50 * MIB, MIB).noise(62 * MIB - 512, 512).survives_with(1);
}

fn extents_of_other_sizes() {
    let layout = Layout::new(200).table(LVM);
    let layout = layout.lvm_on(&[PLACE], "--physicalextentsize 256k", "volume a 1M; volume root 40M");
    layout.file_system("ext", (3, 40), "-t ext4").noise(2 * MIB, MIB).survives_with(1);
}

fn metadata_at_both_ends() {
    let layout = Layout::new(200).table(LVM);
    let layout = layout.lvm_on(&[PLACE], "--pvmetadatacopies 2", "volume root 40M; volume swap 16M");
    layout.file_system("ext", (2, 40), "-t ext4").survives_with(1);
}

fn metadata_at_both_ends_of_which_one_is_damaged() {
    let layout = Layout::new(200).table(LVM);
    let layout = layout.lvm_on(&[PLACE], "--pvmetadatacopies 2", "volume root 40M; volume swap 16M");
    let layout = layout.file_system("ext", (2, 40), "-t ext4").forgets_group();
    damage_first_area(&layout, "seqno = 3");
    layout.noise(38 * MIB, MIB).survives_and_says("its metadata are damaged");
}

fn a_group_made_anew_where_another_was() {
    let layout = Layout::new(200).table(LVM).lvm(PLACE, "volume old 100M; volume older 20M; vgremove -f vg");
    let layout = layout.lvm(PLACE, "volume first 20M; volume second 40M");
    layout.noise(2 * MIB, 20 * MIB).file_system("ext", (22, 40), "-t ext4").survives_with(1);
}

fn an_ext_over_a_physical_volume_whose_label_stayed() {
    let layout = Layout::new(200).table(LVM).lvm(PLACE, "volume root 40M").forgets_group();
    let layout = layout.file_system_that_is_left_over("ext", (2, 40), "-t ext4");
    layout.file_system_that_is_left_over("ext", (1, 160), "-t ext4 -b 1024").survives_with(0);
}

fn a_table_behind_the_label_of_a_whole_disk() {
    let layout = Layout::new(200).lvm((0, 200), "volume root 40M").forgets_group();
    let layout = layout.file_system_that_is_left_over("ext", (1, 40), "-t ext4");
    let layout = layout.table("label: dos\nstart=2048, size=160M, type=83\n");
    layout.noise(20 * MIB, MIB).survives_as_a_whole();
}

fn a_snapshot_reads_what_its_origin_has_freed() {
    let snapshot = "type = \"snapshot\"\\nchunk_size = 8\\norigin = \"root\"\\ncow_store = \"snap\"";
    let layout =
        group(&format!("volume root 40M; volume snap 12M; {}", with_volume("snapshot0", 10, snapshot)));
    let layout = layout.file_system("ext", (2, 40), "-t ext4");
    // Free in the origin, and perhaps not in the snapshot.
    layout.noise(38 * MIB, MIB).noise(45 * MIB, MIB).survives_and_says("volume snapshot0 is built on it");
}

/// A command that adds a volume to the metadata whose segment has so many extents, and says this.
fn with_volume(name: &str, extents: u64, segment: &str) -> String {
    let id = "abcdef-abcd-abcd-abcd-abcd-abcd-abcdef".replace('f', &name[..1]);
    let status = "status = [\"READ\", \"WRITE\", \"VISIBLE\"]\\nflags = []\\nsegment_count = 1";
    let segment = format!("segment1 {{\\nstart_extent = 0\\nextent_count = {extents}\\n{segment}\\n}}");
    format!("changed 's/^.logical_volumes {{/&\\n{name} {{\\nid = \"{id}\"\\n{status}\\n{segment}\\n}}/'")
}

fn a_thin_pool() {
    let pool = "type = \"thin-pool\"\\nmetadata = \"pool_tmeta\"\\npool = \"pool_tdata\"\\ntransaction_id = 1\\nchunk_size = 128";
    let thin = "type = \"thin\"\\nthin_pool = \"pool\"\\ntransaction_id = 0\\ndevice_id = 1";
    let parts = "s/xdata {/pool_tdata {/; s/xmeta {/pool_tmeta {/; /pool_t.* {/,/flags/s/, \"VISIBLE\"//";
    let pool = with_volume("pool", 10, pool).replace("changed '", &format!("changed '{parts}; "));
    let thin = with_volume("thin", 20, thin);
    let both = format!("{}; {}", pool.trim_end_matches('\''), thin.trim_start_matches("changed '"));
    let layout = group(&format!("volume root 40M; volume xdata 40M; volume xmeta 4M; {both}"));
    // What is in its data looks like a file system, and is one of a volume that uses other chunks, too.
    let layout = layout.file_system("ext", (2, 40), "-t ext4");
    let layout = layout.file_system_that_is_left_over("ext", (42, 40), "-t ext4");
    layout.noise(75 * MIB, MIB).survives_with(1);
}

/// Its two halves are at other places than it says in one sequence.
fn halves() -> Layout {
    let layout = group("volume root 20M; volume swap 16M; lvextend -L +20M vg/root");
    layout.shell(
        "truncate -s 40M fs; mke2fs -q -F -t ext4 fs; dd if=fs of=disk bs=1M seek=2 count=20 conv=notrunc,sparse status=none
         dd if=fs of=disk bs=1M seek=38 skip=20 conv=notrunc,sparse status=none",
    )
}

fn a_volume_that_was_extended_behind_another() {
    halves()
        .noise(45 * MIB, MIB)
        .noise(15 * MIB, MIB)
        .survives_and_says("volume vg/root is saved with every byte: it is in 2 places");
}

fn a_striped_volume() {
    let stripes =
        "s/stripe_count = 1/stripe_count = 2\\nstripe_size = 128/; s/\"pv0\", 0/\"pv0\", 0,\\n\"pv0\", 20/";
    let layout = group(&format!("volume root 80M; changed '{stripes}'"));
    let layout = layout.file_system_that_is_left_over("ext", (2, 80), "-t ext4");
    layout.noise(70 * MIB, MIB).noise(100 * MIB, MIB).survives_and_says("striped over 2 places");
}

fn a_volume_that_is_a_part_of_another() {
    let layout = group("volume root 40M; changed 's/\"WRITE\", \"VISIBLE\"/\"WRITE\"/'");
    let layout = layout.file_system("ext", (2, 40), "-t ext4");
    layout.noise(38 * MIB, MIB).survives_and_says("a part of another volume");
}

fn a_group_on_two_partitions() {
    let layout = Layout::new(200).table("label: gpt\nstart=2048, size=80M\nsize=80M\n");
    let layout = layout.lvm_on(&[(1, 80), (81, 80)], "", "volume root 100M");
    let layout = layout.file_system_that_is_left_over("ext", (2, 70), "-t ext4");
    layout
        .noise(60 * MIB, MIB)
        .noise(100 * MIB, MIB)
        .survives_and_says("its group vg is on 2 physical volumes");
}

fn a_group_without_volumes() {
    group("true").noise(40 * MIB, MIB).survives_with(0);
}

fn metadata_that_are_damaged() {
    let layout = group("volume root 40M").file_system("ext", (2, 40), "-t ext4").forgets_group();
    damage_first_area(&layout, "seqno = 2");
    layout.noise(38 * MIB, MIB).survives_and_says("its metadata are damaged");
}

/// The text with these words has others.
fn damage_first_area(layout: &Layout, words: &str) {
    let text = peek(&layout.disk(), MIB + 4096, 1 << 19);
    let at = text.windows(words.len()).position(|part| part == words.as_bytes()).unwrap() as u64;
    poke(&layout.disk(), MIB + 4096 + at, b"seqno = 9");
}

fn what_is_in_a_volume_is_looked_at_as_in_a_partition() {
    let layout = group("volume open 40M; volume disk 40M; volume key 20M");
    // One that was not unmounted; a disk of a virtual machine; one that is encrypted.
    let layout = layout.made((2, 40), "mke2fs -q -F -t ext4 fs; debugfs -w -R 'feature needs_recovery' fs");
    let layout = layout.noise(38 * MIB, MIB).shell(
        "truncate -s 40M fs; echo 'start=2048, type=83' | sfdisk -q fs; dd if=fs of=disk bs=1M seek=42 conv=notrunc,sparse status=none",
    );
    let layout = layout.file_system_that_is_left_over("ext", (43, 20), "-t ext4").noise(60 * MIB, MIB);
    let luks = "truncate -s 20M fs; echo -n secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 fs -";
    let layout = layout.made((82, 20), luks).noise(100 * MIB, MIB);
    layout.survives_with(0);
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    ext_btrfs_and_swap_in_a_partition,
    ext_and_swap_on_the_whole_disk,
    ntfs_and_fat,
    xfs,
    in_a_logical_partition,
    of_free_extents_and_what_is_behind_them_every_byte,
    behind_a_file_system_that_is_shorter_than_its_volume,
    extents_of_other_sizes,
    metadata_at_both_ends,
    metadata_at_both_ends_of_which_one_is_damaged,
    a_group_made_anew_where_another_was,
    an_ext_over_a_physical_volume_whose_label_stayed,
    a_table_behind_the_label_of_a_whole_disk,
    a_snapshot_reads_what_its_origin_has_freed,
    a_thin_pool,
    a_volume_that_was_extended_behind_another,
    a_striped_volume,
    a_volume_that_is_a_part_of_another,
    a_group_on_two_partitions,
    a_group_without_volumes,
    metadata_that_are_damaged,
    what_is_in_a_volume_is_looked_at_as_in_a_partition,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
