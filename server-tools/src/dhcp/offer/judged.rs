//! Judges a revert by the whole configuration, as the server takes it up. People may have moved, renamed or copied an entry while
//! it was swapped, or saved an old version of it since.
//!
//! ```text
//! each host's own file ──▶ became ──┐
//! the whole configuration ──────────┴──▶ put back elsewhere ──▶ read again ──▶ restored │ left alone │ unclear, so an error
//! ```

use std::path::PathBuf;

use anyhow::anyhow;
use ghost_contract::HostName;

use super::{MOST_TRIES, Offers, Reverted, again, changed_meanwhile, kind, mend, others};
use crate::dhcp::{Back, Change, Fault, Kind, Swap};
use crate::exit::{Exit, WithExit as _};
use crate::site::Site;

const UNCLEAR: &str = "cannot tell whether the DHCP entry still offers the boot file; correct the entry";

impl Offers<'_> {
    /// Judges a revert by the whole configuration, as the server will take it up: people may have moved, renamed or copied an
    /// entry while it was swapped. What of ours can be put back at another place is put back there.
    pub(super) fn revert_as_served(
        &mut self,
        kind: Kind,
        swapped: &[(HostName, Swap)],
        each: &mut [anyhow::Result<Reverted>],
        remarks: &mut Vec<String>,
    ) {
        // What could not be done in a host's own file is not tried a second time.
        let places: Vec<usize> = (0..swapped.len()).filter(|place| each[*place].is_ok()).collect();
        let looked_for: Vec<(HostName, Swap)> = places.iter().map(|place| swapped[*place].clone()).collect();
        let server = self.site.dhcp_of(kind);
        let read = || anyhow::Ok(server.read()?.put_back(&looked_for));
        let mut put = match server.read() {
            Ok(configuration) => {
                let newcomers = others::newcomers(self.site, configuration.as_ref(), swapped);
                remarks.extend(newcomers.iter().map(others::told));
                configuration.put_back(&looked_for)
            }
            Err(error) => return not_judged(&error, each),
        };
        let mut tries = 0;
        let written = loop {
            tries += 1;
            match self.put_all_elsewhere(&put.changes, remarks) {
                Ok(Some(file)) if tries == MOST_TRIES => break Err(changed_meanwhile(&file)),
                Ok(Some(_)) => match read() {
                    Ok(now) => put = now,
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let now = if put.changes.is_empty() { Ok(put.clone()) } else { written.and_then(|()| read()) };
        let now = now.unwrap_or_else(|error| {
            let unwritten = places.iter().zip(&put.each).filter(|(_, back)| **back == Some(Back::Put));
            unwritten.for_each(|(place, _)| each[*place] = Err(again(&error)));
            put.clone()
        });
        for ((place, put), now) in places.into_iter().zip(put.each).zip(now.each) {
            let became = std::mem::replace(&mut each[place], Ok(Reverted::NothingToDo));
            each[place] = became.and_then(|became| as_served(&swapped[place], became, put.as_ref(), now));
        }
    }

    /// Yields a file that was saved meanwhile, if one was.
    fn put_all_elsewhere(
        &mut self,
        changes: &[Change],
        remarks: &mut Vec<String>,
    ) -> anyhow::Result<Option<PathBuf>> {
        for change in changes {
            remarks.extend(mend(&change.file)?);
            let Some(linked) = self.write(change)? else { return Ok(Some(change.file.clone())) };
            remarks.extend(linked);
            remarks.push(format!(
                "a DHCP entry was moved, renamed or copied while it was swapped; the host's own file is put back in {} too",
                change.file.display()
            ));
        }
        Ok(None)
    }
}

pub(super) fn unclear(fault: Fault) -> anyhow::Error {
    anyhow::Error::new(fault).context(UNCLEAR).exit(Exit::Configuration)
}

/// The configuration cannot be read: a host that is not where it was may be offered the boot file elsewhere.
fn not_judged(error: &anyhow::Error, each: &mut [anyhow::Result<Reverted>]) {
    for became in each.iter_mut().filter(|became| matches!(became, Ok(Reverted::LeftAlone(_)))) {
        *became = Err(anyhow!("{UNCLEAR}: {error:#}").exit(Exit::Configuration));
    }
}

/// What became of a host, after its own file was looked at and then the whole configuration: before what was put back
/// elsewhere, and after.
fn as_served(
    swapped: &(HostName, Swap),
    became: Reverted,
    put: Option<&Back>,
    now: Option<Back>,
) -> anyhow::Result<Reverted> {
    match now {
        Some(Back::Unclear(fault)) => Err(unclear(fault)),
        Some(Back::Put) => {
            Err(anyhow!("the DHCP configuration, read again, still offers {} the boot file", swapped.0))
        }
        Some(Back::Gone(fault)) => Ok(Reverted::LeftAlone(fault)),
        Some(Back::Already) if put == Some(&Back::Put) => Ok(Reverted::Restored),
        Some(Back::Already) if matches!(became, Reverted::LeftAlone(_)) => Ok(Reverted::NothingToDo),
        None if matches!(became, Reverted::LeftAlone(_)) => Err(nowhere(swapped)),
        Some(Back::Already) | None => Ok(became),
    }
}

/// Why a host is not, or may not be, offered its own file after all.
#[derive(Debug)]
pub struct SwappedAgain {
    pub is: Again,
    /// Which host and what to do.
    pub error: anyhow::Error,
}

/// What the configuration says of such a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is offered the boot file.
    Offered,
    /// It has no entry.
    Nowhere,
    /// It cannot be told.
    Unclear,
}

/// Why each of these hosts is not, or may not be, offered its own file after all. A configuration that cannot be read or lacks
/// the host may be half saved: what is saved then may offer the boot file again.
pub fn swapped_again(site: &Site, swapped: &[(HostName, Swap)]) -> Vec<Option<SwappedAgain>> {
    let back = match site.dhcp_of(kind(swapped)).read() {
        Ok(configuration) => configuration.put_back(swapped).each,
        Err(error) => {
            let unread = || anyhow!("{UNCLEAR}: {error:#}").exit(Exit::Configuration);
            return swapped
                .iter()
                .map(|_| Some(SwappedAgain { is: Again::Unclear, error: unread() }))
                .collect();
        }
    };
    let reason = |(swapped, back): (&(HostName, Swap), Option<Back>)| match back {
        Some(Back::Unclear(fault)) => Some((Again::Unclear, unclear(fault))),
        Some(Back::Put) => {
            let host = &swapped.0;
            let words = "the boot file again; another person has saved it as it was during the swap";
            Some((Again::Offered, anyhow!("the DHCP configuration offers {host} {words}")))
        }
        Some(Back::Already | Back::Gone(_)) => None,
        None => Some((Again::Nowhere, nowhere(swapped))),
    };
    let each = swapped.iter().zip(back).map(reason);
    each.map(|reason| reason.map(|(is, error)| SwappedAgain { is, error })).collect()
}

/// That the configuration has no such host, as while it is being saved.
fn nowhere((host, swap): &(HostName, Swap)) -> anyhow::Error {
    let original = String::from_utf8_lossy(swap.original.as_bytes());
    let own = (swap.server.traits().terms.boot_file)(original.trim_matches('"'));
    let own = own.trim_end_matches(';');
    let mac = swap
        .mac
        .map_or_else(String::new, |mac| format!(", nor what one with its hardware address {mac} does"));
    let what = format!(
        "the DHCP configuration does not say any more what host {host} boots{mac}; write its entry again, with {own}; or, if \
         it was deleted on purpose, run 'ghostctl dhcp forget {host}'"
    );
    unclear(Fault { what, place: None })
}
