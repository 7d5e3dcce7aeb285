//! Changes what the DHCP server offers hosts, and puts it back. Any number of hosts share one edit.
//!
//! ```text
//! announce ─▶ edit lock ─▶ read ─▶ pure edit ─▶ files beside ─▶ checker ─▶ intents ─▶ rename ─▶ read back ─▶ ticket
//! ```
//! Does not know why; the caller says which hosts, and has the server take the edit up with the ticket
//! ([`super::restart`]). A revert needs neither the checker nor the state folder: it comes before everything else.

mod judged;
pub mod kept;
pub(crate) mod others;
mod reverting;
mod round;
mod swapping;
mod whole;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;
use rustix::io::Errno;

pub use judged::{Again, SwappedAgain, swapped_again};
pub use reverting::Reverted;
pub use swapping::Intend;

use super::restart::{Restarts, Ticket};
use super::{Change, Kind, Swap};
use crate::exit::{Exit, WithExit as _};
use crate::site::Site;
use crate::sys::atomic::{self, Beside, Effects, Replaced};
use crate::sys::lock::Lock;
use crate::sys::{regular, service};

/// What an edit came to.
#[derive(Debug)]
pub struct Edited<T> {
    /// What became of each host, in the order in which they were given.
    pub each: Vec<anyhow::Result<T>>,
    /// What has the server take it up; none if there is nothing to take up.
    pub ticket: Option<Ticket>,
    /// What people should know besides.
    pub remarks: Vec<String>,
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
        Self { site, restarts: Restarts::of(site), purpose, waiting, effects }
    }

    /// Replaces a file, if it still holds what was read; yields what people should know of that. `None`: it was saved meanwhile.
    fn write(&mut self, change: &Change) -> anyhow::Result<Option<Vec<String>>> {
        let beside = Beside::write(&change.file, &change.contents, self.effects).map_err(marked)?;
        if !is_as_read(change)? {
            return Ok(None);
        }
        // Seen before it is replaced: the new file has one name only.
        let linked = hard_links(std::slice::from_ref(change));
        Ok(self.put_in_place(beside, change)?.then_some(linked))
    }

    /// Whether it is in place. If not, another program has saved the file meanwhile.
    fn put_in_place(&mut self, beside: Beside, change: &Change) -> anyhow::Result<bool> {
        match beside.replace_if(&change.read, &change.contents, self.effects).map_err(marked)? {
            Replaced::Done { earlier } => {
                earlier.into_iter().for_each(|earlier| self.site.kept_files.earlier(earlier));
                Ok(true)
            }
            Replaced::SavedMeanwhile { kept } => {
                kept.iter().for_each(|kept| self.site.kept_files.saved(&change.file, kept));
                Ok(false)
            }
        }
    }

    fn lock(&mut self) -> anyhow::Result<Lock> {
        let path = lock_path(&self.site.dhcp_configuration);
        let lock = Lock::take(&path, &self.purpose, self.site.lock_timeout, self.waiting);
        lock.map_err(marked)
    }

    fn write_beside(&mut self, changes: &[Change]) -> anyhow::Result<Vec<Beside>> {
        let beside = changes
            .iter()
            .map(|change| Beside::write(&change.file, &change.contents, self.effects).map_err(marked));
        beside.collect()
    }
}

/// How often an edit is begun anew because a person has saved the file.
const MOST_TRIES: u8 = 5;

/// Whether the file holds what was read: to be asked just before it is replaced, so that no edit of a person is lost.
fn is_as_read(change: &Change) -> anyhow::Result<bool> {
    Ok(read(&change.file)? == change.read)
}

fn changed_meanwhile(file: &Path) -> anyhow::Error {
    let words = "is being changed by another program again and again; try again later";
    anyhow!("{} {words}", file.display()).exit(Exit::Busy)
}

/// The lock that everybody takes who edits this configuration: a sibling, since the file itself is replaced.
pub fn lock_path(configuration: &Path) -> PathBuf {
    let mut name = configuration.file_name().unwrap_or_default().to_owned();
    name.push(".ghostctl-lock");
    configuration.with_file_name(name)
}

/// The server that the swaps are in. Jobs that share an edit share the server.
fn kind(swapped: &[(HostName, Swap)]) -> Kind {
    swapped.first().map_or_else(Kind::default, |(_, swap)| swap.server)
}

fn unaccepted(error: anyhow::Error) -> anyhow::Error {
    let said_no = service::has_said_no(&error);
    error.context(if said_no {
        "the DHCP server would not accept the edited configuration"
    } else {
        "the edited configuration could not be checked, so it is not used"
    })
}

/// What a crash has left half written is put back first; that is said.
fn mend(file: &Path) -> anyhow::Result<Vec<String>> {
    let words = || {
        format!(
            "{} was half written by a ghostctl that was killed; its contents before that are back",
            file.display()
        )
    };
    let was_torn = atomic::mend(file).map_err(marked)?;
    Ok(was_torn.then(words).into_iter().collect())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    regular::read(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .exit_by_default(Exit::Configuration)
}

/// Of a file with several names only the one that is edited gets the new contents.
fn hard_links(changes: &[Change]) -> Vec<String> {
    let links = |change: &Change| std::fs::metadata(&change.file).map_or(1, |metadata| metadata.nlink());
    let linked = changes.iter().filter(|change| links(change) > 1);
    let words = |change: &Change| {
        format!(
            "{} has other names too (hard links); they still show the old contents, because a file is replaced as a whole",
            change.file.display()
        )
    };
    linked.map(words).collect()
}

/// The same error for another host of the same file.
fn again(error: &anyhow::Error) -> anyhow::Error {
    anyhow!("{error:#}").exit(Exit::of(error))
}

/// Says what to do about what trying again does not change, and gives it the exit status of what must be mended.
fn marked(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    let mend = match cause.and_then(Errno::from_io_error) {
        Some(Errno::ROFS) => "mount it for reading and writing",
        Some(Errno::PERM | Errno::ACCESS) if rustix::process::geteuid().is_root() => {
            "root may not either: is it immutable (lsattr, chattr -i), or is there a security module?"
        }
        _ => return error,
    };
    anyhow!("{error:#}; {mend}").exit(Exit::Configuration)
}

#[cfg(test)]
mod tests;
