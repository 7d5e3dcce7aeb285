//! LUKS containers whose inside is in the image as it is decrypted: the key must be there before anything is written, and
//! must open the header that the image has. What is inside is then written through the kernel, which encrypts it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use ghost_contract::image::{Decrypted, DiskImage, Range, Region};

use super::writer::Writer;
use super::{cannot_write, wipe};
use crate::board::Board;
use crate::stream::unpack::{self, Place, Zeros};
use crate::survey;
use crate::sys::disk;
use crate::sys::mapping::{self, Mapping};
use crate::sys::node::{Access, Node};

/// Makes sure that the key opens every container of which decrypted bytes are to be written.
pub(super) fn require_key(
    folder: &Path,
    image: &DiskImage,
    written: &[usize],
    key: Option<&Path>,
) -> Result<()> {
    let is_written = |decrypted: &&Decrypted| {
        let regions = written.iter().filter_map(|&index| image.regions.get(index));
        regions.into_iter().any(|region| decrypted.inside.holds(region.range()))
    };
    for decrypted in image.decrypted.iter().filter(is_written) {
        let header = image.regions.iter().find(|region| region.start == decrypted.container.start);
        let header = header
            .with_context(|| format!("the image has no header at byte {}", decrypted.container.start))?;
        let subject = crate::subject_of(&image.table, header.partition, header.volume.as_ref());
        let key = key.ok_or_else(|| {
            anyhow!(
                "{subject} was saved decrypted, and it is encrypted again when it is written: give its key, with ghostctl \
                 restore --luks-key FILE"
            )
        })?;
        let opens = opens(folder, header, decrypted, key).with_context(|| subject.clone())?;
        ensure!(
            opens,
            "{subject}: the key that was given does not open the LUKS header that is in the image"
        );
    }
    Ok(())
}

fn opens(folder: &Path, header: &Region, decrypted: &Decrypted, key: &Path) -> Result<bool> {
    let stream = header.stream().context("the header of LUKS is not in the image")?;
    let file = mapping::memory()?;
    // As long as the container is, since cryptsetup compares its length.
    file.set_len(decrypted.container.length).context("there is no memory for a header of LUKS")?;
    let place = Place { start: 0, length: header.length, within: 0..header.length };
    unpack::unpack(
        folder,
        stream,
        &Board::default(),
        unpack::to_disk(&file, place, Zeros::LeaveOut, &Board::default()),
    )?;
    mapping::is_opened_by(&file, key)
}

/// The containers of a disk that is being written.
pub(super) struct Containers<'a> {
    image: &'a DiskImage,
    disk: &'a Path,
    sector: u32,
    key: Option<&'a Path>,
    open: Vec<Open>,
}

/// A container that is open to be written.
struct Open {
    decrypted: Decrypted,
    path: PathBuf,
    file: File,
    mapping: Mapping,
}

impl<'a> Containers<'a> {
    pub(super) const fn new(
        image: &'a DiskImage,
        disk: &'a Path,
        sector: u32,
        key: Option<&'a Path>,
    ) -> Self {
        Self { image, disk, sector, key, open: Vec::new() }
    }

    /// Who writes this region: the one that writes to the disk, or one that writes into the container in which it is. That
    /// is opened with the first of its regions, when its header is on the disk.
    pub(super) fn writer<'w>(&'w mut self, region: &Region, on_the_disk: Writer<'w>) -> Result<Writer<'w>> {
        let Some(decrypted) = self.image.decrypted_around(region) else { return Ok(on_the_disk) };
        if !self.open.iter().any(|open| open.decrypted == *decrypted) {
            let opened = self.open(*decrypted, &on_the_disk).with_context(|| {
                let subject = crate::subject_of(&self.image.table, region.partition, region.volume.as_ref());
                format!("{subject} was not written")
            });
            self.open.push(opened?);
        }
        let open = self.open.iter().find(|open| open.decrypted == *decrypted);
        let Open { path, file, .. } = open.context("an encrypted container is not open")?;
        let Range { start: base, length } = decrypted.inside;
        // Zeros that are on the disk are none when they are decrypted.
        Ok(Writer { path, file, base, within: 0..length, zeros: Zeros::Write, ..on_the_disk })
    }

    fn open(&self, decrypted: Decrypted, on_the_disk: &Writer<'_>) -> Result<Open> {
        let Range { start, length } = decrypted.container;
        let key = self.key.context("its key was not given")?;
        let start = start.saturating_sub(on_the_disk.base);
        // The kernel encrypts past the page cache: nothing of the header may still be there, and nothing old later.
        on_the_disk.file.sync_all().with_context(|| cannot_write(self.disk))?;
        disk::forget(on_the_disk.file);
        let node = Node::of(self.disk, start, length, self.sector, Access::Write)?;
        let mapping = Mapping::open(node, survey::name(start), key, Access::Write)?;
        let mapping = mapping.context("the key does not open the header of LUKS that was written")?;
        let path = mapping.path();
        let (is, was) = (disk::facts(&path)?.size, decrypted.inside.length);
        ensure!(is == was, "{is} bytes are decrypted of the disk, and the image has {was}");
        let file = disk::open_to_write(&path)?;
        // What the disk had there before, by the same key, is not to be found again in what is free.
        let volumes = self
            .image
            .regions
            .iter()
            .filter(|region| region.volume.is_some() && decrypted.inside.holds(region.range()));
        let volumes: Vec<Range> = volumes
            .map(|region| Range { start: region.start - decrypted.inside.start, length: region.length })
            .collect();
        let whole = [Range { start: 0, length: was }];
        wipe::signatures(&file, &whole, &volumes).with_context(|| cannot_write(&path))?;
        Ok(Open { decrypted, path, file, mapping })
    }

    /// Has everything that was written on the disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.open.iter().try_for_each(|open| open.file.sync_all().with_context(|| cannot_write(&open.path)))
    }

    /// Closes them all: the disk is no longer in use by them.
    pub(super) fn close(self) -> Result<()> {
        self.open.into_iter().try_for_each(|Open { file, mapping, .. }| {
            drop(file);
            mapping.close()
        })
    }
}
