//! Finds the files that the unreadable places of a disk belong to.
//!
//! The disk may be failing, so there are bounds: on the time, on the places that are looked up, and on the names that are
//! kept. What is not found out is told as unknown.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use ghost_contract::image::{Content, Decrypted, DiskFacts, FileSystem, Hit, Range, Region, Table};

use crate::sys::node::{Access, Node};
use crate::sys::program;
use crate::tool::{boot_sector, hits, partclone, superblock, xfs};

/// How long the tools may look for files, of all partitions together: nothing else moves meanwhile, and a job in which
/// nothing moves counts as stalled after some minutes.
const LONGEST: Duration = Duration::from_secs(120);
/// So many places of a partition are looked up, …
const PLACES: usize = 64;
/// … and of each so many bytes.
const OF_EACH: u64 = 1 << 20;
/// So many names are kept of a partition.
const NAMES: usize = 100;
/// No command names more blocks or inodes: the length of its arguments is limited.
const AT_ONCE: usize = 512;
/// xfs_db holds nine bytes a block and all names in memory, and a client has no swap.
const LARGEST_XFS: u64 = 16 << 30;
/// xfs_db counts in these, whatever the disk's sectors are.
const DADDR: u64 = 512;

/// The names of files, and why these are not all, if so.
type Found = (BTreeSet<String>, Option<String>);

/// What was hit in each partition that has such places.
pub(crate) fn find(
    disk: &DiskFacts,
    table: &Table,
    regions: &[Region],
    (bad, decrypted): (&[Range], &[Decrypted]),
) -> Vec<Hit> {
    let (mut hits, mut last, ends) = (Vec::new(), None, Instant::now() + LONGEST);
    for region in regions {
        let Some(within) = around(disk, table, regions, region) else { continue };
        // The regions of a partition follow each other, and are looked into together.
        if last.replace(within) == Some(within) {
            continue;
        }
        let places: Vec<Range> = bad.iter().filter_map(|bad| clipped(*bad, within)).collect();
        if places.is_empty() {
            continue;
        }
        let is_more = places.len() > PLACES || places.iter().any(|place| place.length > OF_EACH);
        let is_decrypted = decrypted.iter().any(|one| one.container.holds(region.range()));
        let file_system = if is_decrypted {
            Err(anyhow!("it is looked for on the disk, and there it is encrypted"))
        } else {
            file_system(table, region)
        };
        let (files, unknown) = match file_system.and_then(|kind| look(disk, within, kind, &places, ends)) {
            Ok((names, _)) if names.len() > NAMES || is_more => {
                (names, Some("there are too many places to look all of them up".to_owned()))
            }
            Ok(found) => found,
            Err(error) => (BTreeSet::new(), Some(hits::readable(&format!("{error:#}")))),
        };
        let volume = region.volume.as_ref().map(|volume| hits::readable(&volume.name));
        hits.push(Hit {
            partition: region.partition,
            volume,
            files: files.into_iter().take(NAMES).collect(),
            unknown,
        });
    }
    hits
}

/// What is looked into for the files of a region: all of its partition or disk, or only the region where these are divided
/// into logical volumes. None if no file system can be there.
fn around(disk: &DiskFacts, table: &Table, regions: &[Region], region: &Region) -> Option<Range> {
    let number = region.partition;
    let partition = table.partitions.iter().find(|one| Some(one.number) == number);
    if partition.is_none() && !matches!(region.content, Content::Partclone { .. }) {
        return None;
    }
    if regions.iter().any(|one| one.partition == number && one.volume.is_some()) {
        return Some(Range { start: region.start, length: region.length });
    }
    let whole = Range { start: 0, length: disk.size };
    Some(partition.map_or(whole, |partition| Range { start: partition.start, length: partition.length }))
}

fn file_system(table: &Table, region: &Region) -> Result<FileSystem> {
    if let Content::Partclone { file_system, .. } = &region.content {
        return Ok(*file_system);
    }
    let partition = table.partitions.iter().find(|one| Some(one.number) == region.partition);
    let kind = match &region.volume {
        Some(volume) => volume.file_system.as_deref(),
        None => partition.and_then(|partition| partition.file_system.as_deref()),
    };
    kind.and_then(partclone::file_system).context("no tool looks into what is there")
}

/// What of a place is within another, from whose first byte it is counted.
fn clipped(place: Range, within: Range) -> Option<Range> {
    let start = place.start.max(within.start);
    let end = place.start.saturating_add(place.length).min(within.start.saturating_add(within.length));
    (start < end).then(|| Range { start: start - within.start, length: end - start })
}

fn look(
    disk: &DiskFacts,
    within: Range,
    file_system: FileSystem,
    places: &[Range],
    ends: Instant,
) -> Result<Found> {
    let path = Path::new(&disk.path);
    let node = Node::of(path, within.start, within.length, disk.logical_sector, Access::Read)?;
    let places: Vec<Range> = places
        .iter()
        .take(PLACES)
        .map(|place| Range { length: place.length.min(OF_EACH), ..*place })
        .collect();
    match file_system {
        FileSystem::Ntfs => Ok((ntfs(node.path(), &places, ends)?, None)),
        FileSystem::Ext => Ok((ext(node.path(), &places, ends)?, None)),
        FileSystem::Xfs => {
            ensure!(within.length <= LARGEST_XFS, "looking into an XFS of this size needs too much memory");
            xfs(node.path(), &places, ends)
        }
        FileSystem::Fat | FileSystem::Exfat | FileSystem::Btrfs | FileSystem::F2fs => {
            bail!("no tool tells it of {} that is not mounted", partclone::word(file_system))
        }
    }
}

fn ntfs(node: &Path, places: &[Range], ends: Instant) -> Result<BTreeSet<String>> {
    let boot = beginning(node, boot_sector::LENGTH).context("its boot sector cannot be read")?;
    let sector = superblock::ntfs_sector(&boot) as u64;
    let mut names = BTreeSet::new();
    for place in places {
        let (first, last) = units(*place, sector);
        let mut command = Command::new("ntfscluster");
        command.args(["--force", "--quiet", "--sector", &format!("{first}-{last}")]);
        let found = hits::ntfscluster(&said(command.arg(node), ends)?);
        names.extend(if found.is_empty() { [hits::OWN.to_owned()].into() } else { found });
    }
    Ok(names)
}

fn ext(node: &Path, places: &[Range], ends: Instant) -> Result<BTreeSet<String>> {
    let beginning = beginning(node, superblock::NEEDED).context("its superblock cannot be read")?;
    let block = superblock::ext_block(&beginning).context("its superblock says no size of blocks")?;
    let blocks: Vec<String> = numbers(places, block).iter().map(u64::to_string).collect();
    let (mut inodes, mut has_own) = (BTreeSet::new(), false);
    for blocks in blocks.chunks(AT_ONCE) {
        let (found, own) = hits::icheck(&debugfs(node, &format!("icheck {}", blocks.join(" ")), ends)?);
        inodes.extend(found);
        has_own |= own;
    }
    let mut names: BTreeSet<String> = has_own.then(|| hits::OWN.to_owned()).into_iter().collect();
    let numbers: Vec<u64> = inodes.into_iter().collect();
    for inodes in numbers.chunks(AT_ONCE) {
        let words: Vec<String> = inodes.iter().map(u64::to_string).collect();
        let said = debugfs(node, &format!("ncheck {}", words.join(" ")), ends)?;
        names.extend(hits::ncheck(&said, &inodes.iter().copied().collect()));
    }
    Ok(names)
}

fn debugfs(node: &Path, request: &str, ends: Instant) -> Result<String> {
    said(Command::new("debugfs").args(["-R", request]).arg(node), ends)
}

fn xfs(node: &Path, places: &[Range], ends: Instant) -> Result<Found> {
    let beginning = beginning(node, xfs::SUPERBLOCK).context("its superblock cannot be read")?;
    let shape = xfs::shape(&beginning).context("its superblock says no size of blocks")?;
    let mut command = Command::new("xfs_db");
    command.args(["-r", "-c", "blockget -n"]);
    if fs::metadata(node)?.is_file() {
        command.arg("-f");
    }
    let wanted: Vec<u64> = numbers(places, shape.block).into_iter().take(AT_ONCE).collect();
    for place in wanted.chunk_by(|one, other| one + 1 == *other) {
        // xfs_db reads the block that it goes to, so it goes to the one in front of what cannot be read.
        let from = place.first().map_or(0, |first| first.saturating_sub(1));
        let address = from.saturating_mul(shape.block) / DADDR;
        command.args([
            "-c",
            &format!("daddr {address}"),
            "-c",
            &format!("blockuse -n -c {}", place.len() + 1),
        ]);
    }
    let used = hits::blockuse(&said(command.arg(node), ends)?);
    let number = |used: &hits::Use| used.group.saturating_mul(shape.group).saturating_add(used.block);
    let found: Vec<(u64, String)> = used.into_iter().map(|used| (number(&used), used.name)).collect();
    let is_found = |block: &u64| found.iter().any(|(number, _)| number == block);
    let missing = wanted.iter().find(|block| !is_found(block));
    let names = found.iter().filter(|(number, _)| wanted.contains(number)).map(|(_, name)| name.clone());
    Ok((names.collect(), missing.map(|block| format!("xfs_db does not say what block {block} is used for"))))
}

fn beginning(node: &Path, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(node)?.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// The first and the last unit of this size that a place touches.
const fn units(place: Range, unit: u64) -> (u64, u64) {
    (place.start / unit, place.start.saturating_add(place.length).saturating_sub(1) / unit)
}

/// All units of this size that these places touch.
fn numbers(places: &[Range], unit: u64) -> BTreeSet<u64> {
    places.iter().map(|place| units(*place, unit)).flat_map(|(first, last)| first..=last).collect()
}

fn said(command: &mut Command, ends: Instant) -> Result<String> {
    let output = program::must(command, ends.saturating_duration_since(Instant::now()))?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[cfg(test)]
mod tests {
    use ghost_contract::image::{Partition, RawReason, Stream, TableKind, Volume};

    use super::*;

    /// What no tool looks into, so that no disk is needed.
    fn region(start: u64, partition: Option<u32>, volume: Option<&str>) -> Region {
        let volume = volume.map(|name| Volume { name: name.to_owned(), file_system: None });
        let (reason, stream) = (RawReason::NoTool { found: None }, Stream { length: 100, pieces: vec![] });
        Region { start, length: 100, partition, volume, content: Content::Raw { reason, stream } }
    }

    #[test]
    fn a_partition_is_told_once_and_each_volume_in_one_by_itself() {
        let (path, kind) = ("/dev/sda".to_owned(), "83".to_owned());
        let disk = DiskFacts {
            path,
            model: None,
            serial: None,
            size: 800,
            logical_sector: 512,
            physical_sector: 512,
        };
        let one = Partition {
            number: 1,
            start: 100,
            length: 200,
            kind,
            name: None,
            uuid: None,
            file_system: None,
            label: None,
        };
        let two = Partition { number: 2, start: 300, length: 400, ..one.clone() };
        let table = Table { kind: TableKind::Gpt, id: None, partitions: vec![one, two] };
        let regions = [
            region(0, None, None),
            region(100, Some(1), None),
            region(200, Some(1), None),
            region(300, Some(2), None),
            region(400, Some(2), Some("vg/root")),
            region(500, Some(2), Some("vg/swap")),
            region(600, Some(2), Some("vg/home")),
            region(700, None, None),
        ];
        let told = |bad: &[Range]| {
            let hits = find(&disk, &table, &regions, (bad, &[]));
            assert!(hits.iter().all(|hit| hit.files.is_empty() && hit.unknown.is_some()), "{hits:?}");
            hits.into_iter().map(|hit| (hit.partition, hit.volume)).collect::<Vec<_>>()
        };
        let volume = |name: &str| (Some(2), Some(name.to_owned()));
        let all = [(Some(1), None), (Some(2), None), volume("vg/root"), volume("vg/swap"), volume("vg/home")];
        assert_eq!(told(&[Range { start: 0, length: 800 }]), all);
        assert_eq!(
            told(&[Range { start: 250, length: 1 }, Range { start: 550, length: 100 }]),
            [(Some(1), None), volume("vg/swap"), volume("vg/home")]
        );
        assert_eq!(told(&[Range { start: 50, length: 50 }, Range { start: 700, length: 1 }]), []);
    }

    #[test]
    fn a_place_is_counted_from_where_its_partition_begins_and_no_further() {
        let within = Range { start: 1000, length: 500 };
        let clip = |start, length| clipped(Range { start, length }, within).map(|r| (r.start, r.length));
        assert_eq!(clip(900, 200), Some((0, 100)));
        assert_eq!(clip(1400, 200), Some((400, 100)));
        assert_eq!((clip(0, 1000), clip(1500, 1)), (None, None));
    }

    #[test]
    fn the_units_that_are_touched_are_named_once() {
        let places = [Range { start: 4095, length: 2 }, Range { start: 5000, length: 512 }];
        assert_eq!(numbers(&places, 4096), [0, 1].into());
        assert_eq!(numbers(&places, 512), [7, 8, 9, 10].into());
    }
}
