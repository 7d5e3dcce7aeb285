//! Looking at a disk before it is backed up: its table, and what each stretch holds. Changes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use ghost_contract::image::{DiskFacts, FileSystem, OnReadError, Partition, Range, Table, TableKind};

use crate::plan::backup::{Disbelief, Holding, Owner, Stretch, believe, is_member_type};
use crate::stream::reader::Reader;
use crate::sys::node::{Access, Node};
use crate::sys::program::{self, LOOKING, ProgramError, Said};
use crate::tool::blkid::{self, Found};
use crate::tool::claims::Claim;
use crate::tool::lvm;
use crate::tool::opinion;
use crate::tool::partclone::{self, cannot::cannot};
use crate::tool::sfdisk;

mod locked;
mod state;
mod volumes;

pub(crate) use locked::{Unlocked, is_locked, name, unlock};
pub use volumes::{found, volumes};

/// blkid found nothing (blkid(8), "EXIT STATUS").
const BLKID_NOTHING: i32 = 2;
/// blkid found two things at once (blkid(8)).
const BLKID_AMBIVALENT: i32 = 8;
/// The first sector, in which a table of partitions may be, bytes.
const BOOT_RECORD: usize = 512;

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
pub fn division(disk: &DiskFacts) -> Result<Division> {
    let path = Path::new(&disk.path);
    let mut whole = blkid(path, 0, None)?;
    if whole.table.is_some() && lvm::has_label(&bytes(path, 0, lvm::LABELLED)?) {
        // blkid does not look for it where a table is.
        whole.kind = Some("LVM2_member".to_owned());
    }
    let (table, dump) = read_table(path)?;
    // blkid of util-linux 2.41 says the same of a disk with more than one thing on it. A table is something that it finds.
    if table.kind != TableKind::None && whole == Found::default() {
        whole = Found::doubtful("blkid finds either nothing or more than one thing on it".to_owned());
    }
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

fn read_table(disk: &Path) -> Result<(Table, Vec<u8>)> {
    let json = program::run(Command::new("sfdisk").arg("--json").arg(disk), LOOKING)?;
    if !json.status.success() {
        return no_table(disk, &json);
    }
    let table = sfdisk::parse(&json.output, &disk.display().to_string())?;
    let dump = program::must(Command::new("sfdisk").arg("--dump").arg(disk), LOOKING)?;
    Ok((table, dump))
}

/// That there is none is no failure; anything else is.
fn no_table(disk: &Path, said: &Said) -> Result<(Table, Vec<u8>)> {
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
pub fn look(disk: &DiskFacts, stretch: Stretch, found: Option<Found>) -> Result<Looked> {
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
    if let Some(state) = state::state(file_system, node.path(), path, stretch)? {
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
pub fn describe(table: &mut Table, disk: &Path) -> Result<BTreeMap<u32, Found>> {
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
fn blkid(disk: &Path, start: u64, length: Option<u64>) -> Result<Found> {
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

/// Whether a boot record has partitions besides its boot code, or is that of a GPT. That of a file system has zeros there.
fn has_table_within(record: &[u8]) -> bool {
    record.get(446..510).is_some_and(|entries| entries.iter().any(|&byte| byte != 0))
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

fn bytes(disk: &Path, at: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = File::open(disk).and_then(|disk| disk.read_exact_at(&mut bytes, at));
    read.with_context(|| format!("cannot read {}", disk.display()))?;
    Ok(bytes)
}
