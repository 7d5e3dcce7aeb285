//! Puts back what hosts were offered: first in the file that each was swapped in, then wherever it stands by now
//! ([`super::judged`]).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use ghost_contract::HostName;

use super::judged::unclear;
use super::{Edited, MOST_TRIES, Offers, again, changed_meanwhile, kind, mend, read};
use crate::dhcp::{Back, Change, Fault, Kind, Swap};

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

impl Offers<'_> {
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
