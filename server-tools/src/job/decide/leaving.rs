//! A client that was asked to stop looks for that, and says how it ends, in folders that are exported to it for this job. Were they taken
//! away at once, it would never hear of it, and stay on.
//!
//! ```text
//! asked to stop ─▶ waits ─┬─ it says that it powers off ─┬─▶ its exports are taken away
//!                         ├─ it says nothing for a minute ┤
//!                         └─ a person insists ────────────┘
//! ```

use std::time::Duration;

use crate::job::{Action, Failure, FailureKind, Job, Note, Step};

/// How long it has. It looks every three seconds, and has its imager end.
pub(super) const LEAVES_WITHIN: Duration = Duration::from_secs(60);
/// A second stop counts as a person who insists only after this time. Before that it is the second signal of a closed terminal or of a
/// service manager, which send two.
const INSISTS_AFTER: Duration = Duration::from_secs(5);

impl Job {
    /// Whether its exports must stay for now.
    pub(super) fn is_to_leave_first(&self, now: Duration) -> bool {
        let is_asked = self.done.contains(&Step::AskToStop) && self.seen.said.powering_off.is_none();
        is_asked && self.leaves_by.is_none_or(|until| now < until)
    }

    /// Keeps its exports, for a time that begins with the first call.
    pub(super) fn leave_first(&mut self, now: Duration) -> Vec<Action> {
        self.finishing.get_or_insert_default().push(Step::Unexport);
        let mut actions = Vec::new();
        if self.leaves_by.is_none() {
            self.leaves_by = Some(now.saturating_add(LEAVES_WITHIN));
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

    /// Whether nothing is done until the client has said that it powers off.
    pub(super) fn waits_for_the_client(&self) -> bool {
        let is_next = self.finishing.as_ref().is_some_and(|steps| steps.last() == Some(&Step::Unexport));
        is_next && self.leaves_by.is_some() && self.doing.is_none()
    }

    /// The client has said that it leaves.
    pub(super) fn has_left(&mut self, now: Duration) -> Vec<Action> {
        let stays_on = self.stays_on();
        stays_on.into_iter().chain(self.next_finishing(now)).collect()
    }

    /// Time has passed: if the client has had its minute, the job goes on without it.
    pub(super) fn waits_no_more(&mut self, now: Duration) -> Option<Vec<Action>> {
        if !self.waits_for_the_client() || self.leaves_by.is_some_and(|until| now < until) {
            return None;
        }
        Some(self.next_finishing(now))
    }

    /// Takes its exports away, and tells of a client that has had its time and has said nothing.
    pub(super) fn take_exports_away(&mut self) -> Vec<Action> {
        self.again = None;
        let mut actions = Vec::new();
        if self.leaves_by.is_some() && self.seen.said.powering_off.is_none() {
            let host = &self.plan.identity.host;
            let reason =
                format!("{host} was asked to stop and has not said that it does: look whether it is off");
            actions.extend(self.trouble(None, Failure { kind: FailureKind::Failed, reason }));
        }
        actions.push(self.begin(Step::Unexport));
        actions
    }

    /// A person does not want to wait.
    pub(super) fn insists_on_leaving(&mut self, by: &str, now: Duration) -> Option<Vec<Action>> {
        let soonest = self.leaves_by?.saturating_sub(LEAVES_WITHIN).saturating_add(INSISTS_AFTER);
        if !self.waits_for_the_client() || now < soonest {
            return None;
        }
        self.leaves_by = Some(now);
        let text = format!("{by}: whether it stops is not waited for");
        let mut actions = vec![Action::Tell(Note::Warning { text })];
        actions.extend(self.next_finishing(now));
        Some(actions)
    }
}
