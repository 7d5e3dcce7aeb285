//! Backing a disk up: look at it and plan; then save region after region, and describe. Decides nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ghost_contract::image::{
    Compression, Content, Decrypted, DiskFacts, DiskImage, LinuxSettings, Phase, Region, Table, Tool, VERSION,
};

use crate::board::Board;
use crate::folder;
use crate::hits;
use crate::plan::backup::{self as plan, Disbelief, How, Planned, Refusal};
use crate::plan::chosen;
use crate::plan::maps::Maps;
use crate::plan::rehearsal;
use crate::stream::compressor;
use crate::stream::save::Method;
use crate::survey::{self, Division, Open, Unlocked};
use crate::sys::clock;
use crate::sys::disk::{self, ReadOnly};
use crate::sys::program::{self, LOOKING};

/// The key of what was found on the disk as a whole. The other keys are the numbers of partitions, from 1.
const WHOLE: u32 = 0;

mod planning;
mod saver;

use planning::{Planning, Plans};
use saver::{Saver, Source};

/// A disk that can be saved: it is known how, and nothing has been saved so far.
#[derive(Debug)]
pub struct Ready {
    folder: PathBuf,
    settings: LinuxSettings,
    opened: File,
    facts: DiskFacts,
    table: Table,
    dump: Vec<u8>,
    planned: Vec<Planned>,
    /// The file systems that partclone reads already, by their first bytes.
    open: BTreeMap<u64, Open>,
    /// The encrypted containers that are open; they are closed after all that reads them.
    unlocked: Vec<Unlocked>,
    notes: Vec<String>,
    /// Ends last, after all that reads.
    nobody_writes: ReadOnly,
}

/// Finds out whether and how this disk can be saved to this folder, which must be empty or not there. What waits
/// until it is saved takes its memory from `maps`. The key in the file `key` opens LUKS.
pub fn prepare(
    folder: &Path,
    disk: &Path,
    (settings, key): (&LinuxSettings, Option<&Path>),
    maps: &mut Maps,
    board: &Board,
) -> Result<Ready> {
    plan::check_settings(settings)?;
    board.phase(Phase::Surveying, 0, 0);
    disk::assert_unused(disk)?;
    let nobody_writes = ReadOnly::make(disk)?;
    let facts = disk::facts(disk)?;
    if facts.size == 0 {
        return Err(Refusal::Empty(facts.path).into());
    }
    let sector = u64::from(facts.logical_sector);
    ensure!(
        facts.size % sector == 0,
        "{} has {} bytes, which are no whole sectors of {sector}: is it all of a disk? truncate --size %{sector} makes it \
         longer",
        facts.path,
        facts.size
    );
    let mut notes = Vec::new();
    let Division { mut table, dump, whole, disbelief } = match survey::division(&facts) {
        Err(error) if plan::rescues(settings) => {
            notes.push(format!(
                "the partition table cannot be read, every byte of the disk is saved: {:#}",
                error
            ));
            Division::none("the partition table cannot be read")
        }
        read => read.with_context(|| cannot_be_looked_at(&facts))?,
    };
    let mut found = survey::describe(&mut table, disk).with_context(|| cannot_be_looked_at(&facts))?;
    found.insert(WHOLE, disbelief.map_or(whole, Disbelief::found));
    if !settings.partitions.is_empty() {
        chosen::require(&table, &settings.partitions, &facts.path)?;
        notes.push(chosen::note(&settings.partitions));
    }
    let stretches = plan::stretches(&facts, &table);
    let mut planning =
        Planning { facts: &facts, settings, key, maps, found: Plans { notes, ..Plans::default() } };
    for stretch in stretches {
        let number = stretch.partition();
        let is_chosen = number.is_some_and(|number| settings.partitions.contains(&number));
        if !is_chosen && !settings.partitions.is_empty() {
            planning.found.planned.push(stretch.not_chosen());
            continue;
        }
        planning.stretch(stretch, found.remove(&stretch.partition().unwrap_or(WHOLE)))?;
    }
    let Plans { planned, open, unlocked, mut notes } = planning.found;
    if key.is_some() && unlocked.is_empty() {
        notes.push("a key was given, and nothing that was looked at is a LUKS that it opens".to_owned());
    }
    let opened = File::open(disk).with_context(|| format!("cannot open {}", disk.display()))?;
    folder::make(folder)?;
    let (folder, settings) = (folder.to_owned(), settings.clone());
    Ok(Ready { folder, settings, opened, facts, table, dump, planned, open, unlocked, notes, nobody_writes })
}

/// Saves a disk to its folder.
pub fn save(ready: Ready, board: &Board) -> Result<DiskImage> {
    let Ready {
        nobody_writes: _until_the_end,
        folder,
        settings,
        opened,
        facts,
        table,
        dump,
        planned,
        open,
        unlocked,
        mut notes,
    } = ready;
    let started = clock::now();
    let total = planned.iter().map(Planned::expected_length).sum();
    let saved = planned.iter().filter(|region| !matches!(region.how, How::Unused(_)));
    board.phase(Phase::Reading, saved.count(), total);

    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let method = Method {
        folder: &folder,
        level: settings.compression_level,
        threads: compressor::threads(settings.compression_level, processors),
        piece_size: settings.piece_size,
        on_read_error: settings.on_read_error,
    };
    let disk = Source { opened: &opened, facts: &facts, base: 0 };
    let mut saver =
        Saver { open, syncing: Vec::new(), disk, unlocked: &unlocked, table: &table, method, board };
    let (mut regions, mut bad_ranges) = (Vec::with_capacity(planned.len()), Vec::new());
    for (index, region) in planned.iter().enumerate() {
        let content = saver.save(index, region, &mut bad_ranges)?;
        regions.push(Region {
            start: region.start,
            length: region.length,
            partition: region.partition,
            volume: region.volume.clone(),
            content,
        });
    }
    saver.end()?;
    for note in planned.iter().filter_map(Planned::note) {
        // Of a volume in several places each is a region.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    if !bad_ranges.is_empty() {
        let bytes: u64 = bad_ranges.iter().map(|range| range.length).sum();
        notes.push(format!("{bytes} bytes in {} places of the disk could not be read", bad_ranges.len()));
    }
    let decrypted: Vec<Decrypted> = unlocked.iter().map(Unlocked::described).collect();
    let hits = hits::find(&facts, &table, &regions, (&bad_ranges, &decrypted));
    for one in unlocked {
        if let Err(error) = one.close() {
            notes.push(format!("{error:#}"));
        }
    }
    let compression = Compression::Zstd { level: settings.compression_level };
    let mut image = DiskImage {
        version: VERSION,
        tools: tools(&regions),
        disk: facts,
        table,
        regions,
        decrypted,
        compression,
        bad_ranges,
        hits,
        notes,
        started,
        ended: clock::now(),
    };
    image.version = image.version_it_needs();
    rehearsal::rehearse(&image).context("what was saved of the disk could not be restored")?;
    folder::finish(&folder, &image, &dump)?;
    let stored = folder::description(&folder).context("what was saved cannot be read back")?;
    ensure!(stored == image, "what was saved cannot be read back: {} is another", folder.display());
    Ok(image)
}

fn cannot_be_looked_at(facts: &DiskFacts) -> String {
    format!("{} cannot be looked at", facts.path)
}

/// The programs that made it, with their versions.
fn tools(regions: &[Region]) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    for region in regions {
        if let Content::Partclone { tool, version, .. } = &region.content
            && !tools.iter().any(|known| known.name == *tool)
        {
            tools.push(Tool { name: tool.clone(), version: version.clone() });
        }
    }
    tools.push(Tool { name: "libzstd".to_owned(), version: zstd::zstd_safe::version_string().to_owned() });
    for name in ["sfdisk", "blkid"] {
        // A tool that did its work and does not tell its version is no reason to lose an image.
        if let Ok(said) = program::must(Command::new(name).arg("--version"), LOOKING) {
            let version = String::from_utf8_lossy(&said).trim().to_owned();
            tools.push(Tool { name: name.to_owned(), version });
        }
    }
    tools.push(Tool { name: "ghost-imager".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() });
    tools
}
