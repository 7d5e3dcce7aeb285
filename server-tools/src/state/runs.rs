//! What is kept of each run: one file, to which lines are only appended, each with a checksum.
//!
//! ```text
//! (no file) ──begin──▶ owned ──Ended, close──▶ over
//!                        │ crash                 │
//!                        ▼                       ▼
//!                    broken off ──take_up──▶ owned
//! ```
//! The owner holds flock(2) on the file, so that the kernel tells a run that goes on from one that a crash has broken off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use ghost_contract::{HostName, JobId, Mode, UnixTime};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{paths, summed};
use crate::cli::Asked;
use crate::exit::{Exit, WithExit as _};
use crate::job::Ending;
use crate::run::RunId;
use crate::run::figures::Figures;
use crate::sys::lock::try_alone;
use crate::sys::{private, regular};

const ENDING: &str = ".jsonl";
/// No record is larger: some lines a host, and a few KiB of what hooks say.
const LARGEST: u64 = 256 << 20;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub run: RunId,
    pub mode: Mode,
    pub at: UnixTime,
    pub pid: u32,
    /// In the order in which they were chosen.
    pub hosts: Vec<HostName>,
    /// How many jobs run at the same time, to begin with if that is measured.
    pub parallel: NonZeroUsize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixTime>,
    pub already_on: bool,
    pub asked: Asked,
}

/// How the job of a host ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub host: HostName,
    pub job: JobId,
    pub began: UnixTime,
    pub ended: UnixTime,
    /// None if a crash ended it, and a recovery has finished its generation.
    pub ending: Option<Ending>,
    /// What it ends the program with.
    pub exit: u8,
    /// The ending in words, with what was left undone.
    pub words: String,
    #[serde(flatten)]
    pub figures: Figures,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// The last screenshot of a job that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<String>,
}

impl Ended {
    pub(crate) const fn is_good(&self) -> bool {
        self.exit == Exit::Done.status()
    }
}

/// What became of a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HookSaid {
    pub hook: String,
    /// The job that it was called for; none: for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    pub succeeded: bool,
    pub output: String,
}

impl HookSaid {
    /// What it was called for.
    pub(crate) fn of(&self) -> String {
        self.job.as_ref().map_or_else(|| "the run".to_owned(), |job| format!("job {job}"))
    }

    pub(crate) const fn became(&self) -> &'static str {
        if self.succeeded { "done" } else { "failed" }
    }
}

/// From now on another number of jobs may be at work at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    pub at: UnixTime,
    pub places: NonZeroUsize,
    /// In words.
    pub why: String,
}

impl Places {
    pub(crate) fn words(&self) -> String {
        format!("at most {} jobs at the same time from now on: {}", self.places, self.why)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    Begun(Box<Begun>),
    /// Another ghostctl has taken the run up again.
    Resumed {
        at: UnixTime,
        pid: u32,
    },
    NotBegun {
        host: HostName,
        at: UnixTime,
        reason: String,
    },
    JobBegun {
        host: HostName,
        job: JobId,
        at: UnixTime,
    },
    JobEnded(Box<Ended>),
    Places(Places),
    Hook(HookSaid),
    Ended {
        at: UnixTime,
        exit: u8,
    },
}

/// What a record holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub lines: Vec<Line>,
    /// Why not everything can be read, if so.
    pub damage: Option<String>,
}

/// A record that this process owns.
#[derive(Debug)]
pub(crate) struct Record {
    file: File,
    path: PathBuf,
}

impl Record {
    pub(crate) fn begin(state_folder: &Path, begun: Begun) -> anyhow::Result<Self> {
        let (folder, path) = (paths::runs(state_folder), path(state_folder, &begun.run));
        let making = || format!("cannot make the record {}", path.display());
        private::folder(&folder).with_context(making)?;
        let options = || OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(&path);
        let file = options().with_context(making)?;
        try_alone(&file).with_context(making)?;
        let record = Self { file, path: path.clone() };
        record.append(&Line::Begun(Box::new(begun)))?;
        File::open(&folder).and_then(|folder| folder.sync_all()).with_context(making)?;
        Ok(record)
    }

    /// Takes a run over whose ghostctl is gone.
    pub(crate) fn take_up(state_folder: &Path, run: &RunId) -> anyhow::Result<Self> {
        let path = path(state_folder, run);
        let opened = open(&path, OpenOptions::new().append(true).read(true));
        let mut file = opened.map_err(|error| unknown(run, &path, error))?;
        if !try_alone(&file).with_context(|| format!("cannot lock {}", path.display()))? {
            bail!(anyhow!("the run {run} still goes on").exit(Exit::Busy));
        }
        // A power cut may have left half a line, which the next one must not lengthen.
        let mut last = [0];
        let ends = file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last));
        if ends.is_ok() && last != *b"\n" {
            file.write_all(b"\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self { file, path })
    }

    /// Removes it, while nobody else can take it up.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        let removed = regular::remove(&self.path);
        removed.with_context(|| format!("cannot remove the record {}", self.path.display()))
    }

    /// Appends a line, and to the disk.
    pub(crate) fn append(&self, line: &Line) -> anyhow::Result<()> {
        let text = summed::line(&serde_json::to_string(line)?);
        let before = self.file.metadata().map(|metadata| metadata.len());
        let written = (&self.file).write_all(text.as_bytes()).inspect_err(|_| {
            // Half a line would make the next one unreadable. What cannot be cut off is told as damage later.
            let _stays = before.map(|length| self.file.set_len(length));
        });
        let written = written.and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write the record {}", self.path.display()))
    }
}

/// The names of all runs, the oldest first.
pub(crate) fn names(state_folder: &Path) -> anyhow::Result<Vec<RunId>> {
    let folder = paths::runs(state_folder);
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(ENDING)?.parse().ok();
    let mut names: Vec<RunId> = listed.flatten().filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// What a record holds, and whether its ghostctl lives.
pub(crate) fn look(state_folder: &Path, run: &RunId) -> anyhow::Result<(Contents, bool)> {
    let path = path(state_folder, run);
    let file = open(&path, OpenOptions::new().read(true)).map_err(|error| unknown(run, &path, error))?;
    // Shared, so that two who look do not take one another for the owner.
    let is_owned = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
    let mut bytes = Vec::new();
    let read = (&file).take(LARGEST).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read the record {}", path.display()))?;
    Ok((read_lines(&bytes), is_owned))
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

fn unknown(run: &RunId, path: &Path, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::NotFound {
        let words = anyhow!("there is no run {run}; 'ghostctl runs' lists those that there are");
        return words.exit(Exit::Usage);
    }
    anyhow::Error::new(error).context(format!("cannot open the record {}", path.display()))
}

fn path(state_folder: &Path, run: &RunId) -> PathBuf {
    paths::runs(state_folder).join(format!("{run}{ENDING}"))
}

/// Reads lines. One that cannot be read is passed over, and told of.
fn read_lines(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    for (number, text) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, text)| !text.is_empty())
    {
        match parse(text) {
            Ok(line) => contents.lines.push(line),
            Err(why) => {
                contents.damage.get_or_insert_with(|| format!("line {} {why}", number + 1));
            }
        }
    }
    contents
}

fn parse(text: &[u8]) -> Result<Line, String> {
    let text = std::str::from_utf8(text).map_err(|_| "is no text")?;
    match summed::read(text) {
        Some((json, true)) => serde_json::from_str(json).map_err(|error| format!("says nothing: {error}")),
        Some((_, false)) => Err("has lost its checksum".to_owned()),
        None => Err("does not fit its checksum".to_owned()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    use crate::run::summary::{State, Summary};

    pub(crate) fn begun(run: &str, hosts: &[&str]) -> Begun {
        Begun {
            run: run.parse().unwrap(),
            mode: Mode::Backup,
            at: UnixTime::from_millis(1_000),
            pid: 1,
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            parallel: crate::run::room::TO_BEGIN_WITH,
            until: None,
            already_on: false,
            asked: Asked::default(),
        }
    }

    pub(crate) fn ended(host: &str, exit: u8) -> Ended {
        Ended {
            host: host.parse().unwrap(),
            job: format!("job-{host}").parse().unwrap(),
            began: UnixTime::from_millis(2_000),
            ended: UnixTime::from_millis(62_000),
            ending: None,
            exit,
            words: "succeeded".to_owned(),
            figures: Figures { seconds: 60, bytes: Some(1 << 30), rate: None },
            image: None,
            screen: None,
        }
    }

    fn seen(folder: &Path, run: &RunId) -> Summary {
        let (contents, is_owned) = look(folder, run).unwrap();
        Summary::of(contents, is_owned).unwrap()
    }

    #[test]
    fn a_record_is_roots_alone_and_tells_whether_its_owner_lives() {
        let folder = tempfile::tempdir().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let record = Record::begin(folder.path(), begun("r1", &["pc2", "pc3"])).unwrap();
        record.append(&Line::JobEnded(Box::new(ended("pc2", 0)))).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&paths::runs(folder.path())), mode(&path(folder.path(), &run))), (0o700, 0o600));
        assert_eq!(seen(folder.path(), &run).run_state, State::Running);
        assert!(Record::take_up(folder.path(), &run).unwrap_err().to_string().contains("goes on"));
        drop(record);
        let broken = seen(folder.path(), &run);
        assert_eq!((broken.run_state, broken.succeeded, broken.not_succeeded), (State::BrokenOff, 1, 1));
        assert_eq!(broken.not_done().map(|(host, _)| host.as_str()).collect::<Vec<_>>(), ["pc3"]);
        let record = Record::take_up(folder.path(), &run).unwrap();
        record.append(&Line::Ended { at: UnixTime::from_millis(9_000), exit: 0 }).unwrap();
        drop(record);
        assert_eq!(seen(folder.path(), &run).run_state, State::Over);
        assert_eq!(names(folder.path()).unwrap(), [run]);
    }

    #[test]
    fn what_was_torn_or_changed_is_passed_over_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let run: RunId = "r1".parse().unwrap();
        let record = Record::begin(folder.path(), begun("r1", &["pc2", "pc3"])).unwrap();
        record.append(&Line::JobEnded(Box::new(ended("pc2", 1)))).unwrap();
        drop(record);
        let file = path(folder.path(), &run);
        let text = fs::read_to_string(&file).unwrap();
        // A failure that somebody makes a success of is none.
        fs::write(&file, text.replace("\"exit\":1", "\"exit\":0") + "{\"line\":\"en").unwrap();
        let record = Record::take_up(folder.path(), &run).unwrap();
        record.append(&Line::JobEnded(Box::new(ended("pc3", 0)))).unwrap();
        let summary = seen(folder.path(), &run);
        assert_eq!((summary.succeeded, summary.not_succeeded), (1, 1));
        assert_eq!(summary.damage.unwrap(), "line 2 does not fit its checksum");
    }
}
