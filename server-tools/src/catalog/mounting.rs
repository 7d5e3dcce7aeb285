//! A partition of a generation as a folder to look into: its file system is restored to a sparse file in a cache folder,
//! and that is mounted read-only. The generation itself is only read.
//!
//! ```text
//! (nothing) ──record──▶ recorded ──restore──▶ file ──mount──▶ mounted
//!                          │ crash, or a failure  │              │ unmount
//!                          ▼                      ▼              ▼
//!                      (nothing) ◀── unmount, remove the file, remove the record
//! ```
//! What a crash left is found by its record, whose lock the kernel has released.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ghost_contract::image::{Content, FileSystem, Partition, Region, Table};
use ghost_contract::{Generation, HostName, UnixTime};
use ghost_imaging::board::Board;
use ghost_imaging::restore;
use serde::{Deserialize, Serialize};

use crate::sys::lock::try_alone;
use crate::sys::mount::{self, MountError, Way};

/// The folder of the records, below the state folder.
const FOLDER: &str = "mounts";
/// How a record's name ends, and that of one that is being written.
const RECORD: &str = "json";
const BESIDE: &str = "new";

/// Where partitions are restored to unless another folder is named.
pub const CACHE: &str = "/var/cache/ghost4linux";

/// What is mounted, and what has to go when it is unmounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    pub host: HostName,
    pub generation: Generation,
    pub disk: u32,
    /// Which partition; none on a disk without a table.
    pub partition: Option<u32>,
    pub file_system: String,
    pub folder: PathBuf,
    /// The file that was restored.
    pub file: PathBuf,
    pub at: UnixTime,
}

/// Why a partition cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum MountingError {
    #[error("there is no partition {asked_for} on this disk; it has {there}")]
    NoPartition {
        asked_for: u32,
        /// Those that there are, in words.
        there: String,
    },
    #[error("say with --partition which one: {0}")]
    WhichPartition(String),
    /// None of them can be looked into.
    #[error("no partition of this disk has a file system that can be mounted; it has {0}")]
    NoFileSystem(String),
    /// This one cannot be looked into.
    #[error("partition {number} holds {found}, which cannot be mounted")]
    NotMountable { number: u32, found: String },
    /// It is no folder that one can mount at.
    #[error("cannot mount at {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    #[error("something is mounted at {} already", .0.display())]
    Taken(PathBuf),
    /// Nothing of ours is there.
    #[error("nothing of the image store is mounted at {}", .0.display())]
    NotOurs(PathBuf),
    /// Another ghostctl is at it.
    #[error("another ghostctl is mounting at {} now", .0.display())]
    Busy(PathBuf),
    /// The file system was not restored.
    #[error("cannot restore the partition to {}", .path.display())]
    Restore {
        path: PathBuf,
        #[source]
        source: anyhow::Error,
    },
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A record, or the file.
    #[error("cannot {verb} {}", .path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A file system of an image that can be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its partition; none if it is the whole disk.
    pub partition: Option<u32>,
    pub file_system: String,
}

/// Which file system is meant: the one of this partition, or the only one there is.
pub fn choose(table: &Table, regions: &[Region], partition: Option<u32>) -> Result<Choice, MountingError> {
    let partitions = &table.partitions;
    let choice = |of: &Partition| {
        let file_system = of.file_system.clone().filter(|kind| !ways(kind).is_empty())?;
        Some(Choice { partition: Some(of.number), file_system })
    };
    if let Some(number) = partition {
        let found = partitions.iter().find(|one| one.number == number);
        let found = found
            .ok_or_else(|| MountingError::NoPartition { asked_for: number, there: listed(partitions) })?;
        return choice(found).ok_or_else(|| MountingError::NotMountable { number, found: holding(found) });
    }
    let mut choices: Vec<Choice> = partitions.iter().filter_map(choice).collect();
    if partitions.is_empty() {
        choices.extend(whole_disk(regions));
    }
    match choices.len() {
        0 => Err(MountingError::NoFileSystem(listed(partitions))),
        1 => Ok(choices.remove(0)),
        _ => Err(MountingError::WhichPartition(listed(partitions))),
    }
}

/// A file system that fills the disk.
fn whole_disk(regions: &[Region]) -> Option<Choice> {
    regions.iter().find_map(|region| match &region.content {
        Content::Partclone { file_system, .. } => {
            Some(Choice { partition: None, file_system: name(*file_system).to_owned() })
        }
        Content::Raw { .. } | Content::Unused { .. } => None,
    })
}

const fn name(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "ntfs",
        FileSystem::Fat => "vfat",
        FileSystem::Exfat => "exfat",
        FileSystem::Ext => "ext4",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Xfs => "xfs",
    }
}

fn listed(partitions: &[Partition]) -> String {
    let words = |one: &Partition| format!("{} ({})", one.number, holding(one));
    let words: Vec<String> = partitions.iter().map(words).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn holding(partition: &Partition) -> String {
    let kind = partition.file_system.as_deref().unwrap_or("nothing that is known");
    let label = partition.label.as_deref().or(partition.name.as_deref());
    label.map_or_else(|| kind.to_owned(), |label| format!("{kind} \"{label}\""))
}

/// How a file system is mounted, the first that works. The kernel's own are the fastest; what it may lack has a program.
fn ways(file_system: &str) -> &'static [Way] {
    match file_system {
        "ext2" | "ext3" | "ext4" => &[Way::Kernel { kind: "ext4", options: ",noload" }, Way::Fuse("fuse2fs")],
        "ntfs" => &[Way::Fuse("ntfs-3g"), Way::Kernel { kind: "ntfs3", options: "" }],
        "vfat" => &[Way::Kernel { kind: "vfat", options: "" }],
        "exfat" => &[Way::Kernel { kind: "exfat", options: "" }],
        "btrfs" => &[Way::Kernel { kind: "btrfs", options: ",rescue=nologreplay" }],
        "xfs" => &[Way::Kernel { kind: "xfs", options: ",norecovery,nouuid" }],
        _ => &[],
    }
}

#[derive(Debug)]
pub struct Wanted<'a> {
    pub host: &'a HostName,
    pub generation: &'a Generation,
    /// Which of its disks …
    pub disk: u32,
    /// … and where that disk's image is.
    pub image: &'a Path,
    pub choice: &'a Choice,
    pub folder: &'a Path,
    /// Where the file goes that it is restored to.
    pub cache: &'a Path,
}

/// Restores and mounts a file system. If anything fails, nothing of it is left.
pub fn mount(state: &Path, wanted: &Wanted<'_>, now: UnixTime) -> Result<Mounted, MountingError> {
    let folder =
        wanted.folder.canonicalize().map_err(|error| MountingError::Folder(wanted.folder.into(), error))?;
    if !folder.is_dir() {
        return Err(MountingError::Folder(folder, io::ErrorKind::NotADirectory.into()));
    }
    if mount::is_mounted(&folder)? || records(state)?.iter().any(|(_, one)| one.folder == folder) {
        return Err(MountingError::Taken(folder));
    }
    let part =
        wanted.choice.partition.map_or_else(|| "disk".to_owned(), |number| format!("partition{number}"));
    let name =
        format!("{}-{}-disk{}-{part}-{}", wanted.host, wanted.generation, wanted.disk, now.as_millis());
    let mounted = Mounted {
        host: wanted.host.clone(),
        generation: wanted.generation.clone(),
        disk: wanted.disk,
        partition: wanted.choice.partition,
        file_system: wanted.choice.file_system.clone(),
        folder,
        file: wanted.cache.join(format!("{name}.img")),
        at: now,
    };
    let record = state.join(FOLDER).join(format!("{name}.{RECORD}"));
    let _alone = write_record(&record, &mounted)?;
    if let Err(error) = make(wanted, &mounted) {
        // The first error is the one to tell; what cannot be undone is found by its record.
        let _found_by_recover = undo(&record, &mounted);
        return Err(error);
    }
    Ok(mounted)
}

fn make(wanted: &Wanted<'_>, mounted: &Mounted) -> Result<(), MountingError> {
    let restore_error = |error| MountingError::Restore { path: mounted.file.clone(), source: error };
    fs::create_dir_all(wanted.cache).map_err(during("make", wanted.cache))?;
    let board = Board::default();
    match mounted.partition {
        Some(number) => restore::export_partition(wanted.image, number, &mounted.file, &board),
        None => restore::export(wanted.image, &mounted.file, &board).map(drop),
    }
    .map_err(restore_error)?;
    let mut refused = None;
    for way in ways(&mounted.file_system) {
        match mount::mount(*way, &mounted.file, &mounted.folder) {
            Ok(()) => return Ok(()),
            // What the first way says is worth most: the others stand in for it.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

/// Unmounts what was mounted there, and removes what belongs to it.
pub fn unmount(state: &Path, folder: &Path) -> Result<Mounted, MountingError> {
    let named = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let found = records(state)?.into_iter().find(|(_, one)| one.folder == named);
    let (record, mounted) = found.ok_or(MountingError::NotOurs(named))?;
    if owner_lives(&record)? {
        return Err(MountingError::Busy(mounted.folder));
    }
    undo(&record, &mounted)?;
    Ok(mounted)
}

/// Removes what a crash or a restart of the machine left of mounts. What is still mounted stays.
pub fn recover(state: &Path) -> Result<Vec<Mounted>, MountingError> {
    let mut removed = Vec::new();
    for (record, mounted) in records(state)? {
        if owner_lives(&record)? || mount::is_mounted(&mounted.folder)? {
            continue;
        }
        undo(&record, &mounted)?;
        removed.push(mounted);
    }
    Ok(removed)
}

fn undo(record: &Path, mounted: &Mounted) -> Result<(), MountingError> {
    if mount::is_mounted(&mounted.folder)? {
        mount::unmount(&mounted.folder)?;
    }
    for path in [&mounted.file, record] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(during("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// All mounts that somebody has begun and nobody has ended.
fn records(state: &Path) -> Result<Vec<(PathBuf, Mounted)>, MountingError> {
    let folder = state.join(FOLDER);
    let listed = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(during("list", &folder))?,
    };
    let mut records = Vec::new();
    for entry in listed {
        let path = entry.map_err(during("list", &folder))?.path();
        if path.extension().is_none_or(|extension| extension != RECORD) {
            continue;
        }
        let bytes = match fs::read(&path) {
            // It has gone this very moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(during("read", &path))?,
        };
        let parsed = serde_json::from_slice(&bytes).map_err(io::Error::other);
        records.push((path.clone(), parsed.map_err(during("read", &path))?));
    }
    Ok(records)
}

/// Whether the one who made this record is still at work.
fn owner_lives(record: &Path) -> Result<bool, MountingError> {
    match File::open(record) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        opened => {
            opened.and_then(|file| try_alone(&file)).map(|alone| !alone).map_err(during("lock", record))
        }
    }
}

/// On the disk, and locked until the file is dropped. It appears whole and locked, so that nobody takes it for a leftover.
fn write_record(path: &Path, mounted: &Mounted) -> Result<File, MountingError> {
    let beside = path.with_extension(BESIDE);
    let written = || {
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        try_alone(&file)?;
        file.write_all(&serde_json::to_vec_pretty(mounted)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()?;
        Ok(file)
    };
    written().map_err(during("write", path))
}

fn during(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MountingError {
    let path = path.to_owned();
    move |source| MountingError::Io { verb, path, source }
}

#[cfg(test)]
mod tests;
