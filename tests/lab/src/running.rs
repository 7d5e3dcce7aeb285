//! A program that runs in a lab, with its output line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// The program, and what it has said so far.
#[derive(Debug)]
pub struct Running {
    name: String,
    pid: Pid,
    said: Arc<Mutex<Said>>,
    waiter: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Said {
    lines: Vec<String>,
    transcript: File,
    /// Known as soon as the process is reaped, which is when its number may become another's.
    status: Option<ExitStatus>,
    /// Known when all that it said is here, too.
    ended: Option<ExitStatus>,
}

impl Running {
    /// Starts `command` by `start`, with what it says coming here, line by line, from both of its outputs, and
    /// going to the end of `transcript`, too.
    pub fn start(
        mut command: Command,
        transcript: File,
        start: impl FnOnce(&mut Command) -> io::Result<Child>,
    ) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = start(&mut command).with_context(|| format!("cannot run {name}"))?;
        let pid = i32::try_from(child.id()).context("the process has a number that no process has")?;
        let said = Arc::new(Mutex::new(Said { lines: Vec::new(), transcript, status: None, ended: None }));
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as _),
            child.stderr.take().map(|err| Box::new(err) as _),
        ];
        let readers = outputs.into_iter().flatten().map(|output| read(output, Arc::clone(&said))).collect();
        let waiter = Some(reap(child, readers, Arc::clone(&said)));
        Ok(Self { name, pid: Pid::from_raw(pid), said, waiter })
    }

    pub fn lines(&self) -> Vec<String> {
        lock(&self.said).lines.clone()
    }

    /// All that it has said so far.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits for a line that holds `text`.
    pub fn wait_line(&self, text: &str, deadline: Duration) -> anyhow::Result<String> {
        let found = wait::until(&format!("a line with '{text}'"), deadline, || {
            // First how it is and then what it said, so that no last words are missed.
            let ended = self.ended();
            let line = self.lines().into_iter().find(|line| line.contains(text));
            line.map(Ok).or(ended.map(Err))
        });
        match found {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(status)) => {
                bail!("{} ended ({status}) without saying '{text}'; it said:\n{}", self.name, self.text())
            }
            Err(late) => Err(late).with_context(|| self.so_far()),
        }
    }

    /// Waits for its end, and gives its exit code; 128 and the signal's number if a signal ended it, as a shell
    /// would say it.
    pub fn wait(&self, deadline: Duration) -> anyhow::Result<i32> {
        let what = format!("the end of {}", self.name);
        let status = wait::until(&what, deadline, || self.ended()).with_context(|| self.so_far())?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let sent = match lock(&self.said).status {
            None => kill(self.pid, signal),
            Some(_) => Err(Errno::ESRCH),
        };
        sent.with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    pub fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    /// How it ended, once it has and all that it said is here.
    fn ended(&self) -> Option<ExitStatus> {
        lock(&self.said).ended
    }

    fn so_far(&self) -> String {
        format!("{} said so far:\n{}", self.name, self.text())
    }
}

impl Said {
    fn take(&mut self, line: String) {
        // The transcript is for people who look at a failure; what is waited for does not depend on it.
        let _disk_full = writeln!(self.transcript, "{line}");
        self.lines.push(line);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // ESRCH: it has ended, which is what is wanted.
        let _ended = self.signal(Signal::SIGKILL);
        let _panicked = self.waiter.take().map(JoinHandle::join);
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(output: Box<dyn Read + Send>, said: Arc<Mutex<Said>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
        lines.for_each(|line| lock(&said).take(String::from_utf8_lossy(&line).into_owned()));
    })
}

fn reap(mut child: Child, readers: Vec<JoinHandle<()>>, said: Arc<Mutex<Said>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let status = Some(child.wait().unwrap_or_else(|_| ExitStatus::from_raw(-1)));
        lock(&said).status = status;
        for reader in readers {
            let _panicked = reader.join();
        }
        lock(&said).ended = status;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Running::start(command, tempfile::tempfile().unwrap(), Command::spawn).unwrap()
    }

    #[test]
    fn lines_of_both_outputs_and_the_exit_code_come_back() {
        let running = shell("echo out; echo err >&2; exit 75");
        running.wait_line("out", PATIENCE).unwrap();
        running.wait_line("err", PATIENCE).unwrap();
        assert_eq!(running.wait(PATIENCE).unwrap(), 75);
    }

    #[test]
    fn a_line_that_never_comes_is_an_error_as_soon_as_the_program_ends() {
        let running = shell("echo something else");
        let error = running.wait_line("out", PATIENCE).unwrap_err().to_string();
        assert!(
            error.starts_with("sh ended (exit status: 0) without saying 'out'; it said:\nsomething else"),
            "{error}"
        );
    }

    #[test]
    fn a_signal_ends_it() {
        let running = shell("echo on; exec sleep 1000");
        running.wait_line("on", PATIENCE).unwrap();
        running.signal(Signal::SIGTERM).unwrap();
        assert_eq!(running.wait(PATIENCE).unwrap(), 128 + 15);
    }
}
