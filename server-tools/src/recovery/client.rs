//! What is known of the client of a job that has lost its owner: what it has reported, and whether it answers now.

use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::report::{self, Outcome};

use crate::job::{Identity, Said, Step};
use crate::state::journal::{Begun, ClientState, State};
use crate::sys::arp::Arp;
use crate::sys::clock;
use crate::sys::icmp::Icmp;
use crate::sys::interface::Interface;
use crate::tree::Tree;

/// How long is listened whether a client is still on.
const LISTENING: Duration = Duration::from_millis(1_500);

/// What a look at a client has shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) state: ClientState,
    /// Why one that answers may be doing something else than its work, in words.
    pub(super) doubt: Option<String>,
}

pub(super) fn look(tree: &Tree, state: &State) -> Look {
    let begun = &state.begun;
    let gone = Look { state: ClientState::Gone, doubt: None };
    let Ok(bytes) = tree.whole_report() else { return gone };
    let said = Said::of(&report::read(&bytes).entries, &begun.identity.job);
    if !said.claimed {
        return gone;
    }
    let is_on = match said.powering_off {
        // It was told so, and what answers now is its own system.
        Some(true) if begun.at_end == Some(AtEnd::Reboot) => false,
        // Its job was over, and only its exports could not be taken away. They are now, before anything else.
        Some(false) if state.intended.contains(&Step::Unexport) => false,
        Some(false) => echoes(begun),
        // One that was to power off and boots again may still write.
        Some(true) | None => answers(begun),
    };
    let now = clock::now();
    let silent = tree.report_changed().map(|changed| now.since(changed)).unwrap_or_default();
    let is_overdue = begun.deadline.is_some_and(|deadline| now > deadline);
    judge(&said, is_on, is_overdue, silent)
}

/// A client that answers counts as at work until its deadline: while the boot server was away, one that is at work could not report
/// either. But its own system answers just so.
fn judge(said: &Said, is_on: bool, is_overdue: bool, silent: Duration) -> Look {
    let state = match (is_on, said.powering_off, &said.outcome) {
        (true, ..) if !is_overdue => ClientState::AtWork,
        (false, Some(_), Some(Outcome::Succeeded)) => ClientState::Succeeded,
        _ => ClientState::Gone,
    };
    let seconds = silent.as_secs();
    let doubt = match state {
        ClientState::AtWork if silent > said.silent_at_most() => Some(format!(
            "the client answers, but has reported nothing for {seconds} s: it cannot reach the boot server, or it was reset and runs its own \
             system; look at it, and recover again when it is off"
        )),
        _ if is_on && is_overdue => {
            Some("the client answers although its job's time is over, so it is on; look at it".to_owned())
        }
        _ => None,
    };
    Look { state, doubt }
}

/// Whether the client answers on the network. Where nobody can be asked, nobody answers.
fn answers(begun: &Begun) -> bool {
    let Identity { ip, mac, .. } = begun.identity;
    let Ok(interface) = Interface::towards(ip) else { return false };
    if !interface.is_neighbour(ip) {
        return echoes(begun);
    }
    let found = Arp::open(&interface).ok().and_then(|arp| arp.find(ip, LISTENING));
    found.is_some_and(|found| found == mac)
}

/// Whether an operating system answers. A management controller answers ARP for a machine that is off.
fn echoes(begun: &Begun) -> bool {
    Icmp::open().is_ok_and(|icmp| icmp.find(begun.identity.ip, LISTENING))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What is made of a client that answers, has claimed its order, and has been silent for so long.
    fn of(said: Said, is_overdue: bool, silent: u64) -> (ClientState, Option<String>) {
        let Look { state, doubt } = judge(&Said { claimed: true, ..said }, true, is_overdue, seconds(silent));
        (state, doubt)
    }

    #[test]
    fn one_that_answers_and_reports_nothing_may_run_its_own_system() {
        assert_eq!(of(Said::default(), false, 60), (ClientState::AtWork, None));
        let (state, doubt) = of(Said::default(), false, 600);
        let doubt = doubt.unwrap();
        assert_eq!(state, ClientState::AtWork, "its orders and folders stay, since it may be at work");
        assert!(doubt.contains("nothing for 600 s") && doubt.contains("runs its own system"), "{doubt}");
        let sleeps = || Said { sleeps: Some(seconds(900)), ..Said::default() };
        assert_eq!(
            of(sleeps(), false, 1_000),
            (ClientState::AtWork, None),
            "mode test sleeps without a word"
        );
        assert!(of(sleeps(), false, 1_200).1.is_some());
    }

    #[test]
    fn one_that_answers_when_its_time_is_over_is_on() {
        let (state, doubt) = of(Said::default(), true, 5);
        assert_eq!(state, ClientState::Gone);
        assert!(doubt.unwrap().contains("it is on"));
        let silent = judge(&Said { claimed: true, ..Said::default() }, false, true, seconds(5_000));
        assert_eq!(silent, Look { state: ClientState::Gone, doubt: None });
    }
}
