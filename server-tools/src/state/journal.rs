//! The journal: what a job is about to do, on the disk before it is done.
//!
//! One file a client, named after its IP address, since that is what its tree is named after: so two jobs that
//! would share a tree exclude each other. One JSON line an entry, appended and fsynced. The owner holds
//! flock(2) on the file, so that the kernel tells a dead owner from a living one. [`State::of`] is pure: it
//! says what a crash may have left.
//!
//! ```text
//! (no file) ──claim──▶ owned ──close──▶ (no file)
//!                        │ crash
//!                        ▼
//!                      orphaned ──recover──▶ (no file)
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ghost_contract::{Generation, HostName, JobId, MacAddress, Nonce, UnixTime};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::dhcp::Swap;
use crate::job::{Phase, Step, Swapping};
use crate::sys::lock::try_alone;

/// The folder of the journal, below the state folder.
const FOLDER: &str = "journal";

/// The first line of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub job: JobId,
    pub host: HostName,
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    pub mode: ghost_contract::Mode,
    pub pid: u32,
    pub at: UnixTime,
    /// The secret that proves the image store.
    pub nonce: Nonce,
    /// The generation that is read, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    Begun(Begun),
    /// A step is about to be done.
    Intends {
        step: Step,
        at: UnixTime,
    },
    /// What the step `swap` is about to change.
    Swaps(Swap),
    Did {
        step: Step,
        at: UnixTime,
    },
    /// The job has come to a phase.
    Phase {
        phase: Phase,
        at: UnixTime,
    },
}

/// Why the journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or the file.
    #[error("cannot open the journal's entry {}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    #[error("cannot write the journal's entry {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("cannot read the journal's entry {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A living owner has it.
    #[error("{}", busy(.0))]
    Busy(Box<Option<State>>),
    /// A crash left it and it has not been recovered.
    #[error("an earlier job was not finished; 'ghostctl recover' does that")]
    Orphaned,
}

fn busy(owner: &Option<State>) -> String {
    owner.as_ref().map_or_else(
        || "another job for the same address ends at this moment".to_owned(),
        |state| {
            let Begun { host, mode, job, pid, at, .. } = &state.begun;
            let since = crate::calendar::for_people(*at);
            format!("{host} is busy: {mode} {job} runs since {since} (pid {pid})")
        },
    )
}

/// What an entry's lines say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub begun: Begun,
    /// When the job came to which phase.
    pub phases: Vec<(Phase, UnixTime)>,
    /// The last swap, if one may have happened.
    pub swap: Option<Swap>,
    /// What DHCP offers the client, as far as these lines tell.
    pub swapping: Swapping,
    /// The steps that were intended, in order.
    pub intended: Vec<Step>,
    /// The steps that were done, in order.
    pub done: Vec<Step>,
}

impl State {
    /// What these lines say; none if not even the first one is whole: then nothing was done.
    pub fn of(lines: &[Line]) -> Option<Self> {
        let Some((Line::Begun(begun), rest)) = lines.split_first() else { return None };
        let mut state = Self {
            begun: begun.clone(),
            phases: Vec::new(),
            swap: None,
            swapping: Swapping::Own,
            intended: Vec::new(),
            done: Vec::new(),
        };
        for line in rest {
            match line {
                Line::Begun(_) => {}
                Line::Intends { step, .. } => state.intended.push(*step),
                Line::Swaps(swap) => {
                    state.swap = Some(swap.clone());
                    state.swapping = state.swapping.after(Step::Swap);
                }
                Line::Did { step, .. } => {
                    state.done.push(*step);
                    // What was done of the swap itself is between its own line and here.
                    state.swapping =
                        if *step == Step::Swap { state.swapping } else { state.swapping.after(*step) };
                }
                Line::Phase { phase, at } => state.phases.push((*phase, *at)),
            }
        }
        Some(state)
    }

    /// What is left to do so that nothing of the job remains outside it. A step that was intended may have
    /// happened; undoing what did not happen changes nothing.
    pub fn left_over(&self, client: ClientState) -> Vec<Step> {
        let did = |step| self.done.contains(&step);
        let mut steps = Vec::new();
        if self.swapping.is_left() {
            steps.extend([Step::Revert, Step::OfferOwn]);
        }
        if client == ClientState::AtWork {
            return steps;
        }
        if self.intended.contains(&Step::MakeTree) {
            let is_backup = self.begun.mode == ghost_contract::Mode::Backup;
            let is_kept = did(Step::FinishGeneration) || did(Step::SetAside);
            if is_backup && !is_kept {
                let succeeded = client == ClientState::Succeeded;
                steps.push(if succeeded { Step::FinishGeneration } else { Step::SetAside });
            }
            if self.begun.mode == ghost_contract::Mode::Restore && !did(Step::RemoveScratch) {
                steps.push(Step::RemoveScratch);
            }
            if !did(Step::Withdraw) {
                steps.push(Step::Withdraw);
            }
        }
        if !did(Step::Record) {
            steps.push(Step::Record);
        }
        steps.push(Step::Close);
        steps
    }
}

/// What is known of the client of a job that has lost its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientState {
    /// It has its order, has not said that it is done, and answers on the network.
    AtWork,
    /// It said that it succeeded, and powered off.
    Succeeded,
    Gone,
}

/// An entry that this process owns.
#[derive(Debug)]
pub struct Entry {
    file: File,
    path: PathBuf,
    lines: Vec<Line>,
}

impl Entry {
    /// Claims the client for a job that begins. The entry appears whole and locked, so that nobody who looks for
    /// orphans takes it for one.
    pub fn claim(state_folder: &Path, begun: Begun) -> Result<Self, JournalError> {
        let path = path(state_folder, begun.ip);
        let folder = path.parent().unwrap_or(Path::new("/"));
        let open_error = |error| JournalError::Open(path.clone(), error);
        fs::create_dir_all(folder).map_err(open_error)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let nameless = rustix::fs::open(folder, flags, Mode::from_raw_mode(0o600));
        let file = File::from(nameless.map_err(|error| open_error(error.into()))?);
        try_alone(&file).map_err(open_error)?;
        let mut entry = Self { file, path: path.clone(), lines: Vec::new() };
        entry.append(Line::Begun(begun))?;
        // linkat(2): a file made with O_TMPFILE gets a name this way, unless the name is taken.
        let descriptor = format!("/proc/self/fd/{}", entry.file.as_raw_fd());
        match rustix::fs::linkat(CWD, &descriptor, CWD, &path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(in_the_way(&path)),
            Err(error) => return Err(open_error(error.into())),
        }
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| JournalError::Write(path, error))?;
        Ok(entry)
    }

    /// Takes over an entry whose owner is dead; none if it has gone.
    pub fn take_over(path: &Path) -> Result<Option<Self>, JournalError> {
        let open_error = |error| JournalError::Open(path.to_owned(), error);
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(open_error(error)),
        };
        let alone = try_alone(&file).map_err(open_error)?;
        let lines = read_lines(&mut file).map_err(|error| JournalError::Read(path.to_owned(), error))?;
        if !alone {
            return Err(JournalError::Busy(Box::new(State::of(&lines))));
        }
        // Its owner may have removed it between our opening and locking it.
        let is_same = |now: fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == now.ino());
        let is_there = fs::metadata(path).is_ok_and(is_same);
        Ok(is_there.then(|| Self { file, path: path.to_owned(), lines }))
    }

    pub fn state(&self) -> Option<State> {
        State::of(&self.lines)
    }

    /// Appends a line, and to the disk.
    pub fn append(&mut self, line: Line) -> Result<(), JournalError> {
        self.remark(line)?;
        self.file.sync_data().map_err(|error| JournalError::Write(self.path.clone(), error))
    }

    /// Appends a line that a power cut may take: nothing is undone by it.
    pub fn remark(&mut self, line: Line) -> Result<(), JournalError> {
        let error = |error| JournalError::Write(self.path.clone(), error);
        let mut text = serde_json::to_string(&line).map_err(|json| error(json.into()))?;
        text.push('\n');
        self.file.seek(SeekFrom::End(0)).map_err(error)?;
        self.file.write_all(text.as_bytes()).map_err(error)?;
        self.lines.push(line);
        Ok(())
    }

    /// The job is over and nothing of it is left: the entry goes.
    pub fn close(self) -> Result<(), JournalError> {
        fs::remove_file(&self.path).map_err(|error| JournalError::Write(self.path, error))
    }
}

/// Why a claim found the name taken.
fn in_the_way(path: &Path) -> JournalError {
    match Entry::take_over(path) {
        Ok(Some(_)) => JournalError::Orphaned,
        // It has gone this very moment: its job is only just over.
        Ok(None) => JournalError::Busy(Box::new(None)),
        Err(error) => error,
    }
}

pub fn folder(state_folder: &Path) -> PathBuf {
    state_folder.join(FOLDER)
}

/// The files of all entries, whoever owns them.
pub fn entries(state_folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let folder = folder(state_folder);
    let error = |error| JournalError::Open(folder.clone(), error);
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(other) => return Err(error(other)),
    };
    let mut paths = Vec::new();
    for entry in listed {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What an entry says, without owning it; none if it has gone or says nothing yet.
pub fn look(path: &Path) -> Result<Option<State>, JournalError> {
    let error = |error| JournalError::Read(path.to_owned(), error);
    match File::open(path) {
        Ok(mut file) => Ok(State::of(&read_lines(&mut file).map_err(error)?)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(other) => Err(error(other)),
    }
}

fn path(state_folder: &Path, ip: Ipv4Addr) -> PathBuf {
    state_folder.join(FOLDER).join(format!("{ip}.jsonl"))
}

/// The lines up to the first that is not whole or not ours: what comes after it was written by nobody.
fn read_lines(file: &mut File) -> io::Result<Vec<Line>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map_while(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests;
