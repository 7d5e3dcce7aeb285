//! Changes that a person was shown before: made as they were shown, or not at all.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::{Beside, Change, Offers, is_as_read, lock_path, marked, mend, unaccepted};
use crate::dhcp::restart::Ticket;
use crate::exit::{Exit, WithExit as _};
use crate::sys::lock::Lock;

impl Offers<'_> {
    /// Makes these changes in files that are there, all or none. The ticket has the server take them up.
    pub(crate) fn change(&mut self, changes: &[Change]) -> anyhow::Result<Ticket> {
        let announced = self.restarts.announce()?;
        let _editing = self.lock()?;
        for change in changes {
            mend(&change.file)?;
            require_as_shown(change)?;
        }
        let server = self.site.dhcp();
        let beside = self.write_beside(changes)?;
        server.check(changes).map_err(unaccepted).exit(Exit::Configuration)?;
        changes.iter().try_for_each(require_as_shown)?;
        for (beside, change) in beside.into_iter().zip(changes) {
            if !self.put_in_place(beside, change)? {
                return Err(changed_since(&change.file));
            }
        }
        let ticket = self.restarts.draw(server.kind());
        drop(announced);
        Ok(ticket)
    }

    /// Removes a file of the configuration, if it still holds what was shown.
    pub(crate) fn remove(&mut self, shown: &Change) -> anyhow::Result<()> {
        let _editing = self.lock()?;
        mend(&shown.file)?;
        require_as_shown(shown)?;
        std::fs::remove_file(&shown.file).with_context(|| format!("cannot remove {}", shown.file.display()))
    }

    /// Makes the configuration's main file, which is not there yet.
    pub(crate) fn create(&mut self, file: &Path, contents: &[u8]) -> anyhow::Result<()> {
        let _editing = Lock::take(&lock_path(file), &self.purpose, self.site.lock_timeout, self.waiting)
            .map_err(marked)?;
        let beside = Beside::write(file, contents, self.effects).map_err(marked)?;
        self.site.dhcp().check_alone(beside.path()).map_err(unaccepted).exit(Exit::Configuration)?;
        match file.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(_) => return Err(changed_since(file)),
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", file.display())),
        }
        beside.replace(self.effects).map_err(marked)
    }
}

fn require_as_shown(change: &Change) -> anyhow::Result<()> {
    if is_as_read(change)? { Ok(()) } else { Err(changed_since(&change.file)) }
}

fn changed_since(file: &Path) -> anyhow::Error {
    let words = "has been changed since the changes were shown, so they were not made; run this again";
    anyhow!("{} {words}", file.display()).exit(Exit::Busy)
}
