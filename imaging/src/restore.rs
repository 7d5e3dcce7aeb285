//! Writing an image back: plan, check everything, then write what the plan says. Decides nothing.
//!
//! ```text
//! describe ─▶ plan ─▶ check ─▶ shrink ──▶ no table ─▶ regions ─▶ table ─▶ read back ─▶ grow
//!         nothing is written so far     │ the disk is incomplete until the end
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ghost_contract::checksum::Sha256;
use ghost_contract::image::{
    Discard, DiskFacts, DiskImage, LinuxSettings, Phase, Range, Region, RestoreCheck, Stream, Table,
    TableKind,
};

use crate::board::Board;
use crate::check::{self, Depth};
use crate::folder;
use crate::plan::chosen;
use crate::plan::restore::{self as plan, Fit, OtherDisk, TableStep};
use crate::plan::shrink::TooFull;
use crate::plan::table::Fitted;
use crate::source::Source;
use crate::stream::unpack::Zeros;
use crate::survey;
use crate::sys::disk;

mod encrypted;
mod grow;
mod moved;
mod resize;
mod shrink;
mod table;
mod wipe;
mod writer;

use encrypted::Containers;
use shrink::Shrunk;
use writer::Writer;

/// What an error begins with of a disk that is too small.
const NOT_SHRUNK: &str = "the image cannot be shrunk for this disk";

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// A file that an image is written to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub file: &'a File,
    /// Where programs find the same file.
    pub path: &'a Path,
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
    /// The table, if it is another than the image's.
    table: Option<Fitted>,
    shrunk: Option<Shrunk>,
    /// The file of the key that opens LUKS.
    key: Option<PathBuf>,
    discards: bool,
    notes: Vec<String>,
}

/// Finds out whether the image in this folder, whose description must have the checksum that the boot server `vouched` for, may be
/// written to this disk, and checks it. In the folder `scratch` is
/// room for a file system that has to be shrunk. The key in the file `key` opens LUKS.
pub fn prepare(
    (folder, vouched): (&Path, Option<Sha256>),
    disk: &Path,
    (settings, key): (&LinuxSettings, Option<&Path>),
    scratch: Option<&Path>,
    board: &Board,
) -> Result<Ready> {
    board.phase(Phase::Surveying, 0, 0);
    let image = folder::vouched(folder, vouched)?;
    disk::assert_unused(disk)?;
    let target = disk::facts(disk)?;
    let others: Vec<OtherDisk> =
        disk::others(disk).into_iter().map(|(path, serial)| OtherDisk { path, serial }).collect();
    let mut plan = match chosen::wanted(&image, settings) {
        None => plan::plan(&image, &target, &others, &grow::resizable(), settings)?,
        Some(numbers) => {
            let there =
                survey::division(&target).context("the partition table of the disk cannot be read")?;
            chosen::plan(&image, &target, &others, &there.table, &numbers)?
        }
    };
    let mut notes = plan.notes.clone();
    let depth = match settings.restore_check {
        RestoreCheck::Everything => Depth::Checksums,
        RestoreCheck::Skip => {
            notes.push("the image was not checked before the disk was written, as ordered".to_owned());
            Depth::Sizes
        }
    };
    if !image.decrypted.is_empty() && key.is_none() {
        // Before anything takes time.
        encrypted::require_key(folder, &image, &plan.regions, None)?;
    }
    let checked =
        check::check(folder, depth, board).context("the image is damaged, and nothing was written")?;
    ensure!(checked == image, "the image was changed while it was checked, and nothing was written");
    encrypted::require_key(folder, &image, &plan.regions, key)?;
    let opened = disk::open_to_write(disk)?;
    let (table, shrunk) = loop {
        let table = match plan.table {
            TableStep::Renew => Some(table::prepare(folder, &image, &target, plan.changes())?),
            TableStep::Keep => None,
        };
        let Fit::Shrink(shrink) = &plan.fit else { break (table, None) };
        let task = shrink::Task { folder, image: &image, target: &target, shrink };
        match (shrink::prepare(task, scratch, board), plan.otherwise.take()) {
            (Ok(shrunk), _) => break (table, Some(shrunk)),
            (Err(error), other) => match (error.downcast_ref::<TooFull>(), other) {
                (Some(full), Some(other)) => {
                    notes.push(full.note());
                    plan = *other;
                }
                _ => return Err(error.context(NOT_SHRUNK)),
            },
        }
    };
    let (folder, disk, key) = (folder.to_owned(), disk.to_owned(), key.map(Path::to_owned));
    let discards = settings.discard == Discard::Auto;
    Ok(Ready { folder, disk, opened, target, image, plan, table, shrunk, key, discards, notes })
}

/// Writes an image to its disk.
pub fn write(ready: Ready, board: &Board) -> Result<Restored> {
    let Ready { folder, disk, opened, target, image, plan, table, shrunk, key, discards, mut notes } = ready;
    let (folder, disk) = (folder.as_path(), disk.as_path());
    let written: Vec<&Region> = plan.regions.iter().filter_map(|&index| image.regions.get(index)).collect();
    let streams = written.iter().filter_map(|region| region.stream()).map(|stream| stream.length);
    let total = streams.chain(shrunk.as_ref().map(Shrunk::expected_length)).sum();
    board.phase(Phase::Writing, written.len() + usize::from(shrunk.is_some()), total);
    let expected = plan.table_of(&image);
    let emptied = match &plan.fit {
        Fit::Part(part) => part.places.clone(),
        Fit::Same | Fit::Grow(_) | Fit::Shrink(_) => vec![Range { start: 0, length: target.size }],
    };
    let zeros = if discards && wipe::all(disk, &opened, &emptied) { Zeros::LeaveOut } else { Zeros::Write };
    if zeros == Zeros::Write {
        let partitions = expected.partitions.iter().map(|one| Range { start: one.start, length: one.length });
        let volumes = image.regions.iter().filter(|region| region.volume.is_some()).map(|region| {
            let start = region.start.saturating_sub(plan.nearer(region));
            Range { start, length: region.length }
        });
        let parts: Vec<Range> = partitions.chain(volumes).collect();
        wipe::signatures(&opened, &emptied, &parts).with_context(|| cannot_write(disk))?;
    }
    let within = table.as_ref().map_or(0, |table| table.beginning.len() as u64)..plan.end;
    let mut containers = Containers::new(&image, disk, target.logical_sector, key.as_deref());
    let on_the_disk = |region| {
        let (base, within) = (plan.nearer(region), within.clone());
        Writer { source: folder.into(), image: &image, path: disk, file: &opened, base, within, zeros }
    };
    for region in &written {
        containers.writer(region, on_the_disk(region))?.write(region, board)?;
    }
    if let Some(shrunk) = &shrunk {
        board.region(shrunk.subject(&image));
        shrunk.write(disk, &opened, board).context(NOT_SHRUNK)?;
        moved::set_boot_sectors(&opened, shrunk.moves(), target.logical_sector)?;
    }
    containers.sync()?;
    opened.sync_all().with_context(|| cannot_write(disk))?;
    if let Some(shrunk) = &shrunk {
        shrunk.check(&opened, &target).context(NOT_SHRUNK)?;
    }
    for region in &written {
        containers.writer(region, on_the_disk(region))?.read_back(region)?;
    }
    containers.close()?;
    disk::forget(&opened);
    if let Some(table) = &table {
        table::write(table, &opened)?;
    }
    // For what comes after us on this machine; a kernel that refuses sees the table at the next boot.
    if let Err(error) = disk::reread_table(disk) {
        notes.push(format!("the kernel has not read the new partition table: {error:#}"));
    }
    // Without a table all is compared already, whatever the tools make of it.
    if image.table.kind != TableKind::None {
        compare_table(&expected, disk)?;
    }
    if let Some(shrunk) = shrunk {
        notes.extend(shrunk.end());
    }
    if let Fit::Grow(growing) = &plan.fit {
        board.phase(Phase::Resizing, 1, 0);
        board.region(crate::subject(&image.table, Some(growing.partition)));
        let grown = grow::grow(disk, &target, growing);
        notes.push(grown.context("the last partition cannot be given the disk's room")?);
    }
    opened.sync_all().with_context(|| cannot_write(disk))?;
    Ok(Restored { image, notes })
}

/// Writes an image to an empty file, as a disk of the same size with holes where nothing is.
pub fn export<'a>(
    source: impl Into<Source<'a>>,
    vouched: Option<Sha256>,
    target: Target<'_>,
    board: &Board,
) -> Result<()> {
    let source = source.into();
    let image = folder::vouched(source, vouched)?;
    if let Some(numbers) = image.chosen() {
        bail!("{}, and no table: take one of them", chosen::note(&numbers));
    }
    let regions: Vec<&Region> = image.regions.iter().collect();
    export_regions(source, &image, target, &regions, (0, image.disk.size), board)
}

/// Writes one partition of an image to an empty file, with holes where nothing is.
pub fn export_partition<'a>(
    (source, vouched): (impl Into<Source<'a>>, Option<Sha256>),
    number: u32,
    target: Target<'_>,
    board: &Board,
) -> Result<()> {
    let source = source.into();
    let image = folder::vouched(source, vouched)?;
    let found = image.table.partitions.iter().find(|partition| partition.number == number);
    let partition = found.with_context(|| format!("the image has no partition {number}"))?;
    chosen::require_held(&image, &[number].into())?;
    let regions: Vec<&Region> =
        image.regions.iter().filter(|region| region.partition == Some(number)).collect();
    export_regions(source, &image, target, &regions, (partition.start, partition.length), board)
}

/// A file is written without the kernel, and so without encryption.
fn require_no_encryption(image: &DiskImage, regions: &[&Region]) -> Result<()> {
    let encrypted = regions.iter().find(|region| image.decrypted_around(region).is_some());
    match encrypted {
        None => Ok(()),
        Some(region) => bail!(
            "{} was encrypted on the disk and is not in the image: only a restore with its key writes it",
            crate::subject_of(&image.table, region.partition, region.volume.as_ref())
        ),
    }
}

fn export_regions(
    source: Source<'_>,
    image: &DiskImage,
    Target { file, path }: Target<'_>,
    regions: &[&Region],
    (start, length): (u64, u64),
    board: &Board,
) -> Result<()> {
    require_no_encryption(image, regions)?;
    let cannot_write = || cannot_write(path);
    file.set_len(length).with_context(cannot_write)?;
    let streams = || regions.iter().filter_map(|region| region.stream());
    board.phase(Phase::Writing, streams().count(), streams().map(|stream: &Stream| stream.length).sum());
    let within = 0..length;
    let writer = Writer { source, image, path, file, base: start, within, zeros: Zeros::LeaveOut };
    for region in regions {
        writer.write(region, board)?;
    }
    file.sync_all().with_context(cannot_write)
}

/// Whether the tools read from the disk what they read when it was backed up.
fn compare_table(expected: &Table, path: &Path) -> Result<()> {
    let facts = disk::facts(path)?;
    let found = survey::division(&facts).context("the partition table cannot be read back")?.table;
    let same = |number: u32| {
        let entry = |table: &Table| {
            let found = table.partitions.iter().find(|partition| partition.number == number)?;
            Some((found.start, found.length, found.kind.clone(), found.name.clone(), found.uuid.clone()))
        };
        entry(expected) == entry(&found)
    };
    let numbers = expected.partitions.iter().chain(&found.partitions).map(|partition| partition.number);
    match numbers.into_iter().find(|&number| !same(number)) {
        Some(number) => {
            bail!("the partition table on the disk is not the image's: partition {number} differs")
        }
        None => Ok(()),
    }
}
