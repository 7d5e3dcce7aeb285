//! Starts and reaps child processes. Nothing else in this program waits for a child; orphans that PID 1 inherits are
//! reaped too.
//!
//! [`Children::reap`] never waits. Programs are started under the same lock, so that no child is reaped before it is
//! known. Starting a program may wait for its file.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// By itself, with this status.
    Exited(i32),
    Killed(Signal),
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(0) => f.write_str("ran out"),
            Self::Exited(status) => write!(f, "ended with status {status}"),
            Self::Killed(signal) => write!(f, "killed by {signal}"),
        }
    }
}

/// What went wrong with a program.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error("cannot start {program}")]
    Start { program: String, source: io::Error },
    /// The kernel gave it a number that is no process's.
    #[error("{0} is not the number of a process")]
    Number(u32),
    /// It ran longer than it may, and was killed.
    #[error("{program} took longer than {} s", .limit.as_secs())]
    TooLong {
        program: String,
        /// How long it might run.
        limit: Duration,
    },
    /// It ended otherwise than with status 0.
    #[error("{program} {departure}")]
    Failed { program: String, departure: Departure },
}

/// Where programs are looked for: the kernel gives PID 1 no path.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Programs may be ended when memory runs out. Without this they would inherit PID 1's protection from it.
const ORDINARY: &str = "0";

/// Called with how a child ended.
type Watcher = Box<dyn FnOnce(Departure) + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// There is no process but this one.
    None,
    Some,
}

/// The children whose end is to be reported.
pub struct Children {
    watchers: Mutex<HashMap<Pid, Watcher>>,
    /// Makes the loop call [`Children::reap`] again.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Children {
    /// No children yet. `wake` must make the loop call [`Children::reap`] soon.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { watchers: Mutex::default(), wake: Box::new(wake) }
    }

    /// Starts a program; `at_end` is called with how it ended.
    pub fn spawn(
        &self,
        command: &mut Command,
        at_end: impl FnOnce(Departure) + Send + 'static,
    ) -> Result<Pid, ChildError> {
        let started = {
            let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
            start(command).inspect(|pid| {
                watchers.insert(*pid, Box::new(at_end));
            })
        };
        (self.wake)();
        started
    }

    /// Runs a program to its end; any status but 0 is an error.
    pub fn run(&self, command: &mut Command, limit: Duration) -> Result<(), ChildError> {
        let program = name_of(command);
        let (tell, told) = mpsc::channel();
        let pid = self.spawn(command, move |departure| {
            // After the time limit the receiver is gone; ignore the failed send.
            let _ = tell.send(departure);
        })?;
        match told.recv_timeout(limit) {
            Ok(Departure::Exited(0)) => Ok(()),
            Ok(departure) => Err(ChildError::Failed { program, departure }),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // It may have ended just now; then there is nothing to kill.
                let _ = kill(pid, Signal::SIGKILL);
                Err(ChildError::TooLong { program, limit })
            }
        }
    }

    /// Reaps every process that has ended, and calls whoever waits for its end.
    pub fn reap(&self) -> Left {
        let mut watchers = match self.watchers.try_lock() {
            Ok(watchers) => watchers,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // A program is being started; the thread that starts it wakes us afterwards.
            Err(TryLockError::WouldBlock) => return Left::Some,
        };
        loop {
            let (pid, departure) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, Departure::Exited(status)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Departure::Killed(signal)),
                Err(Errno::EINTR) => continue,
                Err(_) => return Left::None,
                Ok(_) => return Left::Some,
            };
            if let Some(watcher) = watchers.remove(&pid) {
                watcher(departure);
            }
        }
    }
}

/// The standard library's own handle is dropped: it would wait for the child a second time.
#[allow(clippy::zombie_processes, reason = "`reap` waits for every child")]
fn start(command: &mut Command) -> Result<Pid, ChildError> {
    let child = command
        .env("PATH", PATH)
        .spawn()
        .map_err(|source| ChildError::Start { program: name_of(command), source })?;
    let pid = i32::try_from(child.id()).map(Pid::from_raw).map_err(|_| ChildError::Number(child.id()))?;
    prefer(pid, ORDINARY);
    Ok(pid)
}

/// Makes this program the first to be ended when memory runs out: then the job fails and says so, and everything else that
/// runs is needed for that.
pub fn end_first_for_memory(pid: Pid) {
    prefer(pid, "1000");
}

fn prefer(pid: Pid, adjustment: &str) {
    // A program that has ended already has no such file, and no other reason keeps PID 1 from writing it.
    let _has_ended = fs::write(format!("/proc/{pid}/oom_score_adj"), adjustment);
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
