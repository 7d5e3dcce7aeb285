//! Changes what the DHCP server offers one host, and puts it back.
//!
//! ```text
//! announce ─▶ edit lock ─▶ read ─▶ pure edit ─▶ file beside ─▶ dhcpd -t ─▶ intent ─▶ rename ─▶ ticket ─▶ unlock
//! ```
//! Does not know why; the caller says which host, and restarts the server afterwards with the ticket.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghost_contract::HostName;

use crate::dhcp::restart::{RestartError, Restarts, Ticket};
use crate::dhcp::{self, Gone, Revert, SwapError, isc};
use crate::site::{Site, SiteError};
use crate::state::journal::{JournalError, Original, Swap};
use crate::sys::atomic::{AtomicError, Beside, Effects};
use crate::sys::lock::{Lock, LockError};
use crate::sys::service::{self, ServiceError};

/// How long the DHCP server's own checker may take.
const CHECK_DEADLINE: Duration = Duration::from_secs(60);

/// Why an offer was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Host(#[from] SwapError),
    /// A file of it cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The checker does not accept the edited configuration; nothing was changed.
    #[error("the DHCP server would not accept the edited configuration")]
    Check(#[source] ServiceError),
    /// The file cannot be replaced.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// The intent cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Ticket(#[from] RestartError),
}

/// What became of a revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverted {
    /// The original bytes are back.
    Restored,
    NothingToDo,
    /// Somebody else has changed the host's entry since; it was left alone.
    LeftAlone(Gone),
}

/// Edits one boot server's DHCP configuration.
pub struct Offers<'a> {
    site: &'a Site,
    restarts: Restarts,
    purpose: String,
    waiting: &'a mut dyn FnMut(&str),
    effects: &'a mut dyn Effects,
}

impl<'a> Offers<'a> {
    /// Edits for a purpose that others are told while they wait; `waiting` is told who holds the lock.
    pub fn new(
        site: &'a Site,
        purpose: String,
        waiting: &'a mut dyn FnMut(&str),
        effects: &'a mut dyn Effects,
    ) -> Self {
        let restarts = Restarts::new(&site.ghostrc.state_folder, site.lock_timeout);
        Self { site, restarts, purpose, waiting, effects }
    }

    /// Makes the host's entry offer its boot file. `intend` is told what is about to be changed, and must write
    /// it down before it returns.
    pub fn swap(
        &mut self,
        name: &HostName,
        intend: &mut dyn FnMut(Swap) -> Result<(), JournalError>,
    ) -> Result<Ticket, OfferError> {
        let announced = self.restarts.announce()?;
        let _editing = self.lock()?;
        let table = self.site.host_table()?;
        let boot_file = self.site.ghostrc.for_host(name).boot_file;
        let dhcp::Swap { host, contents, previous } = isc::swap(&table, name, &boot_file)?;
        let (file, original) = (absolute(&host.file), Original::new(&previous));
        let beside = Beside::write(&file, &contents, self.effects)?;
        self.check(beside.path())?;
        intend(Swap { file, original, boot_file })?;
        beside.replace(self.effects)?;
        let ticket = self.restarts.draw()?;
        drop(announced);
        Ok(ticket)
    }

    /// Puts the original bytes of a host's value back, and changes nothing else. There is a ticket in any case:
    /// the server may not have taken up yet that the bytes are back.
    pub fn revert(&mut self, name: &HostName, swap: &Swap) -> Result<(Reverted, Ticket), OfferError> {
        let announced = self.restarts.announce()?;
        let _editing = self.lock()?;
        let bytes = read(&swap.file)?;
        let edit = isc::revert(&swap.file, &bytes, name, &swap.boot_file, swap.original.as_bytes());
        let became = match edit {
            Revert::Contents(contents) => {
                // No checker in between: these bytes were there before, and a configuration that somebody else
                // has broken meanwhile is no reason to leave our swap in it.
                Beside::write(&swap.file, &contents, self.effects)?.replace(self.effects)?;
                Reverted::Restored
            }
            Revert::AlreadyReverted => Reverted::NothingToDo,
            Revert::Gone(gone) => Reverted::LeftAlone(gone),
        };
        let ticket = self.restarts.draw()?;
        drop(announced);
        Ok((became, ticket))
    }

    fn lock(&mut self) -> Result<Lock, OfferError> {
        let path = lock_path(&self.site.dhcp_configuration);
        Ok(Lock::take(&path, &self.purpose, self.site.lock_timeout, self.waiting)?)
    }

    fn check(&self, file: &Path) -> Result<(), OfferError> {
        check(self.site, file).map_err(OfferError::Check)
    }
}

/// Has the DHCP server's own checker read a file.
pub fn check(site: &Site, file: &Path) -> Result<(), ServiceError> {
    let command = &site.ghostrc.dhcp_check;
    let mut words = vec![command.program().to_owned()];
    words.extend(command.for_file(file).iter().map(|word| word.to_string_lossy().into_owned()));
    service::run(&words, CHECK_DEADLINE).map(|_words| ())
}

/// The lock that everybody takes who edits this configuration: a sibling, since the file itself is replaced.
pub fn lock_path(configuration: &Path) -> PathBuf {
    let mut name = configuration.file_name().unwrap_or_default().to_owned();
    name.push(".ghostctl-lock");
    configuration.with_file_name(name)
}

/// dhcpd takes a relative `include` as relative to its working folder, the root for a service.
fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

fn read(path: &Path) -> Result<Vec<u8>, OfferError> {
    fs::read(path).map_err(|error| OfferError::Read(path.to_owned(), error))
}

#[cfg(test)]
mod tests;
