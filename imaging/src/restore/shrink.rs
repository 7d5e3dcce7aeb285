//! Shrinking a partition's file system beside the disk, before anything is written to it.
//!
//! ```text
//! image ─▶ scratch file in the image store ─▶ its least ─▶ shrunk ─▶ checked ║ used blocks ─▶ disk ─▶ table
//!                        nothing is written to the disk so far               ║ in one pipe
//! ```
//! partclone.restore wants a target as large as the file system was, and no other room is as large as that. From the
//! scratch file the file system goes through partclone again: NFS before 4.2 does not say where a file has holes, so
//! that a copy would read all of its free space over the network.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use ghost_contract::image::{DiskFacts, DiskImage, FileSystem, OnReadError, Phase, Region};

use super::resize;
use super::writer::{self, Writer};
use crate::board::Board;
use crate::plan::moves::Moves;
use crate::plan::shrink::Shrink;
use crate::stream::reader;
use crate::stream::unpack::{self, Zeros};
use crate::sys::disk;
use crate::sys::node::{Access, Node};
use crate::sys::program::{self, LOOKING, ProgramError, Running};
use crate::sys::scratch::{self, Scratch};
use crate::sys::zero;
use crate::tool::partclone::{HEAD, Head};
use crate::tool::superblock;

/// partclone ends once its pipes are closed.
const ENDING: std::time::Duration = std::time::Duration::from_secs(60);

/// What errors of several steps begin with.
const NOT_SHRUNK: &str = "the file system in the scratch file was not shrunk";
const NOT_WRITTEN: &str = "the file system that was shrunk was not written";
const UNREADABLE: &str = "the file system that was shrunk cannot be read";
const CANNOT_WRITE: &str = "the disk cannot be written";

/// What is shrunk, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) folder: &'a Path,
    pub(super) image: &'a DiskImage,
    pub(super) target: &'a DiskFacts,
    pub(super) shrink: &'a Shrink,
}

/// A file system that is as small as the disk needs it.
#[derive(Debug)]
pub(super) struct Shrunk {
    shrink: Shrink,
    scratch: Scratch,
    head: Head,
}

/// Shrinks it in a scratch file in this folder. Fails with a [`crate::plan::shrink::TooFull`] if only its tool knows that
/// the file system cannot be made as small as is needed.
pub(super) fn prepare(task: Task<'_>, scratch: Option<&Path>, board: &Board) -> Result<Shrunk> {
    let Task { folder, image, target, shrink } = task;
    let own: Vec<&Region> =
        image.regions.iter().filter(|region| region.partition == Some(shrink.partition)).collect();
    let streams = || own.iter().filter_map(|region| region.stream());
    board.phase(Phase::Shrinking, streams().count(), streams().map(|stream| stream.length).sum());

    let room = scratch
        .context("no folder was given for the scratch file in which a file system is shrunk (--scratch)")?;
    let path = room.join(folder.file_name().unwrap_or_default()).with_extension("scratch");
    let fails = || format!("cannot use {} as a scratch file", path.display());
    shrink.check_room(scratch::free_space(room).with_context(fails)?)?;
    // It will be checked where it stands before the disk has a table: that this can be done is known beforehand.
    drop(place(shrink, target)?);
    let scratch = Scratch::make(&path, shrink.was).with_context(fails)?;
    let base = shrink.start;
    let (file, within) = (scratch.file(), 0..shrink.was);
    let writer =
        Writer { source: folder.into(), image, path: &path, file, base, within, zeros: Zeros::LeaveOut };
    for region in own {
        writer.write(region, board).context("the scratch file cannot be written")?;
    }

    let minimum = resize::minimum(shrink.file_system, &path).context(NOT_SHRUNK)?;
    shrink.check_minimum(minimum)?;
    resize::shrink(shrink.file_system, &path, shrink.length).context(NOT_SHRUNK)?;
    // The tools look for a partition's end at the file's.
    scratch.file().set_len(shrink.length).with_context(fails)?;
    resize::check(shrink.file_system, &path).context(NOT_SHRUNK)?;
    let head = head(shrink.file_system, &path)?;
    ensure!(
        head.total <= shrink.length,
        "the file system spans {} bytes after it was shrunk, and its partition has {}",
        head.total,
        shrink.length
    );
    Ok(Shrunk { shrink: shrink.clone(), scratch, head })
}

/// What partclone says of a file system that was shrunk: it must take it before the disk is written.
fn head(file_system: FileSystem, file: &Path) -> Result<Head> {
    let begun =
        program::beginning::<HEAD>(&mut partclone(file_system, file), LOOKING, |_| {}).context(UNREADABLE)?;
    let begun = begun.map_err(|said| anyhow!("the file system that was shrunk cannot be read: {said}"))?;
    Head::parse(&begun.bytes).context("what partclone writes cannot be understood")
}

fn partclone(file_system: FileSystem, file: &Path) -> Command {
    let mut command = reader::command(file_system, file, OnReadError::Fail);
    if file_system == FileSystem::Ntfs {
        // ntfsresize has Windows check it at its next start, which for partclone is a reason not to take it.
        command.arg("--ignore_fschk");
    }
    command
}

/// Where the partition will be.
fn place(shrink: &Shrink, target: &DiskFacts) -> Result<Node> {
    let disk = Path::new(&target.path);
    Node::of(disk, shrink.start, shrink.length, target.logical_sector, Access::Read)
}

impl Shrunk {
    /// What is shrunk, in words.
    pub(super) fn subject(&self, image: &DiskImage) -> String {
        crate::subject(&image.table, Some(self.shrink.partition))
    }

    /// What is moved since it is shrunk.
    pub(super) const fn moves(&self) -> &Moves {
        &self.shrink.moves
    }

    /// About how many bytes will be written.
    pub(super) fn expected_length(&self) -> u64 {
        self.head.expected_length()
    }

    /// Writes the file system to its partition.
    pub(super) fn write(&self, disk: &Path, file: &File, board: &Board) -> Result<()> {
        let Shrink { start, length, file_system, .. } = self.shrink;
        let mut reading =
            Running::start(&mut partclone(file_system, self.scratch.path())).context(UNREADABLE)?;
        let from = reading.child().stdout.take().context(NOT_WRITTEN)?;
        let expected = (self.head.total, self.head.used);
        let written = unpack::to_partclone(writer::partclone(disk, start), expected, board)(from);
        match (reading.succeed(ENDING), written) {
            (Ok(()), written) => written.context(NOT_WRITTEN)?,
            // It was ended since nobody took what it read.
            (Err(ProgramError::Failed { status, .. }), Err(error)) if status.code().is_none() => {
                return Err(error.context(NOT_WRITTEN));
            }
            (Err(error), _) => return Err(error).context(UNREADABLE),
        };
        self.write_end(file, start.saturating_add(self.head.total), start.saturating_add(length))
    }

    /// Nothing stands behind the file system but an NTFS's second boot sector, in the last sector of the partition.
    fn write_end(&self, disk: &File, from: u64, to: u64) -> Result<()> {
        zero::write(disk, from, to.saturating_sub(from)).context(CANNOT_WRITE)?;
        if self.shrink.file_system == FileSystem::Ntfs {
            let mut boot = vec![0; superblock::NEEDED];
            let read = self.scratch.file().read_exact_at(&mut boot, 0);
            let path = self.scratch.path();
            read.with_context(|| format!("cannot use {} as a scratch file", path.display()))?;
            boot.truncate(superblock::ntfs_sector(&boot));
            disk.write_all_at(&boot, to - boot.len() as u64).context(CANNOT_WRITE)?;
        }
        Ok(())
    }

    /// Looks at the file system where it stands now.
    pub(super) fn check(&self, file: &File, target: &DiskFacts) -> Result<()> {
        disk::forget(file);
        let node = place(&self.shrink, target)?;
        resize::check(self.shrink.file_system, node.path())
            .context("the file system that was shrunk is not sound on the disk")
    }

    /// Removes the scratch file; what was done, in words.
    pub(super) fn end(self) -> Vec<String> {
        let Shrink { partition, was, length, file_system, .. } = self.shrink;
        let later =
            if file_system == FileSystem::Ntfs { "; Windows will check it when it starts" } else { "" };
        let mut notes = vec![format!(
            "partition {partition} was shrunk from {was} to {length} bytes, and its file system with it{later}"
        )];
        notes.extend(self.shrink.moves.notes());
        let path = self.scratch.path().to_owned();
        if let Err(error) = self.scratch.remove() {
            notes.push(format!("the scratch file {} cannot be removed: {error}", path.display()));
        }
        notes
    }
}
