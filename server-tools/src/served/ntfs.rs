//! NTFS. All files belong to root: who may read them in Windows is nothing that this machine knows.
//!
//! Compressed and encrypted files, and reparse points (links of Windows, files that it has compressed or moved elsewhere), can be
//! listed, and reading them is an error. The crate `ntfs` does not know how much of a file was ever written, and so would show what
//! the disk held before.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

use attribute::{Attribute, BITMAP, DATA, INDEX_ALLOCATION, INDEX_ROOT, STANDARD, Value};
use volume::{RECORD_BITS, Volume};

use super::bytes::{broken, part, u8_at, u16_at, u32_at, u64_at};
use super::{Children, Entry, Kind, ROOT, Tree, missing, unreadable};

mod attribute;
mod volume;

/// The record of the folder that all others are in.
const ROOT_RECORD: u64 = 5;
/// The first records are the file system's own.
const FIRST_RECORD: u64 = 16;
/// The name of the index that a folder is.
const NAMES: &[u8] = b"$\0I\x003\x000\0";
const IS_FOLDER: u16 = 2;
const NAME_OF_FOLDER: u32 = 0x1000_0000;
const REPARSE_POINT: u32 = 0x400;
/// Of an entry of an index: it is the last, and has no name.
const LAST: u16 = 2;
/// A second name, for DOS.
const DOS: u8 = 2;
/// The blocks of a folder that are in use, a bit each: so many are millions of names, bytes.
const LARGEST_BITMAP: usize = 64 << 10;
/// Between the beginnings of the two ways to count time: 1601 and 1970.
const EPOCH: Duration = Duration::from_secs(11_644_473_600);

type Names = HashMap<Vec<u8>, (u64, Kind)>;

pub(super) struct Ntfs {
    volume: Volume,
    /// The folder that was listed last.
    listed: Option<(u64, Names)>,
    /// The file that was read last.
    open: Option<(u64, Attribute)>,
}

impl Ntfs {
    pub(super) fn open(file: File) -> io::Result<Self> {
        Ok(Self { volume: Volume::open(file)?, listed: None, open: None })
    }

    /// What is in a folder, by name.
    fn names(&mut self, folder: u64) -> io::Result<&Names> {
        let known = self.listed.take().filter(|(listed, _)| *listed == folder);
        let names = match known {
            Some((_, names)) => names,
            None => self.read_names(folder)?,
        };
        Ok(&self.listed.insert((folder, names)).1)
    }

    /// The root of the index, and then each of its blocks that is in use, in whatever order.
    fn read_names(&self, folder: u64) -> io::Result<Names> {
        let attributes = self.volume.attributes(swapped(folder))?;
        require_plain(&attributes)?;
        let find = |kind| attributes.iter().find(|one| one.kind == kind && one.name == NAMES);
        let root = find(INDEX_ROOT).ok_or_else(broken)?;
        let Value::Resident(root) = &root.value else { return Err(broken()) };
        let mut names = Names::new();
        add_names(part(root, 16, root.len().saturating_sub(16))?, &mut names)?;
        let Some(blocks) = find(INDEX_ALLOCATION) else { return Ok(names) };
        let block = volume::index_blocks(root)?;
        let length = usize::try_from(block).map_err(|_| broken())?;
        let used = self.volume.read(&find(BITMAP).ok_or_else(broken)?.value, 0, LARGEST_BITMAP)?;
        let bits = used.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        for (number, _) in (0..blocks.value.size() / block).zip(bits).filter(|(_, is_used)| *is_used) {
            let bytes = self.volume.read(&blocks.value, number * block, length)?;
            let bytes = volume::mended(bytes, b"INDX")?;
            add_names(part(&bytes, 24, length - 24)?, &mut names)?;
        }
        Ok(names)
    }

    fn content(&self, node: u64) -> io::Result<Option<Attribute>> {
        let attributes = self.volume.attributes(swapped(node))?;
        require_plain(&attributes)?;
        Ok(attributes.into_iter().find(is_content))
    }
}

impl Tree for Ntfs {
    fn entry(&mut self, node: u64) -> io::Result<Entry> {
        let number = swapped(node);
        let is_folder = u16_at(&self.volume.record(number)?, 0x16)? & IS_FOLDER != 0;
        let attributes = self.volume.attributes(number)?;
        let times = standard(&attributes)?;
        let size = attributes.iter().find(|one| is_content(one)).map_or(0, |content| content.value.size());
        let (kind, permissions, size) =
            if is_folder { (Kind::Folder, 0o700, 0) } else { (Kind::File, 0o600, size) };
        let (changed, accessed) = (time(u64_at(times, 8)?), time(u64_at(times, 24)?));
        Ok(Entry { kind, permissions, user: 0, group: 0, size, changed, accessed })
    }

    fn child(&mut self, folder: u64, name: &[u8]) -> io::Result<u64> {
        self.names(folder)?.get(name).map(|(node, _)| *node).ok_or_else(missing)
    }

    fn children(&mut self, folder: u64) -> io::Result<Children> {
        Ok(self.names(folder)?.iter().map(|(name, (_, kind))| (name.clone(), *kind)).collect())
    }

    fn read(&mut self, node: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let content = match self.open.take() {
            Some((open, content)) if open == node => content,
            _ => match self.content(node)? {
                Some(content) => content,
                None => return Ok(Vec::new()),
            },
        };
        if !content.is_as_written() {
            return Err(unreadable());
        }
        let bytes = self.volume.read(&content.value, offset, length)?;
        self.open = Some((node, content));
        Ok(bytes)
    }

    fn link(&mut self, _link: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

fn is_content(attribute: &Attribute) -> bool {
    attribute.kind == DATA && attribute.name.is_empty()
}

fn standard(attributes: &[Attribute]) -> io::Result<&[u8]> {
    let found = attributes.iter().find(|one| one.kind == STANDARD).ok_or_else(broken)?;
    match &found.value {
        Value::Resident(bytes) => Ok(bytes),
        Value::Clusters { .. } => Err(broken()),
    }
}

/// What a reparse point holds is elsewhere, or in another form.
fn require_plain(attributes: &[Attribute]) -> io::Result<()> {
    let flags = u32_at(standard(attributes)?, 32)?;
    if flags & REPARSE_POINT == 0 { Ok(()) } else { Err(unreadable()) }
}

/// The names in a node of the index, which begins with where its entries begin.
fn add_names(node: &[u8], names: &mut Names) -> io::Result<()> {
    let mut at = usize::try_from(u32_at(node, 0)?).map_err(|_| broken())?;
    while u16_at(node, at + 12)? & LAST == 0 {
        let length = usize::from(u16_at(node, at + 8)?);
        if length < 16 {
            return Err(broken());
        }
        let (number, key) = (u64_at(node, at)? & RECORD_BITS, part(node, at + 16, length - 16)?);
        if u8_at(key, 65)? != DOS && number >= FIRST_RECORD {
            let text = part(key, 66, 2 * usize::from(u8_at(key, 64)?))?;
            let is_folder = u32_at(key, 56)? & NAME_OF_FOLDER != 0;
            names.insert(name(text), (swapped(number), if is_folder { Kind::Folder } else { Kind::File }));
        }
        at += length;
    }
    Ok(())
}

/// In UTF-8, and without what cannot be in a name here.
fn name(text: &[u8]) -> Vec<u8> {
    let units =
        text.chunks_exact(2).map(|pair| pair.iter().rev().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
    let text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.replace(['/', '\0'], "\u{fffd}").into_bytes()
}

/// The root has the number that the kernel gives it, and the record of that number the root's.
fn swapped(number: u64) -> u64 {
    match number {
        ROOT => ROOT_RECORD,
        ROOT_RECORD => ROOT,
        other => other,
    }
}

/// Tenths of a microsecond.
fn time(stamp: u64) -> SystemTime {
    let since = Duration::from_secs(stamp / 10_000_000) + Duration::from_nanos(stamp % 10_000_000 * 100);
    let time = SystemTime::UNIX_EPOCH.checked_add(since).and_then(|time| time.checked_sub(EPOCH));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
