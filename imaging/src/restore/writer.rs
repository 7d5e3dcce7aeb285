//! Writing regions of an image to a disk or a file, and reading back what stands beside the partitions.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use ghost_contract::image::{Content, DiskImage, RawReason, Region, Stream, TableKind};

use crate::board::Board;
use crate::source::Source;
use crate::stream::unpack::{self, Place, Zeros};
use crate::sys::disk;
use crate::tool::partclone::BRIEF;

/// Writes regions to a disk or file of which `base` is the first byte.
pub(super) struct Writer<'a> {
    pub(super) source: Source<'a>,
    pub(super) image: &'a DiskImage,
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
    pub(super) base: u64,
    /// The bytes of the disk or file that regions may be written to.
    pub(super) within: Range<u64>,
    pub(super) zeros: Zeros,
}

impl Writer<'_> {
    pub(super) fn write(&self, region: &Region, board: &Board) -> Result<()> {
        let subject = crate::subject_of(&self.image.table, region.partition, region.volume.as_ref());
        let Some(stream) = region.stream() else { return Ok(()) };
        board.region(subject.clone());
        self.unpack(region, stream, board).with_context(|| format!("{subject} was not written"))
    }

    fn unpack(&self, region: &Region, stream: &Stream, board: &Board) -> Result<()> {
        let nobody = Board::default();
        match &region.content {
            Content::Partclone { total, used, .. } => {
                let start = self.place(region).start;
                let take = unpack::to_partclone(partclone(self.path, start), (*total, *used), board);
                unpack::unpack(self.source, stream, &nobody, take)
            }
            _ => {
                let take = unpack::to_disk(self.file, self.place(region), self.zeros, board);
                unpack::unpack(self.source, stream, &nobody, take)
            }
        }
    }

    /// Compares what was written beside the partitions, LVM's metadata, or of a disk without a table all that was saved with
    /// every byte, with the image: from the disk and not from memory.
    pub(super) fn read_back(&self, region: &Region) -> Result<()> {
        let Content::Raw { reason, stream } = &region.content else { return Ok(()) };
        let is_a_map = matches!(reason, RawReason::BesidePartitions | RawReason::VolumeGroup);
        if !is_a_map && self.image.table.kind != TableKind::None {
            return Ok(());
        }
        disk::forget(self.file);
        let subject = crate::subject_of(&self.image.table, region.partition, region.volume.as_ref());
        let compared = unpack::compare(self.file, self.place(region));
        unpack::unpack(self.source, stream, &Board::default(), compared)
            .with_context(|| format!("{subject} was not written"))
    }

    fn place(&self, region: &Region) -> Place {
        let start = region.start.saturating_sub(self.base);
        Place { start, length: region.length, within: self.within.clone() }
    }
}

/// The program that writes an image to this place of a disk or file.
pub(super) fn partclone(target: &Path, at: u64) -> Command {
    let mut command = Command::new("partclone.restore");
    command.args(BRIEF).args(["-q", "-s", "-", "-E", &at.to_string(), "-O"]).arg(target);
    command
}
