//! The images of disks in a generation, as the Linux imager leaves them: one folder a disk, which says of itself what
//! is in it. What Ghost leaves has no such folder, and only Ghost knows its inside.
//!
//! Knows which folders there are and that their content holds together; how that is found out is `ghost_imaging`'s.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::checksum::Sha256;
use ghost_contract::image::{DiskImage, Piece};
use ghost_contract::{Generation, HostName, layout};
use ghost_imaging::board::Board;
use ghost_imaging::folder;

use super::manifest::Manifest;
use super::pieces::{self, Content, Found};
use super::{Catalog, disks};
use crate::confined::Parser;
use crate::sys::folder::{Folder, Kind, settle};

/// The image of one disk of a generation.
#[derive(Debug)]
pub struct Disk {
    pub index: u32,
    pub folder: PathBuf,
    /// The checksum of its description, which the generation's manifest has.
    pub vouched: Sha256,
    /// What it says of itself, or why that cannot be believed.
    pub image: anyhow::Result<DiskImage>,
}

/// All files of a generation, and the disks whose images do not hold together.
#[derive(Debug)]
pub(crate) struct ReadBack {
    /// Every file with its size and checksum.
    pub found: Vec<Found>,
    /// Folders of disks, and what is wrong with their images.
    pub broken: Vec<(String, anyhow::Error)>,
}

impl Catalog {
    /// The images of disks in a generation with this manifest, by index; none if only the program that made it knows its inside.
    pub fn disks(
        &self,
        host: &HostName,
        generation: &Generation,
        manifest: &Manifest,
    ) -> anyhow::Result<Vec<Disk>> {
        let path = self.store.join(layout::generation(host, generation));
        let disk = |(index, vouched)| {
            let folder = path.join(layout::disk(index));
            Disk { index, vouched, image: folder::vouched(&folder, Some(vouched)), folder }
        };
        Ok((0..).zip(manifest.descriptions()?).map(disk).collect())
    }
}

/// Reads everything in a folder from the disk, and every byte once: the images of disks with a look at their inside, all
/// else, and images that do not hold together, for their checksums alone. `manifest_says`: how many bytes, if there is a manifest.
pub(crate) fn read_back(
    folder: &Folder,
    path: &Path,
    parser: &Parser,
    manifest_says: Option<u64>,
) -> io::Result<ReadBack> {
    let names = pieces::names(folder)?;
    let until = pieces::deadline(folder, &names, manifest_says);
    let board = Board::until(until);
    let (mut known, mut broken) = (BTreeMap::new(), Vec::new());
    for disk in disks::folders(names.iter().map(|entry| entry.path.as_path()))? {
        let own = || names.iter().filter(|entry| entry.path.starts_with(&disk));
        // Skip disks with a non-regular file here; `pieces::read_back` reports them without following links.
        if own().any(|entry| entry.kind != Kind::File) {
            continue;
        }
        for entry in own() {
            // What cannot be opened here is reported by `pieces::read_back`.
            let _unsettled = pieces::opened(folder, &entry.path, &board).and_then(|file| settle(&file));
        }
        let checked = folder.folder(&disk).map_err(Into::into);
        match checked.and_then(|folder| parser.check(&folder, &path.join(&disk), until)) {
            Ok(image) => known.extend(contents(&disk, &image)),
            Err(error) => broken.push((disk, error)),
        }
    }
    let found = names.into_iter().map(|entry| match known.remove(&entry.path) {
        Some(content) => Found { path: entry.path, content: Ok(content) },
        None => pieces::read_back(folder, entry, &board),
    });
    Ok(ReadBack { found: found.collect(), broken })
}

/// The pieces of an image that was found whole: each has the size and the checksum that the description says.
fn contents(disk: &str, image: &DiskImage) -> Vec<(PathBuf, Content)> {
    let pieces = image.streams().flat_map(|stream| &stream.pieces);
    let content = |piece: &Piece| Content { size: piece.size, sha256: piece.sha256 };
    pieces.map(|piece| (Path::new(disk).join(&piece.file), content(piece))).collect()
}
