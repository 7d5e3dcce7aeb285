//! Runs a command of the administrator's, such as the one that restarts the DHCP server, with a deadline.
//!
//! It has a session of its own, and so no terminal: what asks there gets an error at once, and is not stopped by the kernel until the
//! deadline, in the middle of its work.
#![allow(unsafe_code, reason = "the standard library gives a child no session without it")]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::{PidfdFlags, pidfd_open};

use super::user::User;
use super::{clock, process};
use crate::exit;

/// How much of a command's words is kept for a message, bytes from the end.
const WORDS_KEPT: u64 = 2_000;
/// No answer is longer.
const LONGEST_ANSWER: u64 = 64 << 20;
/// How often it is looked whether a command that goes on has said more than is kept.
const TRIM_EVERY: Duration = Duration::from_millis(20);
/// The variable in the environment of what a command starts.
const MARK: &str = "GHOSTCTL_RESTART";

/// Why a command has not done what it was to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot start '{line}'")]
    Start { line: String, source: io::Error },
    #[error("cannot wait for '{line}'")]
    Wait { line: String, source: io::Error },
    #[error("'{line}' failed ({status}){}", said(words))]
    Failed { line: String, status: ExitStatus, words: String },
    #[error("'{line}' did not end within {} s and was killed{}", .deadline.as_secs(), said(words))]
    Hung { line: String, deadline: Duration, words: String },
}

impl RunError {
    /// The same with its words as this makes them.
    pub(crate) fn in_other_words(mut self, reword: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Start { line, .. } | Self::Wait { line, .. } => *line = reword(line),
            Self::Failed { line, words, .. } | Self::Hung { line, words, .. } => {
                (*line, *words) = (reword(line), reword(words));
            }
        }
        self
    }

    /// Whether it has come to its own end with a no. A crash is none.
    fn is_a_no(&self) -> bool {
        matches!(self, Self::Failed { status, .. } if status.code().is_some())
    }
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(", saying: {words}") }
}

/// Whether a command that was asked something has said no, and was not merely unable to answer.
pub(crate) fn has_said_no(error: &anyhow::Error) -> bool {
    exit::cause::<RunError>(error).is_some_and(RunError::is_a_no)
}

/// What a command's environment gets, so that what it leaves in the background can be told.
pub(crate) fn mark() -> String {
    format!("{MARK}={}.{}", std::process::id(), clock::uptime().as_nanos())
}

/// Runs the words as a command and waits for it. What it leaves in the background, as service scripts do, is not
/// waited for.
pub(crate) fn run(words: &[String], deadline: Duration) -> Result<String, RunError> {
    run_sparing(words, deadline, "", "")
}

/// The same for a command whose answer is wanted whole.
pub(crate) fn ask(words: &[String], deadline: Duration) -> Result<String, RunError> {
    let line = words.join(" ");
    let started = start(words, "", Stdio::null(), None);
    let started = started.map_err(|source| RunError::Start { line: line.clone(), source })?;
    end(started, line, deadline, "", LONGEST_ANSWER)
}

/// The same with a mark in its environment. If it does not end in time, its processes of this name go on.
pub(crate) fn run_sparing(
    words: &[String],
    deadline: Duration,
    mark: &str,
    spared: &str,
) -> Result<String, RunError> {
    let line = words.join(" ");
    let started = start(words, mark, Stdio::null(), None);
    let started = started.map_err(|source| RunError::Start { line: line.clone(), source })?;
    end(started, line, deadline, spared, WORDS_KEPT)
}

/// The same with these bytes on standard input, whether or not the command reads them; as this user, if it is not to be root.
pub(crate) fn run_with_input(
    words: &[String],
    input: &[u8],
    deadline: Duration,
    user: Option<&User>,
) -> Result<String, RunError> {
    let line = words.join(" ");
    let filled = || -> io::Result<File> {
        let mut file = unnamed_file()?;
        file.write_all(input)?;
        file.rewind()?;
        Ok(file)
    };
    let started = filled().and_then(|file| start(words, "", file.into(), user));
    let started = started.map_err(|source| RunError::Start { line: line.clone(), source })?;
    end(started, line, deadline, "", WORDS_KEPT)
}

fn end(
    started: (Child, File),
    line: String,
    deadline: Duration,
    spared: &str,
    kept: u64,
) -> Result<String, RunError> {
    let (mut child, mut output) = started;
    let ended = wait(&mut child, &output, deadline, spared, kept)
        .map_err(|source| RunError::Wait { line: line.clone(), source })?;
    let words = last_words(&mut output, kept);
    match ended {
        Some(status) if status.success() => Ok(words),
        Some(status) => Err(RunError::Failed { line, status, words }),
        None => Err(RunError::Hung { line, deadline, words }),
    }
}

fn start(words: &[String], mark: &str, input: Stdio, user: Option<&User>) -> io::Result<(Child, File)> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    // Output goes to a file without a name: a pipe would be held open by a daemon that the script leaves behind.
    let output = unnamed_file()?;
    let mut command = Command::new(program);
    // SAFETY: between fork(2) and exec(2) only setsid(2) is called, which is async-signal-safe and allocates nothing.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(|_session| ())?)) };
    user.into_iter().for_each(|user| user.runs(&mut command));
    let child = command
        .args(arguments)
        .stdin(input)
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        // Where dhcpd looks for relative includes, and where it is when it is started as a service.
        .current_dir("/")
        .envs(mark.split_once('='))
        .spawn()?;
    Ok((child, output))
}

/// None: it did not end in time, and has been killed with all that it started but for what is spared.
fn wait(
    child: &mut Child,
    output: &File,
    deadline: Duration,
    spared: &str,
    kept: u64,
) -> io::Result<Option<ExitStatus>> {
    let started = clock::uptime();
    let pid = i32::try_from(child.id()).map_err(|_| io::ErrorKind::InvalidData)?;
    let process = rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    let descriptor = pidfd_open(process, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_sub(clock::uptime().saturating_sub(started));
        let mut polled = [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)];
        let timeout = left.min(TRIM_EVERY).try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) if left.is_zero() => break,
            Ok(0) | Err(rustix::io::Errno::INTR) => trim(output, kept),
            Ok(_) => return child.wait().map(Some),
            Err(error) => return Err(error.into()),
        }
    }
    end_group(pid, spared);
    child.wait()?;
    Ok(None)
}

/// Ends a process group. It may have ended in this very moment, which is as good.
fn end_group(leader: i32, spared: &str) {
    let leader = Pid::from_raw(leader);
    if spared.is_empty() {
        let _gone = killpg(leader, Signal::SIGKILL);
        return;
    }
    // Those that it would start meanwhile would not be known.
    let _stopped = kill(leader, Signal::SIGSTOP);
    let others = process::of_group_besides(leader.as_raw().unsigned_abs(), spared).unwrap_or_default();
    for other in others.into_iter().filter_map(|pid| i32::try_from(pid).ok()) {
        let _gone = kill(Pid::from_raw(other), Signal::SIGKILL);
    }
    let _gone = kill(leader, Signal::SIGKILL);
}

fn unnamed_file() -> io::Result<File> {
    let descriptor = rustix::fs::memfd_create("ghostctl-output", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(descriptor.into())
}

/// Frees the memory of what a command has said before its last words: it may write without end. What cannot be freed stays until the
/// command ends.
fn trim(output: &File, kept: u64) {
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    if let Some(old @ 1..) = length.checked_sub(kept) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let _freed = fallocate(output, flags, 0, old);
    }
}

fn last_words(output: &mut File, kept: u64) -> String {
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    let read = output
        .seek(SeekFrom::Start(length.saturating_sub(kept)))
        .and_then(|_| output.take(kept).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::WithExit as _;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_it_said_is_part_of_the_error() {
        let error = run(&shell("echo no such subnet >&2; exit 3"), LONG).unwrap_err();
        assert!(error.to_string().ends_with("failed (exit status: 3), saying: no such subnet"), "{error}");
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_us_up() {
        assert_eq!(run(&shell("sleep 30 & echo started; kill -9 $!"), LONG).unwrap(), "started");
    }

    #[test]
    fn one_that_says_much_takes_little_memory_while_it_goes_on() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let script = format!(
            "head -c 30000000 /dev/zero; while [ ! -e {} ]; do sleep 0.05; done; echo; echo the end",
            seen.display()
        );
        let (mut child, mut output) = start(&shell(&script), "", Stdio::null(), None).unwrap();
        let watched = output.try_clone().unwrap();
        let watch = std::thread::spawn(move || {
            let begun = std::time::Instant::now();
            let is_trimmed = || {
                let metadata = watched.metadata().unwrap();
                metadata.len() == 30_000_000 && metadata.blocks() * 512 < 1 << 20
            };
            while !is_trimmed() && begun.elapsed() < Duration::from_secs(180) {
                std::thread::sleep(Duration::from_millis(10));
            }
            std::fs::write(seen, "").unwrap();
            begun.elapsed() < Duration::from_secs(180)
        });
        let ended = wait(&mut child, &output, Duration::from_secs(360), "", WORDS_KEPT).unwrap();
        assert!(ended.is_some_and(|status| status.success()));
        assert!(watch.join().unwrap(), "all of it takes memory");
        assert!(last_words(&mut output, WORDS_KEPT).ends_with("the end"));
    }

    #[test]
    fn one_that_asks_at_a_terminal_has_none() {
        let own_session = "read -r _ _ _ _ group session _ < /proc/$$/stat; echo $group $session $$";
        let said = run(&shell(own_session), LONG).unwrap();
        let numbers: Vec<&str> = said.split(' ').collect();
        assert!(numbers.iter().all(|number| *number == numbers[2]), "{said}");
        let error = run(&shell("read answer < /dev/tty"), LONG).unwrap_err();
        assert!(matches!(error, RunError::Failed { .. }), "{error}");
    }

    #[test]
    fn one_that_hangs_is_killed_at_the_deadline() {
        let error = run(&shell("sleep 60"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "'sh -c sleep 60' did not end within 0 s and was killed");
    }

    #[test]
    fn only_an_end_of_its_own_is_a_no() {
        let hangs = ("sleep 60", Duration::from_millis(50), false);
        for (script, deadline, is_a_no) in [("exit 1", LONG, true), ("kill -9 $$", LONG, false), hangs] {
            let error = run(&shell(script), deadline).unwrap_err();
            let marked = anyhow::Error::new(error).exit(exit::Exit::Configuration).context("cannot check");
            assert_eq!(has_said_no(&marked), is_a_no, "{script}");
        }
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let error = run(&["/nonexistent/dhcp".to_owned(), "restart".to_owned()], LONG).unwrap_err();
        assert!(!has_said_no(&anyhow::anyhow!("{error}")) && !error.is_a_no());
        assert_eq!(error.to_string(), "cannot start '/nonexistent/dhcp restart'");
    }
}
