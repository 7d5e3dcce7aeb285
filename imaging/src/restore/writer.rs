//! Writing regions of an image to a disk or a file, and reading back what stands beside the partitions.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use ghost_contract::image::{Content, DiskImage, RawReason, Region, Stream};

use crate::board::Board;
use crate::plan::restore::TableStep;
use crate::stream::unpack::{self, Zeros};
use crate::sys::disk;
use crate::tool::partclone::BRIEF;

/// Writes regions to a disk or file of which `base` is the first byte.
pub(super) struct Writer<'a> {
    pub(super) folder: &'a Path,
    pub(super) image: &'a DiskImage,
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
    pub(super) base: u64,
    pub(super) zeros: Zeros,
}

impl Writer<'_> {
    pub(super) fn write(&self, region: &Region, board: &Board) -> Result<()> {
        let subject = crate::subject(&self.image.table, region.partition);
        let Some(stream) = region.stream() else { return Ok(()) };
        board.region(subject.clone());
        self.unpack(region, stream, board).with_context(|| format!("{subject} was not written"))
    }

    fn unpack(&self, region: &Region, stream: &Stream, board: &Board) -> Result<()> {
        let (nobody, start) = (Board::default(), region.start.saturating_sub(self.base));
        match &region.content {
            Content::Partclone { total, used, .. } => {
                let take = unpack::to_partclone(partclone(self.path, start), (*total, *used), board);
                unpack::unpack(self.folder, stream, &nobody, take)
            }
            _ => {
                let take = unpack::to_disk(self.file, (start, region.length), self.zeros, board);
                unpack::unpack(self.folder, stream, &nobody, take)
            }
        }
    }

    /// Compares what stands beside the partitions with the image, from the disk and not from memory.
    pub(super) fn read_back(&self, region: &Region, table: TableStep) -> Result<()> {
        let Content::Raw { reason: RawReason::BesidePartitions, stream } = &region.content else {
            return Ok(());
        };
        // Moving the copy has changed the header of the table, and the size in the protective MBR.
        if table == TableStep::MoveCopy && region.start == 0 {
            return Ok(());
        }
        disk::forget(self.file);
        let compared = unpack::compare(self.file, (region.start.saturating_sub(self.base), region.length));
        let subject = crate::subject(&self.image.table, region.partition);
        unpack::unpack(self.folder, stream, &Board::default(), compared)
            .with_context(|| format!("{subject} was not written"))
    }
}

/// The program that writes an image to this place of a disk or file.
pub(super) fn partclone(target: &Path, at: u64) -> Command {
    let mut command = Command::new("partclone.restore");
    command.args(BRIEF).args(["-q", "-s", "-", "-E", &at.to_string(), "-O"]).arg(target);
    command
}
