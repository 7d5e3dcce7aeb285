//! What `ghostctl setup` has made, so that `setup --remove` takes away that and nothing else.
//!
//! It is written down before it is made: whatever a crash leaves, nothing of ours is forgotten, and a file that has another content
//! than one of ours is an administrator's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::checksum::Sha256;
use serde::{Deserialize, Deserializer, Serialize};

use super::{paths, summed};
use crate::base_root::Place;
use crate::catalog::manifest;
use crate::dhcp::adding::Written;
use crate::sys::atomic::{self, Real};
use crate::sys::{private, regular};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Made {
    pub(crate) files: BTreeMap<PathBuf, MadeFile>,
    /// In the order in which they were made.
    pub(crate) folders: Vec<PathBuf>,
    /// Stretches of the DHCP configuration.
    pub(crate) written: Vec<Written>,
    /// The DHCP configuration, if it was made as a whole.
    pub(crate) dhcp_configuration: Option<PathBuf>,
    /// Other files of it that were made.
    pub(crate) dhcp_files: BTreeSet<PathBuf>,
    /// Services that were made to run, and how each was before.
    #[serde(deserialize_with = "units")]
    pub(crate) units: BTreeMap<String, Unit>,
    /// The base root, if there was none.
    pub(crate) base_root: Option<PathBuf>,
    /// Commands that have a server take up what was written, and that have not been run yet.
    pub(crate) pending: Vec<Vec<String>>,
    /// Files of the DHCP configuration that were changed while the server ran, and that it has not taken up yet.
    pub(crate) to_take_up: BTreeSet<PathBuf>,
}

/// How a service is, or was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) is_enabled: bool,
    pub(crate) is_active: bool,
}

/// Earlier versions wrote their names alone.
fn units<'d, D: Deserializer<'d>>(written: D) -> Result<BTreeMap<String, Unit>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Named(BTreeMap<String, Unit>),
        Names(BTreeSet<String>),
    }
    Ok(match Written::deserialize(written)? {
        Written::Named(units) => units,
        Written::Names(names) => names.into_iter().map(|name| (name, Unit::default())).collect(),
    })
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeFile {
    /// The checksums of what was written, or was about to be.
    pub(crate) sums: Vec<Sha256>,
    pub(crate) before: Before,
}

/// What was there before the first change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Before {
    Nothing,
    Kept(PathBuf),
}

impl Made {
    /// Whether nothing was made.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a file is as it was made.
    pub(crate) fn is_ours(&self, path: &Path, now: &[u8]) -> bool {
        self.files.get(path).is_some_and(|file| file.sums.contains(&manifest::sum(now)))
    }

    /// Notes a base root that is about to be made, if there is none.
    pub(crate) fn will_make(&mut self, state_folder: &Path, place: &Place) -> anyhow::Result<()> {
        if place.made_from().is_some() || self.base_root.is_some() || place.base.exists() {
            return Ok(());
        }
        self.base_root = Some(place.base.clone());
        self.save(state_folder)
    }

    /// Notes that a file is about to get these contents. What it was before an administrator's last change is kept in a file of its own.
    pub(crate) fn will_write(
        &mut self,
        state_folder: &Path,
        path: &Path,
        before: Option<&[u8]>,
        after: &[u8],
    ) -> anyhow::Result<()> {
        let sum = manifest::sum(after);
        let is_ours = before.is_some_and(|before| self.is_ours(path, before));
        if let Some(file) = self.files.get_mut(path).filter(|_| is_ours) {
            file.sums.push(sum);
            return self.save(state_folder);
        }
        let before_it = match before {
            Some(bytes) => Before::Kept(keep(state_folder, path, bytes)?),
            None => Before::Nothing,
        };
        self.files.insert(path.to_owned(), MadeFile { sums: vec![sum], before: before_it });
        self.save(state_folder)
    }

    pub(crate) fn read(state_folder: &Path) -> anyhow::Result<Self> {
        let path = paths::made(state_folder);
        let bytes = match regular::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let text = String::from_utf8_lossy(&bytes);
        let known = summed::read(text.trim_end()).and_then(|(json, _)| serde_json::from_str(json).ok());
        known.ok_or_else(|| {
            anyhow!(
                "{} is damaged: it says what 'ghostctl setup' has made. Move it away; what was made before can then only be taken away by hand",
                path.display()
            )
        })
    }

    pub(crate) fn save(&self, state_folder: &Path) -> anyhow::Result<()> {
        private::folder(state_folder).with_context(|| format!("cannot make {}", state_folder.display()))?;
        let line = summed::line(&serde_json::to_string(self)?);
        atomic::replace(&paths::made(state_folder), line.as_bytes(), &mut Real)
    }
}

/// Keeps a copy of a file under a name that no other copy has.
fn keep(state_folder: &Path, path: &Path, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = paths::kept_by_setup(state_folder);
    private::folder(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1_u32..).map(|number| folder.join(format!("{number}-{name}"))).find(|kept| !kept.exists());
    let kept = free.context("there is no free name for a copy")?;
    private::write(&kept, bytes)
        .with_context(|| format!("cannot keep {} in {}", path.display(), kept.display()))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_first_is_kept_until_another_person_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let (state, path) = (folder.path().join("state"), Path::new("/etc/x"));
        let mut made = Made::default();
        made.will_write(&state, path, Some(b"hers"), b"ours 1").unwrap();
        made.will_write(&state, path, Some(b"ours 1"), b"ours 2").unwrap();
        let kept = |made: &Made| match &made.files[path].before {
            Before::Kept(kept) => std::fs::read_to_string(kept).unwrap(),
            Before::Nothing => "nothing".to_owned(),
        };
        assert_eq!(kept(&made), "hers");
        assert!(
            made.is_ours(path, b"ours 1") && made.is_ours(path, b"ours 2") && !made.is_ours(path, b"hers")
        );
        made.will_write(&state, path, Some(b"hers again"), b"ours 3").unwrap();
        assert_eq!(kept(&made), "hers again");
        assert!(!made.is_ours(path, b"ours 2"), "what an administrator has changed is none of ours");
        assert_eq!(Made::read(&state).unwrap(), made);
    }

    #[test]
    fn what_an_earlier_version_wrote_of_services_is_read() {
        let made: Made = serde_json::from_str(r#"{"units":["tftpd-hpa"]}"#).unwrap();
        assert_eq!(made.units, BTreeMap::from([("tftpd-hpa".to_owned(), Unit::default())]));
        let again: Made = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        assert_eq!(again, made);
    }

    #[test]
    fn a_damaged_one_is_told_and_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Made::read(folder.path()).unwrap().is_nothing());
        std::fs::write(paths::made(folder.path()), "{} 0000000000000000\n").unwrap();
        assert!(Made::read(folder.path()).unwrap_err().to_string().contains("setup.json is damaged"));
    }
}
