//! What a job does when time passes: packets and questions that are due, deadlines, and a client that has gone silent.

use std::time::Duration;

use super::{ASK_AT_WORK, ASK_CLOSELY};
use crate::job::{Action, Ending, Heard, Job, Note, Phase, Step};

impl Job {
    pub(super) fn time_passed(&mut self, now: Duration) -> Vec<Action> {
        if self.again.is_some_and(|again| now >= again.due) {
            // Whatever else is due is done by the next call.
            if self.doing.is_none() {
                return vec![self.begin(Step::Revert)];
            }
            if let Some(revert) = self.revert_beside() {
                self.again = None;
                return vec![revert];
            }
        }
        if self.look_due.is_some_and(|due| now >= due) && self.doing.is_none() {
            self.look_due = None;
            return match self.phase {
                Phase::Finishing => self.next_finishing(now),
                _ => vec![self.begin(Step::LookAgain)],
            };
        }
        if let Some(actions) = self.waits_no_more(now) {
            return actions;
        }
        if self.phase == Phase::Finishing {
            return self.listen(now);
        }
        if self.is_quiet(now) {
            let mut actions = Vec::new();
            if self.seen.answered.is_some_and(|answered| self.is_lately(answered, now)) {
                actions.push(Action::Tell(Note::OnlyArp));
            }
            self.begin_to_listen(now);
            actions.extend(self.end(self.client_ending(), now));
            return actions;
        }
        if let Some(actions) = self.was_reset(now) {
            return actions;
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            return self.deadline_passed(now);
        }
        if self.phase == Phase::Imaging && self.silence(now) >= self.plan.limits.lost {
            return self.give_up(Ending::Lost { silent: self.silence(now).as_secs() }, now);
        }
        if now < self.due {
            return Vec::new();
        }
        match self.phase {
            Phase::Probing => {
                self.due = now + ASK_CLOSELY;
                vec![Action::Probe]
            }
            Phase::GoingOff => {
                self.due = now + ASK_CLOSELY;
                vec![Action::Probe, Action::Echo]
            }
            // An answer to ARP may be a management controller's, so that it is no reason to stop.
            Phase::Woken => {
                self.due = now + self.plan.limits.wake_every;
                self.seen.packets += 1;
                vec![Action::Wake, Action::Probe]
            }
            Phase::Imaging | Phase::Up | Phase::Reverted => {
                self.due = now + ASK_AT_WORK;
                vec![Action::Probe]
            }
            _ => Vec::new(),
        }
    }

    /// Whether no operating system has answered for long enough since the machine said that it goes off. ARP alone does
    /// not count: a management controller answers that for a machine that is off.
    fn is_quiet(&self, now: Duration) -> bool {
        self.phase == Phase::GoingOff && !self.answers_since(self.entered, now)
    }

    /// Whether an operating system may still answer that was on at this time.
    pub(super) fn answers_since(&self, then: Duration, now: Duration) -> bool {
        self.is_lately(self.seen.echoed.unwrap_or_default().max(then), now)
    }

    pub(super) fn is_lately(&self, then: Duration, now: Duration) -> bool {
        now.saturating_sub(then) < self.plan.limits.quiet
    }

    /// How long the client has neither spoken nor answered.
    fn silence(&self, now: Duration) -> Duration {
        let heard = self.seen.answered.max(self.seen.spoke).unwrap_or_default().max(self.entered);
        now.saturating_sub(heard)
    }

    fn deadline_passed(&mut self, now: Duration) -> Vec<Action> {
        match self.phase {
            Phase::Probing => vec![self.enter(Phase::Preparing, now), self.begin(Step::MakeTree)],
            Phase::Woken => self.give_up(Ending::NeverUp { last_seen: self.last_seen() }, now),
            Phase::Up | Phase::Reverted => self.give_up(self.overdue("the client to claim its order"), now),
            Phase::Imaging => self.give_up(self.overdue("the client's work to end"), now),
            Phase::GoingOff => self.end(Ending::StillOn { outcome: self.seen.said.outcome.clone() }, now),
            _ => Vec::new(),
        }
    }

    fn overdue(&self, waiting_for: &str) -> Ending {
        match &self.seen.said.refused {
            Some(reason) => Ending::Refused { reason: reason.clone() },
            None => Ending::Overdue { waiting_for: waiting_for.to_owned() },
        }
    }

    /// What there is to tell of a client that never came up.
    fn last_seen(&self) -> String {
        let packets = self.seen.packets;
        if let (None, Some(heard)) = (self.seen.spoke, &self.seen.heard) {
            let ip = self.plan.identity.ip;
            let mut seen = heard.in_the_end(ip);
            let is_told = matches!(heard, Heard::TakesAddress { .. });
            if let Some((address, of)) = self.seen.took.filter(|(took, _)| *took != ip && !is_told) {
                seen += &format!(
                    "; it had taken the address {address} of the DHCP server {of} instead of {ip}: another DHCP server answers on its network"
                );
            }
            if let Some(mac) = self.seen.stranger {
                seen += &format!("; and another machine, {mac}, answers for its IP address");
            }
            return format!("{packets} magic packets were sent and {seen}");
        }
        let seen = match (self.seen.spoke, self.seen.answered, self.seen.stranger) {
            (Some(_), ..) => "another machine used its tree",
            (None, Some(_), _) => {
                "it answered on the network, so that it was awake, or its management controller (Intel AMT, a BMC) answers for it; \
                 it was not heard to boot from the network, and ghost-init never reported: check that it \
                 boots from the network first, and its screen"
            }
            (None, None, Some(_)) => "another machine answered for its IP address",
            (None, None, None) => {
                "nothing was seen of it on the network: check that Wake-on-LAN is armed and that it \
                 boots from the network first"
            }
        };
        format!("{packets} magic packets were sent and {seen}")
    }
}
