//! How a job's folder becomes a generation: all that the client wrote is read back, and only then it gets its name.

use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::order::Imager;
use ghost_contract::{Generation, HostName, JobId, MacAddress, Mode, UnixTime, layout};

use super::disks::{self, Described, DiskFault, DiskSummary, Pace};
use super::manifest::{self, Manifest, Piece};
use super::pieces::{self, Content, Found, Unread};
use super::{Catalog, CatalogError, incoming, inside};
use crate::sys::crash;
use crate::sys::folder::Folder;

/// No description of a disk and no list of its checksums is larger.
const LARGEST_DESCRIPTION: u64 = 16 << 20;

/// What a manifest says besides what is found on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub mac: MacAddress,
    pub mode: Mode,
    /// The imaging program and its settings.
    pub imager: Imager,
    pub started: UnixTime,
    pub ended: UnixTime,
    /// Now, when everything is read back.
    pub checked: UnixTime,
}

/// A step of finishing a generation, for tests that fail or crash there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    ReadBack,
    WriteManifest,
    SyncStaging,
    Rename,
    SyncHost,
}

type Before<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

impl Catalog {
    /// Reads back all that a client wrote and makes a generation of it. For when the client is off: what is written
    /// after the check is not checked. Reads every byte, so it takes as long as the disks do.
    ///
    /// Called again after a crash it goes on; a generation that is already there is left as it is.
    pub fn finish(&self, host: &HostName, job: &JobId, facts: &Facts) -> Result<Manifest, CatalogError> {
        self.finish_stepwise(host, job, facts, &mut |step| {
            crash::point(&format!("finish-{step:?}"));
            Ok(())
        })
    }

    pub(super) fn finish_stepwise(
        &self,
        host: &HostName,
        job: &JobId,
        facts: &Facts,
        before: Before<'_>,
    ) -> Result<Manifest, CatalogError> {
        let generation = Generation::of_job(job.clone());
        let path = self.store.join(layout::generation(host, &generation));
        let staged = self.store.join(layout::staging(host, job));
        let fails = |verb, path: &Path, source| CatalogError::Io { verb, path: path.to_owned(), source };
        let folder = self.host_folder(host)?;
        let look = |name: &str| folder.has(name).map_err(|error| fails("look for", &path, error));
        if look(generation.as_str())? {
            let is_ours = !look(&incoming(job))?;
            return match is_ours {
                true => self.manifest(&self.generation_folder(host, &generation)?, host, &generation),
                false => Err(CatalogError::Taken(path)),
            };
        }
        let staging = folder.folder(incoming(job)).map_err(|error| fails("open", &staged, error))?;
        before(Step::ReadBack).map_err(|error| fails("read back", &staged, error))?;
        let pieces = read_all(&staging, &staged)?;
        let disks = match facts.imager.name().emulator() {
            None => disks_of(&staging, &staged, &pieces)?,
            Some(_) => Vec::new(),
        };
        let manifest = describe(host, job, facts, disks, pieces);
        before(Step::WriteManifest)
            .and_then(|()| manifest.to_json().map_err(io::Error::other))
            .and_then(|json| staging.replace(layout::MANIFEST, json.as_bytes()))
            .map_err(|error| fails("write", &staged.join(layout::MANIFEST), error))?;
        before(Step::SyncStaging)
            .and_then(|()| staging.sync_tree())
            .map_err(|error| fails("write to disk", &staged, error))?;
        before(Step::Rename)
            .and_then(|()| folder.rename(incoming(job), generation.as_str()))
            .map_err(|error| fails("rename", &staged, error))?;
        match before(Step::SyncHost).and_then(|()| folder.sync()) {
            Ok(()) => Ok(manifest),
            Err(sync) => match folder.rename(generation.as_str(), incoming(job)) {
                Ok(()) => Err(fails("write to disk the folder of", &path, sync)),
                Err(back) => Err(CatalogError::Unsafe { path, sync, back }),
            },
        }
    }
}

/// Everything in a staging folder, or the first thing that does not belong into a generation.
fn read_all(staging: &Folder, path: &Path) -> Result<Vec<Piece>, CatalogError> {
    let fails = |verb, path: PathBuf, source| CatalogError::Io { verb, path, source };
    let read = inside::read_back(staging, path).map_err(|error| fails("list", path.to_owned(), error))?;
    let mut pieces = Vec::new();
    for Found { path: below, content } in read.found {
        let whole = path.join(&below);
        let Content { size, sha256 } = match content {
            Ok(content) => content,
            Err(Unread::Stranger) => return Err(CatalogError::Stranger(whole)),
            Err(Unread::Io(source)) => return Err(fails("read back", whole, source)),
        };
        let below = below.into_os_string().into_string().map_err(|_| CatalogError::Name(whole))?;
        pieces.push(Piece { path: below, size, sha256 });
    }
    if let Some((disk, error)) = read.broken.into_iter().next() {
        return Err(CatalogError::Inside(path.join(disk), error));
    }
    require_image(&pieces, path)?;
    Ok(pieces)
}

/// The disks whose images are among these pieces, each held against its description.
fn disks_of(staging: &Folder, path: &Path, pieces: &[Piece]) -> Result<Vec<DiskSummary>, CatalogError> {
    let fault = |error: DiskFault| CatalogError::Disk(path.to_owned(), error);
    let read = |folder: &str, name: &str| {
        let below = Path::new(folder).join(name);
        staging.read(&below, LARGEST_DESCRIPTION).map_err(|source| CatalogError::Io {
            verb: "read",
            path: path.join(below),
            source,
        })
    };
    let folders = disks::folders(pieces.iter().map(|piece| Path::new(&piece.path)));
    if folders.is_empty() {
        return Err(fault(DiskFault::NoDisk));
    }
    let summaries = folders.into_iter().map(|folder| {
        let description = read(&folder, layout::DISK_IMAGE)?;
        let checksums = read(&folder, layout::CHECKSUMS)?;
        disks::summary(&Described { folder, description, checksums }, pieces).map_err(fault)
    });
    summaries.collect()
}

fn require_image(pieces: &[Piece], path: &Path) -> Result<(), CatalogError> {
    let mut images = pieces.iter().filter(|piece| pieces::is_image(piece));
    if let Some(empty) = images.clone().find(|piece| piece.size == 0 && pieces::is_called_image(piece)) {
        return Err(CatalogError::EmptyImage(path.join(&empty.path)));
    }
    images.any(|piece| piece.size > 0).then_some(()).ok_or_else(|| CatalogError::NoImage(path.to_owned()))
}

fn describe(
    host: &HostName,
    job: &JobId,
    facts: &Facts,
    disks: Vec<DiskSummary>,
    pieces: Vec<Piece>,
) -> Manifest {
    let bytes = pieces.iter().map(|piece| piece.size).sum();
    let Facts { mac, mode, imager, started, ended, checked } = facts.clone();
    Manifest {
        version: manifest::VERSION,
        host: host.clone(),
        mac,
        job: job.clone(),
        mode,
        imager,
        started,
        ended,
        checked,
        pace: Pace::of(&disks, bytes, facts.ended.since(facts.started)),
        disks,
        bytes,
        pieces,
    }
}
