//! Generations in the image store: how one comes to be, and that nothing else is ever taken for one.
//!
//! ```text
//!             stage                  finish: read back, manifest, fsync, rename
//!  (nothing) ──────▶ .incoming-<job> ─────────────────────────────────────────▶ <generation>
//!                          │                                                        │ remove: rename first
//!                          │ set_aside                                              ▼
//!                          └─────────▶ .failed-<job> ──── remove ────▶ .removing-<job> ──▶ (nothing)
//! ```
//!
//! A name with a dot in front is never listed as a generation, so that a crash anywhere leaves a leftover and
//! no half generation. What a client wrote is found by listing its folder; no name that it says and no link that it
//! planted is followed. Does not know jobs: who may do what when is theirs.

pub mod check;
pub mod disks;
pub mod expectation;
pub mod exporting;
pub mod finish;
pub mod inside;
pub mod listing;
pub mod manifest;
pub mod mounting;
pub mod pieces;
pub mod pruning;
pub mod removal;
pub mod retention;
pub mod screens;

use std::io;
use std::path::PathBuf;

use ghost_contract::{Generation, HostName, JobId, Nonce, UnixTime, layout};

use crate::job::ending::chain;
use crate::sys::folder::Folder;
use check::{CHECK, Check, Damage};
use disks::DiskFault;
pub use finish::Facts;
use manifest::{Manifest, ManifestError};

const INCOMING: &str = ".incoming-";
const FAILED: &str = ".failed-";
const REMOVING: &str = ".removing-";
/// Images hold all that was on a disk: nobody but root looks at them, and clients come as root.
const ROOT_ONLY: u32 = 0o700;
/// One may ask for a nonce, but not list those that there are.
const BY_NAME_ONLY: u32 = 0o711;
/// No manifest is larger; a file of that name that is, is something else.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// The image store, as the boot server sees it (`GHSTBASE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    store: PathBuf,
}

/// Why something in the store cannot be done or is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot {verb} {}", .path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        path: PathBuf,
        /// The kernel's reason; ELOOP for a symbolic link.
        #[source]
        source: io::Error,
    },
    /// A client left a symbolic link, a device, a pipe or a socket.
    #[error("{} is neither a file nor a folder, so it is no part of an image", .0.display())]
    Stranger(PathBuf),
    /// A name that cannot stand in a manifest.
    #[error("the name of {} is not UTF-8", .0.display())]
    Name(PathBuf),
    /// Only screens and records were written.
    #[error("there is no image in {}", .0.display())]
    NoImage(PathBuf),
    #[error("the image {} is empty", .0.display())]
    EmptyImage(PathBuf),
    /// The image of a disk is not as the client wrote it.
    #[error("the image in {} is not as the client wrote it", .0.display())]
    Disk(PathBuf, #[source] DiskFault),
    /// The image of a disk cannot be restored.
    #[error("the image {} does not hold together", .0.display())]
    Inside(PathBuf, #[source] anyhow::Error),
    /// What would be made is there already.
    #[error("{} exists already", .0.display())]
    Taken(PathBuf),
    /// There is no such generation.
    #[error("{host} has no generation {generation}")]
    Unknown { host: HostName, generation: Generation },
    /// What should say what a generation consists of does not.
    #[error("{} is of no use", .0.display())]
    Manifest(PathBuf, #[source] ManifestError),
    /// The rename could not be made safe, and could not be taken back either.
    #[error("{} is in place, but its folder cannot be written to disk ({sync}), nor could it be taken back", .path.display())]
    Unsafe {
        path: PathBuf,
        /// Why it is not safe.
        sync: io::Error,
        /// Why it is still there.
        #[source]
        back: io::Error,
    },
}

impl Catalog {
    /// The catalog of this store. Nothing is read yet.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self { store: store.into() }
    }

    /// Makes the folder that a job's client writes to: its image, or what a restore needs room for.
    pub fn stage(&self, host: &HostName, job: &JobId) -> Result<PathBuf, CatalogError> {
        let path = self.store.join(layout::staging(host, job));
        let fails = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => CatalogError::Taken(path.clone()),
            _ => CatalogError::Io { verb: "make", path: path.clone(), source },
        };
        let store = self.open()?;
        make_if_missing(&store, host.as_str(), ROOT_ONLY).map_err(fails)?;
        let folder = self.host_folder(host)?;
        folder.make_folder(incoming(job), ROOT_ONLY).map_err(fails)?;
        folder.sync().and_then(|()| store.sync()).map_err(fails)?;
        Ok(path)
    }

    /// Gives the folder of a failed job a name that says so. Called again it does nothing.
    ///
    /// Returns where it is now; nothing if the client had not written anything.
    pub fn set_aside(&self, host: &HostName, job: &JobId) -> Result<Option<PathBuf>, CatalogError> {
        let path = self.store.join(layout::staging(host, job));
        let fails = |source| CatalogError::Io { verb: "set aside", path: path.clone(), source };
        let folder = match self.host_folder(host) {
            Err(CatalogError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => other?,
        };
        let aside = format!("{FAILED}{job}");
        if folder.has(incoming(job)).map_err(fails)? {
            let staging = folder.folder(incoming(job)).map_err(fails)?;
            if staging.entries().map_err(fails)?.is_empty() {
                folder.remove_folder(incoming(job)).map_err(fails)?;
                return Ok(None);
            }
            folder.rename(incoming(job), &aside).and_then(|()| folder.sync()).map_err(fails)?;
        }
        let is_there = folder.has(&aside).map_err(fails)?;
        Ok(is_there.then(|| self.store.join(host.as_str()).join(aside)))
    }

    /// Puts the nonce into the store, by which a client knows that it has mounted the right one.
    pub fn write_nonce(&self, nonce: &Nonce) -> Result<(), CatalogError> {
        let path = self.store.join(layout::nonce(nonce));
        let fails = |source| CatalogError::Io { verb: "write", path: path.clone(), source };
        let store = self.open()?;
        make_if_missing(&store, layout::NONCES, BY_NAME_ONLY).map_err(fails)?;
        let folder = store.folder(layout::NONCES).map_err(fails)?;
        folder.replace(nonce.as_str(), b"").and_then(|()| folder.sync()).map_err(fails)
    }

    /// Takes the nonce away again, if it is there.
    pub fn remove_nonce(&self, nonce: &Nonce) -> Result<(), CatalogError> {
        let path = self.store.join(layout::nonce(nonce));
        let removed =
            self.open()?.folder(layout::NONCES).and_then(|folder| folder.remove_file(nonce.as_str()));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|source| CatalogError::Io { verb: "remove", path, source }),
        }
    }

    /// Reads every piece of a generation again. What was found is to be kept with [`Self::keep`].
    pub fn verify(
        &self,
        host: &HostName,
        generation: &Generation,
        now: UnixTime,
    ) -> Result<Check, CatalogError> {
        let path = self.store.join(layout::generation(host, generation));
        let folder = self.generation_folder(host, generation)?;
        let damage = match self.manifest(&folder, host, generation) {
            Ok(manifest) => {
                let unlisted = |source| CatalogError::Io { verb: "list", path: path.clone(), source };
                check::compare(&manifest, &inside::read_back(&folder, &path).map_err(unlisted)?)
            }
            Err(error) => vec![Damage::Manifest { reason: chain(&error) }],
        };
        Ok(Check { at: now, damage })
    }

    /// Leaves a record of what was found in the generation's folder, where lists and retention look for it.
    pub fn keep(&self, host: &HostName, generation: &Generation, check: &Check) -> Result<(), CatalogError> {
        let path = || self.store.join(layout::generation(host, generation)).join(CHECK);
        let folder = self.generation_folder(host, generation)?;
        let json = serde_json::to_vec_pretty(check).map_err(io::Error::other);
        json.and_then(|json| folder.replace(CHECK, &json))
            .and_then(|()| folder.sync())
            .map_err(|source| CatalogError::Io { verb: "write", path: path(), source })
    }

    fn open(&self) -> Result<Folder, CatalogError> {
        Folder::open(&self.store).map_err(|source| CatalogError::Io {
            verb: "open the image store",
            path: self.store.clone(),
            source,
        })
    }

    fn host_folder(&self, host: &HostName) -> Result<Folder, CatalogError> {
        self.open()?.folder(host.as_str()).map_err(|source| CatalogError::Io {
            verb: "open",
            path: self.store.join(host.as_str()),
            source,
        })
    }

    fn generation_folder(&self, host: &HostName, generation: &Generation) -> Result<Folder, CatalogError> {
        let below = layout::generation(host, generation);
        self.open()?.folder(&below).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                CatalogError::Unknown { host: host.clone(), generation: generation.clone() }
            }
            _ => CatalogError::Io { verb: "open", path: self.store.join(below), source },
        })
    }

    fn manifest(
        &self,
        folder: &Folder,
        host: &HostName,
        generation: &Generation,
    ) -> Result<Manifest, CatalogError> {
        let path = || self.store.join(layout::generation(host, generation)).join(layout::MANIFEST);
        let bytes = folder.read(layout::MANIFEST, LARGEST_MANIFEST).map_err(|source| CatalogError::Io {
            verb: "read",
            path: path(),
            source,
        })?;
        Manifest::parse(&bytes, host, generation).map_err(|error| CatalogError::Manifest(path(), error))
    }
}

fn incoming(job: &JobId) -> String {
    format!("{INCOMING}{job}")
}

fn make_if_missing(folder: &Folder, name: &str, mode: u32) -> io::Result<()> {
    match folder.make_folder(name, mode) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
