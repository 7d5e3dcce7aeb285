//! FAT12, FAT16 and FAT32. All files belong to root, since FAT knows no users.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::SystemTime;

use fatfs::{DateTime, FileSystem, FsOptions};
use time::Month;

use super::paths::Paths;
use super::{Children, Entry, Kind, ROOT, Tree, missing};

type Volume = FileSystem<fs::File>;

pub(super) struct Fat {
    /// It lives as long as the process, which serves nothing else.
    volume: &'static Volume,
    paths: Paths,
    /// The file that was read last, and where its next read begins: finding its way to a place costs time.
    open: Option<(u64, fatfs::File<'static, fs::File>, u64)>,
}

impl Fat {
    /// The file is open for reading alone, and so nothing is written.
    pub(super) fn open(file: fs::File) -> io::Result<Self> {
        let volume = FileSystem::new(file, FsOptions::new().update_accessed_date(false))?;
        Ok(Self { volume: Box::leak(Box::new(volume)), paths: Paths::from_root(b""), open: None })
    }

    fn path(&self, node: u64) -> io::Result<&str> {
        std::str::from_utf8(self.paths.of(node)?).map_err(|_| missing())
    }

    /// The folder, which has no path if it is the root.
    fn folder(&self, path: &str) -> io::Result<fatfs::Dir<'static, fs::File>> {
        let root = self.volume.root_dir();
        if path.is_empty() { Ok(root) } else { root.open_dir(path) }
    }

    fn found(&self, path: &str) -> io::Result<fatfs::DirEntry<'static, fs::File>> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        for entry in self.folder(above)?.iter() {
            let entry = entry?;
            if entry.file_name().eq_ignore_ascii_case(name) {
                return Ok(entry);
            }
        }
        Err(missing())
    }
}

impl Tree for Fat {
    fn entry(&mut self, node: u64) -> io::Result<Entry> {
        if node == ROOT {
            let epoch = SystemTime::UNIX_EPOCH;
            return Ok(entry(Kind::Folder, 0, epoch));
        }
        let found = self.found(self.path(node)?)?;
        let kind = if found.is_dir() { Kind::Folder } else { Kind::File };
        Ok(entry(kind, found.len(), time(&found.modified())))
    }

    fn child(&mut self, folder: u64, name: &[u8]) -> io::Result<u64> {
        let below = self.paths.below(folder, name)?;
        self.found(std::str::from_utf8(&below).map_err(|_| missing())?)?;
        self.paths.number(below)
    }

    fn children(&mut self, folder: u64) -> io::Result<Children> {
        let mut children = Vec::new();
        for entry in self.folder(self.path(folder)?)?.iter() {
            let entry = entry?;
            let name = entry.file_name();
            // A name that says where it is leads nowhere.
            if name != "." && name != ".." && !name.contains('/') {
                let kind = if entry.is_dir() { Kind::Folder } else { Kind::File };
                children.push((name.into_bytes(), kind));
            }
        }
        Ok(children)
    }

    fn read(&mut self, node: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let (mut file, at) = match self.open.take() {
            Some((open, file, at)) if open == node => (file, at),
            _ => (self.volume.root_dir().open_file(self.path(node)?)?, 0),
        };
        if at != offset {
            file.seek(SeekFrom::Start(offset))?;
        }
        let mut bytes = Vec::new();
        let wanted = u64::try_from(length).map_err(io::Error::other)?;
        let read = file.by_ref().take(wanted).read_to_end(&mut bytes)?;
        let next = offset.saturating_add(u64::try_from(read).map_err(io::Error::other)?);
        self.open = Some((node, file, next));
        Ok(bytes)
    }

    fn link(&mut self, _node: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

fn entry(kind: Kind, size: u64, changed: SystemTime) -> Entry {
    let permissions = if kind == Kind::Folder { 0o700 } else { 0o600 };
    Entry { kind, permissions, user: 0, group: 0, size, changed, accessed: changed }
}

/// FAT knows no time zone: its times are shown as they stand there.
fn time(at: &DateTime) -> SystemTime {
    shown(at).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn shown(DateTime { date, time }: &DateTime) -> Option<SystemTime> {
    let small = |number: u16| u8::try_from(number).ok();
    let month = Month::try_from(small(date.month)?).ok()?;
    let date = time::Date::from_calendar_date(date.year.into(), month, small(date.day)?).ok()?;
    let clock = time::Time::from_hms(small(time.hour)?, small(time.min)?, small(time.sec)?).ok()?;
    Some(date.with_time(clock).assume_utc().into())
}
