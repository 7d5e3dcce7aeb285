//! What partclone cannot save, or does not save all of: every byte is saved instead.

use std::path::Path;

use ghost_imaging::plan::backup::{Holding, Owner, Stretch};
use ghost_imaging::survey;
use ghost_imaging::sys::disk::facts;

use super::Layout;
use super::corpus::{Entry, all, entries};
use crate::disk::{MIB, blank, peek, run};

const GPT: &str = "label: gpt\nsize=320M\n";

/// Whoever reads the first table of such a FAT takes all for free.
fn a_fat32_whose_second_table_counts() {
    let layout = Layout::new(120).table("label: gpt\nsize=100M\n");
    let layout = layout.file_system_that_is_left_over("fat", (1, 100), "-F 32 -R 32");
    let sectors = peek(&layout.disk(), MIB + 36, 4);
    let length = usize::try_from(u32::from_le_bytes(sectors.try_into().unwrap())).unwrap() * 512;
    let zeros = vec![0; length - 12];
    layout
        .bytes(MIB + 40, &[0x81, 0])
        .bytes(MIB + 32 * 512 + 12, &zeros)
        .survives_and_says("another one counts in this");
}

/// An XFS that says that it uses two blocks more than its trees of free blocks leave.
fn an_xfs_that_says_that_it_uses_more_than_partclone_finds() {
    let layout = Layout::new(336).table(GPT).file_system_that_is_left_over("xfs", (1, 320), "-m crc=0");
    let free = peek(&layout.disk(), MIB + 144, 8);
    let less = u64::from_be_bytes(free.try_into().unwrap()) - 2;
    layout.bytes(MIB + 144, &less.to_be_bytes()).survives_and_says("the file system says");
}

fn a_btrfs_with_second_copies() {
    let layout = Layout::new(144).table("label: gpt\nsize=120M\n");
    layout.file_system("btrfs", (1, 120), "-m dup").survives_and_says("second copies");
}

/// An f2fs at one MiB, in whose checkpoint that counts this field has other bytes.
fn f2fs_with(field: usize, bytes: &[u8]) -> Layout {
    const BLOCK: u64 = 4096;
    let layout = Layout::new(120).table("label: gpt\nsize=100M\n");
    let layout = layout.file_system_that_is_left_over("f2fs", (1, 100), "");
    let first = peek(&layout.disk(), MIB + 1024 + 76, 4);
    let first = MIB + u64::from(u32::from_le_bytes(first.try_into().unwrap())) * BLOCK;
    let blocks = u64::from(peek(&layout.disk(), first + 136, 1)[0]);
    [first, first + (blocks - 1) * BLOCK].into_iter().fold(layout, |layout, at| {
        let mut block = peek(&layout.disk(), at, BLOCK);
        block[field..field + bytes.len()].copy_from_slice(bytes);
        let mut sum = crc32fast::Hasher::new_with_initial(!0xF2F5_2010);
        sum.update(&block[..4092]);
        block[4092..].copy_from_slice(&(!sum.finalize()).to_le_bytes());
        layout.bytes(at, &block)
    })
}

fn an_f2fs_that_was_not_unmounted() {
    // The flags without that of an unmount; what was synced since may be anywhere.
    f2fs_with(132, &[0x80]).noise(90 * MIB, MIB).survives_and_says("it was not unmounted");
}

fn an_f2fs_that_says_that_it_uses_more_than_partclone_finds() {
    f2fs_with(16, &9000_u64.to_le_bytes()).noise(90 * MIB, MIB).survives_and_says("the file system says");
}

/// It is looked at only: to read all of it would take too long.
fn an_xfs_of_2_to_the_32_blocks() {
    let layout = Layout::new(1);
    let disk = layout.folder().join("large");
    blank(&disk, (1 << 32) * 512);
    run("mkfs.xfs", &["-q", "-f", "-b", "size=512", "-m", "crc=0", "-l", "size=64m", disk.to_str().unwrap()]);
    let said = refused(&disk);
    assert!(said.contains("2^32 blocks"), "{said}");
}

fn refused(disk: &Path) -> String {
    let facts = facts(disk).unwrap();
    let stretch = Stretch { start: 0, length: facts.size, owner: Owner::Disk };
    match survey::look(&facts, stretch, None).unwrap().holding {
        Some(Holding::Refused(_, said)) => said,
        other => panic!("{other:?}"),
    }
}

/// The entries of this file.
const LAYOUTS: &[Entry] = entries![
    a_fat32_whose_second_table_counts,
    an_xfs_that_says_that_it_uses_more_than_partclone_finds,
    a_btrfs_with_second_copies,
    an_f2fs_that_was_not_unmounted,
    an_f2fs_that_says_that_it_uses_more_than_partclone_finds,
    an_xfs_of_2_to_the_32_blocks,
];

#[test]
fn all_of_them() {
    all(LAYOUTS);
}
