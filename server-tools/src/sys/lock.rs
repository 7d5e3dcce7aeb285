//! A lock that the kernel releases when its holder dies, and that names its holder to those who wait.
//!
//! flock(2) on a file that is never removed: removing it would let two holders have two files of one name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{clock, private};

/// How often a lock that is taken is tried again: the kernel has no lock that waits with a deadline.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock file cannot be made or opened.
    #[error("cannot open the lock file {}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    #[error("cannot lock {}", .0.display())]
    Lock(PathBuf, #[source] io::Error),
    /// Another holder had it all the time.
    #[error("{} is held by {holder} and was not free within {} s", .path.display(), .waited.as_secs())]
    Busy {
        path: PathBuf,
        /// What the holder wrote of itself.
        holder: String,
        waited: Duration,
    },
}

/// A lock that is held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Whether others may hold it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Alone,
    Shared,
}

impl Lock {
    /// Takes the lock and leaves `purpose` and the process id in the file for those who wait. `waiting` is called
    /// once, with the holder's words, when it is not free at once.
    pub fn take(
        path: &Path,
        purpose: &str,
        timeout: Duration,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<Self, LockError> {
        // The folder is an administrator's, who may have moved it away for a moment.
        let mut file = open_there(path)?;
        wait_for(&file, path, Sharing::Alone, timeout, waiting)?;
        let words = format!("{purpose} (pid {})\n", std::process::id());
        // The words are a courtesy: a lock on a full disk is still a lock.
        let _unsaid = file.set_len(0).and_then(|()| file.write_all(words.as_bytes()));
        Ok(Self { file })
    }

    /// Takes the lock, saying nothing about the holder.
    pub fn take_quietly(path: &Path, sharing: Sharing, timeout: Duration) -> Result<Self, LockError> {
        Self::take_as(path, sharing, timeout, &mut |_| ())
    }

    /// Takes the lock, leaving no words in the file. `waiting` is called as in [`Self::take`].
    pub(crate) fn take_as(
        path: &Path,
        sharing: Sharing,
        timeout: Duration,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<Self, LockError> {
        let file = open(path)?;
        wait_for(&file, path, sharing, timeout, waiting)?;
        Ok(Self { file })
    }

    /// Programs that are started from now on hold it too, until they end: one that outlives this program goes on with its work.
    pub(crate) fn share_with_children(&self) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())?)
    }
}

/// Locks an open file if it is free. `false`: it has another holder.
pub(crate) fn try_alone(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    let open_error = |error| LockError::Open(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        private::make(folder).map_err(open_error)?;
    }
    open_there(path)
}

/// The same in a folder that must be there.
fn open_there(path: &Path) -> Result<File, LockError> {
    let open_error = |error| LockError::Open(path.to_owned(), error);
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path);
    // Whoever can open it could hold it.
    opened.and_then(|file| private::close_file(&file).map(|()| file)).map_err(open_error)
}

fn wait_for(
    file: &File,
    path: &Path,
    sharing: Sharing,
    timeout: Duration,
    waiting: &mut dyn FnMut(&str),
) -> Result<(), LockError> {
    let operation = match sharing {
        Sharing::Alone => FlockOperation::NonBlockingLockExclusive,
        Sharing::Shared => FlockOperation::NonBlockingLockShared,
    };
    let started = clock::uptime();
    let mut told = false;
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(LockError::Lock(path.to_owned(), error.into())),
        }
        let waited = clock::uptime().saturating_sub(started);
        if waited >= timeout {
            return Err(LockError::Busy { path: path.to_owned(), holder: holder(file), waited });
        }
        if !told {
            waiting(&holder(file));
            told = true;
        }
        std::thread::sleep(TRY_EVERY.min(timeout.saturating_sub(waited)));
    }
}

fn holder(mut file: &File) -> String {
    let mut words = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(200).read_to_string(&mut words));
    let words = words.trim();
    let true_holder = true_holder(file);
    let is_its = |pid: u32| words.ends_with(&format!("(pid {pid})"));
    match true_holder {
        Some(pid) if read.is_ok() && is_its(pid) => words.to_owned(),
        Some(pid) => {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!(
                "another program ({}pid {pid})",
                if name.is_empty() { String::new() } else { format!("{}, ", name.trim()) }
            )
        }
        None => "another program".to_owned(),
    }
}

/// Who holds a lock on this file, as the kernel tells it (proc_locks(5)): what is written in the file may be of an earlier holder.
fn true_holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let device = file.metadata().ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let wanted = format!("{major:02x}:{minor:02x}:{inode}");
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let held = locks.lines().map(|line| line.split_ascii_whitespace().skip(1).collect::<Vec<_>>());
    // One that waits has an arrow in the place of the kind.
    let mut of_it =
        held.filter(|words| words.first() == Some(&"FLOCK") && words.get(4) == Some(&wanted.as_str()));
    of_it.next()?.get(3)?.parse().ok().filter(|pid| *pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_has_it_and_gives_up_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = Lock::take(&path, "ghostctl test john", Duration::ZERO, &mut |_| ()).unwrap();
        let mut told = Vec::new();
        let second =
            Lock::take(&path, "x", Duration::from_millis(50), &mut |holder| told.push(holder.to_owned()));
        let expected = format!("ghostctl test john (pid {})", std::process::id());
        assert!(matches!(second, Err(LockError::Busy { holder, .. }) if holder == expected));
        assert_eq!(told, [expected]);
    }

    #[test]
    fn who_has_it_is_told_and_not_who_had_it_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(Lock::take(&path, "ghostctl swap pc2", Duration::ZERO, &mut |_| ()).unwrap());
        let mut other = std::process::Command::new("flock").arg(&path).args(["sleep", "60"]).spawn().unwrap();
        let pid = other.id();
        let mut told = String::new();
        while told.is_empty() {
            let taken = Lock::take(&path, "x", Duration::ZERO, &mut |_| ());
            if let Err(LockError::Busy { holder, .. }) = taken {
                told = holder;
            }
        }
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(told, format!("another program (flock, pid {pid})"));
    }

    #[test]
    fn the_folder_of_a_lock_that_others_know_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("moved-away/lock");
        let refused = Lock::take(&path, "a", Duration::ZERO, &mut |_| ());
        assert!(matches!(refused, Err(LockError::Open(..))) && !folder.path().join("moved-away").exists());
    }

    #[test]
    fn it_is_free_again_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(Lock::take(&path, "a", Duration::ZERO, &mut |_| ()).unwrap());
        assert!(Lock::take(&path, "b", Duration::ZERO, &mut |_| ()).is_ok());
    }

    #[test]
    fn what_was_started_meanwhile_holds_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let is_free = || Lock::take_quietly(&path, Sharing::Alone, Duration::ZERO).is_ok();
        let lock = Lock::take(&path, "a", Duration::ZERO, &mut |_| ()).unwrap();
        lock.share_with_children().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        drop(lock);
        assert!(!is_free());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_free());
    }

    #[test]
    fn sharers_keep_out_only_the_one_who_wants_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _one = Lock::take_quietly(&path, Sharing::Shared, Duration::ZERO).unwrap();
        let _two = Lock::take_quietly(&path, Sharing::Shared, Duration::ZERO).unwrap();
        assert!(matches!(
            Lock::take_quietly(&path, Sharing::Alone, Duration::ZERO),
            Err(LockError::Busy { .. })
        ));
    }
}
