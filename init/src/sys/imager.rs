//! The imager as files and processes: makes its folders, starts it in a session of its own, ends it, and collects what
//! it leaves. [`crate::imager`] knows what any of it means.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::child::{self, Children, Departure};
use super::file;
use super::log::Log;
use super::terminal::FIRST_VT;
use crate::imager::evidence::FoundFile;
use crate::imager::{Files, Launch, Terminal};

/// Pause between two looks while waiting for something.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Makes the imager's folders, with nothing of an earlier one in them.
pub(crate) fn make_folders(folders: &[&str]) -> anyhow::Result<()> {
    folders.iter().try_for_each(|path| file::make_folder(Path::new(path)))
}

/// Writes the files that it needs.
pub(crate) fn write_files(launch: &Launch) -> anyhow::Result<()> {
    for wanted in &launch.files {
        wanted.path.parent().map_or(Ok(()), file::make_folder)?;
        file::write(&wanted.path, &wanted.content)?;
    }
    Ok(())
}

/// Starts it in a session of its own and returns the session's number. `at_end` is called with how it ended.
pub(crate) fn start(
    launch: &Launch,
    children: &Children,
    at_end: impl FnOnce(Departure) + Send + 'static,
) -> anyhow::Result<Pid> {
    let mut command = Command::new("setsid");
    let errors = || open(Path::new(launch.errors), OpenOptions::new().write(true));
    match launch.terminal {
        Terminal::None => {
            command.stdin(Stdio::null()).stdout(errors()?);
        }
        Terminal::FirstVt | Terminal::FirstVga => {
            let terminal = || open(Path::new(FIRST_VT), OpenOptions::new().read(true).write(true));
            command.arg("--ctty").stdin(terminal()?).stdout(terminal()?);
        }
    }
    command.stderr(errors()?);
    command.arg(&launch.program).args(&launch.arguments).env_clear().envs(launch.environment.iter().copied());
    let program = children.spawn(&mut command, at_end)?;
    child::end_first_for_memory(program);
    Ok(program)
}

fn open(path: &Path, options: &OpenOptions) -> anyhow::Result<File> {
    options.open(path).with_context(|| cannot_open(path))
}

fn cannot_open(path: &Path) -> String {
    format!("cannot open {}", path.display())
}

/// Asks the program that was started to end, and waits until it has, but not longer than this. What it has started itself
/// is not asked: a program may need that to put the screen back.
pub(crate) fn ask_to_end(program: Pid, limit: Duration) -> anyhow::Result<()> {
    let is_there = || Ok(members(program)?.contains(&program));
    if is_there()? {
        signal(program, Signal::SIGTERM)?;
    }
    wait_until_gone(limit, is_there)
}

/// Kills every process of a session, and waits until none is left, but not longer than this.
pub(crate) fn kill_session(session: Pid, limit: Duration) -> anyhow::Result<()> {
    members(session)?.into_iter().try_for_each(|member| signal(member, Signal::SIGKILL))?;
    wait_until_gone(limit, || Ok(!members(session)?.is_empty()))
}

fn signal(process: Pid, signal: Signal) -> anyhow::Result<()> {
    match kill(process, signal) {
        // It may have ended just now.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot signal process {process}")),
    }
}

fn wait_until_gone(limit: Duration, is_there: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while is_there()? {
        ensure!(started.elapsed() < limit, "it is still there after {} s", limit.as_secs());
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Whether a process is there.
pub(crate) fn is_there(process: Pid) -> bool {
    kill(process, None).is_ok()
}

/// The processes of a session that have not ended.
fn members(session: Pid) -> anyhow::Result<Vec<Pid>> {
    let processes = procfs::process::all_processes().context("cannot list the processes")?;
    // A process that ends meanwhile is no longer a member.
    let alive = processes.filter_map(|process| process.and_then(|process| process.stat()).ok());
    let of_session = alive.filter(|stat| stat.session == session.as_raw() && stat.state != 'Z');
    Ok(of_session.map(|stat| Pid::from_raw(stat.pid)).collect())
}

/// The files of a folder.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
    let cannot = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let size = entry.metadata().with_context(cannot)?.len();
        found.push(FoundFile { name: entry.file_name().to_string_lossy().into_owned(), size });
    }
    Ok(found)
}

/// Bytes that are free in the file system of a folder.
fn free_space(folder: &Path) -> anyhow::Result<u64> {
    let cannot = || format!("cannot ask how much room there is in {}", folder.display());
    let space = rustix::fs::statvfs(folder).with_context(cannot)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// The files of this machine, and the logs of one imager.
pub(crate) struct MachineFiles {
    logs: Vec<(PathBuf, Log)>,
}

impl MachineFiles {
    /// The imager has no logs yet.
    pub(crate) const WITHOUT_LOGS: Self = Self { logs: Vec::new() };

    /// Makes the logs that an imager will write.
    pub(crate) fn with_logs_of(launch: &Launch) -> anyhow::Result<Self> {
        let listen = |path: &&str| Ok((PathBuf::from(path), Log::listen(Path::new(path))?));
        Ok(Self { logs: launch.logs.iter().map(listen).collect::<anyhow::Result<_>>()? })
    }
}

impl Files for MachineFiles {
    fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        match self.logs.iter().find(|(log, _)| log == path) {
            Some((_, log)) => Ok(Some(log.content())),
            None => file::read(path),
        }
    }

    fn list(&self, folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
        files(folder)
    }

    fn free_space(&self, folder: &Path) -> anyhow::Result<u64> {
        free_space(folder)
    }
}

/// Waits until a folder has a file that is not in `before`, and the file does not grow any more.
pub(crate) fn wait_for_new_file(
    folder: &Path,
    before: &[FoundFile],
    limit: Duration,
) -> anyhow::Result<Option<PathBuf>> {
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

    /// A program in a session of its own that has started this many others.
    struct Program(std::process::Child);

    impl Program {
        fn start(script: &str, others: usize) -> Self {
            let program = Self(Command::new("setsid").args(["sh", "-c", script]).spawn().unwrap());
            let started = Instant::now();
            while members(program.pid()).unwrap().len() < others + 1 {
                assert!(started.elapsed() < LONG, "it does not come up");
                std::thread::sleep(LOOK_AGAIN);
            }
            program
        }

        fn pid(&self) -> Pid {
            Pid::from_raw(i32::try_from(self.0.id()).unwrap())
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_session_ends_with_all_its_processes() {
        let mut program = Program::start("sleep 600 & sleep 600", 2);
        kill_session(program.pid(), LONG).unwrap();
        program.0.wait().unwrap();
        assert_eq!(members(program.pid()).unwrap(), []);
    }

    #[test]
    fn a_program_that_is_asked_to_end_still_has_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let word = folder.path().join("word");
        let script = format!(
            "trap 'sleep 0.3; kill -0 $other && echo there >{}; exit' TERM; sleep 600 & other=$!; sleep 600 & wait",
            word.display()
        );
        // When there is the second one, the first one's number is known.
        let mut program = Program::start(&script, 2);
        ask_to_end(program.pid(), LONG).unwrap();
        assert_eq!(fs::read_to_string(&word).unwrap(), "there\n", "what it had started was not asked");
        program.0.wait().unwrap();
        assert_eq!(members(program.pid()).unwrap().len(), 2, "what it has left is killed later");
        kill_session(program.pid(), LONG).unwrap();
        assert_eq!(members(program.pid()).unwrap(), []);
    }

    #[test]
    fn a_program_that_does_not_want_to_end_is_given_up() {
        let mut program = Program::start("trap '' TERM; sleep 600 & while :; do wait; done", 1);
        let error = ask_to_end(program.pid(), Duration::from_millis(300)).unwrap_err();
        assert!(error.to_string().starts_with("it is still there"), "{error}");
        kill_session(program.pid(), LONG).unwrap();
        program.0.wait().unwrap();
    }
}
