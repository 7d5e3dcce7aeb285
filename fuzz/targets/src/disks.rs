//! Bytes of disks and of images, and the words of tools.

use std::fs::File;

use ghost_contract::image::Range;
use ghost_imaging::parsers as disks;
use ghostctl::parsers as shown;

use crate::patched::Patched;

/// How long the physical volumes of LVM are whose metadata are read, bytes.
const PHYSICAL_VOLUME: u64 = 200 << 20;

/// Bytes of a disk, and the words of tools, make nobody fail or take more memory than they are worth.
pub fn partclone(input: &[u8]) {
    let _understood = disks::partclone_head(input);
}

pub fn partclone_body(input: &[u8]) {
    let _understood = disks::partclone_body(input);
}

/// The disk is one of patches.
pub fn file_systems(input: &[u8]) {
    let disk = Patched::of(input);
    let _understood = disks::file_systems(&|at, length| disk.read(at, length), disk.length);
}

/// A file system as `images mount` shows it: the first byte says what it is called, and the rest is a disk of patches.
pub fn looked_into(input: &[u8]) {
    const KINDS: [&str; 2] = ["ext4", "ntfs"];
    let Some((first, rest)) = input.split_first() else { return };
    let written = FILE.with(|file| {
        Patched::of(rest).write_to(file)?;
        file.try_clone()
    });
    let file = written.unwrap_or_else(|error| panic!("{error}"));
    shown::looked_into(KINDS[usize::from(*first) % KINDS.len()], file);
}

std::thread_local! {
    /// Made once: a file an input would cost more than what is tried.
    static FILE: File = tempfile::tempfile_in("/dev/shm").unwrap_or_else(|error| panic!("/dev/shm: {error}"));
}

/// The beginning of a physical volume, whose checksums are put right.
pub fn lvm(input: &[u8]) {
    let _understood = disks::lvm_group(input, PHYSICAL_VOLUME).map(are_apart);
}

pub fn tables(input: &[u8]) {
    let _understood = disks::tables(input);
}

/// Logical volumes are on their physical volume, and no two of them in the same place.
pub fn volumes(input: &[u8]) {
    let id = "a".repeat(32);
    let _understood = disks::logical_volumes(input, &id, PHYSICAL_VOLUME).map(are_apart);
}

fn are_apart(mut volumes: Vec<Range>) {
    volumes.sort_by_key(|volume| volume.start);
    let mut end = 1;
    for volume in volumes {
        assert!(volume.start >= end && volume.length > 0, "{volume:?}");
        end = volume.start.saturating_add(volume.length);
        assert!(end <= PHYSICAL_VOLUME, "{volume:?}");
    }
}

/// Whatever tools say of files, their names have no control characters.
pub fn tools(input: &[u8]) {
    let names = disks::tools(input);
    assert!(names.len() <= 4 + input.len());
}

/// What a container encrypts is behind its header and in it.
pub fn luks(input: &[u8]) {
    const LENGTH: u64 = 16 << 20;
    let begins = disks::luks(input, LENGTH);
    assert!(begins.is_none_or(|at| (4_096..LENGTH).contains(&at) && at % 512 == 0));
}

/// No more comes out of a compressed stream than was said.
pub fn frames(input: &[u8]) {
    const LENGTH: usize = 1 << 20;
    let Ok(out) = disks::frames(input, LENGTH as u64) else { return };
    assert!(out.len() <= LENGTH);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_lvm_are_read_whatever_their_checksums() {
        let volumes =
            |beginning: &[u8]| disks::lvm_group(beginning, PHYSICAL_VOLUME).map(|volumes| volumes.len());
        assert_eq!(volumes(include_bytes!("../../corpus/lvm/debian")).unwrap(), 3);
        assert_eq!(volumes(include_bytes!("../../corpus/lvm/turning")).unwrap(), 3);
    }
}
