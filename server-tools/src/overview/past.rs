//! The records of jobs that are over, in a few words each. A record never changes, so each is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use ghost_contract::{HostName, JobId, UnixTime};

use crate::job::Identity;
use crate::run::figures::{Figures, is_good};
use crate::state::paths;
use crate::state::record::{self, Record};

/// A folder that was changed so short a time ago may change again without a new time of change.
const SETTLED: Duration = Duration::from_secs(2);

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    pub identity: Identity,
    pub began: UnixTime,
    pub ended: UnixTime,
    pub is_good: bool,
    /// How it ended, in a sentence.
    pub words: String,
    /// What its generation takes in the store, or what was read of an image.
    pub bytes: Option<u64>,
    /// These bytes a second, while the imager worked.
    pub rate: Option<u64>,
}

impl Past {
    fn of(record: &Record) -> Self {
        let Figures { bytes, rate, .. } = Figures::of(record);
        Self {
            identity: record.identity.clone(),
            began: record.began,
            ended: record.ended,
            is_good: is_good(record),
            words: record.words(),
            bytes,
            rate,
        }
    }
}

/// The records that were read so far.
#[derive(Debug, Default)]
pub(super) struct Records {
    known: BTreeMap<JobId, Past>,
    /// Folders that have no record, or not yet.
    without: BTreeSet<JobId>,
    /// When the folder had changed last at the last look, if that was long ago then.
    looked: Option<SystemTime>,
}

impl Records {
    /// The last job of each host.
    pub(super) fn last(&mut self, state_folder: &Path) -> anyhow::Result<BTreeMap<HostName, Past>> {
        self.look(state_folder)?;
        // Names of jobs sort by time.
        Ok(self.known.values().map(|past| (past.identity.host.clone(), past.clone())).collect())
    }

    /// The jobs of a host, the newest first.
    pub(super) fn of(&mut self, state_folder: &Path, host: &HostName) -> anyhow::Result<Vec<Past>> {
        self.look(state_folder)?;
        Ok(self.known.values().rev().filter(|past| past.identity.host == *host).cloned().collect())
    }

    fn look(&mut self, state_folder: &Path) -> anyhow::Result<()> {
        let folder = paths::records(state_folder);
        let cannot = || format!("cannot read the records in {}", folder.display());
        let changed = match fs::metadata(&folder).and_then(|metadata| metadata.modified()) {
            Ok(changed) => changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(cannot),
        };
        if self.looked != Some(changed) {
            let listed = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let names = listed.with_context(cannot)?.into_iter();
            let names = names.filter_map(|entry| entry.file_name().to_str()?.parse::<JobId>().ok());
            let there: BTreeSet<JobId> = names.collect();
            self.known.retain(|job, _| there.contains(job));
            self.without = there.into_iter().filter(|job| !self.known.contains_key(job)).collect();
        }
        let is_settled = changed.elapsed().is_ok_and(|ago| ago > SETTLED);
        self.looked = is_settled.then_some(changed);
        for job in std::mem::take(&mut self.without) {
            match record::one(state_folder, &job) {
                // A damaged one is told of by `doctor`; nothing of it can be shown.
                Some(record) => drop(self.known.insert(job, Past::of(&record))),
                None => drop(self.without.insert(job)),
            }
        }
        Ok(())
    }
}
