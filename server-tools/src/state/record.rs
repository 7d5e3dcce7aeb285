//! What is kept of a job when it is over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ghost_contract::UnixTime;
use serde::{Deserialize, Serialize};

use super::{damaged, paths};
use crate::dhcp::Swap;
use crate::job::{Ending, Failure, Identity, Phase, Sample};
use crate::sys::atomic::{self, Real};
use crate::sys::{private, regular};

/// The record, below its job's folder.
const RECORD: &str = "record.json";
/// The client's report, below its job's folder.
const REPORT: &str = "report.jsonl";

/// What is kept of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    pub identity: Identity,
    pub began: UnixTime,
    pub ended: UnixTime,
    /// When it came to which phase.
    pub phases: Vec<(Phase, UnixTime)>,
    /// How it ended; none if a crash ended it.
    pub ending: Option<Ending>,
    pub troubles: Vec<Failure>,
    /// The last reading of the client's counters.
    pub sample: Option<Sample>,
    pub image: Option<PathBuf>,
    /// What was swapped, so that it can be put back if it should be found swapped later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<Swap>,
}

/// Keeps a record and the report that belongs to it.
pub(crate) fn keep(state_folder: &Path, record: &Record, report: &[u8]) -> anyhow::Result<()> {
    let folder = paths::record(state_folder, &record.identity.job);
    let made = private::folder(&paths::records(state_folder)).and_then(|()| private::folder(&folder));
    made.with_context(|| cannot_use(&folder))?;
    if !report.is_empty() {
        atomic::replace(&folder.join(REPORT), report, &mut Real)?;
    }
    let path = folder.join(RECORD);
    let text = serde_json::to_vec_pretty(record);
    let text = text.with_context(|| format!("the record {} cannot be written", path.display()))?;
    atomic::replace(&path, &text, &mut Real)
}

/// What is kept of all jobs.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The oldest first.
    pub whole: Vec<Record>,
    pub damaged: Vec<Damaged>,
}

/// A record that can be opened and says nothing that this program understands.
#[derive(Debug)]
pub(crate) struct Damaged {
    pub path: PathBuf,
    pub why: String,
}

impl Damaged {
    /// Moves it to where nobody takes it for a record; yields where.
    pub(crate) fn set_aside(&self, state_folder: &Path) -> io::Result<PathBuf> {
        let job = self.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        damaged::set_aside(state_folder, &self.path, &format!("{job}.{RECORD}"))
    }
}

pub(crate) fn all(state_folder: &Path) -> anyhow::Result<Records> {
    let folder = paths::records(state_folder);
    let mut records = Records::default();
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
        Err(error) => return Err(error).with_context(|| cannot_use(&folder)),
    };
    for entry in listed {
        let path = entry.with_context(|| cannot_use(&folder))?.path().join(RECORD);
        let bytes = match regular::read(&path) {
            Ok(bytes) => bytes,
            // A job of which only the report was kept so far, and what is no job's folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                continue;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the record {}", path.display()));
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(record) => records.whole.push(record),
            Err(error) => records.damaged.push(Damaged { path, why: error.to_string() }),
        }
    }
    records.whole.sort_by(|one: &Record, other| one.identity.job.cmp(&other.identity.job));
    Ok(records)
}

fn cannot_use(folder: &Path) -> String {
    format!("cannot make or read the folder {}", folder.display())
}
