//! A revert that fails is tried again. While the client works, the job goes on meanwhile. A job that is over does nothing else
//! first, until its deadline for that.

use std::time::Duration;

use crate::job::{Action, Again, Failure, Job, Note, Phase, Step, Swapping};

/// How soon a revert that failed is tried again. The wait doubles each time, up to the last one.
const AGAIN_FIRST: Duration = Duration::from_secs(5);
const AGAIN_LAST: Duration = Duration::from_secs(300);
/// The longest wait of a job that is over.
const AGAIN_LAST_AT_THE_END: Duration = Duration::from_secs(60);

impl Job {
    /// Tries again later. The client works already, so the job goes on.
    pub(super) fn revert_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        let mut actions: Vec<Action> = self.trouble(Some(step), failure).into_iter().collect();
        let waited = self.again.map_or(AGAIN_FIRST, |again| (again.waited * 2).min(AGAIN_LAST));
        self.again = Some(Again::after(now, waited));
        if self.phase == Phase::Up {
            self.entered = now;
            self.due = now;
        }
        actions.extend(self.catch_up(now));
        actions
    }

    /// The swap is undone after all, so what went wrong with that is no trouble any more.
    pub(super) fn put_right(&mut self, step: Step) -> Vec<Action> {
        if step != Step::OfferOwn || self.swapping.is_left() {
            return Vec::new();
        }
        self.again = None;
        let before = self.troubles.len();
        self.troubles.retain(|trouble| !trouble.is_of_revert());
        let is_late = self.troubles.len() < before;
        is_late.then_some(Action::Tell(Note::RevertedLate)).into_iter().collect()
    }

    /// Whether a job that is over goes on trying to revert before it does anything else.
    pub(super) fn insists(&self, now: Duration) -> bool {
        !self.plan.limits.revert.is_zero() && self.insists_until.is_none_or(|until| now < until)
    }

    pub(super) fn try_again_later(&mut self, now: Duration) -> Vec<Action> {
        let limit = self.plan.limits.revert;
        let is_first = self.insists_until.is_none();
        let until = *self.insists_until.get_or_insert(now.saturating_add(limit));
        let before = self.again.filter(|_| !is_first);
        let waited = before.map_or(AGAIN_FIRST, |again| (again.waited * 2).min(AGAIN_LAST_AT_THE_END));
        self.again = Some(Again::after(now, waited.min(until.saturating_sub(now))));
        is_first.then_some(Action::Tell(Note::Insists { seconds: limit.as_secs() })).into_iter().collect()
    }

    pub(super) fn has_waited_since_the_revert(&self) -> bool {
        let last = |is_it: fn(Step) -> bool| self.begun.iter().rposition(|step| is_it(*step));
        last(Step::is_lengthy) > last(|step| step == Step::Revert)
    }

    /// What DHCP is left with and how that is put right, for the last line.
    pub(super) fn swap_left(&self) -> Option<String> {
        let host = &self.plan.identity.host;
        match self.swapping {
            Swapping::Own => None,
            Swapping::Swapped => Some(format!(
                "DHCP still offers it the boot file; correct the cause above, then run 'ghostctl dhcp revert {host}'"
            )),
            Swapping::PutBack => Some(format!(
                "its DHCP entry is reverted, but the DHCP server has not taken it up; correct the cause above, then run 'ghostctl dhcp revert {host}'"
            )),
        }
    }
}
