//! Whether another machine on the wire has an address that this one is about to take, from what is said by ARP (RFC 5227).
//!
//! Sends and receives nothing. No address is free before a neighbour has been heard: a switch that looks for loops lets nothing
//! pass for half a minute, and meanwhile no other machine can object.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::anyhow;
use ghost_contract::MacAddress;
use ghost_contract::arp::Answer;

/// Pause between the first rounds of questions, and between those on the heels of a neighbour's answer.
const ASK_SOON: Duration = Duration::from_millis(200);
/// Pause between all others. Each round is two broadcasts, and switches shut a port for more than 15 in a second.
const ASK_LATER: Duration = Duration::from_secs(1);
/// How many rounds come soon one after the other: as many probes as RFC 5227 has (`PROBE_NUM`).
const ROUNDS_SOON: u32 = 3;
/// How long after a neighbour has answered another machine may still say that the address is its own.
const LATE_ANSWER: Duration = Duration::from_millis(300);
/// How long one check waits for the neighbour.
const NOBODY_ANSWERS: Duration = Duration::from_secs(3);
/// The shortest and the longest pause before the next check where another machine checks at the same time: many checks long, so
/// that mostly one of the two is alone on the wire with its next one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_millis(3300);

/// One check: when to ask, and what the answers mean. Times are since the kernel's start.
#[derive(Debug)]
pub(crate) struct AddressCheck {
    own: MacAddress,
    address: Ipv4Addr,
    neighbour: Ipv4Addr,
    /// How many rounds of questions there were, and when the next one is due.
    rounds: u32,
    next_round: Duration,
    /// When nothing more is waited for.
    until: Duration,
    neighbour_heard: bool,
    taken_by: Option<MacAddress>,
    wanted_by: Option<MacAddress>,
}

/// What is known of an address now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    NotYet,
    Free,
    Taken(MacAddress),
    /// Another machine is about to take it as well: neither may (RFC 5227, 2.1.1). It may have it, or have given up, when this is
    /// checked again after a [`pause`].
    Contested(MacAddress),
    /// The neighbour has not answered. Perhaps nobody has heard the question.
    Unheard,
}

impl AddressCheck {
    pub(crate) fn new(own: MacAddress, address: Ipv4Addr, neighbour: Ipv4Addr, now: Duration) -> Self {
        Self {
            own,
            address,
            neighbour,
            rounds: 0,
            next_round: now,
            until: now.saturating_add(NOBODY_ANSWERS),
            neighbour_heard: false,
            taken_by: None,
            wanted_by: None,
        }
    }

    /// Whether to ask for both addresses now. A yes counts as asked, however much is heard until the next one.
    pub(crate) fn due(&mut self, now: Duration) -> bool {
        if now < self.next_round {
            return false;
        }
        self.rounds += 1;
        let is_soon = self.rounds < ROUNDS_SOON || self.neighbour_heard;
        self.next_round = now.saturating_add(if is_soon { ASK_SOON } else { ASK_LATER });
        true
    }

    /// How long to listen before the next question, or the verdict.
    pub(crate) fn pause(&self, now: Duration) -> Duration {
        self.next_round.min(self.until).saturating_sub(now)
    }

    /// A machine has said which address it has.
    pub(crate) fn hear(&mut self, said: Answer, now: Duration) {
        if said.mac == self.own {
            return;
        }
        if said.ip == self.address {
            self.taken_by = Some(said.mac);
        }
        if said.ip == self.neighbour && !self.neighbour_heard {
            self.neighbour_heard = true;
            self.until = now.saturating_add(LATE_ANSWER);
            // It may have spoken by itself, on a port that was closed when the last question was asked.
            self.next_round = self.next_round.min(now.saturating_add(ASK_SOON));
        }
    }

    /// A machine has asked for an address that it is about to take.
    pub(crate) fn hear_probe(&mut self, probe: Answer) {
        if probe.mac != self.own && probe.ip == self.address {
            self.wanted_by = Some(probe.mac);
        }
    }

    pub(crate) fn verdict(&self, now: Duration) -> Verdict {
        match (self.taken_by, self.wanted_by) {
            (Some(by), _) => Verdict::Taken(by),
            _ if now < self.until => Verdict::NotYet,
            (None, Some(by)) => Verdict::Contested(by),
            (None, None) if self.neighbour_heard => Verdict::Free,
            (None, None) => Verdict::Unheard,
        }
    }
}

/// The pause before the next check where this one was contested. `random` must differ from the other machine's, which else
/// pauses as long and contests the next check as well.
pub(crate) fn pause(random: u64) -> Duration {
    let span = LONGEST_PAUSE.saturating_sub(SHORTEST_PAUSE).as_nanos();
    let part = u64::try_from(u128::from(random) % span).unwrap_or_default();
    SHORTEST_PAUSE.saturating_add(Duration::from_nanos(part))
}

/// That an address is another machine's, and what to do about it.
pub(crate) fn taken(address: Ipv4Addr, by: MacAddress) -> anyhow::Error {
    anyhow!(
        "another machine has the address {address} already: {by}; give that one another address, or this one in the DHCP \
         configuration"
    )
}

/// That another machine is about to take an address, and what to do about it.
pub(crate) fn contested(address: Ipv4Addr, by: MacAddress) -> anyhow::Error {
    anyhow!(
        "another machine asks for the address {address} too: {by}; give each of them its own in the DHCP configuration"
    )
}

/// That a neighbour does not answer, and what to do about it.
pub(crate) fn unheard(neighbour: Ipv4Addr) -> anyhow::Error {
    anyhow!(
        "{neighbour} does not answer; see whether that machine is on, and whether the switch lets this port through (spanning \
         tree)"
    )
}

#[cfg(test)]
mod tests;
