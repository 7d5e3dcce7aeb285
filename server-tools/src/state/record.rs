//! What is kept of a job when it is over, with a checksum ([`summed`]): what is put back later goes by it. Records of before have none.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ghost_contract::{HostName, JobId, UnixTime};
use serde::{Deserialize, Serialize};

use super::{damaged, paths, summed};
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
    /// What its generation takes in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What was swapped, so that it can be put back if it should be found swapped later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<Swap>,
}

impl Record {
    /// How it ended, in a sentence.
    pub(crate) fn words(&self) -> String {
        let crashed = || "its ghostctl was ended by a crash, and it was recovered".to_owned();
        self.ending.as_ref().map_or_else(crashed, ToString::to_string)
    }
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
    let text = serde_json::to_string_pretty(record);
    let text = text.with_context(|| format!("the record {} cannot be written", path.display()))?;
    atomic::replace(&path, summed::line(&text).as_bytes(), &mut Real)
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
    /// The host of its job, as far as can be told.
    pub host: Option<HostName>,
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
        match parse(&bytes) {
            Ok(record) => records.whole.push(record),
            Err(why) => records.damaged.push(Damaged { path, why, host: host(&bytes) }),
        }
    }
    records.whole.sort_by(|one: &Record, other| one.identity.job.cmp(&other.identity.job));
    Ok(records)
}

/// The record of one job. None if there is none, or if it says nothing that can be used.
pub(crate) fn one(state_folder: &Path, job: &JobId) -> Option<Record> {
    parse(&regular::read(&paths::record(state_folder, job).join(RECORD)).ok()?).ok()
}

/// The beginning of the report that was kept of a job; empty if there is none.
pub(crate) fn report(state_folder: &Path, job: &JobId, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match regular::open(&paths::record(state_folder, job).join(REPORT)) {
        Ok(file) => file.take(limit).read_to_end(&mut bytes).map(|_| bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(bytes),
        Err(error) => Err(error),
    }
}

/// Removes what is kept of a job; last what it is found by.
pub(super) fn remove(state_folder: &Path, job: &JobId) -> io::Result<()> {
    let folder = paths::record(state_folder, job);
    [REPORT, RECORD].iter().try_for_each(|name| regular::remove(&folder.join(name)))?;
    match fs::remove_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A record; in words why it says nothing that can be used.
fn parse(bytes: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let (json, _) = summed::read(text.trim_end_matches('\n')).ok_or("it does not fit its checksum")?;
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// Whose record it is that says nothing else that can be used. Nothing but a warning comes of it.
pub(crate) fn host(damaged: &[u8]) -> Option<HostName> {
    let text = String::from_utf8_lossy(damaged);
    let (_, rest) = text.split_once("\"host\"")?;
    rest.trim_start_matches([':', ' ', '"']).split('"').next()?.parse().ok()
}

/// The hosts of records that were set aside.
pub(crate) fn hosts_of(set_aside: &[PathBuf]) -> Vec<(HostName, PathBuf)> {
    let is_one = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains(&format!(".{RECORD}.")))
    };
    let whose = |path: &PathBuf| Some((host(&regular::read(path).ok()?)?, path.clone()));
    set_aside.iter().filter(is_one).filter_map(whose).collect()
}

fn cannot_use(folder: &Path) -> String {
    format!("cannot make or read the folder {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let record = Record {
            identity: Identity {
                job: "20260123-142501-4f3a".parse().unwrap(),
                host: "john".parse().unwrap(),
                mac: "00:0a:eb:01:02:03".parse().unwrap(),
                ip: [192, 168, 7, 2].into(),
                mode: ghost_contract::Mode::Test,
            },
            began: UnixTime::from_millis(1),
            ended: UnixTime::from_millis(2),
            phases: Vec::new(),
            ending: None,
            troubles: Vec::new(),
            sample: None,
            image: None,
            bytes: None,
            swap: None,
        };
        keep(folder.path(), &record, b"").unwrap();
        assert_eq!(all(folder.path()).unwrap().whole, [record]);
        let path = paths::record(folder.path(), &"20260123-142501-4f3a".parse().unwrap()).join(RECORD);
        (folder, path)
    }

    #[test]
    fn whatever_byte_is_changed_the_record_is_not_believed_and_is_told_of() {
        let (folder, path) = kept();
        let good = fs::read(&path).unwrap();
        for place in 0..good.len() - 1 {
            for bit in [0x01, 0x10, 0x80] {
                let mut bad = good.clone();
                bad[place] ^= bit;
                fs::write(&path, &bad).unwrap();
                let records = all(folder.path()).unwrap();
                let words = String::from_utf8_lossy(&bad);
                assert!(records.whole.is_empty() && records.damaged.len() == 1, "byte {place}: {words}");
            }
        }
    }

    #[test]
    fn a_record_of_before_is_read_and_a_damaged_one_tells_whose_it_was() {
        let (folder, path) = kept();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.rsplit_once(' ').unwrap().0).unwrap();
        assert_eq!(all(folder.path()).unwrap().whole.len(), 1);
        fs::write(&path, text.replace("\"began\": 1", "\"began\": 3")).unwrap();
        let [damaged] = &all(folder.path()).unwrap().damaged[..] else { panic!("{text}") };
        assert_eq!(
            (damaged.why.as_str(), damaged.host.as_ref().unwrap().as_str()),
            ("it does not fit its checksum", "john")
        );
        let kept = damaged.set_aside(folder.path()).unwrap();
        assert_eq!(hosts_of(&damaged::all(folder.path())), [("john".parse().unwrap(), kept)]);
    }
}
