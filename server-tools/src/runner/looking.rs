//! Looks whether hosts are offered what is meant: by the configuration, by whoever answers them on the network, and by whether the
//! server runs.
//!
//! ```text
//! configuration is not right ──▶ failure      an answer of ours ──as meant──▶ good
//!        │ right                                    ├─ otherwise ──▶ failure
//!        └──▶ asked as the client ──────────────────┴─ none ──▶ the server has gone, or was heard before ──▶ failure
//!                                                            └─ never was ──▶ its process and the file are believed, and that is said
//! ```

use ghost_contract::HostName;

use super::work::{Results, Work};
use crate::dhcp::offer::{Again, SwappedAgain, swapped_again};
use crate::dhcp::probe::{self, Client, Look, Seen};
use crate::dhcp::{Running, Swap};
use crate::job::{Failure, FailureKind, Phase, Step};
use crate::site::Site;

/// What was swapped for a job. A journal of before does not tell the hardware address with it, but with the job.
pub(super) fn swap_of(work: &Work) -> Option<(HostName, Swap)> {
    let (identity, swap) = (&work.begun.identity, work.swap.clone()?);
    Some((identity.host.clone(), Swap { mac: swap.mac.or(Some(identity.mac)), ..swap }))
}

/// Whether these hosts are offered their own files still, by one look at the configuration.
pub(super) fn still_own(site: &Site, works: &mut [&mut Work]) -> Results {
    let swapped: Vec<(HostName, Swap)> = works.iter().filter_map(|work| swap_of(work)).collect();
    if swapped.is_empty() {
        return works.iter().map(|_| Ok(())).collect();
    }
    let mut again = swapped_again(site, &swapped).into_iter();
    let own = works.iter_mut().map(|work| {
        let again = work.swap.as_ref().and_then(|_| again.next()).flatten();
        let failure = again.map(|again| failure(&again));
        let of_the_file = [Some(FailureKind::OfferedAgain), Some(FailureKind::EntryGone)];
        work.is_doubtful = of_the_file.contains(&failure.as_ref().map(|failure| failure.kind));
        failure.map_or(Ok(()), Err)
    });
    own.collect()
}

fn failure(SwappedAgain { is, error }: &SwappedAgain) -> Failure {
    let failure = Failure::from_error(error);
    match is {
        Again::Offered => Failure { kind: FailureKind::OfferedAgain, ..failure },
        Again::Nowhere => Failure { kind: FailureKind::EntryGone, ..failure },
        Again::Unclear => failure,
    }
}

/// Why these hosts need no restart. One that was in doubt before has had a restart already: what the configuration still offers, or
/// does not have, another one does not change, unless the server is seen to serve the boot file.
pub(super) fn no_restart_helps(site: &Site, works: &mut [&mut Work]) -> Results {
    if !works.iter().any(|work| work.is_doubtful) {
        return works.iter().map(|_| Ok(())).collect();
    }
    let was_doubtful: Vec<bool> = works.iter().map(|work| work.is_doubtful).collect();
    let mut results = still_own(site, works);
    for (place, was_doubtful) in was_doubtful.into_iter().enumerate() {
        let kind = results[place].as_ref().err().map(|failure| failure.kind);
        let helps = match kind {
            Some(FailureKind::OfferedAgain) => false,
            Some(FailureKind::EntryGone) => !was_doubtful || is_served_without_entry(site, works[place]),
            _ => true,
        };
        if helps {
            results[place] = Ok(());
        }
    }
    results
}

/// Whether a host that the configuration does not have is offered the boot file, or may be.
fn is_served_without_entry(site: &Site, work: &Work) -> bool {
    let Some((client, boot_file)) = client(work) else { return false };
    let seen = probe::after_revert(site, &[(client, &boot_file)]).pop();
    // A server that has no entry for it need not answer it.
    let is_not = matches!(seen, Some(Seen::AsMeant { .. } | Seen::Silent(_)));
    !(is_not && site.dhcp().running() == Running::Ours)
}

/// Asks as the clients would what is really served, after this step.
pub(super) fn look(site: &Site, works: &mut [&mut Work], mut results: Results, after: Step) -> Results {
    let is_asked = |place: &usize| results[*place].is_ok() && works[*place].swap.is_some();
    let places: Vec<usize> = (0..works.len()).filter(is_asked).collect();
    let asked: Vec<(Client, String)> = places.iter().filter_map(|place| client(works[*place])).collect();
    let asked: Vec<(Client, &str)> =
        asked.iter().map(|(client, file)| (client.clone(), file.as_str())).collect();
    let look: Look = if after == Step::OfferBoot { probe::after_swap } else { probe::after_revert };
    let seen = look(site, &asked);
    let is_proven = |seen: &Seen| matches!(seen, Seen::AsMeant { .. } | Seen::Otherwise(_));
    // All servers that are missed are the one of this configuration.
    let has_gone = match after == Step::LookAgain && !seen.iter().all(is_proven) {
        true => site.dhcp().has_gone(),
        false => None,
    };
    let mut unheard: Vec<(usize, String)> = Vec::new();
    for (place, seen) in places.into_iter().zip(seen) {
        let work = &mut *works[place];
        work.is_heard |= is_proven(&seen);
        let not_served = match (seen, &has_gone) {
            (Seen::AsMeant { besides }, _) => {
                work.remarks.extend(besides);
                continue;
            }
            (Seen::Otherwise(words), _) => words,
            (_, Some(gone)) => gone.clone(),
            (Seen::Silent(words), None) if work.is_heard && after == Step::LookAgain => {
                format!("{words}, though it did before")
            }
            // It may have much to read; it is asked again before the job is over.
            (Seen::Silent(_), None) if work.is_heard => continue,
            (Seen::Silent(words) | Seen::Unseen(words), None) => {
                unheard.push((place, words));
                continue;
            }
        };
        results[place] = Err(Failure { kind: FailureKind::NotServed, reason: not_served });
    }
    tell_of_the_unheard(works, unheard);
    if after == Step::OfferOwn {
        tell_who_leads_astray(site, works);
    }
    results
}

/// Names the DHCP servers that may have had clients which were woken and never came up: their firmware shows nobody.
fn tell_who_leads_astray(site: &Site, works: &mut [&mut Work]) {
    let came_to = |work: &Work, wanted: Phase| work.phases.iter().any(|(phase, _)| *phase == wanted);
    let never_up = works.iter_mut().filter(|work| came_to(work, Phase::Woken) && !came_to(work, Phase::Up));
    let (mut never_up, clients): (Vec<&mut &mut Work>, Vec<Client>) =
        never_up.filter_map(|work| client(work).map(|(client, _)| (work, client))).unzip();
    if clients.is_empty() {
        return;
    }
    for (work, offer) in never_up.iter_mut().zip(probe::astray(site, &clients)) {
        work.remarks.extend(offer.map(|offer| {
            format!(
                "{}: a client that hears it first does not boot for its job; {}",
                offer.leading_astray(),
                probe::KEEP_AWAY
            )
        }));
    }
}

/// Says once in a job, and once for all that are looked at together, that nothing is heard.
fn tell_of_the_unheard(works: &mut [&mut Work], mut unheard: Vec<(usize, String)>) {
    unheard.retain(|(place, _)| !works[*place].is_told_unheard);
    unheard.iter().for_each(|(place, _)| works[*place].is_told_unheard = true);
    let more = match unheard.len() {
        0 | 1 => String::new(),
        all => format!(", and the same holds for {} more", all - 1),
    };
    if let Some((place, why)) = unheard.into_iter().next() {
        works[place].remarks.push(format!(
            "what DHCP really offers it cannot be heard: {why}; the restart command, the server's process and the file are believed{more}"
        ));
    }
}

/// Whom a job asks for, and the boot file of its swap.
fn client(work: &Work) -> Option<(Client, String)> {
    let identity = &work.begun.identity;
    let client = Client { host: identity.host.clone(), mac: identity.mac, ip: identity.ip };
    Some((client, work.swap.as_ref()?.boot_file.clone()))
}
