//! Makes a generation of a job's folder: reads back all that the client wrote, and only then gives the folder its name.

use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail, ensure};
use ghost_contract::bounds::STAGING_DESCRIPTIONS;
use ghost_contract::order::Imager;
use ghost_contract::{Generation, HostName, JobId, MacAddress, Mode, UnixTime, layout};

use super::disks::{self, Described, DiskSummary, Pace};
use super::manifest::{self, Manifest};
use super::pieces::{self, Content, Found, Piece, Unread};
use super::signing::SIGNATURE;
use super::{Catalog, LARGEST_MANIFEST, Staged, cannot, incoming, inside, taken};
use crate::confined::Parser;
use crate::output::plain::FromClient;
use crate::state::vouched::How;
use crate::sys::crash;
use crate::sys::folder::Folder;

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
    Vouch,
    Rename,
    SyncHost,
}

type Before<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

impl Catalog {
    /// Reads back all that a client wrote and makes a generation of it. For when the client is off: what is written
    /// after the check is not checked. Reads every byte, so it takes as long as the disks do.
    ///
    /// Called again after a crash it goes on; a generation that is already there is left as it is.
    pub fn finish(&self, host: &HostName, job: &JobId, facts: &Facts) -> anyhow::Result<Manifest> {
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
    ) -> anyhow::Result<Manifest> {
        let generation = Generation::of_job(job.clone());
        let path = self.store.join(layout::generation(host, &generation));
        let folder = self.make_host_folder(host)?;
        let staged = self.staged(host, job)?;
        if folder.has(generation.as_str()).with_context(|| cannot("look for", &path))? {
            return match staged {
                None => {
                    let folder = self.generation_folder(host, &generation)?;
                    self.manifest(&folder, host, &generation).map(|(manifest, _ours)| manifest)
                }
                Some(_) => Err(taken(&path)),
            };
        }
        let not_there = || format!("there is no image of {job} in the store's folder of {host}");
        let Staged { above, path: staged } = staged.with_context(not_there)?;
        let staging = above.folder(incoming(job)).with_context(|| cannot("open", &staged))?;
        // From here on nothing in it is removed or written over: what is read back must be what stays.
        pieces::remove_ours(&staging)
            .with_context(|| cannot("remove what has a name of the boot server's own in", &staged))?;
        before(Step::ReadBack).with_context(|| cannot("read back", &staged))?;
        let pieces = read_all(&staging, &staged, &self.parser)?;
        let disks = if facts.imager.name().describes_disks() {
            disks_of(&staging, &staged, &pieces)?
        } else {
            Vec::new()
        };
        let manifest = describe(host, job, facts, disks, pieces);
        let json = written(&manifest, host, &generation)?;
        before(Step::WriteManifest)
            .and_then(|()| staging.write_new(layout::MANIFEST, json.as_bytes()))
            .with_context(|| cannot("write", &staged.join(layout::MANIFEST)))?;
        let own = match self.keys.sign(json.as_bytes(), host, &generation)? {
            Some(signature) => {
                let written = staging.write_new(SIGNATURE, signature.as_bytes());
                written.with_context(|| cannot("write", &staged.join(SIGNATURE)))?;
                &[layout::MANIFEST, SIGNATURE][..]
            }
            None => &[layout::MANIFEST],
        };
        pieces::require(&staging, &manifest.pieces, own)
            .with_context(|| format!("{} is not as it was read back", staged.display()))?;
        before(Step::SyncStaging)
            .and_then(|()| staging.sync_tree())
            .with_context(|| cannot("write to disk", &staged))?;
        let vouched = (manifest::sum(json.as_bytes()), How::Made, facts.checked);
        before(Step::Vouch)
            .and_then(|()| self.vouch(host, &generation, vouched))
            .with_context(|| format!("cannot write down below STATEDIR that {} is ours", path.display()))?;
        before(Step::Rename)
            .and_then(|()| above.move_to(incoming(job), &folder, generation.as_str()))
            .with_context(|| format!("cannot move {} to {}", staged.display(), path.display()))?;
        // Where its client can still write, it may have put another folder in the place of the one that was read back.
        let synced =
            before(Step::SyncHost).and_then(|()| folder.folder(generation.as_str())?.require(&staging));
        match synced.and_then(|()| folder.sync()).and_then(|()| above.sync()) {
            Ok(()) => Ok(manifest),
            Err(sync) => match folder.move_to(generation.as_str(), &above, incoming(job)) {
                Ok(()) => Err(sync).with_context(|| cannot("finish", &path)),
                Err(back) => Err(back).with_context(|| {
                    let path = path.display();
                    format!(
                        "{path} is in place, but it cannot be finished ({sync}), nor could it be taken back"
                    )
                }),
            },
        }
    }
}

/// Everything in a staging folder, or the first thing that does not belong into a generation.
fn read_all(staging: &Folder, path: &Path, parser: &Parser) -> anyhow::Result<Vec<Piece>> {
    let read = inside::read_back(staging, path, parser, None).with_context(|| cannot("list", path))?;
    let mut pieces = Vec::new();
    for Found { path: below, content } in read.found {
        let whole = path.join(&below);
        let Content { size, sha256 } = match content {
            Ok(content) => content,
            Err(Unread::Stranger) => {
                bail!(
                    "{} is neither a file nor a folder, so it is no part of an image",
                    FromClient(whole.display())
                )
            }
            Err(Unread::Ours) => {
                bail!("{} has a name that the boot server keeps for itself", FromClient(whole.display()))
            }
            Err(Unread::Io(error)) => {
                return Err(error)
                    .with_context(|| format!("cannot read back {}", FromClient(whole.display())));
            }
        };
        let below = below.into_os_string().into_string();
        let below = below.map_err(|_| anyhow!("the name of {} is not UTF-8", FromClient(whole.display())))?;
        pieces.push(Piece { path: below, size, sha256 });
    }
    if let Some((disk, error)) = read.broken.into_iter().next() {
        let image = path.join(disk);
        return Err(error.context(format!("the image {} does not hold together", image.display())));
    }
    require_image(&pieces, path)?;
    Ok(pieces)
}

/// The disks whose images are among these pieces, each held against its description.
pub(super) fn disks_of(staging: &Folder, path: &Path, pieces: &[Piece]) -> anyhow::Result<Vec<DiskSummary>> {
    let wrong = || format!("the image in {} is not as the client wrote it", path.display());
    let mut left = STAGING_DESCRIPTIONS;
    let mut read = |folder: &str, name: &str| {
        let below = Path::new(folder).join(name);
        let cannot_read = || cannot("read", &path.join(&below));
        let size = staging.size(&below).with_context(cannot_read)?;
        left = left.checked_sub(size).ok_or_else(|| {
            let most = STAGING_DESCRIPTIONS;
            anyhow!(
                "the descriptions of disks and their lists of checksums have more than {most} bytes together"
            )
        })?;
        let bytes = staging.read(&below, size).with_context(cannot_read)?;
        anyhow::Ok(bytes)
    };
    let folders = disks::folders(pieces.iter().map(|piece| Path::new(&piece.path))).with_context(wrong)?;
    if folders.is_empty() {
        return Err(anyhow!("there is no image of a disk").context(wrong()));
    }
    let summaries = folders.into_iter().map(|folder| {
        let description = read(&folder, layout::DISK_IMAGE)?;
        let checksums = read(&folder, layout::CHECKSUMS)?;
        disks::summary(&Described { folder, description, checksums }, pieces).with_context(wrong)
    });
    summaries.collect()
}

/// The bytes of a manifest, unless they would be refused when they are read.
pub(super) fn written(
    manifest: &Manifest,
    host: &HostName,
    generation: &Generation,
) -> anyhow::Result<String> {
    let json = manifest.to_json().context("the manifest cannot be written as JSON")?;
    let is_readable = u64::try_from(json.len()).is_ok_and(|length| length <= LARGEST_MANIFEST);
    ensure!(
        is_readable,
        "the manifest would have {} bytes, and no more than {LARGEST_MANIFEST} are read",
        json.len()
    );
    Manifest::parse(json.as_bytes(), host, generation).context("the manifest could not be read again")?;
    Ok(json)
}

fn require_image(pieces: &[Piece], path: &Path) -> anyhow::Result<()> {
    let mut images = pieces.iter().filter(|piece| pieces::is_image(piece));
    if let Some(empty) = images.clone().find(|piece| piece.size == 0 && pieces::is_called_image(piece)) {
        bail!("the image {} is empty", path.join(&empty.path).display());
    }
    images
        .any(|piece| piece.size > 0)
        .then_some(())
        .ok_or_else(|| anyhow!("there is no image in {}", path.display()))
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
