//! The journal: what a job is about to do, on the disk before it is done.
//!
//! One file a client, named after its IP address, since that is what its tree is named after: so two jobs that
//! would share a tree exclude each other. One line with a checksum an entry ([`mod@line`]), appended and fsynced. The owner holds
//! flock(2) on the file, so that the kernel tells a dead owner from a living one. [`State::of`] is pure: it
//! says what a crash may have left.
//!
//! ```text
//! (no file) ──claim──▶ owned ──close──▶ (no file)
//!                        │ crash
//!                        ▼
//!                      orphaned ──recover──▶ (no file)
//!                        └─ cannot be read whole: recovered as far as it can be, and set aside
//! ```
//! Whoever only looks shares the lock for an instant, and a recovery waits for that.

mod left;
pub(crate) mod line;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

pub(crate) use left::{ClientState, State};
pub(crate) use line::{Begun, Line, VERSION};

use super::{damaged, paths};
use crate::job::Identity;
use crate::sys::clock;
use crate::sys::lock::try_alone;
use crate::sys::private;

/// No entry is larger: a job writes some dozen lines.
const LARGEST: u64 = 1 << 20;
/// How long those may take who look at an entry that is to be taken over.
const LOOKERS: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(10);

/// Why the journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
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
    #[error("cannot set the damaged journal entry {} aside", .0.display())]
    SetAside(PathBuf, #[source] io::Error),
}

fn busy(owner: &Option<State>) -> String {
    owner.as_ref().map_or_else(
        || "another job for the same address ends at this moment".to_owned(),
        |state| {
            let Begun { identity: Identity { host, mode, job, .. }, pid, at, .. } = &state.begun;
            let since = crate::calendar::for_people(*at);
            format!("{host} is busy: {mode} {job} runs since {since} (pid {pid})")
        },
    )
}

/// An entry that this process owns. A clone writes to the same entry, from another thread.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    file: Arc<File>,
    path: PathBuf,
}

/// What an entry without a living owner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orphan {
    /// None if not even the first line can be read.
    pub state: Option<State>,
    /// Why the entry cannot be read whole, if so.
    pub damage: Option<String>,
}

/// An entry, looked at without owning it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub path: PathBuf,
    /// Whether the ghostctl that began the job still runs.
    pub owned: bool,
    pub says: Orphan,
}

impl Entry {
    /// Claims the client for a job that begins. The entry appears whole and locked, so that nobody who looks for
    /// orphans takes it for one.
    pub(crate) fn claim(state_folder: &Path, begun: Begun) -> Result<Self, JournalError> {
        let folder = paths::journal(state_folder);
        let path = path(state_folder, begun.identity.ip);
        let open_error = |error| JournalError::Open(path.clone(), error);
        private::folder(&folder).map_err(open_error)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::APPEND;
        let nameless = rustix::fs::open(&folder, flags, Mode::from_raw_mode(0o600));
        let file = File::from(nameless.map_err(|error| open_error(error.into()))?);
        try_alone(&file).map_err(open_error)?;
        let entry = Self { file: Arc::new(file), path: path.clone() };
        entry.append(&Line::Begun(begun))?;
        // linkat(2): a file made with O_TMPFILE gets a name this way, unless the name is taken.
        let descriptor = format!("/proc/self/fd/{}", entry.file.as_raw_fd());
        match rustix::fs::linkat(CWD, &descriptor, CWD, &path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(in_the_way(&path)),
            Err(error) => return Err(open_error(error.into())),
        }
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| JournalError::Write(path, error))?;
        Ok(entry)
    }

    /// Takes over an entry whose owner is dead; none if it has gone, or has an owner.
    pub(crate) fn take_over(path: &Path) -> Result<Option<(Self, Orphan)>, JournalError> {
        let open_error = |error| JournalError::Open(path.to_owned(), error);
        let Some(file) = open(path).map_err(open_error)? else { return Ok(None) };
        if !take_from_dead(&file).map_err(open_error)? {
            return Ok(None);
        }
        let says = read(&file).map_err(|error| JournalError::Read(path.to_owned(), error))?;
        // Its owner may have removed it between our opening and locking it.
        let is_same = |now: fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == now.ino());
        let is_there = fs::symlink_metadata(path).is_ok_and(is_same);
        Ok(is_there.then(|| (Self { file: Arc::new(file), path: path.to_owned() }, says)))
    }

    /// Appends a line, and to the disk.
    pub(crate) fn append(&self, line: &Line) -> Result<(), JournalError> {
        self.remark(line)?;
        self.file.sync_data().map_err(|error| JournalError::Write(self.path.clone(), error))
    }

    /// Appends a line that a power cut may take: nothing is undone by it.
    pub(crate) fn remark(&self, line: &Line) -> Result<(), JournalError> {
        let error = |error| JournalError::Write(self.path.clone(), error);
        let text = line.to_text().map_err(|json| error(json.into()))?;
        let before = self.file.metadata().map_err(error)?.len();
        (&*self.file).write_all(text.as_bytes()).map_err(|full| {
            // Half a line would make the next one unreadable. What cannot be cut off is told as damage later.
            let _stays = self.file.set_len(before);
            error(full)
        })
    }

    /// The job is over and nothing of it is left: the entry goes.
    pub(crate) fn close(self) -> Result<(), JournalError> {
        fs::remove_file(&self.path).map_err(|error| JournalError::Write(self.path, error))
    }

    /// Keeps the entry where nobody takes it for one; yields where.
    pub(crate) fn set_aside(self, state_folder: &Path) -> Result<PathBuf, JournalError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        damaged::set_aside(state_folder, &self.path, &name)
            .map_err(|error| JournalError::SetAside(self.path, error))
    }
}

/// Opens what has the name of an entry, whatever it is, without following a link or waiting for a FIFO; none if it has gone.
fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let opened = OpenOptions::new().read(true).append(true).custom_flags(flags).open(path);
    let opened = opened.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Err(error),
        // What cannot be written may still be looked at: a folder, a link, a file on a read-only file system.
        _ => OpenOptions::new().read(true).custom_flags(flags).open(path).or_else(|error| {
            if error.kind() == io::ErrorKind::PermissionDenied {
                return Err(error);
            }
            let handle = libc::O_NOFOLLOW | libc::O_PATH | libc::O_CLOEXEC;
            OpenOptions::new().read(true).custom_flags(handle).open(path)
        }),
    });
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks an entry alone, unless its owner lives. Those who only look are waited for.
fn take_from_dead(file: &File) -> io::Result<bool> {
    let deadline = clock::uptime() + LOOKERS;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            // What is only a handle cannot be locked, and is nobody's entry.
            Err(Errno::BADF) => return Ok(true),
            Err(Errno::WOULDBLOCK) if is_owned(file)? || clock::uptime() >= deadline => return Ok(false),
            Err(Errno::WOULDBLOCK) => std::thread::sleep(TRY_EVERY),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether one has the entry for itself. Those who look share it.
fn is_owned(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock)?;
            Ok(false)
        }
        Err(Errno::BADF) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// What an open entry says. What is not a file of ours says nothing.
fn read(file: &File) -> io::Result<Orphan> {
    let metadata = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    let foreign = if !metadata.is_file() {
        Some("it is not a regular file".to_owned())
    } else if metadata.uid() != own {
        Some(format!("it belongs to user {} and not to root", metadata.uid()))
    } else if private::is_open_to_others(&metadata) {
        Some("others than root may write it".to_owned())
    } else if metadata.len() > LARGEST {
        Some("it is too large".to_owned())
    } else {
        None
    };
    if foreign.is_some() {
        return Ok(Orphan { state: None, damage: foreign });
    }
    let mut bytes = Vec::new();
    io::Seek::rewind(&mut &*file)?;
    file.take(LARGEST).read_to_end(&mut bytes)?;
    let contents = line::read(&bytes);
    Ok(Orphan { state: State::of(&contents.lines), damage: contents.damage })
}

/// Why a claim found the name taken.
fn in_the_way(path: &Path) -> JournalError {
    match look(path) {
        Ok(Some(seen)) if !seen.owned => JournalError::Orphaned,
        Ok(Some(seen)) => JournalError::Busy(Box::new(seen.says.state)),
        // It has gone this very moment: its job is only just over.
        Ok(None) => JournalError::Busy(Box::new(None)),
        Err(error) => error,
    }
}

/// The files of all entries, whoever owns them.
pub(crate) fn entries(state_folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let folder = paths::journal(state_folder);
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

/// Looks at all entries, without owning them.
pub(crate) fn look_at_all(state_folder: &Path) -> Result<Vec<Seen>, JournalError> {
    let seen = entries(state_folder)?.into_iter().filter_map(|path| look(&path).transpose());
    seen.collect()
}

/// Looks at the entry of an address, whoever owns it; none if there is none.
pub(crate) fn look_at(state_folder: &Path, ip: Ipv4Addr) -> Result<Option<Seen>, JournalError> {
    look(&path(state_folder, ip))
}

/// Looks at an entry, without owning it; none if it has gone.
pub(crate) fn look(path: &Path) -> Result<Option<Seen>, JournalError> {
    let error = |error| JournalError::Read(path.to_owned(), error);
    let Some(file) = open(path).map_err(error)? else { return Ok(None) };
    let owned = is_owned(&file).map_err(error)?;
    Ok(Some(Seen { path: path.to_owned(), owned, says: read(&file).map_err(error)? }))
}

fn path(state_folder: &Path, ip: Ipv4Addr) -> PathBuf {
    paths::journal(state_folder).join(format!("{ip}.jsonl"))
}

#[cfg(test)]
mod tests;
