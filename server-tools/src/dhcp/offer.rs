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
mod round;
mod whole;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;
use rustix::io::Errno;

use judged::unclear;
pub use judged::{Again, SwappedAgain, swapped_again};
use round::Round;

use super::restart::{Restarts, Ticket};
use super::{Back, Change, Fault, Kind, Server, Swap, Wanted};
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

/// What became of a revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverted {
    /// The original bytes are back: the file was read again, and the host is offered its own file there.
    Restored,
    /// The host is offered its own file already.
    NothingToDo,
    /// Another person has changed the host's entry since; it was left alone.
    LeftAlone(Fault),
}

impl Reverted {
    /// What people should know of it besides.
    pub fn remark(&self) -> Option<String> {
        let Self::LeftAlone(fault) = self else { return None };
        Some(format!(
            "another person has changed the DHCP entry since the swap, so it was left alone: {fault}"
        ))
    }

    /// What is said in place of "reverted", if the entry was left alone.
    pub fn instead(&self) -> Option<String> {
        let Self::LeftAlone(Fault { what, .. }) = self else { return None };
        Some(format!(
            "nothing was put back, because another person has changed the DHCP configuration: {what}"
        ))
    }
}

/// Writes down what is about to be changed, before it is.
pub type Intend<'a> = dyn FnMut(&HostName, &Swap) -> anyhow::Result<()> + 'a;

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

    /// Makes the hosts' entries offer their boot files, all in one edit. `intend` is told of each host what is about to be
    /// changed, and must write it down before it returns; a host of which it cannot is left as it is. A host that cannot
    /// be swapped does not keep the others from it.
    pub fn swap(&mut self, hosts: &[HostName], intend: &mut Intend<'_>) -> anyhow::Result<Edited<()>> {
        let announced = self.restarts.announce()?;
        let _editing = self.lock()?;
        let mended = mend(&self.site.dhcp_configuration)?;
        let server = self.site.dhcp();
        let boot_file = |host| self.site.ghostrc.for_host(host).boot_file;
        let wanted =
            hosts.iter().map(|host| Wanted { host: host.clone(), boot_file: boot_file(host) }).collect();
        let mut round = Round::new(wanted);
        let (mut remarks, mut tries) = (mended, 0);
        // A second time only if an intent could not be written down, without the host that it was of, or if a person has saved
        // a file meanwhile.
        while round.goes_on() {
            match self.swap_once(server.as_ref(), &mut round, intend, &mut remarks) {
                Ok(Turn::Through) => break,
                Ok(Turn::IntentsMissing) => {}
                Ok(Turn::SavedMeanwhile(file)) => {
                    tries += 1;
                    round.read_again();
                    match changed_meanwhile(&file) {
                        _ if tries < MOST_TRIES => {}
                        error if round.has_put => round.all_failed(&error),
                        error => return Err(error),
                    }
                }
                // Of those that are swapped already it must be known.
                Err(error) if round.has_put => round.all_failed(&error),
                Err(error) => return Err(error),
            }
        }
        // Where a file could not be replaced it may be all the same.
        let ticket = round.has_put.then(|| self.restarts.draw(server.kind()));
        drop(announced);
        Ok(Edited { each: round.each, ticket, remarks })
    }

    /// One edit of all hosts that are outstanding.
    fn swap_once(
        &mut self,
        server: &dyn Server,
        round: &mut Round,
        intend: &mut Intend<'_>,
        remarks: &mut Vec<String>,
    ) -> anyhow::Result<Turn> {
        // Not kept while the checker reads all of it too: a large one needs much memory.
        let configuration = server.read().context("the DHCP configuration is not usable")?;
        let (changes, mut swapped) = round.edit(configuration.as_ref());
        others::remember(self.site, configuration.as_ref(), &mut swapped);
        drop(configuration);
        let beside = self.write_beside(&changes)?;
        remember_files(&mut swapped, &beside);
        if changes.is_empty() {
            return Ok(Turn::Through);
        }
        server.check(&changes).map_err(unaccepted).exit(Exit::Configuration)?;
        if !round.intend(&swapped, intend) {
            return Ok(Turn::IntentsMissing);
        }
        if let Some(change) =
            changes.iter().find_map(|change| is_as_read(change).map(|is| (!is).then_some(change)).transpose())
        {
            return Ok(Turn::SavedMeanwhile(change?.file.clone()));
        }
        remarks.extend(hard_links(&changes));
        round.has_put = true;
        let mut turn = Turn::Through;
        // A file that cannot be replaced does not keep the others from it.
        for (beside, change) in beside.into_iter().zip(&changes) {
            match self.put_in_place(beside, change) {
                Ok(true) => round.became(&swapped, &change.file, Ok(())),
                Ok(false) => turn = Turn::SavedMeanwhile(change.file.clone()),
                Err(error) => round.became(&swapped, &change.file, Err(&error)),
            }
        }
        Ok(turn)
    }

    /// Puts the original bytes of hosts' values back, all in one edit, and changes nothing else. There is a ticket in any
    /// case: the server may not have taken up yet that the bytes are back.
    pub fn revert(&mut self, swapped: &[(HostName, Swap)]) -> anyhow::Result<Edited<Reverted>> {
        // Without it another restart does not wait for this edit, and that is all.
        let announced = self.restarts.announce().ok();
        let _editing = self.lock()?;
        let mut each: Vec<anyhow::Result<Reverted>> =
            swapped.iter().map(|_| Ok(Reverted::NothingToDo)).collect();
        let mut remarks = Vec::new();
        for ((kind, file), places) in by_file(swapped) {
            remarks.extend(places.first().and_then(|place| led_elsewhere(&swapped[*place].1)));
            let of_file: Vec<(HostName, Swap)> = places.iter().map(|place| swapped[*place].clone()).collect();
            let became = self.revert_file(kind, &file, &of_file, &mut remarks);
            match became {
                Ok(became) => places.into_iter().zip(became).for_each(|(place, became)| each[place] = became),
                Err(error) => places.into_iter().for_each(|place| each[place] = Err(again(&error))),
            }
        }
        let kind = kind(swapped);
        self.revert_as_served(kind, swapped, &mut each, &mut remarks);
        let ticket = Some(self.restarts.draw(kind));
        drop(announced);
        Ok(Edited { each, ticket, remarks })
    }

    /// No checker in between: these bytes were there before, and a configuration that another person has broken meanwhile is
    /// no reason to leave our swap in it.
    fn revert_file(
        &mut self,
        kind: Kind,
        file: &Path,
        swapped: &[(HostName, Swap)],
        remarks: &mut Vec<String>,
    ) -> anyhow::Result<Vec<anyhow::Result<Reverted>>> {
        if let Err(error) = std::fs::metadata(file)
            && error.kind() == io::ErrorKind::NotFound
        {
            let fault = Fault { what: format!("{} is not there any more", file.display()), place: None };
            return Ok(swapped.iter().map(|_| Ok(Reverted::LeftAlone(fault.clone()))).collect());
        }
        remarks.extend(mend(file)?);
        let server = self.site.dhcp_of(kind);
        let mut tries = 0;
        let edit = loop {
            let now = read(file)?;
            let mut edit = server.revert(file, &now, swapped);
            let Some(contents) = edit.contents.take() else { break edit };
            let change = Change { file: file.to_owned(), read: now, contents };
            tries += 1;
            match self.write(&change) {
                Ok(Some(linked)) => {
                    remarks.extend(linked);
                    break edit;
                }
                Ok(None) if tries < MOST_TRIES => {}
                Ok(None) => return Err(changed_meanwhile(file)),
                Err(error) => return Err(error),
            }
        };
        let read_back = server.revert(file, &read(file)?, swapped).each;
        let became = edit.each.into_iter().zip(read_back).map(|(was, is)| match (was, is) {
            (Back::Put, Back::Already) => Ok(Reverted::Restored),
            (_, Back::Already) => Ok(Reverted::NothingToDo),
            (Back::Gone(_), Back::Gone(fault)) => Ok(Reverted::LeftAlone(fault)),
            (_, Back::Unclear(fault)) => Err(unclear(fault)),
            _ => Err(anyhow!(
                "{} was written, but read again it still does not offer the host's own file",
                file.display()
            )),
        });
        Ok(became.collect())
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

/// Remembers with each swap which file is really edited.
fn remember_files(swapped: &mut [(usize, Swap)], beside: &[Beside]) {
    for (_, swap) in swapped {
        let edited = beside.iter().find(|beside| beside.named() == swap.file);
        swap.real = edited.map(|beside| beside.target().to_owned());
    }
}

/// How often an edit is begun anew because a person has saved the file.
const MOST_TRIES: u8 = 5;

/// What one edit of a swap has come to.
enum Turn {
    Through,
    IntentsMissing,
    /// A person has saved this file since it was read.
    SavedMeanwhile(PathBuf),
}

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

/// What is said of a swap whose file is not the one that its name leads to now.
fn led_elsewhere(swap: &Swap) -> Option<String> {
    let (real, named) = (swap.real.as_deref()?, swap.file.display());
    let now = std::fs::canonicalize(&swap.file).ok();
    if now.as_deref() == Some(real) || real == swap.file {
        return None;
    }
    if !real.exists() {
        let (real, original) = (real.display(), String::from_utf8_lossy(swap.original.as_bytes()));
        return Some(format!(
            "{real}, which was edited for the swap, is not there any more; wherever it is now, the entry in it still says '{}' in place \
             of {original}",
            swap.boot_file
        ));
    }
    let now = now.map_or_else(|| "nowhere".to_owned(), |now| format!("to {}", now.display()));
    Some(format!(
        "{named} led to {} when it was edited for the swap and leads {now} now; both were looked at",
        real.display()
    ))
}

/// Which of the swaps are in which file of which server.
fn by_file(swapped: &[(HostName, Swap)]) -> Vec<((Kind, PathBuf), Vec<usize>)> {
    let mut files: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (place, (_, swap)) in swapped.iter().enumerate() {
        files.entry(swap.real.as_ref().unwrap_or(&swap.file)).or_default().push(place);
    }
    let kind = |places: &[usize]| places.first().map_or_else(Kind::default, |place| swapped[*place].1.server);
    files.into_iter().map(|(file, places)| ((kind(&places), file.to_owned()), places)).collect()
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
