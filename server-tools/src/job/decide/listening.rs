//! After a client has gone off: whether it stays off. One that cannot power off, or whose watchdog resets it on the way, comes
//! back, and silence for a few seconds looks the same. Of a client that was asked to stop only this silence is awaited: a person may be waiting.
//!
//! ```text
//! powering off ─▶ silent ─▶ finish, prune, … ─┬─▶ silent for long enough ─▶ off ──────▶ record, close
//!                    └─ asked all the while ──┴─▶ it answers, or boots ─▶ it is on ─┘
//! ```

use std::time::Duration;

use ghost_contract::order::AtEnd;

use crate::job::{Action, Awaited, Failure, FailureKind, Heard, Job, Listening, Note, Step};
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
        self.listening = Some(Listening { awaited, since, until, due, told: false });
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

    fn is_left_on(&mut self, reason: String) -> Option<Action> {
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
        let told = match listening.awaited {
            Awaited::Silence if !self.answers_since(listening.since, now) => Some(self.is_off()),
            Awaited::Silence if is_late => Some(self.is_still_on(listening.since, now)),
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

    /// Nothing shows that it is on.
    fn is_off(&mut self) -> Vec<Action> {
        self.has_gone_off = true;
        let has_answered = self.seen.answered.is_some() || self.seen.echoed.is_some();
        vec![Action::Tell(if has_answered { Note::Off } else { Note::NeverAnswered })]
    }

    fn is_still_on(&mut self, since: Duration, now: Duration) -> Vec<Action> {
        let host = &self.plan.identity.host;
        let seconds = now.saturating_sub(since).as_secs();
        let reason =
            format!("{host} is on: {seconds} s ago it said that it powers off, and it still answers");
        self.is_left_on(reason).into_iter().collect()
    }

    /// All that was left to do before the record is done.
    pub(super) fn only_listens(&mut self, now: Duration) -> Vec<Action> {
        // A revert that was given up is not due any more.
        self.again = None;
        let Some(listening) = &mut self.listening else { return Vec::new() };
        if std::mem::replace(&mut listening.told, true) || listening.awaited == Awaited::Silence {
            return Vec::new();
        }
        vec![Action::Tell(Note::Listens { seconds: listening.until.saturating_sub(now).as_secs() })]
    }

    /// A person does not want to wait for that. `None`: nothing else is waited for.
    pub(super) fn listen_no_more(&mut self, by: &str, now: Duration) -> Option<Vec<Action>> {
        if !self.listening.is_some_and(|listening| listening.told) {
            return None;
        }
        self.listening = None;
        let text = format!("{by}: whether it stays off is not waited for");
        let mut actions = vec![Action::Tell(Note::Warning { text })];
        actions.extend(self.go_on_after_listening(true, now));
        Some(actions)
    }

    /// Where nothing else was left to do, the job has stood still.
    fn go_on_after_listening(&mut self, stood_still: bool, now: Duration) -> Vec<Action> {
        if stood_still { self.go_on_finishing(now) } else { Vec::new() }
    }
}
