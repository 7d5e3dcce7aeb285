//! Looking at a disk before it is backed up: its table, and what each stretch holds. Changes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::image::{DiskFacts, FileSystem, OnReadError, Partition, Range, Table, TableKind};

use crate::plan::backup::{Disbelief, Holding, Owner, Stretch, believe, is_member_type};
use crate::stream::reader::Reader;
use crate::sys::node::{Access, Node};
use crate::sys::program::{self, LOOKING, ProgramError, Said};
use crate::tool::blkid::{self, Found};
use crate::tool::claims::Claim;
use crate::tool::opinion;
use crate::tool::partclone::{self, cannot::cannot};
use crate::tool::sfdisk::{self, SfdiskError};
use crate::tool::{superblock, xfs};

mod volumes;

pub use volumes::{found, volumes};

/// blkid found nothing (blkid(8), "EXIT STATUS").
const BLKID_NOTHING: i32 = 2;
/// blkid found two things at once (blkid(8)).
const BLKID_AMBIVALENT: i32 = 8;
/// What `ntfs-3g.probe` says of an NTFS that can be used (ntfs-3g.probe(8)).
const PROBE_CLEAN: i32 = 0;
/// … that Windows has hibernated on, also by fast start.
const PROBE_HIBERNATED: i32 = 14;
/// … that was not unmounted.
const PROBE_UNCLEAN: i32 = 15;
/// The first sector, in which a table of partitions may be, bytes.
const BOOT_RECORD: usize = 512;
/// LVM's label is in one of the first sectors, bytes.
const LVM_LABELS: usize = 2048;
/// As much of an XFS's log is read at a time.
const LOG_PART: usize = 1 << 20;
/// The flag of a volume that has to be checked, in `$Volume` (ntfs-3g, layout.h: `VOLUME_IS_DIRTY`).
const VOLUME_IS_DIRTY: u32 = 1;

/// Why a disk cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A tool cannot be started or has failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Its table cannot be understood.
    #[error(transparent)]
    Table(#[from] SfdiskError),
    /// A partition has no node.
    #[error(transparent)]
    Node(#[from] anyhow::Error),
    /// The disk cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
}

/// How a disk is divided.
#[derive(Debug)]
pub struct Division {
    /// None if it does not count.
    pub table: Table,
    /// The same for people and for `sfdisk`, also of one that does not count.
    pub dump: Vec<u8>,
    /// What blkid finds on the disk as a whole.
    pub whole: Found,
    /// Why a table that is there does not count.
    pub disbelief: Option<Disbelief>,
}

impl Division {
    /// A disk of which nothing is known, for this reason.
    pub fn none(why: &str) -> Self {
        let whole = Found::doubtful(why.to_owned());
        Self { table: sfdisk::none(), dump: Vec::new(), whole, disbelief: None }
    }
}

/// How this disk is divided, as far as that can be believed.
pub fn division(disk: &DiskFacts) -> Result<Division, SurveyError> {
    let path = Path::new(&disk.path);
    let mut whole = blkid(path, 0, None)?;
    if whole.table.is_some() && has_lvm_label(&bytes(path, 0, LVM_LABELS)?) {
        // blkid does not look for it where a table is.
        whole.kind = Some("LVM2_member".to_owned());
    }
    let (table, dump) = read_table(path)?;
    let disbelief = match believe(disk, &table, &whole) {
        // The boot code of a file system on the whole disk has bytes that could be taken for a table.
        Err(Disbelief::Empty | Disbelief::Contradiction)
            if whole.is_file_system() && whole.table.is_none() =>
        {
            return Ok(Division { table: sfdisk::none(), dump: Vec::new(), whole, disbelief: None });
        }
        // sfdisk and blkid do not agree.
        Ok(()) if whole.is_file_system() && whole.table.is_none() && table.kind != TableKind::None => {
            Some(Disbelief::both(&whole))
        }
        believed => believed.err(),
    };
    let table = if disbelief.is_some() { sfdisk::none() } else { table };
    Ok(Division { table, dump, whole, disbelief })
}

fn read_table(disk: &Path) -> Result<(Table, Vec<u8>), SurveyError> {
    let json = program::run(Command::new("sfdisk").arg("--json").arg(disk), LOOKING)?;
    if !json.status.success() {
        return no_table(disk, &json);
    }
    let table = sfdisk::parse(&json.output, &disk.display().to_string())?;
    let dump = program::must(Command::new("sfdisk").arg("--dump").arg(disk), LOOKING)?;
    Ok((table, dump))
}

/// That there is none is no failure; anything else is.
fn no_table(disk: &Path, said: &Said) -> Result<(Table, Vec<u8>), SurveyError> {
    if said.errors.contains("does not contain a recognized partition table") {
        return Ok((sfdisk::none(), Vec::new()));
    }
    let program = format!("sfdisk --json {}", disk.display());
    Err(ProgramError::Failed { program, status: said.status, said: said.errors.clone() }.into())
}

/// What a look has shown, and who reads it already.
#[derive(Debug, Default)]
pub struct Looked {
    /// What the stretch holds; nothing where no file system can be.
    pub holding: Option<Holding>,
    /// partclone, if it takes what is there.
    pub open: Option<Open>,
}

/// A file system that is being read, and its node.
#[derive(Debug)]
pub struct Open {
    pub reader: Reader,
    pub node: Node,
}

/// What this stretch holds, in which [`describe`] may have found something already.
pub fn look(disk: &DiskFacts, stretch: Stretch, found: Option<Found>) -> Result<Looked, SurveyError> {
    if matches!(stretch.owner, Owner::Nobody | Owner::Extended) {
        return Ok(Looked::default());
    }
    let only = |holding| Ok(Looked { holding: Some(holding), open: None });
    let path = Path::new(&disk.path);
    let found = match found {
        Some(found) => found,
        None => blkid(path, stretch.start, Some(stretch.length))?,
    };
    let Some(file_system) = found.kind.as_deref().and_then(partclone::file_system) else {
        return only(Holding::Other(found));
    };
    if found.doubt.is_some() {
        return only(Holding::Other(found));
    }
    if found.table.is_some() && has_table_within(&bytes(path, stretch.start, BOOT_RECORD)?) {
        let doubt = format!("blkid finds {} and a partition table in it", partclone::word(file_system));
        return only(Holding::Other(Found::doubtful(doubt)));
    }
    let node = Node::of(path, stretch.start, stretch.length, disk.logical_sector, Access::Read)?;
    let state = match file_system {
        FileSystem::Ntfs => ntfs_state(node.path())?,
        FileSystem::Xfs => xfs_state(path, stretch)?,
        _ => superblock::state(file_system, &bytes(path, stretch.start, beginning(stretch))?),
    };
    if let Some(state) = state {
        return only(Holding::NotClean(file_system, state));
    }
    let place = Range { start: stretch.start, length: stretch.length };
    let claim = match claim(file_system, path, place) {
        Ok(claim) => claim,
        Err(error) => {
            return only(Holding::Refused(file_system, format!("it does not say what is used: {error}")));
        }
    };
    if let Some(because) = cannot(file_system, &claim.features, None) {
        return only(Holding::Refused(file_system, because.to_owned()));
    }
    // A rescue begins with the second attempt.
    let reader = match Reader::start(file_system, node.path(), OnReadError::Fail)? {
        Ok(reader) => reader,
        Err(said) => return only(Holding::Refused(file_system, said)),
    };
    match reader.head() {
        Ok(head) => {
            let version = Some(head.version.as_str());
            let because = cannot(file_system, &claim.features, version).map(str::to_owned);
            if let Some(said) = because.or_else(|| claim.contradicts(head.total, head.used)) {
                return only(Holding::Refused(file_system, said));
            }
            let holding = Some(Holding::FileSystem(file_system, head));
            Ok(Looked { holding, open: Some(Open { reader, node }) })
        }
        Err(error) => only(Holding::Refused(file_system, error.to_string())),
    }
}

/// What the file system in this place of the disk says of itself.
pub fn claim(file_system: FileSystem, disk: &Path, place: Range) -> io::Result<Claim> {
    opinion::claim(file_system, &|at, length| part_of(disk, place, at, length))
}

/// Adds to the table what is in its partitions, for people; the same with the partitions' numbers is given back.
pub fn describe(table: &mut Table, disk: &Path) -> Result<BTreeMap<u32, Found>, SurveyError> {
    let mut all = BTreeMap::new();
    for partition in &mut table.partitions {
        let Partition { number, start, length, .. } = *partition;
        let mut found = blkid(disk, start, Some(length))?;
        partition.file_system.clone_from(&found.kind);
        partition.label.clone_from(&found.label);
        if is_member_type(partition) && found.is_file_system() {
            let kind = found.kind.as_deref().unwrap_or_default();
            found.doubt =
                Some(format!("the table says that it is a part of something larger, and blkid finds {kind}"));
        }
        all.insert(number, found);
    }
    Ok(all)
}

/// What blkid finds in a stretch, which it reads itself and not from its cache.
fn blkid(disk: &Path, start: u64, length: Option<u64>) -> Result<Found, SurveyError> {
    let mut command = Command::new("blkid");
    command.args(["-p", "-o", "export", "-O", &start.to_string()]);
    if let Some(length) = length {
        command.args(["-S", &length.to_string()]);
    }
    let said = program::run(command.arg(disk), LOOKING)?;
    match said.status.code() {
        Some(0) => Ok(blkid::parse(&String::from_utf8_lossy(&said.output))),
        Some(BLKID_NOTHING) => Ok(Found::default()),
        Some(BLKID_AMBIVALENT) => Ok(Found::doubtful("blkid finds more than one thing in it".to_owned())),
        _ => {
            let program = format!("blkid {}", disk.display());
            Err(ProgramError::Failed { program, status: said.status, said: said.errors }.into())
        }
    }
}

/// Whether a sector begins as that of a physical volume of LVM (LVM2, lib/label/label.h).
fn has_lvm_label(beginning: &[u8]) -> bool {
    beginning.chunks(BOOT_RECORD).any(|sector| sector.starts_with(b"LABELONE"))
}

/// Whether a boot record has partitions besides its boot code, or is that of a GPT. That of a file system has zeros there.
fn has_table_within(record: &[u8]) -> bool {
    record.get(446..510).is_some_and(|entries| entries.iter().any(|&byte| byte != 0))
}

/// In words what an NTFS is besides closed.
fn ntfs_state(node: &Path) -> Result<Option<String>, SurveyError> {
    let probe = program::run(Command::new("ntfs-3g.probe").arg("--readwrite").arg(node), LOOKING)?;
    match probe.status.code() {
        Some(PROBE_CLEAN) => {}
        Some(PROBE_HIBERNATED) => {
            return Ok(Some("Windows is hibernated, or has used its fast start".to_owned()));
        }
        Some(PROBE_UNCLEAN) => return Ok(Some("it was not unmounted".to_owned())),
        _ => return Ok(Some(format!("ntfs-3g.probe says: {}", probe.errors))),
    }
    // Without --force it says nothing of a volume that is marked, which is what it is asked for.
    let said = program::must(Command::new("ntfsinfo").args(["--force", "--mft"]).arg(node), LOOKING)?;
    let dirty =
        volume_flags(&String::from_utf8_lossy(&said)).is_none_or(|flags| flags & VOLUME_IS_DIRTY != 0);
    Ok(dirty.then(|| "it is marked to be checked by chkdsk".to_owned()))
}

/// The line `Volume Flags: 0x0001` of `ntfsinfo --mft`, which may have the flags' names behind it.
fn volume_flags(said: &str) -> Option<u32> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Volume Flags:"))?;
    let digits = line.split_whitespace().next()?.strip_prefix("0x")?;
    u32::from_str_radix(digits, 16).ok()
}

/// In words what an XFS is besides closed.
fn xfs_state(disk: &Path, stretch: Stretch) -> Result<Option<String>, SurveyError> {
    let Some(log) = xfs::log(&bytes(disk, stretch.start, xfs::SUPERBLOCK)?) else {
        return Ok(Some("its log is on another device".to_owned()));
    };
    if log.end > stretch.length {
        return Ok(Some("its log is beyond the partition".to_owned()));
    }
    let (mut last, mut at) = (None, log.start);
    while at < log.end {
        let length = usize::try_from(log.end - at).unwrap_or(LOG_PART).min(LOG_PART);
        last =
            xfs::Last::with(last, &bytes(disk, stretch.start + at, length)?, (at - log.start) / xfs::BLOCK);
        at += length as u64;
    }
    let unmounted = match last {
        Some(last) => {
            let block = last.first_operation((log.end - log.start) / xfs::BLOCK);
            last.is_unmount(&bytes(disk, stretch.start + log.start + block * xfs::BLOCK, xfs::SUPERBLOCK)?)
        }
        None => false,
    };
    Ok((!unmounted).then(|| "its log has to be replayed: it was not unmounted".to_owned()))
}

/// As much of a stretch's beginning as superblocks are in.
fn beginning(stretch: Stretch) -> usize {
    usize::try_from(stretch.length).unwrap_or(usize::MAX).min(superblock::NEEDED)
}

/// Bytes of what is in a place of the disk.
fn part_of(disk: &Path, place: Range, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let is_within = at.checked_add(length as u64).is_some_and(|end| end <= place.length);
    if !is_within {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is longer than its place"));
    }
    let mut bytes = vec![0; length];
    File::open(disk)?.read_exact_at(&mut bytes, place.start + at)?;
    Ok(bytes)
}

fn bytes(disk: &Path, at: u64, length: usize) -> Result<Vec<u8>, SurveyError> {
    let mut bytes = vec![0; length];
    let read = File::open(disk).and_then(|disk| disk.read_exact_at(&mut bytes, at));
    read.map_err(|error| SurveyError::Read(disk.to_owned(), error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_a_volume_are_read() {
        assert_eq!(volume_flags("\tVolume State: 91\n\tVolume Flags: 0x0000\n"), Some(0));
        assert_eq!(volume_flags("\tVolume Flags: 0x0001 DIRTY\n"), Some(1));
        assert_eq!(volume_flags("something else"), None);
    }
}
