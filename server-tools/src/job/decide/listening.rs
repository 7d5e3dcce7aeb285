//! After a client has gone off: whether it stays off. One that cannot power off, or whose watchdog resets it on the way, comes
//! back, and silence for a few seconds looks the same.
//!
//! ```text
//! powering off ─▶ silent ─▶ finish, prune, … ─┬─▶ silent for long enough ─▶ off ──────▶ record, close
//!                    └─ asked all the while ──┴─▶ it answers ─▶ it is on ─┘
//! ```

use std::time::Duration;

use ghost_contract::order::AtEnd;

use crate::job::{Action, Failure, FailureKind, Job, Listening, Note};
use crate::output::plain::FromClient;

/// How often it is asked whether it is there.
const ASK: Duration = Duration::from_secs(2);

impl Job {
    /// The client has fallen silent after its last line. One that was asked to boot again is expected back.
    pub(super) fn begin_to_listen(&mut self, now: Duration) {
        if self.plan.at_end != AtEnd::PowerOff || self.seen.said.cannot_power_off.is_some() {
            return;
        }
        self.has_gone_off = true;
        if !self.plan.limits.listen.is_zero() {
            let until = now.saturating_add(self.plan.limits.listen);
            self.listening = Some(Listening { since: now, until, due: now.saturating_add(ASK), told: false });
        }
    }

    /// Whether nothing is awaited of the client any more but that it stays off.
    pub(crate) const fn has_gone_off(&self) -> bool {
        self.has_gone_off
    }

    /// A client that has said that it cannot power off is on: that is left undone.
    pub(super) fn stays_on(&mut self) -> Option<Action> {
        if self.plan.at_end != AtEnd::PowerOff {
            return None;
        }
        let reason = self.seen.said.cannot_power_off.as_ref()?;
        let host = &self.plan.identity.host;
        let reason = format!("{host} is on: {}; it was to boot its own disk instead", FromClient(reason));
        self.is_left_on(reason)
    }

    fn is_left_on(&mut self, reason: String) -> Option<Action> {
        self.trouble(None, Failure { kind: FailureKind::Failed, reason })
    }

    /// An operating system answers at the address of a client that had gone off.
    pub(super) fn came_back(&mut self, now: Duration) -> Vec<Action> {
        let Some(Listening { since, told, .. }) = self.listening.take() else { return Vec::new() };
        let host = &self.plan.identity.host;
        let silent = now.saturating_sub(since).as_secs();
        let reason = format!(
            "{host} is on: it came back {silent} s after it had fallen silent, so it has booted again, or a person has switched it on"
        );
        let mut actions: Vec<Action> = self.is_left_on(reason).into_iter().collect();
        actions.extend(self.go_on_after_listening(told, now));
        actions
    }

    /// Time has passed while the job finishes.
    pub(super) fn listen(&mut self, now: Duration) -> Vec<Action> {
        let Some(listening) = &mut self.listening else { return Vec::new() };
        if now >= listening.until {
            let told = listening.told;
            self.listening = None;
            let has_answered = self.seen.answered.is_some() || self.seen.echoed.is_some();
            let note = if has_answered { Note::Off } else { Note::NeverAnswered };
            let mut actions = vec![Action::Tell(note)];
            actions.extend(self.go_on_after_listening(told, now));
            return actions;
        }
        if now < listening.due {
            return Vec::new();
        }
        listening.due = now.saturating_add(ASK);
        vec![Action::Probe, Action::Echo]
    }

    /// All that was left to do before the record is done.
    pub(super) fn only_listens(&mut self, now: Duration) -> Vec<Action> {
        // A revert that was given up is not due any more.
        self.again = None;
        let Some(listening) = &mut self.listening else { return Vec::new() };
        if std::mem::replace(&mut listening.told, true) {
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
