//! What is wrong with a generation: its manifest compared with what is really there.
//!
//! Pure: [`super::pieces`] and [`super::inside`] do the reading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ghost_contract::UnixTime;
use serde::{Deserialize, Serialize};

use super::inside::ReadBack;
use super::manifest::Manifest;
use super::pieces::{Found, Unread};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub at: UnixTime,
    /// What is wrong; nothing if all is good.
    pub damage: Vec<Damage>,
}

/// One thing that is wrong with a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "damage", rename_all = "snake_case")]
pub enum Damage {
    #[error("{path:?} is missing")]
    Missing { path: String },
    /// A piece is too short or too long.
    #[error("{path:?} has {found} bytes and should have {expected}")]
    Size { path: String, expected: u64, found: u64 },
    /// A piece has the right length and other bytes.
    #[error("{path:?} is not what was written: its checksum differs")]
    Checksum { path: String },
    /// A piece is there and cannot be read.
    #[error("{path:?} cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    /// Something is there that the manifest does not know.
    #[error("{path:?} does not belong to it")]
    Unexpected { path: String },
    /// Every file is as it was written, and yet the image of a disk cannot be restored.
    #[error("{path:?} does not hold together: {reason}")]
    Inside {
        /// The folder of the disk's image.
        path: String,
        reason: String,
    },
    /// There is no telling what should be there.
    #[error("{reason}")]
    Manifest { reason: String },
}

/// What is wrong, in the order of the paths. A disk's image that does not hold together is reported only if none of its files
/// explains it.
pub(crate) fn compare(manifest: &Manifest, ReadBack { found, broken }: &ReadBack) -> Vec<Damage> {
    let mut there: BTreeMap<&Path, &Found> = found.iter().map(|one| (one.path.as_path(), one)).collect();
    let mut damage: BTreeMap<PathBuf, Damage> = BTreeMap::new();
    for piece in &manifest.pieces {
        let path = piece.path.clone();
        let wrong = match there.remove(Path::new(&path)).map(|found| &found.content) {
            None => Damage::Missing { path },
            Some(Err(Unread::Stranger | Unread::Ours)) => Damage::Unexpected { path },
            Some(Err(Unread::Io(error))) => Damage::Unreadable { path, reason: error.to_string() },
            Some(Ok(content)) if content.size != piece.size => {
                Damage::Size { path, expected: piece.size, found: content.size }
            }
            Some(Ok(content)) if content.sha256 != piece.sha256 => Damage::Checksum { path },
            Some(Ok(_same)) => continue,
        };
        damage.insert(PathBuf::from(&piece.path), wrong);
    }
    for path in there.into_keys() {
        damage.insert(path.to_owned(), Damage::Unexpected { path: path.to_string_lossy().into_owned() });
    }
    for (disk, error) in broken {
        if !damage.keys().any(|path| path.starts_with(disk)) {
            damage.insert(
                PathBuf::from(disk),
                Damage::Inside { path: disk.clone(), reason: format!("{error:#}") },
            );
        }
    }
    damage.into_values().collect()
}
