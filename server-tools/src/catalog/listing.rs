//! Lists the store: generations, and what else is there.

use std::collections::BTreeSet;
use std::slice;

use anyhow::Context as _;
use ghost_contract::{Generation, HostName, JobId};

use super::check::Check;
use super::manifest::Manifest;
use super::retention::{Candidate, Leftover, LeftoverKind};
use super::vouching::{self, Trust};
use super::{Catalog, FAILED, INCOMING, REMOVING, cannot};
use crate::sys::folder::{Entry, Folder, Kind};

/// So many leftovers in one folder are looked at in one go; only a hostile client leaves more.
pub(super) const MOST_LEFTOVERS: usize = 1_000;

/// A generation as the catalog shows it.
#[derive(Debug)]
pub struct Listed {
    pub host: HostName,
    pub generation: Generation,
    /// What it consists of, or why that is not known.
    pub manifest: anyhow::Result<Manifest>,
    /// The last check since it was made, if this boot server has done one.
    pub check: Option<Check>,
    /// The key by whose signature it is believed, if another boot server has made it.
    pub signed_by: Option<String>,
    /// What people should know of the record of a check that stands in its folder.
    pub doubt: Option<String>,
}

impl Listed {
    /// Whether it was good when it was last looked at.
    pub fn is_good(&self) -> bool {
        self.manifest.is_ok() && self.check.as_ref().is_none_or(|check| check.damage.is_empty())
    }

    /// How it is called in a list: `good`, `damaged`, or `not vouched for`.
    pub fn state(&self) -> &'static str {
        match &self.manifest {
            _ if self.is_good() => "good",
            Err(error) if vouching::is_not_vouched(error) => "not vouched for",
            _ => "damaged",
        }
    }

    /// Whether it is good and of whole disks.
    pub fn is_good_and_whole(&self) -> bool {
        self.is_good() && self.manifest.as_ref().is_ok_and(|manifest| manifest.holds(&BTreeSet::new()))
    }

    /// What retention has to know of it. Nothing if its manifest is of no use: what is not known to be a generation
    /// is for a person to remove.
    pub fn candidate(&self) -> Option<Candidate> {
        // Another boot server's are for that one to remove.
        if self.signed_by.is_some() {
            return None;
        }
        let made = self.manifest.as_ref().ok()?.ended;
        Some(Candidate { generation: self.generation.clone(), made, good: self.is_good_and_whole() })
    }
}

impl Catalog {
    /// The hosts that have a folder in the store, by name.
    pub fn hosts(&self) -> anyhow::Result<Vec<HostName>> {
        let entries = self.open()?.entries().with_context(|| cannot("list", &self.store))?;
        Ok(folders(&entries).filter_map(|name| name.parse().ok()).collect())
    }

    /// All generations of all hosts.
    pub fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let mut all = Vec::new();
        for host in self.hosts()? {
            all.extend(self.list_host(&host)?);
        }
        Ok(all)
    }

    /// The generations of a host, the oldest first; none if the store does not know it.
    pub fn list_host(&self, host: &HostName) -> anyhow::Result<Vec<Listed>> {
        let Some(folder) = self.host_folder(host)? else { return Ok(Vec::new()) };
        let entries = folder.entries().with_context(|| cannot("list", &self.store.join(host.as_str())))?;
        folders(&entries)
            .filter_map(|name| name.parse().ok())
            .map(|generation| self.show(host, generation))
            .collect()
    }

    pub fn show(&self, host: &HostName, generation: Generation) -> anyhow::Result<Listed> {
        let folder = self.generation_folder(host, &generation)?;
        let (manifest, signed_by) = match self.manifest(&folder, host, &generation) {
            Ok((manifest, Trust::Own)) => (Ok(manifest), None),
            Ok((manifest, Trust::Signed(by))) => (Ok(manifest), Some(by)),
            Err(error) => (Err(error), None),
        };
        let (check, doubt) = self.last_check(&folder, host, &generation);
        Ok(Listed { host: host.clone(), generation, manifest, check, signed_by, doubt })
    }

    /// What is in a host's folders, is no generation, and is wanted: at most `MOST_LEFTOVERS` of each folder. A client may have made any
    /// number of other names there, which keep nothing from being found.
    pub fn leftovers(
        &self,
        host: &HostName,
        is_wanted: impl Fn(&Leftover) -> bool,
    ) -> anyhow::Result<Vec<Leftover>> {
        let mut leftovers = Vec::new();
        for (path, folder) in self.places_of(host)? {
            let wanted = |entry: &Entry| leftover(&folder, entry).filter(&is_wanted);
            let entries = folder.wanted_entries(MOST_LEFTOVERS, |entry| wanted(entry).is_some());
            leftovers.extend(entries.with_context(|| cannot("list", &path))?.iter().filter_map(wanted));
        }
        Ok(leftovers)
    }
}

fn leftover(folder: &Folder, entry: &Entry) -> Option<Leftover> {
    let (kind, job) = folders(slice::from_ref(entry)).find_map(kind_of)?;
    // What cannot be looked at has gone since, or a client has put something else there.
    let changed = folder.folder(&entry.path).and_then(|below| below.changed()).ok()?;
    Some(Leftover { kind, job, changed })
}

fn folders(entries: &[Entry]) -> impl Iterator<Item = &str> {
    entries.iter().filter(|entry| entry.kind == Kind::Folder).filter_map(|entry| entry.path.to_str())
}

fn kind_of(name: &str) -> Option<(LeftoverKind, JobId)> {
    let kinds = [
        (INCOMING, LeftoverKind::Incoming),
        (FAILED, LeftoverKind::Failed),
        (REMOVING, LeftoverKind::Removing),
    ];
    kinds.into_iter().find_map(|(prefix, kind)| Some((kind, name.strip_prefix(prefix)?.parse().ok()?)))
}
