//! Makes the DHCP server take up its configuration, once for all whose edits meet.
//!
//! Each edit gets a number, its ticket. Whoever holds the restart lock waits a moment for those who are about to edit, notes
//! the newest ticket, restarts, and writes down up to which ticket the server knows the configuration. A later
//! caller whose ticket is served already returns at once.
//!
//! ```text
//! announce (shared lock) ─▶ edit lock ─▶ edit, ticket += 1 ─▶ both locks released
//!                                                                  │
//!       restart lock ─▶ served ≥ own ticket? done ◀────────────────┘
//!             └─▶ wait until nobody is announced and no ticket is new ─▶ checker ─▶ restart ─▶ served := newest
//! ```
//! The state folder only saves restarts: where it cannot be read or written, the server is restarted all the same.
//! A restart that fails is not tried again here; the job decides when to retry. Whoever asks for one has it done on a thread of its own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Kind, Server};
use crate::exit::Exit;
use crate::site::Site;
use crate::state::paths;
use crate::sys::lock::{Lock, LockError, Sharing};
use crate::sys::{clock, private, service};

/// How long another may be at a restart; its command alone may take two minutes.
const LONGEST_RESTART: Duration = Duration::from_secs(180);
/// A service manager that tells a greater distance is not believed: clients wait for the restart.
const LONGEST_DISTANCE: Duration = Duration::from_secs(60);
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

/// Why the DHCP server has not taken up its configuration.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The server that runs goes on with what it has read before.
    #[error(
        "the DHCP server was not restarted, so that it goes on running, because its own checker refuses the configuration; \
         correct the place that it names"
    )]
    Refused(#[source] anyhow::Error),
    /// The same, and nobody knows whether the configuration is right.
    #[error(
        "the DHCP server was not restarted, so that it goes on running, because the configuration could not be checked; correct \
         DHCPDCHECK in ghostrc, or what it runs"
    )]
    Unchecked(#[source] anyhow::Error),
    /// It may be down.
    #[error("the DHCP server was not restarted")]
    Failed(#[source] anyhow::Error),
    /// Another restart took too long.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl RestartError {
    fn unaccepted(error: anyhow::Error) -> Self {
        if service::has_said_no(&error) { Self::Refused(error) } else { Self::Unchecked(error) }
    }

    /// What it ends the program with.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) | Self::Unchecked(_) | Self::Failed(_) => Exit::Configuration,
            Self::Lock(LockError::Busy { .. }) => Exit::Busy,
            Self::Lock(_) => Exit::Failed,
        }
    }
}

/// The number of an edit; none if it could not be written down, so that a restart must follow in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    server: Kind,
    number: Option<u64>,
}

/// The tickets and locks of one boot server.
#[derive(Debug, Clone)]
pub struct Restarts {
    folder: PathBuf,
    lock_timeout: Duration,
}

impl Restarts {
    pub fn of(site: &Site) -> Self {
        Self { folder: paths::restarts(&site.ghostrc.state_folder), lock_timeout: site.lock_timeout }
    }

    /// Says that an edit is about to be made, until the result is dropped.
    pub fn announce(&self) -> anyhow::Result<Lock> {
        // A restart that gathers holds it alone for an instant only.
        Ok(Lock::take_quietly(&self.folder.join("announced.lock"), Sharing::Shared, self.lock_timeout)?)
    }

    /// The ticket of an edit that was just made in this server's configuration, by the holder of the edit lock.
    pub fn draw(&self, server: Kind) -> Ticket {
        // After a power cut one number may be older than the other.
        let served = Kind::ALL.into_iter().map(|kind| self.number(&served(kind)));
        let number = served.fold(self.number("newest"), u64::max).checked_add(1);
        let number = number.filter(|number| self.write("newest", *number).is_ok());
        Ticket { server, number }
    }

    /// Has the DHCP server take up its configuration, unless that has been done since this edit. Waits for others, for the
    /// distance that restarts must keep, and for the server: so not for a loop that others depend on.
    pub fn serve(&self, ticket: Ticket, site: &Site, gathering: Gathering) -> Result<(), RestartError> {
        let Turn::Ours(_restarting) = self.turn(ticket)? else { return Ok(()) };
        let server = site.dhcp_of(ticket.server);
        self.keep_distance(server.as_ref());
        let newest = self.gather(gathering).max(ticket.number.unwrap_or_default());
        server.may_take_up().map_err(RestartError::unaccepted)?;
        let _told_to_others = self.write("last", millis(clock::uptime()));
        let taken_up = server.take_up().map_err(RestartError::Failed);
        // When the command really started the server is not known; by now it has.
        let _told_to_others = self.write("last", millis(clock::uptime()));
        taken_up?;
        // If it cannot be written, the others restart once more.
        let _told_to_others = self.write(&served(ticket.server), newest);
        Ok(())
    }

    /// Waits for the restart lock, unless the ticket is served before. Whoever has the lock may be gathering others for the
    /// next restart, which is nothing to wait for.
    fn turn(&self, ticket: Ticket) -> Result<Turn, RestartError> {
        let path = self.folder.join("restart.lock");
        let deadline = clock::uptime() + self.lock_timeout.max(LONGEST_RESTART);
        let is_served = || ticket.number.is_some_and(|number| self.number(&served(ticket.server)) >= number);
        loop {
            if is_served() {
                return Ok(Turn::Served);
            }
            match Lock::take_quietly(&path, Sharing::Alone, LOOK_EVERY) {
                Ok(_) if is_served() => return Ok(Turn::Served),
                Ok(lock) => return Ok(Turn::Ours(Some(lock))),
                Err(LockError::Busy { .. }) if clock::uptime() < deadline => {}
                Err(error @ LockError::Busy { .. }) => return Err(error.into()),
                // Without a state folder nobody can know of the others.
                Err(_) => return Ok(Turn::Ours(None)),
            }
        }
    }

    /// Service managers refuse to start what was started too often within some time.
    fn keep_distance(&self, server: &dyn Server) {
        let now = clock::uptime();
        let last = Duration::from_millis(self.number("last"));
        // What is ahead of the clock is from before this machine was started.
        if last <= now {
            std::thread::sleep((last + server.distance().min(LONGEST_DISTANCE)).saturating_sub(now));
        }
    }

    /// Lets those who edit at the same moment finish.
    fn gather(&self, Gathering { quiet, longest }: Gathering) -> u64 {
        let deadline = clock::uptime() + longest;
        let mut newest = self.number("newest");
        loop {
            let left = deadline.saturating_sub(clock::uptime());
            // Taken alone it is free of those who announced; held no longer than that.
            let announced = Lock::take_quietly(&self.folder.join("announced.lock"), Sharing::Alone, left);
            drop(announced);
            std::thread::sleep(quiet.min(left));
            let now = self.number("newest");
            if now == newest || clock::uptime() >= deadline {
                return now;
            }
            newest = now;
        }
    }

    /// One that cannot be read, or is torn by a power cut, counts as none: then there is one restart too many.
    fn number(&self, name: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Neither in one piece nor to the disk: a number that is lost counts as none, which costs a restart.
    fn write(&self, name: &str, number: u64) -> std::io::Result<()> {
        private::write(&self.folder.join(name), format!("{number}\n").as_bytes())
    }
}

/// Where it is written up to which edit a server knows its configuration. The numbers are common to all servers.
fn served(server: Kind) -> String {
    match server == Kind::default() {
        true => "served".to_owned(),
        false => format!("served-{}", server.word()),
    }
}

/// Whether there is anything to do.
enum Turn {
    Served,
    /// With the lock, where there can be one.
    Ours(Option<Lock>),
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
