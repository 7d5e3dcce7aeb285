//! Makes the DHCP server take up its configuration, once for all whose edits meet.
//!
//! Each edit gets a number, its ticket. Whoever holds the restart lock waits a moment for those who are about to
//! edit, notes the newest ticket, restarts, and writes down up to which ticket the server knows the
//! configuration. Who comes after that and finds its own ticket served has nothing to do.
//!
//! ```text
//! announce (shared lock) ─▶ edit lock ─▶ edit, ticket += 1 ─▶ both locks released
//!                                                                  │
//!       restart lock ─▶ served ≥ own ticket? done ◀────────────────┘
//!             └─▶ wait until nobody is announced and no ticket is new ─▶ restart ─▶ served := newest
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ghostrc::CommandLine;

use crate::sys::clock;
use crate::sys::lock::{Lock, LockError, Sharing};
use crate::sys::service::{self, ServiceError};

/// How long the restart command may take. A service manager's own limit is 90 s (systemd-system.conf(5)).
const RESTART_DEADLINE: Duration = Duration::from_secs(120);
/// How often one who waits for the restart lock looks whether it is served already.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a restart waits for others to finish their edits, so that they share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gathering {
    /// When nobody has edited for so long, those who began together are through.
    pub quiet: Duration,
    /// Whoever takes longer gets a restart of its own.
    pub longest: Duration,
}

impl Gathering {
    /// For swaps: jobs are begun together by a person or a timer, and the client waits.
    pub const SWAPS: Self = Self { quiet: Duration::from_millis(250), longest: Duration::from_secs(3) };
    /// For reverts: machines boot at different speeds, and one that boots again meanwhile finds its order claimed.
    pub const REVERTS: Self = Self { quiet: Duration::from_secs(1), longest: Duration::from_secs(5) };
}

/// Why the DHCP server did not take up its configuration.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    #[error("the DHCP server was not restarted")]
    Service(#[source] ServiceError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// The number of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The tickets and locks of one boot server.
#[derive(Debug, Clone)]
pub struct Restarts {
    folder: PathBuf,
    lock_timeout: Duration,
}

impl Restarts {
    /// Those below this state folder.
    pub fn new(state_folder: &Path, lock_timeout: Duration) -> Self {
        Self { folder: state_folder.join("restart"), lock_timeout }
    }

    /// Says that an edit is about to be made, until the result is dropped.
    pub fn announce(&self) -> Result<Lock, RestartError> {
        // A restart that gathers holds it alone for an instant only.
        Ok(Lock::take_quietly(&self.folder.join("announced.lock"), Sharing::Shared, self.lock_timeout)?)
    }

    /// The ticket of an edit that was just made, by the holder of the edit lock.
    pub fn draw(&self) -> Result<Ticket, RestartError> {
        // After a power cut one number may be older than the other.
        let ticket = Ticket(self.number("newest")?.max(self.number("served")?) + 1);
        self.write("newest", ticket)?;
        Ok(ticket)
    }

    /// Restarts the DHCP server, unless that has been done since this edit.
    pub fn serve(
        &self,
        ticket: Ticket,
        command: &CommandLine,
        gathering: Gathering,
    ) -> Result<(), RestartError> {
        let Some(_restarting) = self.turn(ticket)? else { return Ok(()) };
        let newest = self.gather(gathering)?.max(ticket);
        let mut words = vec![command.program().to_owned()];
        words.extend_from_slice(command.arguments());
        service::run(&words, RESTART_DEADLINE).map_err(RestartError::Service)?;
        self.write("served", newest)
    }

    /// Waits for the restart lock; none if the ticket is served before. Whoever has the lock may be gathering others
    /// for the next restart, which is nothing to wait for.
    fn turn(&self, ticket: Ticket) -> Result<Option<Lock>, RestartError> {
        let path = self.folder.join("restart.lock");
        let deadline = clock::uptime() + self.lock_timeout.max(RESTART_DEADLINE);
        loop {
            if self.number("served")? >= ticket.0 {
                return Ok(None);
            }
            match Lock::take_quietly(&path, Sharing::Alone, LOOK_EVERY) {
                Ok(_) if self.number("served")? >= ticket.0 => return Ok(None),
                Ok(lock) => return Ok(Some(lock)),
                Err(LockError::Busy { .. }) if clock::uptime() < deadline => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets those who edit at the same moment finish.
    fn gather(&self, Gathering { quiet, longest }: Gathering) -> Result<Ticket, RestartError> {
        let deadline = clock::uptime() + longest;
        let mut newest = Ticket(self.number("newest")?);
        loop {
            let left = deadline.saturating_sub(clock::uptime());
            // Taken alone it is free of those who announced; held no longer than that.
            let announced = Lock::take_quietly(&self.folder.join("announced.lock"), Sharing::Alone, left);
            drop(announced);
            std::thread::sleep(quiet.min(left));
            let now = Ticket(self.number("newest")?);
            if now == newest || clock::uptime() >= deadline {
                return Ok(now);
            }
            newest = now;
        }
    }

    fn number(&self, name: &str) -> Result<u64, RestartError> {
        let path = self.folder.join(name);
        match fs::read_to_string(&path) {
            // One that is torn by a power cut counts as none: then there is one restart too many.
            Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(RestartError::Read(path, error)),
        }
    }

    /// Neither in one piece nor to the disk: a number that is lost counts as none, which costs a restart.
    fn write(&self, name: &str, ticket: Ticket) -> Result<(), RestartError> {
        let path = self.folder.join(name);
        fs::write(&path, format!("{}\n", ticket.0)).map_err(|error| RestartError::Write(path, error))
    }
}
