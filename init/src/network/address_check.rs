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
    /// Another machine is about to take it as well. It may have it, or have given up, when this is checked again.
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
mod tests {
    use super::*;

    const OURS: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);

    fn mac(last: u8) -> MacAddress {
        MacAddress::new([0x52, 0x54, 0, 0, 0, last])
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn says(ip: Ipv4Addr, mac_of: u8) -> Answer {
        Answer { ip, mac: mac(mac_of) }
    }

    fn check() -> AddressCheck {
        AddressCheck::new(mac(2), OURS, SERVER, ms(1000))
    }

    /// When it asks, milliseconds after it began, if nothing is heard but the server at this time.
    fn rounds(server_at: Option<u64>) -> Vec<u64> {
        let mut check = check();
        let mut rounds = Vec::new();
        for after in 0.. {
            let now = ms(1000 + after);
            if check.verdict(now) != Verdict::NotYet {
                break;
            }
            if server_at == Some(after) {
                check.hear(says(SERVER, 1), now);
            }
            if check.due(now) {
                rounds.push(after);
            }
            assert!(check.due(now) || check.pause(now) > Duration::ZERO, "it would not wait at {after} ms");
        }
        rounds
    }

    #[test]
    fn an_address_is_free_once_the_server_has_answered_and_nobody_else() {
        let mut free = check();
        assert_eq!(free.verdict(ms(1000)), Verdict::NotYet);
        free.hear(says(OURS, 2), ms(1001));
        free.hear(says(SERVER, 1), ms(1100));
        free.hear(says(SERVER, 1), ms(1390));
        assert_eq!(free.verdict(ms(1399)), Verdict::NotYet, "another one may still answer");
        assert_eq!(free.verdict(ms(1400)), Verdict::Free);

        let mut taken = check();
        taken.hear(says(SERVER, 1), ms(1100));
        taken.hear(says(OURS, 9), ms(1200));
        assert_eq!(taken.verdict(ms(1400)), Verdict::Taken(mac(9)));
    }

    #[test]
    fn an_address_is_not_free_while_nobody_hears_the_question() {
        let mut alone = check();
        alone.hear(says(Ipv4Addr::new(192, 168, 7, 3), 3), ms(1100));
        assert_eq!(alone.verdict(ms(3999)), Verdict::NotYet);
        assert_eq!(alone.verdict(ms(4000)), Verdict::Unheard);
    }

    #[test]
    fn an_address_that_another_machine_is_about_to_take_is_not_free() {
        let mut contested = check();
        contested.hear_probe(says(OURS, 2));
        contested.hear_probe(says(SERVER, 9));
        contested.hear(says(SERVER, 1), ms(1100));
        assert_eq!(
            contested.verdict(ms(1400)),
            Verdict::Free,
            "own probes, and those for others, mean nothing"
        );
        contested.hear_probe(says(OURS, 9));
        assert_eq!(contested.verdict(ms(1399)), Verdict::NotYet, "it may be another machine's");
        assert_eq!(contested.verdict(ms(1400)), Verdict::Contested(mac(9)));
        contested.hear(says(OURS, 9), ms(1400));
        assert_eq!(contested.verdict(ms(1400)), Verdict::Taken(mac(9)));
    }

    #[test]
    fn what_others_say_does_not_make_it_ask_sooner() {
        let mut check = check();
        let mut asked = 0;
        for frame in 0..1000 {
            let now = ms(1000) + Duration::from_micros(frame * 199);
            asked += usize::from(check.due(now));
            check.hear(says(Ipv4Addr::new(192, 168, 7, 3), 3), now);
            check.hear(says(SERVER, 1), now);
        }
        assert_eq!(asked, 1);
    }

    #[test]
    fn it_asks_a_few_times_and_then_slowly() {
        assert_eq!(rounds(None), [0, 200, 400, 1400, 2400]);
        assert_eq!(rounds(Some(1)), [0, 200]);
    }

    #[test]
    fn a_server_that_is_heard_late_is_followed_by_a_question_that_others_can_hear() {
        assert_eq!(rounds(Some(1500)), [0, 200, 400, 1400, 1700]);
    }
}
