//! A client that was asked to stop looks for that, and says how it ends, in folders that a job takes away when it is over. Were they taken
//! away at once, it might never hear of it, and stay on.
//!
//! ```text
//! asked to stop ─▶ waits ─┬─ it says that it powers off ─┬─▶ the job takes away what was its client's
//!                         ├─ it says nothing for a minute ┤
//!                         └─ a person insists ────────────┘
//! ```

use std::time::Duration;

use crate::job::{Action, Failure, FailureKind, Job, Leaving, Note, Step};

/// How long it has. It looks every three seconds, and has its imager end.
pub(super) const LEAVES_WITHIN: Duration = Duration::from_secs(60);
/// A second stop counts as a person who insists only after this time. Before that it is the second signal of a closed terminal or of a
/// service manager, which send two.
const INSISTS_AFTER: Duration = Duration::from_secs(5);

impl Job {
    /// Whether everything stays as it is for now.
    pub(super) fn is_to_leave_first(&self, now: Duration) -> bool {
        // Where nobody wants to know whether it goes off, only its exports keep it from hearing of the stop.
        let is_awaited = self.plan.exported_for_job || !self.plan.limits.listen.is_zero();
        let is_asked = self.done.contains(&Step::AskToStop) && self.seen.said.powering_off.is_none();
        let has_time = match self.leaving {
            Leaving::NotAwaited => true,
            Leaving::Until(until) => now < until,
            Leaving::Over => false,
        };
        is_awaited && is_asked && has_time
    }

    /// Waits, for a time that begins with the first call.
    pub(super) fn leave_first(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.leaving == Leaving::NotAwaited {
            self.leaving = Leaving::Until(now.saturating_add(LEAVES_WITHIN));
            actions.push(Action::Tell(Note::Leaves { seconds: LEAVES_WITHIN.as_secs() }));
        }
        // The time is not lost for a revert that has failed.
        let is_due = self.again.is_none_or(|again| again.due <= now);
        if is_due && self.swapping.is_left() && self.insists(now) {
            actions.extend(self.try_again_later(now));
        } else if is_due {
            self.again = None;
        }
        actions
    }

    /// Until when nothing is done but to wait for the client. `None`: it is not waited for.
    pub(super) fn waits_for_the_client(&self) -> Option<Duration> {
        match self.leaving {
            Leaving::Until(until) if self.doing.is_none() => Some(until),
            _ => None,
        }
    }

    /// The client has said that it leaves.
    pub(super) fn has_left(&mut self, now: Duration) -> Vec<Action> {
        self.await_silence(now);
        if self.waits_for_the_client().is_none() {
            return self.has_left_late(now);
        }
        let stays_on = self.stays_on();
        stays_on.into_iter().chain(self.next_finishing(now)).collect()
    }

    /// Time has passed: if the client has had its minute, the job goes on without it.
    pub(super) fn waits_no_more(&mut self, now: Duration) -> Option<Vec<Action>> {
        let until = self.waits_for_the_client()?;
        (now >= until).then(|| self.next_finishing(now))
    }

    /// The wait is over, if there was one: a client that has said nothing is told of.
    pub(super) fn leave_no_more(&mut self, now: Duration) -> Option<Action> {
        let Leaving::Until(_) = self.leaving else { return None };
        self.leaving = Leaving::Over;
        if self.seen.said.powering_off.is_some() {
            return None;
        }
        let host = &self.plan.identity.host;
        let because = self.why_it_was_reset(now).map_or_else(String::new, |because| format!(" ({because})"));
        let reason = format!(
            "{host} was asked to stop and has not said that it does: look whether it is off{because}"
        );
        self.trouble(None, Failure { kind: FailureKind::Failed, reason })
    }

    /// A person does not want to wait.
    pub(super) fn insists_on_leaving(&mut self, by: &str, now: Duration) -> Option<Vec<Action>> {
        let until = self.waits_for_the_client()?;
        if now < until.saturating_sub(LEAVES_WITHIN).saturating_add(INSISTS_AFTER) {
            return None;
        }
        self.leaving = Leaving::Until(now);
        let text = format!("{by}: whether it stops is not waited for");
        let mut actions = vec![Action::Tell(Note::Warning { text })];
        actions.extend(self.next_finishing(now));
        Some(actions)
    }
}
