//! Writing an image back: plan, check everything, then write what the plan says. Decides nothing.
//!
//! ```text
//! describe ─▶ plan ─▶ check ─▶ shrink ──▶ no table ─▶ regions ─▶ table ─▶ read back ─▶ grow
//!         nothing is written so far     │ the disk is incomplete until the end
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::image::{
    DiskFacts, DiskImage, LinuxSettings, Phase, Region, RestoreCheck, Stream, Table,
};

use crate::board::Board;
use crate::check::{self, CheckError, Depth};
use crate::folder::{self, FolderError};
use crate::plan::backup::EDGE;
use crate::plan::restore::{self as plan, Fit, OtherDisk, Refusal, TableStep};
use crate::stream::unpack::{UnpackError, Zeros};
use crate::survey::{self, SurveyError};
use crate::sys::disk::{self, DiskError};
use crate::sys::program::{self, LOOKING, ProgramError};

mod grow;
mod moved;
mod resize;
mod shrink;
mod writer;

pub use grow::GrowError;
pub use moved::MoveError;
pub use resize::ResizeError;
pub use shrink::ShrinkError;
use shrink::Shrunk;
use writer::Writer;

/// Why an image was not written back. What this means for the disk says the phase on the board.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("the image is damaged, and nothing was written")]
    Damaged(#[source] CheckError),
    /// A region was not written.
    #[error("{subject} was not written")]
    Write {
        subject: String,
        #[source]
        source: UnpackError,
    },
    /// What the region was written to.
    #[error("cannot write {}", .0.display())]
    Target(PathBuf, #[source] io::Error),
    /// The table's copy cannot be moved.
    #[error("the copy of the partition table cannot be moved to the disk's end")]
    MoveCopy(#[source] ProgramError),
    /// The table cannot be read back.
    #[error("the partition table cannot be read back")]
    ReadBack(#[source] SurveyError),
    #[error("the partition table on the disk is not the image's: partition {0} differs")]
    OtherTable(u32),
    /// The last partition did not grow.
    #[error("the last partition cannot be given the disk's room")]
    Grow(#[from] GrowError),
    /// A partition was not shrunk.
    #[error("the image cannot be shrunk for this disk")]
    Shrink(#[from] ShrinkError),
    /// A partition was moved, and does not know.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// The image has no such partition.
    #[error("the image has no partition {0}")]
    NoPartition(u32),
}

/// An image that was written back.
#[derive(Debug)]
pub struct Restored {
    pub image: DiskImage,
    /// What the administrator should know, in words.
    pub notes: Vec<String>,
}

/// A disk that may be written, and the image for it: nothing has been written so far.
#[derive(Debug)]
pub struct Ready {
    folder: PathBuf,
    disk: PathBuf,
    opened: File,
    target: DiskFacts,
    image: DiskImage,
    plan: plan::Plan,
    shrunk: Option<Shrunk>,
    notes: Vec<String>,
}

/// Finds out whether the image in this folder may be written to this disk, and checks it. In the folder `scratch` is
/// room for a file system that has to be shrunk.
pub fn prepare(
    folder: &Path,
    disk: &Path,
    settings: &LinuxSettings,
    scratch: Option<&Path>,
    board: &Board,
) -> Result<Ready, RestoreError> {
    board.phase(Phase::Surveying, 0, 0);
    let image = folder::description(folder)?;
    disk::assert_unused(disk)?;
    let target = disk::facts(disk)?;
    let others: Vec<OtherDisk> =
        disk::others(disk).into_iter().map(|(path, serial)| OtherDisk { path, serial }).collect();
    let mut plan = plan::plan(&image, &target, &others, &grow::resizable(), settings)?;
    let mut notes = plan.notes.clone();
    let depth = match settings.restore_check {
        RestoreCheck::Everything => Depth::Checksums,
        RestoreCheck::Skip => {
            notes.push("the image was not checked before the disk was written, as ordered".to_owned());
            Depth::Sizes
        }
    };
    check::check(folder, depth, board).map_err(RestoreError::Damaged)?;
    let opened = disk::open_to_write(disk)?;
    let shrunk = loop {
        let Fit::Shrink(shrink) = &plan.fit else { break None };
        let task = shrink::Task { folder, image: &image, target: &target, shrink };
        match (shrink::prepare(task, scratch, board), plan.otherwise.take()) {
            (Ok(shrunk), _) => break Some(shrunk),
            (Err(ShrinkError::TooFull(full)), Some(other)) => {
                notes.push(full.note());
                plan = *other;
            }
            (Err(error), _) => return Err(error.into()),
        }
    };
    let (folder, disk) = (folder.to_owned(), disk.to_owned());
    Ok(Ready { folder, disk, opened, target, image, plan, shrunk, notes })
}

/// Writes an image to its disk.
pub fn write(ready: Ready, board: &Board) -> Result<Restored, RestoreError> {
    let Ready { folder, disk, opened, target, image, plan, shrunk, mut notes } = ready;
    let (folder, disk) = (folder.as_path(), disk.as_path());
    let written: Vec<&Region> = plan.regions.iter().filter_map(|&index| image.regions.get(index)).collect();
    let streams = written.iter().filter_map(|region| region.stream()).map(|stream| stream.length);
    let total = streams.chain(shrunk.as_ref().map(Shrunk::expected_length)).sum();
    board.phase(Phase::Writing, written.len() + usize::from(shrunk.is_some()), total);
    wipe_table(&opened, target.size).map_err(|error| RestoreError::Target(disk.to_owned(), error))?;
    let writer = |region| {
        let base = plan.nearer(region);
        Writer { folder, image: &image, path: disk, file: &opened, base, zeros: Zeros::Write }
    };
    for region in &written {
        writer(region).write(region, board)?;
    }
    if let Some(shrunk) = &shrunk {
        board.region(shrunk.subject(&image));
        shrunk.write(disk, &opened, board)?;
        moved::set_boot_sectors(&opened, shrunk.moves(), target.logical_sector)?;
    }
    opened.sync_all().map_err(|error| RestoreError::Target(disk.to_owned(), error))?;
    if let Some(shrunk) = &shrunk {
        shrunk.check(&opened, &target)?;
        shrunk.write_table(&opened)?;
    }
    if plan.table == TableStep::MoveCopy {
        program::must(Command::new("sgdisk").arg("-e").arg(disk), LOOKING).map_err(RestoreError::MoveCopy)?;
    }
    // For what comes after us on this machine; a kernel that refuses sees the table at the next boot.
    if let Err(error) = disk::reread_table(disk) {
        notes.push(format!("the kernel has not read the new partition table: {}", crate::chain(&error)));
    }
    for region in &written {
        writer(region).read_back(region, plan.table)?;
    }
    compare_table(&shrunk.as_ref().map_or_else(|| image.table.clone(), |shrunk| shrunk.table(&image)), disk)?;
    if let Some(shrunk) = shrunk {
        notes.extend(shrunk.end());
    }
    if let Fit::Grow(growing) = &plan.fit {
        board.phase(Phase::Resizing, 1, 0);
        board.region(crate::subject(&image.table, Some(growing.partition)));
        notes.push(grow::grow(disk, &target, growing)?);
    }
    opened.sync_all().map_err(|error| RestoreError::Target(disk.to_owned(), error))?;
    Ok(Restored { image, notes })
}

/// Writes the image in this folder to a new file, as a disk of the same size with holes where nothing is.
pub fn export(folder: &Path, target: &Path, board: &Board) -> Result<DiskImage, RestoreError> {
    let image = folder::description(folder)?;
    let regions: Vec<&Region> = image.regions.iter().collect();
    export_regions(folder, &image, target, &regions, (0, image.disk.size), board)?;
    Ok(image)
}

/// Writes one partition of the image in this folder to a new file, with holes where nothing is.
pub fn export_partition(
    folder: &Path,
    number: u32,
    target: &Path,
    board: &Board,
) -> Result<(), RestoreError> {
    let image = folder::description(folder)?;
    let found = image.table.partitions.iter().find(|partition| partition.number == number);
    let partition = found.ok_or(RestoreError::NoPartition(number))?;
    let regions: Vec<&Region> =
        image.regions.iter().filter(|region| region.partition == Some(number)).collect();
    export_regions(folder, &image, target, &regions, (partition.start, partition.length), board)
}

fn export_regions(
    folder: &Path,
    image: &DiskImage,
    target: &Path,
    regions: &[&Region],
    (start, length): (u64, u64),
    board: &Board,
) -> Result<(), RestoreError> {
    let target_error = |error| RestoreError::Target(target.to_owned(), error);
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).open(target).map_err(target_error)?;
    file.set_len(length).map_err(target_error)?;
    let streams = || regions.iter().filter_map(|region| region.stream());
    board.phase(Phase::Writing, streams().count(), streams().map(|stream: &Stream| stream.length).sum());
    let writer = Writer { folder, image, path: target, file: &file, base: start, zeros: Zeros::LeaveOut };
    for region in regions {
        writer.write(region, board)?;
    }
    file.sync_all().map_err(target_error)
}

/// A disk that is being written must not look like one that can be used: neither copy of its table stays.
fn wipe_table(disk: &File, size: u64) -> io::Result<()> {
    let edge = EDGE.min(size);
    let zeros = vec![0; usize::try_from(edge).unwrap_or_default()];
    disk.write_all_at(&zeros, 0)?;
    disk.write_all_at(&zeros, size - edge)?;
    disk.sync_all()
}

/// Whether the tools read from the disk what they read when it was backed up.
fn compare_table(expected: &Table, disk: &Path) -> Result<(), RestoreError> {
    let (found, _) = survey::table(disk).map_err(RestoreError::ReadBack)?;
    let same = |number: u32| {
        let entry = |table: &Table| {
            let found = table.partitions.iter().find(|partition| partition.number == number)?;
            Some((found.start, found.length, found.kind.clone(), found.name.clone(), found.uuid.clone()))
        };
        entry(expected) == entry(&found)
    };
    let numbers = expected.partitions.iter().chain(&found.partitions).map(|partition| partition.number);
    match numbers.into_iter().find(|&number| !same(number)) {
        Some(number) => Err(RestoreError::OtherTable(number)),
        None => Ok(()),
    }
}
