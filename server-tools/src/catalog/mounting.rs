//! A partition of a generation as a folder to look into: its file system is restored to a sparse file in a cache folder,
//! and that is mounted read-only. The generation itself is only read. The bytes of the file system are a client's, so a confined process
//! reads them; the kernel's drivers do only if a person wants that.
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
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use ghost_contract::checksum::Sha256;
use ghost_contract::image::{Content, DiskImage, FileSystem, Partition, Region, Table};
use ghost_contract::{Generation, HostName, UnixTime};
use serde::{Deserialize, Serialize};

use super::cannot;
use super::exporting::new_file;
use crate::confined::Parser;
use crate::exit::{Exit, WithExit};
use crate::served::Driver;
use crate::state::paths;
use crate::sys::lock::try_alone;
use crate::sys::mount::{self, Way};
use crate::sys::{fuse, private, process};

/// How a record's name ends, and that of one that is being written.
const RECORD: &str = "json";
const BESIDE: &str = "new";

/// Where partitions are restored to unless another folder is named.
pub(crate) const CACHE: &str = "/var/cache/ghost4linux";

/// What is mounted, and what has to go when it is unmounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mounted {
    pub host: HostName,
    pub generation: Generation,
    pub disk: u32,
    /// Which partition; none on a disk without a table.
    pub partition: Option<u32>,
    pub file_system: String,
    pub folder: PathBuf,
    /// The file that was restored.
    pub file: PathBuf,
    /// The process that serves it; none if the kernel reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<process::Identity>,
    pub at: UnixTime,
}

/// Who reads the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A process without rights.
    Confined,
    /// The kernel's drivers, or a program of root's.
    Kernel,
}

/// How long a process that serves a file system may take to end when that is unmounted.
const PATIENCE: Duration = Duration::from_secs(3);

/// A file system of an image that can be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Its partition; none if it is the whole disk.
    pub partition: Option<u32>,
    pub file_system: String,
    /// Bytes.
    pub length: u64,
}

/// Which file system is meant: the one of this partition, or the only one there is.
pub(crate) fn choose(image: &DiskImage, partition: Option<u32>) -> anyhow::Result<Choice> {
    choose_of(&image.table, (&image.regions, image.disk.size), partition)
}

fn choose_of(
    table: &Table,
    (regions, size): (&[Region], u64),
    partition: Option<u32>,
) -> anyhow::Result<Choice> {
    let partitions = &table.partitions;
    let choice = |of: &Partition| {
        let file_system = of.file_system.clone().filter(|kind| can_be_mounted(kind))?;
        Some(Choice { partition: Some(of.number), file_system, length: of.length })
    };
    if let Some(number) = partition {
        let found = partitions.iter().find(|one| one.number == number);
        let found = found.ok_or_else(|| {
            usage(format!("there is no partition {number} on this disk; it has {}", listed(partitions)))
        })?;
        return choice(found).ok_or_else(|| {
            usage(format!("partition {number} holds {}, which cannot be mounted", holding(found)))
        });
    }
    let mut choices: Vec<Choice> = partitions.iter().filter_map(choice).collect();
    if partitions.is_empty() {
        choices.extend(whole_disk(regions, size));
    }
    match choices.len() {
        0 => bail!(
            "no partition of this disk has a file system that can be mounted; it has {}",
            listed(partitions)
        ),
        1 => Ok(choices.remove(0)),
        _ => Err(usage(format!("say with --partition which one: {}", listed(partitions)))),
    }
}

fn usage(words: String) -> anyhow::Error {
    anyhow!(words).exit(Exit::Usage)
}

/// A file system that fills the disk.
fn whole_disk(regions: &[Region], size: u64) -> Option<Choice> {
    regions.iter().find_map(|region| match &region.content {
        Content::Partclone { file_system, .. } if region.volume.is_none() => {
            let file_system = name(*file_system).to_owned();
            Some(Choice { partition: None, file_system, length: size })
        }
        _ => None,
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
        FileSystem::F2fs => "f2fs",
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

fn can_be_mounted(file_system: &str) -> bool {
    Driver::of(file_system).is_some() || !ways(file_system).is_empty()
}

/// How the kernel mounts a file system, the first that works. The kernel's own are the fastest; what it may lack has a program.
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
pub(crate) struct Wanted<'a> {
    pub parser: &'a Parser,
    pub host: &'a HostName,
    pub generation: &'a Generation,
    /// Which of its disks …
    pub disk: u32,
    /// … and where that disk's image is …
    pub image: &'a Path,
    /// … whose description has this checksum.
    pub vouched: Sha256,
    pub choice: &'a Choice,
    pub by: By,
    pub folder: &'a Path,
    /// Where the file goes that it is restored to.
    pub cache: &'a Path,
}

/// Restores and mounts a file system. If anything fails, nothing of it is left.
pub(crate) fn mount(state: &Path, wanted: &Wanted<'_>, now: UnixTime) -> anyhow::Result<Mounted> {
    let at = || format!("cannot mount at {}", wanted.folder.display());
    let folder = wanted.folder.canonicalize().with_context(at)?;
    if !folder.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory)).with_context(at);
    }
    if mount::is_mounted(&folder)? || records(state)?.iter().any(|(_, one)| one.folder == folder) {
        return Err(usage(format!("something is mounted at {} already", folder.display())));
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
        server: None,
        at: now,
    };
    if wanted.by == By::Confined && Driver::of(&mounted.file_system).is_none() {
        let kind = &mounted.file_system;
        return Err(usage(format!(
            "only the kernel's own driver reads {kind} here: --kernel mounts it with that, and gives what the client wrote to the kernel"
        )));
    }
    let record = paths::mounts(state).join(format!("{name}.{RECORD}"));
    let alone = write_record(&record, &mounted)?;
    match make(wanted, mounted.clone(), &record) {
        Ok(made) => Ok(made),
        Err(error) => {
            // The first error is the one to tell; what cannot be undone is found by its record.
            let _found_by_recover = undo(&record, &mounted);
            drop(alone);
            Err(error)
        }
    }
}

fn make(wanted: &Wanted<'_>, mut mounted: Mounted, record: &Path) -> anyhow::Result<Mounted> {
    restore(wanted, &mounted)?;
    let driver = Driver::of(&mounted.file_system).filter(|_| wanted.by == By::Confined);
    let Some(driver) = driver else {
        by_kernel(&mounted)?;
        return Ok(mounted);
    };
    let file = File::open(&mounted.file).with_context(|| cannot("open", &mounted.file))?;
    let device = fuse::mount_at(&mounted.folder)?;
    let served = wanted.parser.serve(driver, file, device);
    let hint = || format!("{} cannot be read; --kernel tries the kernel's own driver", mounted.file_system);
    let server = served.with_context(hint)?;
    mounted.server = Some(process::identity(server).context("the process that serves it has ended")?);
    write_record(record, &mounted)?;
    Ok(mounted)
}

fn restore(wanted: &Wanted<'_>, mounted: &Mounted) -> anyhow::Result<()> {
    fs::create_dir_all(wanted.cache).with_context(|| cannot("make", wanted.cache))?;
    let file = new_file(&mounted.file).with_context(|| cannot("write", &mounted.file))?;
    let restored =
        wanted.parser.export((wanted.image, wanted.vouched), mounted.partition, (file, wanted.choice.length));
    restored.with_context(|| format!("cannot restore the partition to {}", mounted.file.display()))
}

fn by_kernel(mounted: &Mounted) -> anyhow::Result<()> {
    let mut refused = None;
    for way in ways(&mounted.file_system) {
        match mount::mount(*way, &mounted.file, &mounted.folder) {
            Ok(()) => return Ok(()),
            // What the first way says is worth most: the others stand in for it.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Unmounts what was mounted there, and removes what belongs to it.
pub(crate) fn unmount(state: &Path, folder: &Path) -> anyhow::Result<Mounted> {
    let named = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let found = records(state)?.into_iter().find(|(_, one)| one.folder == named);
    let (record, mounted) = found
        .ok_or_else(|| usage(format!("nothing of the image store is mounted at {}", named.display())))?;
    if owner_lives(&record)? {
        let busy = anyhow!("another ghostctl is mounting at {} now", mounted.folder.display());
        return Err(busy.exit(Exit::Busy));
    }
    undo(&record, &mounted)?;
    Ok(mounted)
}

/// Removes what a crash or a restart of the machine left of mounts. What is still mounted stays.
pub(crate) fn recover(state: &Path) -> anyhow::Result<Vec<Mounted>> {
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

fn undo(record: &Path, mounted: &Mounted) -> anyhow::Result<()> {
    if mount::is_mounted(&mounted.folder)? {
        let cannot_unmount = || format!("cannot unmount {}", mounted.folder.display());
        match mounted.server {
            Some(_) => fuse::unmount(&mounted.folder).with_context(cannot_unmount)?,
            None => mount::unmount(&mounted.folder)?,
        }
    }
    if let Some(server) = mounted.server {
        process::see_end(server, PATIENCE).context("the process that served it does not end")?;
    }
    for path in [&mounted.file, record] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| cannot("remove", path));
            }
            _ => {}
        }
    }
    Ok(())
}

/// All mounts that were begun and not ended.
fn records(state: &Path) -> anyhow::Result<Vec<(PathBuf, Mounted)>> {
    let folder = paths::mounts(state);
    let listed = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.with_context(|| cannot("list", &folder))?,
    };
    let mut records = Vec::new();
    for entry in listed {
        let path = entry.with_context(|| cannot("list", &folder))?.path();
        if path.extension().is_none_or(|extension| extension != RECORD) {
            continue;
        }
        let bytes = match fs::read(&path) {
            // It has gone this very moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.with_context(|| cannot("read", &path))?,
        };
        let parsed = serde_json::from_slice(&bytes).with_context(|| cannot("read", &path))?;
        records.push((path, parsed));
    }
    Ok(records)
}

/// Whether the one who made this record is still at work.
fn owner_lives(record: &Path) -> anyhow::Result<bool> {
    match File::open(record) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        opened => {
            let alone = opened.and_then(|file| try_alone(&file));
            alone.map(|alone| !alone).with_context(|| cannot("lock", record))
        }
    }
}

/// On the disk, and locked until the file is dropped. It appears whole and locked, so it is never mistaken for a leftover.
fn write_record(path: &Path, mounted: &Mounted) -> anyhow::Result<File> {
    let beside = path.with_extension(BESIDE);
    let written = || -> io::Result<File> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        private::folder(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        try_alone(&file)?;
        file.write_all(&serde_json::to_vec_pretty(mounted)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()?;
        Ok(file)
    };
    written().with_context(|| cannot("write", path))
}

#[cfg(test)]
mod tests;
