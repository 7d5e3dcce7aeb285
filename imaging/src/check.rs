//! Checking an image: is it whole, and does its inside hold together? Needs no disk.

use std::process::Command;

use anyhow::{Context, Result};
use ghost_contract::image::{Content, DiskImage, Phase, Stream};

use crate::board::Board;
use crate::folder;
use crate::source::Source;
use crate::stream::pieces;
use crate::stream::unpack;
use crate::tool::partclone;

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The description, and that every piece is there with its size.
    Sizes,
    /// Also the checksum of every piece.
    Checksums,
    /// Also what is in the pieces: zstd's own checksums, partclone's, and the lengths.
    Inside,
}

/// Checks the image of a disk in this folder; what it says of itself is given back.
pub fn check<'a>(source: impl Into<Source<'a>>, depth: Depth, board: &Board) -> Result<DiskImage> {
    let source = source.into();
    let image = folder::description(source)?;
    let stored = image.streams().map(Stream::stored).sum();
    board.phase(Phase::Checking, image.streams().count(), stored);
    for stream in image.streams() {
        pieces::check_sizes(source, stream)?;
    }
    for (index, region) in image.regions.iter().enumerate() {
        let Some(stream) = region.stream() else { continue };
        let subject = crate::subject(&image.table, region.partition);
        board.region(subject.clone());
        match depth {
            Depth::Sizes => {}
            Depth::Checksums => pieces::read(source, stream, board, |_| Ok(()))?,
            Depth::Inside => inside(source, &region.content, board)
                .with_context(|| format!("{subject} (region {index}) does not hold together"))?,
        }
    }
    Ok(image)
}

fn inside(source: Source<'_>, content: &Content, board: &Board) -> Result<()> {
    match content {
        Content::Partclone { total, used, stream, .. } => {
            let mut command = Command::new("partclone.chkimg");
            command.args(partclone::BRIEF).args(["-s", "-"]);
            let nobody = Board::default();
            unpack::unpack(source, stream, board, unpack::to_partclone(command, (*total, *used), &nobody))
        }
        Content::Raw { stream, .. } => unpack::unpack(source, stream, board, unpack::to_nobody),
        Content::Unused { .. } => Ok(()),
    }
}
