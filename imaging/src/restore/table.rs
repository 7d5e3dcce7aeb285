//! The table of a disk that has another size than the image's: made from the image before anything is written, written last
//! and read back.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ghost_contract::image::{Content, DiskFacts, DiskImage, TableKind};

use crate::plan::shrink::Change;
use crate::plan::table::{self, Fitted, WITHIN};
use crate::stream::unpack;
use crate::sys::disk;

/// The table for this disk, on which these partitions stand elsewhere.
pub(super) fn prepare(
    folder: &Path,
    image: &DiskImage,
    target: &DiskFacts,
    changes: Vec<Change>,
) -> Result<Fitted> {
    let size = image.disk.size;
    let first = image.regions.first().map_or(0, |region| region.length);
    let beginning = bytes(folder, image, 0, WITHIN.min(first))?;
    let fitted = table::fit(beginning.clone(), &[], image, target, changes.clone());
    if image.table.kind != TableKind::Gpt || fitted.is_ok() {
        return Ok(fitted?);
    }
    // Only for a first GPT that is damaged, since what stands in front of the copy may be long.
    let from =
        size.saturating_sub(WITHIN).max(image.table.partitions.iter().map(|p| p.end()).max().unwrap_or(0));
    let end = bytes(folder, image, from.min(size), size.saturating_sub(from))?;
    Ok(table::fit(beginning, &end, image, target, changes)?)
}

/// What the image has of these bytes of the disk; zeros where nothing was saved as it is.
fn bytes(folder: &Path, image: &DiskImage, from: u64, length: u64) -> Result<Vec<u8>> {
    let to = from.saturating_add(length);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    for region in &image.regions {
        let Content::Raw { stream, .. } = &region.content else { continue };
        let (start, end) = (region.start.max(from), region.end().min(to));
        if start >= end {
            continue;
        }
        let read = unpack::window(folder, stream, start - region.start, end - start);
        let read = read.context("the partition table cannot be read from the image")?;
        bytes.iter_mut().skip(usize::try_from(start - from)?).zip(read).for_each(|(byte, new)| *byte = new);
    }
    Ok(bytes)
}

/// Writes the table and reads it back: with it the disk is whole.
pub(super) fn write(table: &Fitted, disk: &File) -> Result<()> {
    // The copy first, what makes the disk one that can be used last.
    let copy = table.copy.iter().map(|(at, bytes)| (*at, bytes.as_slice()));
    let parts: Vec<(u64, &[u8])> = copy.chain([(0, table.beginning.as_slice())]).collect();
    for &(at, bytes) in &parts {
        let written = disk.write_all_at(bytes, at).and_then(|()| disk.sync_all());
        written.context("the partition table cannot be written")?;
    }
    disk::forget(disk);
    for (at, bytes) in parts {
        let mut there = vec![0; bytes.len()];
        disk.read_exact_at(&mut there, at).context("the partition table cannot be read back")?;
        ensure!(there == bytes, "the disk gives back another partition table than was written");
    }
    Ok(())
}
