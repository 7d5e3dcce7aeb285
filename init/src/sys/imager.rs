//! The imager as files and processes: its folders, its start in a session of its own, its end, and what it
//! leaves behind. What any of it means is known in [`crate::imager`].

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::ProcError;

use super::child::{ChildError, Children, Departure};
use super::file::{self, FileError};
use super::terminal::FIRST_VT;
use crate::imager::dos::FOLDER;
use crate::imager::evidence::FoundFile;
use crate::imager::{Files, Launch, Terminal};

/// What the imager writes to its standard output and error output.
const OUTPUT: &str = "output";
/// Between two looks at whether something has come about.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What went wrong with the imager's files or processes.
#[derive(Debug, thiserror::Error)]
pub enum ImagerFilesError {
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder that cannot be listed.
    #[error("cannot list {path}")]
    List { path: PathBuf, source: io::Error },
    /// A file system that does not say how much room it has.
    #[error("cannot ask how much room there is in {path}")]
    Space { path: PathBuf, source: rustix::io::Errno },
    /// What it has for a screen, or for its output.
    #[error("cannot open {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Program(#[from] ChildError),
    #[error("cannot list the processes")]
    Processes(#[source] ProcError),
    #[error("it is still there after {} s", .0.as_secs())]
    StillThere(Duration),
}

/// Makes the imager's folders, with nothing of an earlier one in them.
pub fn make_folders(folders: &[&str]) -> Result<(), ImagerFilesError> {
    folders.iter().try_for_each(|path| Ok(file::make_folder(Path::new(path))?))
}

/// Writes the files that it needs.
pub fn write_files(launch: &Launch) -> Result<(), ImagerFilesError> {
    for wanted in &launch.files {
        wanted.path.parent().map_or(Ok(()), file::make_folder)?;
        file::write(&wanted.path, &wanted.content)?;
    }
    Ok(())
}

/// Starts it in a session of its own; `at_end` is told how it ended. Gives the session's number.
pub fn start(
    launch: &Launch,
    children: &Children,
    at_end: impl FnOnce(Departure) + Send + 'static,
) -> Result<Pid, ImagerFilesError> {
    let mut command = Command::new("setsid");
    match launch.terminal {
        Terminal::None => {
            let output = open(&Path::new(FOLDER).join(OUTPUT), OpenOptions::new().create(true).append(true))?;
            let errors = output.try_clone().map_err(|source| cannot_open(OUTPUT, source))?;
            command.stdin(Stdio::null()).stdout(output).stderr(errors);
        }
        Terminal::FirstVt => {
            let terminal = open(Path::new(FIRST_VT), OpenOptions::new().read(true).write(true))?;
            let again = || terminal.try_clone().map_err(|source| cannot_open(FIRST_VT, source));
            command.arg("--ctty").stdin(again()?).stdout(again()?).stderr(again()?);
        }
    }
    command.arg(&launch.program).args(&launch.arguments).env_clear().envs(launch.environment.iter().copied());
    Ok(children.spawn(&mut command, at_end)?)
}

fn open(path: &Path, options: &OpenOptions) -> Result<File, ImagerFilesError> {
    options.open(path).map_err(|source| cannot_open(path, source))
}

fn cannot_open(path: impl AsRef<Path>, source: io::Error) -> ImagerFilesError {
    ImagerFilesError::Open { path: path.as_ref().to_owned(), source }
}

/// Signals every process of a session, and waits until none is left, but not longer than this.
pub fn end_session(session: Pid, signal: Signal, limit: Duration) -> Result<(), ImagerFilesError> {
    let started = Instant::now();
    for member in members(session)? {
        match kill(member, signal) {
            // It may have ended just now.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(ImagerFilesError::Processes(ProcError::Io(error.into(), None))),
        }
    }
    while !members(session)?.is_empty() {
        if started.elapsed() >= limit {
            return Err(ImagerFilesError::StillThere(limit));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Whether a process is there.
pub fn is_there(process: Pid) -> bool {
    kill(process, None).is_ok()
}

/// The processes of a session that have not ended.
fn members(session: Pid) -> Result<Vec<Pid>, ImagerFilesError> {
    let processes = procfs::process::all_processes().map_err(ImagerFilesError::Processes)?;
    // A process that goes while one looks is no member any more.
    let alive = processes.filter_map(|process| process.and_then(|process| process.stat()).ok());
    let of_session = alive.filter(|stat| stat.session == session.as_raw() && stat.state != 'Z');
    Ok(of_session.map(|stat| Pid::from_raw(stat.pid)).collect())
}

/// The files of a folder.
pub fn files(folder: &Path) -> Result<Vec<FoundFile>, ImagerFilesError> {
    let cannot = |source| ImagerFilesError::List { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let size = entry.metadata().map_err(cannot)?.len();
        found.push(FoundFile { name: entry.file_name().to_string_lossy().into_owned(), size });
    }
    Ok(found)
}

/// Bytes that are free in the file system of a folder.
fn free_space(folder: &Path) -> Result<u64, ImagerFilesError> {
    let cannot = |source| ImagerFilesError::Space { path: folder.to_owned(), source };
    let space = rustix::fs::statvfs(folder).map_err(cannot)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// The files of this machine.
pub struct MachineFiles;

impl Files for MachineFiles {
    fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(file::read(path)?)
    }

    fn list(&self, folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
        Ok(files(folder)?)
    }

    fn free_space(&self, folder: &Path) -> anyhow::Result<u64> {
        Ok(free_space(folder)?)
    }
}

/// Waits until a folder has a file that is not in `before`, and the file does not grow any more.
pub fn wait_for_new_file(
    folder: &Path,
    before: &[FoundFile],
    limit: Duration,
) -> Result<Option<PathBuf>, ImagerFilesError> {
    let started = Instant::now();
    let mut last: Option<FoundFile> = None;
    while started.elapsed() < limit {
        let new = files(folder)?.into_iter().find(|file| before.iter().all(|old| old.name != file.name));
        match new {
            Some(file) if file.size > 0 && Some(&file) == last.as_ref() => {
                return Ok(Some(folder.join(file.name)));
            }
            other => last = other,
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_told_apart_from_the_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old.png"), "1").unwrap();
        let before = files(folder.path()).unwrap();
        let limit = Duration::from_millis(300);
        assert_eq!(wait_for_new_file(folder.path(), &before, limit).unwrap(), None);
        fs::write(folder.path().join("new.png"), "2").unwrap();
        let found = wait_for_new_file(folder.path(), &before, Duration::from_secs(20)).unwrap();
        assert_eq!(found, Some(folder.path().join("new.png")));
    }

    #[test]
    fn a_session_ends_with_all_its_processes() {
        let mut leader = Command::new("setsid").args(["sh", "-c", "sleep 600 & sleep 600"]).spawn().unwrap();
        let session = Pid::from_raw(i32::try_from(leader.id()).unwrap());
        let started = Instant::now();
        while members(session).unwrap().len() < 3 && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(LOOK_AGAIN);
        }
        assert_eq!(members(session).unwrap().len(), 3);
        end_session(session, Signal::SIGKILL, Duration::from_secs(20)).unwrap();
        leader.wait().unwrap();
        assert_eq!(members(session).unwrap(), []);
    }
}
