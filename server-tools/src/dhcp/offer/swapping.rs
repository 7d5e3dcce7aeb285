//! Lets hosts be offered their boot files: any number of them in one edit, each with an intent that was written down before.

use std::path::PathBuf;

use anyhow::Context as _;
use ghost_contract::HostName;

use super::round::Round;
use super::{
    Beside, Edited, MOST_TRIES, Offers, changed_meanwhile, hard_links, is_as_read, mend, others, unaccepted,
};
use crate::dhcp::{Server, Swap, Wanted};
use crate::exit::{Exit, WithExit as _};

/// Writes down what is about to be changed, before it is.
pub type Intend<'a> = dyn FnMut(&HostName, &Swap) -> anyhow::Result<()> + 'a;

impl Offers<'_> {
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
}

/// What one edit of a swap has come to.
enum Turn {
    Through,
    IntentsMissing,
    /// A person has saved this file since it was read.
    SavedMeanwhile(PathBuf),
}

/// Remembers with each swap which file is really edited.
fn remember_files(swapped: &mut [(usize, Swap)], beside: &[Beside]) {
    for (_, swap) in swapped {
        let edited = beside.iter().find(|beside| beside.named() == swap.file);
        swap.real = edited.map(|beside| beside.target().to_owned());
    }
}
