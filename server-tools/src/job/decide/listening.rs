//! After a client has gone off: whether it stays off. One that cannot power off, or whose watchdog resets it on the way, comes
//! back, and silence for a few seconds looks the same. Of a client that was asked to stop only this silence is awaited: a person may be waiting.
//! A client that was given up has not said that it goes off: it is waited for until it does, and then as any other.
//!
//! ```text
//! powering off ─▶ silent ─▶ finish, prune, … ─┬─▶ silent for long enough ─▶ off ──────▶ record, close
//! given up ─▶ asked until it is silent ─▲     │
//!                    └─ asked all the while ──┴─▶ it answers, or boots ─▶ it is on ─┘
//! ```

use std::time::Duration;

use ghost_contract::order::AtEnd;

use crate::job::{Action, Awaited, Ending, Failure, FailureKind, Heard, Job, Listening, Note, Step};
use crate::output::plain::FromClient;

/// How often it is asked whether it is there.
const ASK: Duration = Duration::from_secs(2);

impl Job {
    /// The client has fallen silent after its last line. One that was asked to boot again is expected back.
    pub(super) fn begin_to_listen(&mut self, now: Duration) {
        if self.plan.at_end != AtEnd::PowerOff || self.why_it_stays_on().is_some() {
            return;
        }
        self.has_gone_off = true;
        if !self.plan.limits.listen.is_zero() {
            let until = now.saturating_add(self.plan.limits.listen);
            self.listen_for(Awaited::Return, now, until);
        }
    }

    /// The job ends although its client has not: nothing has shown that the client goes off. One that was never seen was never on.
    pub(super) fn give_up(&mut self, ending: Ending, now: Duration) -> Vec<Action> {
        let is_seen = self.seen.answered.is_some() || self.seen.heard.is_some() || self.seen.said.up;
        let is_to_go_off = self.plan.at_end == AtEnd::PowerOff
            && self.why_it_stays_on().is_none()
            && self.suspicion.is_none();
        if is_seen && is_to_go_off && !self.plan.limits.listen.is_zero() {
            self.listen_for(Awaited::Silence, now, now.saturating_add(self.plan.limits.off));
            self.listening = self.listening.map(|listening| Listening { given_up: true, ..listening });
        }
        self.end(ending, now)
    }

    /// A client that was asked to stop has said that it powers off. Whether it comes back later is not waited for.
    pub(super) fn await_silence(&mut self, now: Duration) {
        let is_asked = self.begun.contains(&Step::AskToStop) && self.plan.at_end == AtEnd::PowerOff;
        let is_over = self.has_gone_off || self.listening.is_some() || self.why_it_stays_on().is_some();
        if is_asked && !is_over && !self.plan.limits.listen.is_zero() {
            self.listen_for(Awaited::Silence, now, now.saturating_add(self.plan.limits.off));
        }
    }

    fn listen_for(&mut self, awaited: Awaited, since: Duration, until: Duration) {
        let due = since.saturating_add(ASK);
        self.listening = Some(Listening { awaited, since, until, due, told: false, given_up: false });
    }

    /// Whether nothing is awaited of the client any more but that it stays off.
    pub(crate) const fn has_gone_off(&self) -> bool {
        self.has_gone_off
    }

    /// A client that has said that it cannot power off, or that it boots again, is on: that is left undone.
    pub(super) fn stays_on(&mut self) -> Option<Action> {
        if self.plan.at_end != AtEnd::PowerOff {
            return None;
        }
        let reason = format!("{} is on: {}", self.plan.identity.host, self.why_it_stays_on()?);
        self.is_left_on(reason)
    }

    fn why_it_stays_on(&self) -> Option<String> {
        let said = &self.seen.said;
        let cannot = said.cannot_power_off.as_ref();
        let cannot = cannot.map(|why| format!("{}; it was to boot its own disk instead", FromClient(why)));
        let again = || "it said that it boots again, as a person at it can have it do".to_owned();
        cannot.or_else(|| (said.powering_off == Some(true)).then(again))
    }

    /// A client that was given up has written its last line after all. If that says that it stays on, nothing more is listened for.
    pub(super) fn has_left_late(&mut self, now: Duration) -> Vec<Action> {
        let Some(Listening { given_up: true, told, .. }) = self.listening else { return Vec::new() };
        let Some(stays_on) = self.stays_on() else { return Vec::new() };
        self.listening = None;
        std::iter::once(stays_on).chain(self.go_on_after_listening(told, now)).collect()
    }

    pub(super) fn is_left_on(&mut self, reason: String) -> Option<Action> {
        self.trouble(None, Failure { kind: FailureKind::Failed, reason })
    }

    /// A client that had gone off asks for a boot file, or speaks. Many a system of its own never answers.
    pub(super) fn boots_again(&mut self, heard: &Heard, now: Duration) -> Vec<Action> {
        match heard {
            Heard::AsksForFile { .. } => self.came_back(&format!("it {heard}"), now),
            Heard::Says { .. } => self.came_back(&heard.to_string(), now),
            // A management controller of a machine that is off asks for an address, too.
            Heard::AsksForAddress | Heard::TakesAddress { .. } => Vec::new(),
        }
    }

    /// Something shows that a client that had gone off is on.
    pub(super) fn came_back(&mut self, what_it_does: &str, now: Duration) -> Vec<Action> {
        let Some(Listening { awaited: Awaited::Return, since, told, .. }) = self.listening else {
            return Vec::new();
        };
        self.listening = None;
        let host = &self.plan.identity.host;
        let silent = now.saturating_sub(since).as_secs();
        let reason = format!(
            "{host} is on: it came back {silent} s after it had fallen silent ({what_it_does}), so it has booted again, or a person has switched it on"
        );
        let mut actions: Vec<Action> = self.is_left_on(reason).into_iter().collect();
        actions.extend(self.go_on_after_listening(told, now));
        actions
    }

    /// Time has passed while the job finishes.
    pub(super) fn listen(&mut self, now: Duration) -> Vec<Action> {
        let Some(mut listening) = self.listening else { return Vec::new() };
        let is_late = now >= listening.until;
        let is_silent = !self.answers_since(listening.since, now);
        let told = match listening.awaited {
            Awaited::Silence if is_silent && listening.given_up => return self.listen_on(listening, now),
            Awaited::Silence if is_silent => Some(self.is_off()),
            Awaited::Silence if is_late => Some(self.is_still_on(listening, now)),
            Awaited::Return if is_late && listening.given_up => Some(self.may_be_off(now)),
            Awaited::Return if is_late => Some(self.is_off()),
            Awaited::Silence | Awaited::Return => None,
        };
        if let Some(mut actions) = told {
            self.listening = None;
            actions.extend(self.go_on_after_listening(listening.told, now));
            return actions;
        }
        if now < listening.due {
            return Vec::new();
        }
        listening.due = now.saturating_add(ASK);
        self.listening = Some(listening);
        vec![Action::Probe, Action::Echo]
    }

    /// A client that was given up has fallen silent. One that hangs, or is being reset, is silent for as long.
    fn listen_on(&mut self, before: Listening, now: Duration) -> Vec<Action> {
        self.has_gone_off = true;
        self.listen_for(Awaited::Return, now, now.saturating_add(self.plan.limits.listen));
        self.listening = self.listening.map(|listening| Listening { given_up: true, ..listening });
        if before.told { self.only_listens(now) } else { Vec::new() }
    }

    /// No operating system has answered for a client that was given up, but its card may have.
    fn may_be_off(&mut self, now: Duration) -> Vec<Action> {
        if !self.seen.answered.is_some_and(|answered| self.is_lately(answered, now)) {
            return self.is_off();
        }
        let reason = format!(
            "{} may be on: it answers ARP but not ping, as Windows does, and as a management controller does for a PC that is off; look at it",
            self.plan.identity.host
        );
        self.is_left_on(reason).into_iter().collect()
    }

    /// Nothing shows that it is on.
    fn is_off(&mut self) -> Vec<Action> {
        self.has_gone_off = true;
        let has_answered = self.seen.answered.is_some() || self.seen.echoed.is_some();
        vec![Action::Tell(if has_answered { Note::Off } else { Note::NeverAnswered })]
    }

    fn is_still_on(&mut self, Listening { since, given_up, .. }: Listening, now: Duration) -> Vec<Action> {
        let host = &self.plan.identity.host;
        let seconds = now.saturating_sub(since).as_secs();
        let reason = if given_up {
            format!("{host} is on: its job was given up {seconds} s ago, and it still answers")
        } else {
            format!("{host} is on: {seconds} s ago it said that it powers off, and it still answers")
        };
        self.is_left_on(reason).into_iter().collect()
    }

    /// All that was left to do before the record is done.
    pub(super) fn only_listens(&mut self, now: Duration) -> Vec<Action> {
        // A revert that was given up is not due any more.
        self.again = None;
        let Some(listening) = &mut self.listening else { return Vec::new() };
        if std::mem::replace(&mut listening.told, true) {
            return Vec::new();
        }
        let seconds = listening.until.saturating_sub(now).as_secs();
        let note = match listening.awaited {
            Awaited::Silence if listening.given_up => Note::AwaitsSilence { seconds },
            Awaited::Silence => return Vec::new(),
            Awaited::Return => Note::Listens { seconds },
        };
        vec![Action::Tell(note)]
    }

    /// A person does not want to wait for that. `None`: nothing else is waited for.
    pub(super) fn listen_no_more(&mut self, by: &str, now: Duration) -> Option<Vec<Action>> {
        let listening = self.listening.filter(|listening| listening.told)?;
        self.listening = None;
        let text = format!("{by}: whether it stays off is not waited for");
        let mut actions = vec![Action::Tell(Note::Warning { text })];
        if listening.given_up && listening.awaited == Awaited::Silence {
            let host = &self.plan.identity.host;
            let reason = format!(
                "{host} may be on: its job was given up, and it has not fallen silent since; look at it"
            );
            actions.extend(self.is_left_on(reason));
        }
        actions.extend(self.go_on_after_listening(true, now));
        Some(actions)
    }

    /// Where nothing else was left to do, the job has stood still.
    fn go_on_after_listening(&mut self, stood_still: bool, now: Duration) -> Vec<Action> {
        if stood_still { self.go_on_finishing(now) } else { Vec::new() }
    }
}
