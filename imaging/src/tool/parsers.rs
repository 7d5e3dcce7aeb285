//! What reads bytes of a disk or the words of a tool, as plain functions of bytes: for the fuzz targets (`fuzz/`), and for
//! nothing else. Each says whether it understood anything.

use std::collections::BTreeSet;
use std::io::{self, Read as _};

use ghost_contract::image::{FileSystem, Range};
use sha2::{Digest as _, Sha256};

use super::claims::Read;
use super::partclone::checksums::{Adding, Removing};
use super::partclone::{HEAD, Head};
use super::{
    blkid, boot_sector, f2fs, hits, luks, lvm, opinion, partclone, resizing, sfdisk, superblock, xfs,
};
use crate::stream::frames::Frames;

const FILE_SYSTEMS: [FileSystem; 7] = [
    FileSystem::Ntfs,
    FileSystem::Fat,
    FileSystem::Exfat,
    FileSystem::Ext,
    FileSystem::Btrfs,
    FileSystem::Xfs,
    FileSystem::F2fs,
];
/// No reader asks for more at a time: it would be a client that says how much memory we take.
const MOST: usize = 128 << 20;

/// The head of an image of partclone.
pub fn partclone_head(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<HEAD>() else { return false };
    Head::parse(head).is_ok_and(|head| {
        assert!(head.used <= head.total && head.expected_length() >= head.used);
        true
    })
}

/// An image of partclone with what follows its head, in two parts. What checksums were put into comes out again as it was.
pub fn partclone_body(bytes: &[u8]) -> bool {
    let Some((head, body)) = bytes.split_first_chunk::<HEAD>() else { return false };
    let (first, second) = body.split_at(body.len() / 2);
    let removed = |head: &[u8; HEAD], parts: [&[u8]; 2]| -> Option<Vec<u8>> {
        let (mut removing, _without) = Removing::new(head).ok()?;
        let mut out = Vec::new();
        parts.iter().try_for_each(|part| removing.pass(part, &mut out)).ok()?;
        removing.end().ok().map(|()| out)
    };
    let taken = removed(head, [first, second]);
    assert!(taken.as_ref().is_none_or(|out| out.len() <= body.len()));
    if let Ok((mut adding, with)) = Adding::new(head) {
        let mut out = Vec::new();
        let passed = [first, second].iter().try_for_each(|part| adding.pass(part, &mut out).map(drop));
        if passed.is_ok() && adding.end().is_ok() {
            assert_eq!(removed(&with, [&out, &[]]).as_deref(), Some(body));
        }
    }
    taken.is_some()
}

/// Boot sectors, superblocks, and what file systems say of themselves, on a disk of this length.
pub fn file_systems(disk: &dyn Fn(u64, usize) -> io::Result<Vec<u8>>, length: u64) -> bool {
    let read: Read<'_> = &|at, length| {
        assert!(length <= MOST, "{length} bytes are asked for at once");
        disk(at, length)
    };
    let needed = usize::try_from(length).unwrap_or(usize::MAX).min(superblock::NEEDED);
    let beginning = read(0, needed).unwrap_or_default();
    let beginning = beginning.as_slice();
    for file_system in FILE_SYSTEMS {
        let _hidden = boot_sector::hidden(file_system, beginning);
        let copies = boot_sector::copies(file_system, beginning, length);
        assert!(copies.iter().all(|at| at + boot_sector::LENGTH as u64 <= length), "{copies:?}");
        let _state = superblock::state(file_system, beginning);
    }
    let _state = f2fs::state(read);
    let _block = (superblock::ext_block(beginning), superblock::ntfs_sector(beginning));
    let _log = (xfs::log(beginning), xfs::shape(beginning), xfs::Last::with(None, beginning, 0));
    let understood = |file_system: &FileSystem| opinion::claim(*file_system, read).is_ok();
    FILE_SYSTEMS.iter().filter(|file_system| understood(file_system)).count() > 0
}

/// The volumes of the group of LVM that a physical volume of this length belongs to, of which only the beginning can be read.
/// Its checksums are put right first, so that what stands behind them is read.
pub fn lvm_group(beginning: &[u8], length: u64) -> io::Result<Vec<Range>> {
    let mut beginning = beginning.to_vec();
    lvm::sums::put_right(&mut beginning, read);
    Ok(ranges(lvm::group(&|at, length| read(&beginning, at, length), length)?))
}

/// Where on a physical volume of LVM, with this identifier and length, these metadata put logical volumes.
pub fn logical_volumes(metadata: &[u8], id: &str, length: u64) -> io::Result<Vec<Range>> {
    Ok(ranges(lvm::of_text(metadata, id, length)?))
}

fn ranges(group: lvm::Group) -> Vec<Range> {
    let runs = group.volumes.into_iter().flat_map(|volume| volume.runs);
    runs.map(|run| Range { start: run.start, length: run.length }).collect()
}

/// What blkid and sfdisk say.
pub fn tables(said: &[u8]) -> bool {
    let found = blkid::parse(&String::from_utf8_lossy(said));
    sfdisk::parse(said, "/dev/sda").is_ok() || found.doubt.is_some()
}

/// What other tools say: of bad sectors, of files that were hit, of how small a file system can be.
pub fn tools(said: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(said);
    let _place = (partclone::met_bad_sectors(&text), partclone::unreadable(&text));
    let _least = (resizing::ntfs_minimum(&text), resizing::ext_minimum(&text));
    let (inodes, _own) = hits::icheck(&text);
    let numbers: BTreeSet<u64> = inodes.into_iter().chain([2, 13]).collect();
    let used = hits::blockuse(&text).into_iter().map(|used| used.name);
    let names = hits::ntfscluster(&text).into_iter().chain(hits::ncheck(&text, &numbers)).chain(used);
    names.inspect(|name| assert!(!name.contains(char::is_control), "{name:?}")).collect()
}

/// Where what a LUKS container of this length encrypts begins. A checksum of the header is made right first, so that what
/// stands behind it is read.
pub fn luks(header: &[u8], length: u64) -> Option<u64> {
    /// Where a LUKS2 has the length of its header, and the checksum (`luks`).
    const FIELDS: (std::ops::Range<usize>, std::ops::Range<usize>) = (8..16, 448..512);
    let mut header = header.to_vec();
    if let Some(size) = header.get_mut(FIELDS.0) {
        size.copy_from_slice(&8_192_u64.to_be_bytes());
        header.resize(8_192, 0);
        header[FIELDS.1].fill(0);
        let sum = Sha256::digest(&header);
        header[FIELDS.1.start..][..sum.len()].copy_from_slice(&sum);
    }
    luks::payload(&|at, length| read(&header, at, length), length).ok()
}

/// A compressed stream of which so many bytes are expected: what comes out, with zeros that were passed over put in.
pub fn frames(stream: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let mut frames = Frames::new(stream, length)?;
    let (mut out, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let zeros = frames.zeros(length)?;
        out.resize(out.len() + usize::try_from(zeros).unwrap_or(usize::MAX), 0);
        match frames.read(&mut part)? {
            0 => return Ok(out),
            read => out.extend_from_slice(&part[..read]),
        }
    }
}

fn read(disk: &[u8], at: u64, length: usize) -> io::Result<Vec<u8>> {
    assert!(length <= MOST, "{length} bytes are asked for at once");
    let from = usize::try_from(at).unwrap_or(usize::MAX);
    let bytes = from.checked_add(length).and_then(|end| disk.get(from..end));
    bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
