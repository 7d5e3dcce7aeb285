//! Runs a command of the administrator's, such as the one that restarts the DHCP server, with a deadline.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use super::clock;

/// How much of a command's words is kept for a message, bytes from the end.
const WORDS_KEPT: u64 = 2_000;

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(", saying: {words}") }
}

/// Runs the words as a command and waits for it. What it leaves in the background, as service scripts do, is not
/// waited for.
pub(crate) fn run(words: &[String], deadline: Duration) -> anyhow::Result<String> {
    let line = words.join(" ");
    let (mut child, mut output) = start(words).with_context(|| format!("cannot start '{line}'"))?;
    let ended = wait(&mut child, deadline).with_context(|| format!("cannot wait for '{line}'"))?;
    let words = last_words(&mut output);
    match ended {
        Some(status) if status.success() => Ok(words),
        Some(status) => bail!("'{line}' failed ({status}){}", said(&words)),
        None => {
            bail!("'{line}' did not end within {} s and was killed{}", deadline.as_secs(), said(&words))
        }
    }
}

fn start(words: &[String]) -> io::Result<(Child, File)> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    // Output goes to a file without a name: a pipe would be held open by a daemon that the script leaves behind.
    let output = unnamed_file()?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        // Where dhcpd looks for relative includes, and where it is when it is started as a service.
        .current_dir("/")
        .spawn()?;
    Ok((child, output))
}

/// None: it did not end in time, and has been killed with all that it started.
fn wait(child: &mut Child, deadline: Duration) -> io::Result<Option<ExitStatus>> {
    let started = clock::uptime();
    let pid = i32::try_from(child.id()).map_err(|_| io::ErrorKind::InvalidData)?;
    let process = rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    let descriptor = pidfd_open(process, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_sub(clock::uptime().saturating_sub(started));
        let mut polled = [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)];
        let timeout = left.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) if left.is_zero() => break,
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return child.wait().map(Some),
            Err(error) => return Err(error.into()),
        }
    }
    // It may have ended in this very moment, which is as good.
    let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    child.wait()?;
    Ok(None)
}

fn unnamed_file() -> io::Result<File> {
    let descriptor = rustix::fs::memfd_create("ghostctl-output", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(descriptor.into())
}

fn last_words(output: &mut File) -> String {
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    let read = output
        .seek(SeekFrom::Start(length.saturating_sub(WORDS_KEPT)))
        .and_then(|_| output.take(WORDS_KEPT).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn one_that_hangs_is_killed_at_the_deadline() {
        let error = run(&shell("sleep 60"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "'sh -c sleep 60' did not end within 0 s and was killed");
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let error = run(&["/nonexistent/dhcp".to_owned(), "restart".to_owned()], LONG).unwrap_err();
        assert_eq!(error.to_string(), "cannot start '/nonexistent/dhcp restart'");
    }
}
