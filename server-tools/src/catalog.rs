//! Generations in the image store: how one is made, and what keeps anything else from being taken for one.
//!
//! ```text
//!             stage                  finish: read back, manifest, fsync, move
//!  (nothing) ──────▶ .incoming-<job> ─────────────────────────────────────────▶ <generation>
//!                          │                                                        │ remove: rename first
//!                          │ set_aside                                              ▼
//!                          └─────────▶ .failed-<job> ──── remove ────▶ .removing-<job> ──▶ (nothing)
//! ```
//!
//! Where clients are kept apart, a client's staging folders and its nonce lie in `.clients/<host>`, which is all that it can
//! write to. `<host>`, with its generations and whatever was set aside, is out of its reach.
//!
//! Before the move the checksum of the manifest is written below STATEDIR (`vouching`): a generation is believed only if it
//! stands there. A name with a dot in front is never listed as a generation, so a crash leaves a leftover but never half a generation. What
//! a client wrote is found by listing its folder; no name that it reports and no link that it planted is followed. Jobs
//! decide when something is done; the catalog asks the journal only which generations running jobs use.

pub(crate) mod check;
pub(crate) mod disks;
pub(crate) mod expectation;
pub(crate) mod exporting;
pub(crate) mod finish;
pub(crate) mod inside;
pub(crate) mod listing;
pub mod manifest;
pub(crate) mod mounting;
pub(crate) mod pieces;
pub mod pruning;
pub(crate) mod removal;
pub(crate) mod retention;
pub(crate) mod screens;
pub(crate) mod signing;
pub(crate) mod vouching;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use ghost_contract::checksum::Sha256;
use ghost_contract::{Generation, HostName, JobId, Nonce, UnixTime, layout};

use crate::confined::Parser;
use crate::exit::{Exit, WithExit};
use crate::ghostrc::{Exports, Ghostrc};
use crate::sys::folder::Folder;
use check::{Check, Damage};
pub use finish::Facts;
use manifest::Manifest;
use signing::Keys;
use vouching::Trust;

const INCOMING: &str = ".incoming-";
const FAILED: &str = ".failed-";
const REMOVING: &str = ".removing-";
/// Images hold everything that was on a disk, so only root may read them. Clients come as root.
const ROOT_ONLY: u32 = 0o700;
/// One may ask for a nonce, but not list those that there are.
const BY_NAME_ONLY: u32 = 0o711;
/// No manifest is larger; a file of that name that is, is something else.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// The image store, as the boot server sees it (`GHSTBASE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    store: PathBuf,
    /// Where this boot server keeps what it vouches for.
    state: PathBuf,
    /// What of it a client can mount.
    exports: Exports,
    /// Who reads what clients wrote.
    parser: Parser,
    keys: Keys,
}

impl Catalog {
    /// The catalog of this store, for the boot server with this state folder. Nothing is read yet.
    pub fn new(store: impl Into<PathBuf>, state: impl Into<PathBuf>, parser: Parser) -> Self {
        Self {
            store: store.into(),
            state: state.into(),
            exports: Exports::Common,
            parser,
            keys: Keys::default(),
        }
    }

    pub(crate) fn of(ghostrc: &Ghostrc) -> Self {
        Self {
            exports: ghostrc.exports,
            keys: Keys::of(ghostrc),
            ..Self::new(&ghostrc.store_folder, &ghostrc.state_folder, Parser::own())
        }
    }

    /// Who reads what clients wrote.
    pub(crate) const fn parser(&self) -> &Parser {
        &self.parser
    }

    /// Makes a host's folders, if they are not there. NFS servers export only what is there.
    pub(crate) fn make_host_folders(&self, host: &HostName) -> anyhow::Result<()> {
        self.make_host_folder(host)?;
        let made = self.make_folder_written_to(host);
        made.map(drop).with_context(|| cannot("make", &self.store.join(self.written_to(host))))
    }

    fn make_host_folder(&self, host: &HostName) -> anyhow::Result<Folder> {
        let made = self.open().and_then(|store| {
            make_if_missing(&store, host.as_str(), ROOT_ONLY)?;
            store.sync()?;
            Ok(store.folder(host.as_str())?)
        });
        made.with_context(|| cannot("make", &self.store.join(host.as_str())))
    }

    /// Makes the folder that a job's client writes to: its image, or what a restore needs room for.
    pub fn stage(&self, host: &HostName, job: &JobId) -> anyhow::Result<PathBuf> {
        let path = self.store.join(self.written_to(host)).join(incoming(job));
        let making = || cannot("make", &path);
        let folder = self.make_folder_written_to(host).with_context(making)?;
        match folder.make_folder(incoming(job), ROOT_ONLY) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken(&path)),
            made => made.and_then(|()| folder.sync()).with_context(making)?,
        }
        Ok(path)
    }

    /// Gives the folder of a failed job a name that says so. Called again it does nothing.
    ///
    /// Returns where it is now; nothing if the client had not written anything.
    pub fn set_aside(&self, host: &HostName, job: &JobId) -> anyhow::Result<Option<PathBuf>> {
        let aside = format!("{FAILED}{job}");
        if let Some(Staged { above, path }) = self.staged(host, job)? {
            let setting_aside = || cannot("set aside", &path);
            let staging = above.folder(incoming(job)).with_context(setting_aside)?;
            if staging.is_empty().with_context(setting_aside)? {
                above.remove_folder(incoming(job)).with_context(setting_aside)?;
                return Ok(None);
            }
            let folder = self.make_host_folder(host)?;
            // Nothing of ours has the name before this, so it is a client's.
            let moved = folder.remove(&aside).and_then(|()| above.move_to(incoming(job), &folder, &aside));
            moved.and_then(|()| folder.sync()).and_then(|()| above.sync()).with_context(setting_aside)?;
        }
        let Some(folder) = self.host_folder(host)? else { return Ok(None) };
        let path = self.store.join(host.as_str()).join(&aside);
        let is_there = folder.has(&aside).with_context(|| cannot("look for", &path))?;
        Ok(is_there.then_some(path))
    }

    /// Puts the nonce where the host's client sees it, by which that knows that it has mounted the right store.
    pub fn write_nonce(&self, host: &HostName, nonce: &Nonce) -> anyhow::Result<()> {
        let written = self.nonces_for(host).and_then(|folder| {
            folder.replace(nonce.as_str(), b"")?;
            folder.sync()
        });
        written.with_context(|| cannot("write", &self.store.join(self.seen(host)).join(layout::nonce(nonce))))
    }

    /// Takes the nonce away again, if it is there.
    pub fn remove_nonce(&self, host: &HostName, nonce: &Nonce) -> anyhow::Result<()> {
        let folder = self.seen(host).join(layout::NONCES);
        let removed = self.open()?.folder(&folder).and_then(|folder| {
            let removed = folder.remove(nonce.as_str());
            // A client may be filling what is beside it.
            removed.and(folder.remove_left_beside(nonce.as_str()))
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_planted(&error) => Ok(()),
            other => other.with_context(|| cannot("remove", &self.store.join(folder).join(nonce.as_str()))),
        }
    }

    /// What of the store the host's client mounts first, below the store.
    fn seen(&self, host: &HostName) -> PathBuf {
        if self.exports.keeps_apart() { self.written_to(host) } else { PathBuf::from(".") }
    }

    /// The folder that the host's client makes its images in, below the store.
    fn written_to(&self, host: &HostName) -> PathBuf {
        let above = if self.exports.keeps_apart() { layout::CLIENTS } else { "" };
        Path::new(above).join(host.as_str())
    }

    fn make_folder_written_to(&self, host: &HostName) -> io::Result<Folder> {
        let mut folder = Folder::open(&self.store)?;
        for name in &self.written_to(host) {
            make_if_missing(&folder, name, ROOT_ONLY)?;
            folder.sync()?;
            folder = folder.folder(name)?;
        }
        Ok(folder)
    }

    /// A job's staging folder. It is looked for in both places: the settings may have changed since the job began.
    fn staged(&self, host: &HostName, job: &JobId) -> anyhow::Result<Option<Staged>> {
        for (path, above) in self.places_of(host)? {
            let path = path.join(incoming(job));
            if above.has(incoming(job)).with_context(|| cannot("look for", &path))? {
                return Ok(Some(Staged { above, path }));
            }
        }
        Ok(None)
    }

    /// The folders in which something of the host's jobs may lie.
    fn places_of(&self, host: &HostName) -> anyhow::Result<Vec<(PathBuf, Folder)>> {
        let store = self.open()?;
        let mut places = Vec::new();
        for below in [Path::new(layout::CLIENTS).join(host.as_str()), PathBuf::from(host.as_str())] {
            let path = self.store.join(&below);
            match store.folder(&below) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => places.push((path.clone(), opened.with_context(|| cannot("open", &path))?)),
            }
        }
        Ok(places)
    }

    /// The folder of nonces that the host's client sees.
    fn nonces_for(&self, host: &HostName) -> io::Result<Folder> {
        if self.exports.keeps_apart() {
            self.make_folder_written_to(host)?;
        }
        let seen = Folder::open(&self.store)?.folder(self.seen(host))?;
        // A client may have put anything in its place.
        if seen.folder(layout::NONCES).is_err_and(|error| is_planted(&error)) {
            seen.remove(layout::NONCES)?;
        }
        make_if_missing(&seen, layout::NONCES, BY_NAME_ONLY)?;
        seen.folder(layout::NONCES)
    }

    /// Reads every piece of a generation again. What was found is to be kept with [`Self::keep`].
    pub fn verify(&self, host: &HostName, generation: &Generation, now: UnixTime) -> anyhow::Result<Check> {
        let path = self.store.join(layout::generation(host, generation));
        let folder = self.generation_folder(host, generation)?;
        let useless = |error: anyhow::Error| Damage::Manifest { reason: format!("{error:#}") };
        let damage = match self.claimed_manifest(&folder, host, generation) {
            Ok((manifest, sum)) => {
                let foreign = self.trust(&folder, host, generation, sum).err().map(useless);
                // What is not ours is looked through all the same: a person may want to take it over.
                foreign.into_iter().chain(self.damage(&manifest, &folder, &path)?).collect()
            }
            Err(error) => vec![useless(error)],
        };
        Ok(Check { at: now, damage })
    }

    fn open(&self) -> anyhow::Result<Folder> {
        Folder::open(&self.store).with_context(|| cannot("open the image store", &self.store))
    }

    /// The folder of a host; none if the store has nothing of it.
    fn host_folder(&self, host: &HostName) -> anyhow::Result<Option<Folder>> {
        match self.open()?.folder(host.as_str()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).with_context(|| cannot("open", &self.store.join(host.as_str()))),
        }
    }

    fn generation_folder(&self, host: &HostName, generation: &Generation) -> anyhow::Result<Folder> {
        let below = layout::generation(host, generation);
        match self.open()?.folder(&below) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(anyhow!("{host} has no generation {generation}").exit(Exit::Usage))
            }
            opened => opened.with_context(|| cannot("open", &self.store.join(below))),
        }
    }

    /// The manifest of a generation that is believed, and why it is.
    fn manifest(
        &self,
        folder: &Folder,
        host: &HostName,
        generation: &Generation,
    ) -> anyhow::Result<(Manifest, Trust)> {
        let (manifest, sum) = self.claimed_manifest(folder, host, generation)?;
        let trust = self.trust(folder, host, generation, sum)?;
        Ok((manifest, trust))
    }

    /// What stands in a generation's folder as its manifest, whoever wrote it, and its checksum.
    fn claimed_manifest(
        &self,
        folder: &Folder,
        host: &HostName,
        generation: &Generation,
    ) -> anyhow::Result<(Manifest, Sha256)> {
        let path = self.store.join(layout::generation(host, generation)).join(layout::MANIFEST);
        let bytes = folder.read(layout::MANIFEST, LARGEST_MANIFEST);
        let bytes = bytes.with_context(|| cannot("read", &path))?;
        let manifest = Manifest::parse(&bytes, host, generation);
        let manifest = manifest.with_context(|| format!("{} is of no use", path.display()))?;
        Ok((manifest, manifest::sum(&bytes)))
    }

    /// What of a generation's pieces is not as this manifest says.
    fn damage(&self, manifest: &Manifest, folder: &Folder, path: &Path) -> anyhow::Result<Vec<Damage>> {
        let found = inside::read_back(folder, path, &self.parser, Some(manifest.bytes))
            .with_context(|| cannot("list", path))?;
        Ok(check::compare(manifest, &found))
    }
}

/// A job's staging folder.
struct Staged {
    /// The folder that it lies in.
    above: Folder,
    path: PathBuf,
}

/// What could not be done, in words. The cause is the kernel's; for a symbolic link that a client planted it is ELOOP.
fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

/// Whether a client has put a link, or a file, where a folder of ours was.
fn is_planted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP) || error.kind() == io::ErrorKind::NotADirectory
}

fn taken(path: &Path) -> anyhow::Error {
    anyhow!("{} exists already", path.display())
}

fn incoming(job: &JobId) -> String {
    format!("{INCOMING}{job}")
}

fn make_if_missing(folder: &Folder, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
    match folder.make_folder(name, mode) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
