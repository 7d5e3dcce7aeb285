//! A revert that fails is tried again. While the client works, the job goes on meanwhile. A job that is over does nothing else
//! first, until its deadline for that.

use std::time::Duration;

use crate::job::{Action, Again, Failure, FailureKind, Job, Note, Phase, Step, Swapping};

/// How soon a revert that failed is tried again. The wait doubles each time, up to the last one.
const AGAIN_FIRST: Duration = Duration::from_secs(5);
const AGAIN_LAST: Duration = Duration::from_secs(300);
/// The longest wait of a job that is over.
const AGAIN_LAST_AT_THE_END: Duration = Duration::from_secs(60);

/// When DHCP is looked at once more while the client works: a server that is not well ends, or is found out, within seconds.
const WATCHED: Duration = Duration::from_secs(10);
/// A job that is over looks no sooner after a restart.
const WATCHED_AT_THE_END: Duration = Duration::from_secs(2);

impl Job {
    /// Tries again later. The client works already, so the job goes on.
    pub(super) fn revert_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        self.judge_again(step, &failure);
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

    /// Puts the entry back while the restart that the swap has asked for is still being done: the client is up, or the job is
    /// over, so that nothing needs the swap any more.
    pub(super) fn revert_beside(&mut self) -> Option<Action> {
        if !self.can_revert_beside() {
            return None;
        }
        self.beside = Some(Step::Revert);
        Some(self.has_done(Step::Revert))
    }

    pub(super) fn can_revert_beside(&self) -> bool {
        self.doing == Some(Step::OfferBoot) && !self.begun.contains(&Step::Revert)
    }

    /// The client is up before the restart has ended. Mostly that ends soon, and then all who are up share one revert.
    pub(super) fn wait_for_the_restart(&mut self, now: Duration) -> Vec<Action> {
        if self.again.is_none() && self.can_revert_beside() {
            self.again = Some(Again::after(now, AGAIN_FIRST));
        }
        Vec::new()
    }

    /// A step has ended. Whether it was done beside another one, whose end decides how things go on.
    pub(super) fn was_beside(&mut self, step: Step) -> bool {
        if self.beside == Some(step) {
            self.beside = None;
            return true;
        }
        self.doing = self.beside.take();
        false
    }

    /// What is left of the revert, part of which may be done already, or be being done.
    pub(super) fn go_on_reverting(&mut self) -> Option<Action> {
        match (self.doing, self.swapping) {
            (Some(_), _) => None,
            (None, Swapping::PutBack) => Some(self.begin(Step::OfferOwn)),
            (None, _) => Some(self.begin(Step::Revert)),
        }
    }

    /// Goes by what a failed look or restart has found of the configuration.
    pub(super) fn judge_again(&mut self, step: Step, failure: &Failure) {
        self.swapping = match (step, failure.kind) {
            (Step::LookAgain, FailureKind::NotServed | FailureKind::EntryGone) => Swapping::PutBack,
            (Step::LookAgain, _) | (Step::OfferOwn, FailureKind::OfferedAgain) => Swapping::Swapped,
            _ => return,
        };
    }

    /// DHCP offers the boot file again at the end of the job, or it cannot be told. It is put back once more at once, and then as
    /// often and as long as after any revert that has failed.
    pub(super) fn found_swapped(&mut self, failure: Failure, now: Duration) -> Vec<Action> {
        let mut actions: Vec<Action> = self.trouble(Some(Step::LookAgain), failure).into_iter().collect();
        self.finishing.get_or_insert_default().push(Step::LookAgain);
        self.insists_from.get_or_insert(now);
        self.failed_looks += 1;
        if self.failed_looks == 1 {
            actions.push(self.begin(Step::Revert));
        } else {
            actions.extend(self.next_finishing(now));
        }
        actions
    }

    /// A revert that was just taken up is looked at once more.
    pub(super) fn watch(&mut self, step: Step, now: Duration) {
        if step == Step::OfferOwn && !self.swapping.is_left() {
            self.taken_up = Some(now);
            self.look_due = Some(now + WATCHED).filter(|_| self.phase != Phase::Finishing);
        }
    }

    pub(super) fn watched_until(&self) -> Option<Duration> {
        self.taken_up.map(|taken_up| taken_up.saturating_add(WATCHED_AT_THE_END))
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
        !self.plan.limits.revert.is_zero() && self.has_time_left(now)
    }

    /// Whether the deadline for that is not over. One of nothing lets each be tried once.
    pub(super) fn has_time_left(&self, now: Duration) -> bool {
        let limit = self.plan.limits.revert;
        let until = self.insists_until.or(self.insists_from.map(|from| from.saturating_add(limit)));
        limit.is_zero() || until.is_none_or(|until| now < until)
    }

    pub(super) fn try_again_later(&mut self, now: Duration) -> Vec<Action> {
        let limit = self.plan.limits.revert;
        let is_first = self.insists_until.is_none();
        let from = self.insists_from.unwrap_or(now);
        let until = *self.insists_until.get_or_insert(from.saturating_add(limit));
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
            Swapping::PutBack if self.entry_is_gone() => Some(format!(
                "it has no DHCP entry any more, so that what DHCP offers it is not known; correct the cause above, then run \
                 'ghostctl dhcp revert {host}'"
            )),
            Swapping::PutBack => Some(format!(
                "its DHCP entry is reverted, but the DHCP server has not taken it up; correct the cause above, then run 'ghostctl dhcp revert {host}'"
            )),
        }
    }

    /// Whether the last that was found is that the configuration does not have the host.
    fn entry_is_gone(&self) -> bool {
        let last = self.troubles.iter().rfind(|trouble| trouble.is_of_revert());
        last.is_some_and(|trouble| trouble.failure.kind == FailureKind::EntryGone)
    }
}
