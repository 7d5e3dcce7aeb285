//! Whose answer is it? A server is known by the address that it says of itself, its server identifier (RFC 2132 §9.7).
//!
//! ```text
//! an own address, or PXEADDR ──▶ ours
//! no such answer, and no process is seen here that serves our file ──▶ whoever has answered as it was swapped before
//!                                          └─ no server ever has ──▶ who gives the client its own address: a guess (a proxy gives none)
//! ```
//! What servers that cannot be seen here have answered is kept in the state folder. If that is lost, the next swap tells it again.

use std::fs;
use std::net::Ipv4Addr;

use super::{Offer, Offered};
use crate::dhcp::Running;
use crate::site::Site;
use crate::state::paths;
use crate::sys::{own_address, private};

/// So many servers are remembered, the last ones.
const REMEMBERED: usize = 4;
/// The file below the state folder's part that is about restarts.
const FILE: &str = "answered";

/// By what the answers of this boot server's DHCP server are known.
pub(super) struct Known {
    pub is_own: fn(Ipv4Addr) -> bool,
    /// The boot server's address as clients see it.
    pub boot_server: Ipv4Addr,
    /// Whether a process is seen here that serves the file which is edited: then only this machine answers for it.
    pub runs_here: bool,
    /// Those that have answered as it was swapped.
    pub answered: Vec<Ipv4Addr>,
    /// Whether ours answers beside another server, so that the other's answer is not what is waited for.
    pub is_beside_another: bool,
}

impl Known {
    pub(super) fn of(site: &Site) -> Self {
        Self {
            is_own: |server| own_address::is_own(server.into()),
            boot_server: site.ghostrc.boot_server,
            runs_here: site.dhcp().running() == Running::Ours,
            answered: answered(site),
            is_beside_another: site.dhcp_kind.traits().is_beside_another,
        }
    }

    /// Whether this answer ends the waiting.
    pub(super) fn is_awaited(&self, offer: &Offer) -> bool {
        !self.is_beside_another || self.is_of_this_machine(offer)
    }

    pub(super) fn is_of_this_machine(&self, offer: &Offer) -> bool {
        offer.server.is_some_and(|server| server == self.boot_server || (self.is_own)(server))
    }

    fn has_answered(&self, offer: &Offer) -> bool {
        offer.server.is_some_and(|server| self.answered.contains(&server))
    }

    /// The offers to a client, sorted.
    pub(super) fn sorted(&self, ip: Ipv4Addr, offers: Vec<Offer>) -> Offered {
        let split = |offers: Vec<Offer>, is_ours: &dyn Fn(&Offer) -> bool| {
            let (ours, others): (Vec<Offer>, Vec<Offer>) = offers.into_iter().partition(is_ours);
            Offered { ours, others, is_guessed: false }
        };
        let sorted = split(offers, &|offer| self.is_of_this_machine(offer));
        if !sorted.ours.is_empty() || self.runs_here {
            return sorted;
        }
        if !self.answered.is_empty() {
            return split(sorted.others, &|offer| self.has_answered(offer));
        }
        // Who gives the client its address is the other server then.
        if self.is_beside_another {
            return sorted;
        }
        let guessed = split(sorted.others, &|offer| offer.address == ip);
        Offered { is_guessed: !guessed.ours.is_empty(), ..guessed }
    }
}

/// Which servers have answered before as it was swapped.
fn answered(site: &Site) -> Vec<Ipv4Addr> {
    let path = paths::restarts(&site.ghostrc.state_folder).join(FILE);
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).take(REMEMBERED).collect()
}

/// Remembers that these have offered what had just been swapped: they read the file that is edited.
pub(super) fn remember(site: &Site, servers: impl Iterator<Item = Ipv4Addr>) {
    let before = answered(site);
    let mut all = before.clone();
    for server in servers {
        if !all.contains(&server) {
            all.insert(0, server);
        }
    }
    all.truncate(REMEMBERED);
    if all == before {
        return;
    }
    let text: String = all.iter().map(|server| format!("{server}\n")).collect();
    // Without it the next answer is a guess, which proves nothing.
    let _unsaid = private::write(&paths::restarts(&site.ghostrc.state_folder).join(FILE), text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::probe::tests::offer;

    fn known(runs_here: bool, answered: &[u8]) -> Known {
        let address = |last: &u8| Ipv4Addr::from([192, 168, 7, *last]);
        Known {
            is_own: |server| server.octets()[3] == 1,
            boot_server: [192, 168, 7, 3].into(),
            runs_here,
            answered: answered.iter().map(address).collect(),
            is_beside_another: false,
        }
    }

    #[test]
    fn an_answer_is_ours_by_its_server_and_by_nothing_else_while_ours_is_known() {
        let (own, as_seen, peer, router) = (offer(1, 2), offer(3, 2), offer(8, 2), offer(9, 77));
        let all = [&router, &own, &as_seen, &peer];
        let ours = |known: Known, offers: &[&Offer]| {
            let sorted = known.sorted([192, 168, 7, 2].into(), offers.iter().copied().cloned().collect());
            assert_eq!(sorted.ours.len() + sorted.others.len(), offers.len());
            (sorted.ours, sorted.is_guessed)
        };
        assert_eq!(ours(known(true, &[]), &all), (vec![own.clone(), as_seen], false));
        assert_eq!(ours(known(true, &[8]), &[&router, &peer]), (vec![], false), "it runs here and is silent");
        assert_eq!(ours(known(false, &[8]), &[&router, &peer]), (vec![peer.clone()], false));
        assert_eq!(ours(known(false, &[7]), &[&router, &peer]), (vec![], false), "another one has answered");
        assert_eq!(ours(known(false, &[8]), &[&own, &peer]), (vec![own], false));
        let beside = Known { is_beside_another: true, ..known(false, &[]) };
        assert_eq!(ours(beside, &[&router, &peer]), (vec![], false), "a proxy gives no addresses");
        assert_eq!(ours(known(false, &[]), &[&router, &peer]), (vec![peer], true), "nobody is known yet");
        assert_eq!(ours(known(false, &[]), &[&router]), (vec![], false));
    }
}
