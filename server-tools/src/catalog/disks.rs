//! Compares what the Linux imager says of the disks that it has saved with what is really there.
//!
//! Pure: it is given the descriptions, and the pieces that were read back. The client calculates its checksums before a byte
//! leaves it, so a difference here arose on the way or in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use ghost_contract::bounds::STAGING_DISKS;
use ghost_contract::checksum::Sha256;
use ghost_contract::image::{
    Content, DiskFacts, DiskImage, FileSystem, Hit, Piece as Written, Range, SavedPart, Table, Tool,
    UnusedReason,
};
use ghost_contract::layout::{self, CHECKSUMS, DISK_IMAGE, TABLE_DUMP};
use serde::{Deserialize, Serialize};

use super::pieces::{self, Piece};
use crate::job::bytes::bytes;

/// What a manifest says of one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSummary {
    /// The folder of its image, below the generation's.
    pub folder: String,
    pub disk: DiskFacts,
    pub table: Table,
    /// The file systems of which only used blocks are kept.
    pub file_systems: Vec<FileSystemSummary>,
    /// What of each partition is in the image, and how; none in manifests that are older than this.
    #[serde(default)]
    pub saved: Vec<SavedPart>,
    /// Bytes of the disk that are kept.
    pub kept: u64,
    /// The sizes of all its pieces together, bytes.
    pub stored: u64,
    /// What could not be read, and is not in the image.
    pub bad_ranges: Vec<Range>,
    /// Which files those places belong to.
    #[serde(default)]
    pub hits: Vec<Hit>,
    /// What the administrator should know.
    pub notes: Vec<String>,
    /// The programs that made it.
    pub tools: Vec<Tool>,
    /// How long it took, milliseconds.
    pub took: u64,
}

impl DiskSummary {
    /// What the file system of this partition uses, if that is what it has.
    pub fn used(&self, partition: u32) -> Option<u64> {
        let is_its = |one: &&FileSystemSummary| one.partition == Some(partition) && one.volume.is_none();
        self.file_systems.iter().find(is_its).map(|one| one.used)
    }

    /// The partitions that its image holds, if that is the image of a part of the disk only.
    pub fn chosen(&self) -> Option<BTreeSet<u32>> {
        let is_chosen = |part: &&SavedPart| part.left_out_because != Some(UnusedReason::NotChosen);
        if self.saved.iter().all(|part| is_chosen(&part)) {
            return None;
        }
        Some(self.saved.iter().filter(is_chosen).filter_map(|part| part.partition).collect())
    }

    /// How many bytes could not be read.
    pub fn unreadable(&self) -> u64 {
        self.bad_ranges.iter().map(|range| range.length).fold(0, u64::saturating_add)
    }

    /// Places that are encrypted on the disk and not in its image, in words.
    fn decrypted(&self) -> Vec<String> {
        let decrypted = self.saved.iter().filter(|part| part.decrypted);
        let place = |part: &SavedPart| {
            part.partition.map_or_else(|| "the disk".to_owned(), |number| format!("partition {number}"))
        };
        let places: BTreeSet<String> = decrypted.map(place).collect();
        places.into_iter().collect()
    }

    /// In words, each part of the disk that is not in its image though nothing says that it is free.
    fn lacks(&self) -> Vec<String> {
        let all_but = self.chosen().map(|numbers| {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            format!("all but partition {}, as chosen", numbers.join(", "))
        });
        let is_told =
            |part: &&SavedPart| part.left_out > 0 && part.left_out_because != Some(UnusedReason::NotChosen);
        let left_out = self.saved.iter().filter(is_told).map(|part| {
            let volume = part.volume.as_ref().map(|name| format!("volume {name}"));
            let of = volume.or_else(|| part.partition.map(|number| format!("partition {number}")));
            let what = match (part.left_out_because, of) {
                (Some(UnusedReason::Swap), Some(of)) => format!("{of}, which is swap"),
                (_, Some(of)) => of,
                (_, None) => "the gaps beside partitions".to_owned(),
            };
            format!("{} of {what}", bytes(part.left_out))
        });
        let lost = self.unreadable();
        let left_out = all_but.into_iter().chain(left_out);
        left_out.chain((lost > 0).then(|| format!("{} that could not be read", bytes(lost)))).collect()
    }
}

/// In words, what of these disks is not in their images though nothing says that it is free, and what is in them that is
/// encrypted on the disk and not in the image; none if nothing is.
pub(crate) fn lacks(disks: &[DiskSummary]) -> Option<String> {
    let several = disks.len() > 1;
    let told = |of: fn(&DiskSummary) -> Vec<String>| {
        let words = disks.iter().zip(0..).flat_map(move |(disk, index)| {
            let named = move |words| if several { format!("disk {index}: {words}") } else { words };
            of(disk).into_iter().map(named)
        });
        words.collect::<Vec<String>>()
    };
    let words = told(DiskSummary::lacks);
    let lacks = (!words.is_empty()).then(|| format!("not in the image: {}", words.join("; ")));
    let open = told(DiskSummary::decrypted);
    let open =
        (!open.is_empty()).then(|| format!("NOT ENCRYPTED in the image: what is in {}", open.join(", ")));
    lacks.into_iter().chain(open).reduce(|lacks, open| format!("{lacks}; {open}"))
}

/// A file system of which only used blocks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemSummary {
    /// The partition that it is in; none on a disk without a table.
    pub partition: Option<u32>,
    /// The logical volume that it is in, if that is what the partition or the disk has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    pub file_system: FileSystem,
    /// What it uses, bytes.
    pub used: u64,
    /// What it spans, bytes.
    pub total: u64,
    /// What that takes in the store, bytes.
    pub stored: u64,
}

/// The files of one disk's image that say what it consists of.
#[derive(Debug)]
pub(crate) struct Described {
    pub folder: String,
    pub description: Vec<u8>,
    pub checksums: Vec<u8>,
}

/// The folders of images among files with these paths, `disk0` and those that follow it; an error if they are more than a generation
/// may have.
pub(crate) fn folders<'a>(paths: impl Iterator<Item = &'a Path> + Clone) -> io::Result<Vec<String>> {
    let is_there = |folder: &String| paths.clone().any(|path| below(path, folder).is_some());
    let folders: Vec<String> = (0..).map(layout::disk).take(STAGING_DISKS + 1).take_while(is_there).collect();
    if folders.len() > STAGING_DISKS {
        return Err(io::Error::other(format!("there are images of more than {STAGING_DISKS} disks")));
    }
    Ok(folders)
}

/// What a file in this folder is called there.
fn below<'a>(path: &'a Path, folder: &str) -> Option<&'a Path> {
    path.strip_prefix(folder).ok().filter(|name| !name.as_os_str().is_empty())
}

/// What a manifest says of a disk whose image is as the client wrote it.
pub(crate) fn summary(described: &Described, pieces: &[Piece]) -> anyhow::Result<DiskSummary> {
    let Described { folder, description, checksums } = described;
    let path = |name: &str| format!("{folder}/{name}");
    let there: BTreeMap<&str, &Piece> = pieces
        .iter()
        .filter_map(|piece| Some((below(Path::new(&piece.path), folder)?.to_str()?, piece)))
        .collect();
    let image =
        DiskImage::parse(description).with_context(|| format!("{} cannot be believed", path(DISK_IMAGE)))?;
    let piece = |file: &str| there.get(file).ok_or_else(|| anyhow!("{} is missing", path(file)));
    let differs = |file: &str| anyhow!("{} is not what the client wrote: its checksum differs", path(file));
    for Written { file, size, sha256 } in image.streams().flat_map(|stream| &stream.pieces) {
        let found = piece(file)?;
        if found.size != *size {
            bail!("{} has {} bytes, and the client wrote {size}", path(file), found.size);
        }
        if found.sha256 != *sha256 {
            return Err(differs(file));
        }
    }
    // What is told of the disk is what was checked, and not what stands there a moment later.
    for (file, bytes) in [(DISK_IMAGE, description), (CHECKSUMS, checksums)] {
        if piece(file)?.sha256 != pieces::sum(bytes) {
            return Err(differs(file));
        }
    }
    let listed = listed(&path(CHECKSUMS), checksums)?;
    for (file, sha256) in &listed {
        let found = piece(file)?;
        if found.sha256 != *sha256 {
            return Err(differs(file));
        }
    }
    // A restore believes neither of them without its checksum.
    for file in [DISK_IMAGE, TABLE_DUMP] {
        if !listed.contains_key(file) {
            bail!("the checksum of {} is missing", path(file));
        }
    }
    Ok(summarised(folder.clone(), image))
}

/// The lines of a list that `sha256sum --check` reads.
fn listed(path: &str, text: &[u8]) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let text = String::from_utf8_lossy(text);
    let entry = |line: &str| {
        let (sum, name) = line.split_once("  ")?;
        Some((name.to_owned(), Sha256::try_from(sum.to_owned()).ok()?))
    };
    let wrong = |line: &str| anyhow!("'{line}' in {path} is no checksum and name");
    text.lines().map(|line| entry(line).ok_or_else(|| wrong(line))).collect()
}

fn summarised(folder: String, image: DiskImage) -> DiskSummary {
    let file_systems = image.regions.iter().filter_map(|region| match &region.content {
        Content::Partclone { file_system, used, total, stream, .. } => Some(FileSystemSummary {
            partition: region.partition,
            volume: region.volume.as_ref().map(|volume| volume.name.clone()),
            file_system: *file_system,
            used: *used,
            total: *total,
            stored: stream.stored(),
        }),
        Content::Raw { .. } | Content::Unused { .. } => None,
    });
    let sum =
        |of: fn(&ghost_contract::image::Stream) -> u64| image.streams().map(of).fold(0, u64::saturating_add);
    let took = u64::try_from(image.ended.since(image.started).as_millis()).unwrap_or(u64::MAX);
    DiskSummary {
        folder,
        saved: image.saved(),
        file_systems: file_systems.collect(),
        kept: sum(|stream| stream.length),
        stored: sum(ghost_contract::image::Stream::stored),
        took,
        disk: image.disk,
        table: image.table,
        bad_ranges: image.bad_ranges,
        hits: image.hits,
        notes: image.notes,
        tools: image.tools,
    }
}

/// How fast a generation was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How long the imaging took, milliseconds.
    pub took: u64,
    /// Bytes of disks that are kept, a second; none where only the imaging program knows how many there are.
    pub disk_rate: Option<u64>,
    /// Bytes that were written to the store, a second.
    pub store_rate: u64,
}

impl Pace {
    /// That of images of so many bytes, by the imager's own time where it tells it.
    pub fn of(disks: &[DiskSummary], bytes: u64, job: Duration) -> Self {
        let job = u64::try_from(job.as_millis()).unwrap_or(u64::MAX);
        let own = disks.iter().map(|disk| disk.took).fold(0, u64::saturating_add);
        let took = if disks.is_empty() { job } else { own };
        let kept = disks.iter().map(|disk| disk.kept).fold(0, u64::saturating_add);
        let rate = |bytes: u64| {
            let rate = (u128::from(bytes) * 1000).checked_div(u128::from(took)).unwrap_or(0);
            u64::try_from(rate).unwrap_or(u64::MAX)
        };
        Self { took, disk_rate: (!disks.is_empty()).then(|| rate(kept)), store_rate: rate(bytes) }
    }
}

#[cfg(test)]
mod tests;
