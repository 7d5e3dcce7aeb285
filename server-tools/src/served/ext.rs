//! ext2, ext3 and ext4. A journal that was not closed is read, and nothing is written.

use std::fs;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime};

use ext4_view::{Ext4, Ext4Error, File, FileType, Metadata, Path, Timestamp};

use super::bytes::{broken, u32_at};
use super::paths::Paths;
use super::{Children, Entry, Kind, LONGEST_LINK, Tree, unreadable};

/// Where the superblock begins, bytes, and as much of it as is looked at (ext4(5)'s ext4_super_block).
const SUPERBLOCK: u64 = 1_024;
const SUPERBLOCK_LENGTH: usize = 0x154;
const BLOCKS_LOW: usize = 0x04;
const BLOCK_SIZE: usize = 0x18;
const BLOCKS_PER_GROUP: usize = 0x20;
const BLOCKS_HIGH: usize = 0x150;
/// mke2fs makes no smaller groups.
const FEWEST_PER_GROUP: u32 = 256;

pub(super) struct Ext {
    volume: Ext4,
    paths: Paths,
    /// The file that was read last: finding its way to a place costs time.
    open: Option<(u64, File)>,
}

impl Ext {
    pub(super) fn open(file: fs::File) -> io::Result<Self> {
        require_room_for_groups(&file)?;
        Ok(Self { volume: Ext4::load(Box::new(file))?, paths: Paths::from_root(b"/"), open: None })
    }
}

impl Tree for Ext {
    fn entry(&mut self, node: u64) -> io::Result<Entry> {
        Ok(entry(&self.volume.symlink_metadata(path(self.paths.of(node)?)?)?))
    }

    fn child(&mut self, folder: u64, name: &[u8]) -> io::Result<u64> {
        let below = self.paths.below(folder, name)?;
        self.volume.symlink_metadata(path(&below)?)?;
        self.paths.number(below)
    }

    fn children(&mut self, folder: u64) -> io::Result<Children> {
        let entries = self.volume.read_dir(path(self.paths.of(folder)?)?)?;
        let child = |entry: Result<ext4_view::DirEntry, Ext4Error>| {
            let entry = entry?;
            Ok((entry.file_name().as_ref().to_vec(), kind(entry.file_type()?)))
        };
        let is_own = |child: &io::Result<(Vec<u8>, Kind)>| {
            child.as_ref().is_ok_and(|(name, _)| name == b"." || name == b"..")
        };
        entries.map(child).filter(|child| !is_own(child)).collect()
    }

    fn read(&mut self, node: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = match self.open.take() {
            Some((open, file)) if open == node => file,
            _ => self.open_file(node)?,
        };
        if file.position() != offset {
            file.seek_to(offset)?;
        }
        let (mut bytes, mut filled) = (vec![0; length], 0);
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_bytes(rest)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        self.open = Some((node, file));
        Ok(bytes)
    }

    fn link(&mut self, node: u64) -> io::Result<Vec<u8>> {
        let path = path(self.paths.of(node)?)?;
        // The driver takes as much memory as the link says that it is long.
        if usize::try_from(self.volume.symlink_metadata(path)?.len())
            .is_ok_and(|length| length <= LONGEST_LINK)
        {
            return Ok(self.volume.read_link(path)?.as_ref().to_vec());
        }
        Err(broken())
    }
}

impl Ext {
    /// Not through a link, which the kernel follows itself.
    fn open_file(&self, node: u64) -> io::Result<File> {
        let path = path(self.paths.of(node)?)?;
        match self.volume.symlink_metadata(path)?.file_type() {
            FileType::Regular => Ok(self.volume.open(path)?),
            _ => Err(unreadable()),
        }
    }
}

/// The driver takes memory for as many groups of blocks as the superblock says that there are.
fn require_room_for_groups(file: &fs::File) -> io::Result<()> {
    let mut superblock = [0; SUPERBLOCK_LENGTH];
    file.read_exact_at(&mut superblock, SUPERBLOCK)?;
    let number = |at| u32_at(&superblock, at);
    let blocks = u64::from(number(BLOCKS_HIGH)?) << 32 | u64::from(number(BLOCKS_LOW)?);
    let block = SUPERBLOCK.checked_shl(number(BLOCK_SIZE)?).ok_or_else(broken)?;
    let length = (&*file).seek(SeekFrom::End(0))?;
    let is_there = blocks.checked_mul(block).is_some_and(|bytes| bytes <= length);
    if is_there && number(BLOCKS_PER_GROUP)? >= FEWEST_PER_GROUP { Ok(()) } else { Err(broken()) }
}

fn path(bytes: &[u8]) -> io::Result<Path<'_>> {
    Path::try_from(bytes).map_err(|_| io::ErrorKind::InvalidFilename.into())
}

fn entry(metadata: &Metadata) -> Entry {
    Entry {
        kind: kind(metadata.file_type()),
        permissions: metadata.mode(),
        user: metadata.uid(),
        group: metadata.gid(),
        size: metadata.len(),
        changed: time(metadata.modified()),
        accessed: time(metadata.accessed()),
    }
}

fn kind(kind: FileType) -> Kind {
    match kind {
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::CharacterDevice => Kind::CharacterDevice,
        FileType::Directory => Kind::Folder,
        FileType::Fifo => Kind::Pipe,
        FileType::Regular => Kind::File,
        FileType::Socket => Kind::Socket,
        FileType::Symlink => Kind::Link,
    }
}

fn time(stamp: Timestamp) -> SystemTime {
    let whole = Duration::from_secs(stamp.seconds().unsigned_abs());
    let second = match stamp.seconds() < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(whole),
        false => SystemTime::UNIX_EPOCH.checked_add(whole),
    };
    let exact = second.and_then(|time| time.checked_add(Duration::from_nanos(stamp.nanoseconds().into())));
    exact.unwrap_or(SystemTime::UNIX_EPOCH)
}
