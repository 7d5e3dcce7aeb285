//! The end of a job: what it undoes, keeps and records, in which order, and what it says it left undone.

use std::time::Duration;

use ghost_contract::Mode;

use crate::job::said::AT_STAKE;
use crate::job::{Action, Again, Ending, Failure, FailureKind, Job, Note, Phase, Step, Swapping, Trouble};

impl Job {
    /// What is left to do must be done; only the tries to revert can be cut short.
    pub(super) fn stop_finishing(&mut self, by: &str, now: Duration) -> Vec<Action> {
        let insists = self.insists_until.is_some_and(|until| now < until) && self.swapping.is_left();
        if let Some(actions) = self.listen_no_more(by, now).or_else(|| self.insists_on_leaving(by, now)) {
            return actions;
        }
        let what = if insists {
            // Who stops that does not want to wait for anything else either.
            self.listening = None;
            self.insists_until = Some(now);
            self.again = self.again.map(|again| Again { due: now, ..again });
            "trying to revert for the last time"
        } else {
            "already finishing, which cannot be stopped"
        };
        vec![Action::Tell(Note::Warning { text: format!("{by}: {what}") })]
    }

    /// The job is over: undo, keep and record what there is. A step that is being done is waited for.
    pub(super) fn end(&mut self, ending: Ending, now: Duration) -> Vec<Action> {
        let at_stake = self.disk_at_stake(&ending);
        self.ending = Some(ending);
        let stays_on = self.stays_on();
        (self.again, self.look_due) = (None, None);
        self.insists_from = self.swapping.is_left().then_some(now);
        let mut actions = vec![self.enter(Phase::Finishing, now)];
        actions.extend(at_stake);
        actions.extend(stays_on);
        actions.extend(self.is_left_reset(now));
        actions.extend(self.revert_beside());
        if self.doing.is_none() {
            actions.extend(self.begin_finishing(now));
        }
        actions
    }

    fn begin_finishing(&mut self, now: Duration) -> Vec<Action> {
        let mut steps = self.clean_up();
        steps.reverse();
        self.finishing = Some(steps);
        self.next_finishing(now)
    }

    /// The same after a try to revert that has taken all the time that there is for that.
    fn begin_finishing_after_the_last_try(&mut self, now: Duration) -> Vec<Action> {
        let mut steps = self.clean_up();
        steps.retain(|step| !matches!(step, Step::Revert | Step::OfferOwn));
        steps.reverse();
        self.finishing = Some(steps);
        self.next_finishing(now)
    }

    /// Keeps in the record that a restore has left a disk that must not be used, and tells of it unless the client
    /// has. A client that ends without an outcome has told nothing of its disk either.
    fn disk_at_stake(&mut self, ending: &Ending) -> Option<Action> {
        let is_restore =
            self.plan.identity.mode == Mode::Restore && self.seen.said.claimed && !ending.is_success();
        let is_unknown = self.seen.said.outcome.is_none();
        if !is_restore || !(is_unknown || self.seen.said.disk_incomplete) {
            return None;
        }
        let failure = Failure { kind: FailureKind::Failed, reason: AT_STAKE.to_owned() };
        self.troubles.push(Trouble { step: None, failure });
        is_unknown.then_some(Action::Tell(Note::DiskAtStake))
    }

    /// The steps that the ending needs after those that were done, in their order.
    fn clean_up(&self) -> Vec<Step> {
        let Some(ending) = &self.ending else { return Vec::new() };
        let mut steps = Vec::new();
        match self.swapping {
            Swapping::Own => {}
            Swapping::Swapped => steps.push(Step::Revert),
            Swapping::PutBack => steps.push(Step::OfferOwn),
        }
        if matches!(ending, Ending::Stopped { client_runs: true, .. }) {
            steps.push(Step::AskToStop);
        }
        // What is checked then is what stays: its client cannot write to it any more.
        if self.begun.contains(&Step::Export) {
            steps.push(Step::Unexport);
        }
        // A tree that could not be made whole may be there in part.
        if self.begun.contains(&Step::MakeTree) {
            if self.plan.identity.mode == Mode::Backup {
                steps.push(if ending.is_success() { Step::FinishGeneration } else { Step::SetAside });
            }
            // A client that still works on it has been given up: its disk is told of as one that must not be used.
            if self.plan.identity.mode == Mode::Restore {
                steps.push(Step::RemoveScratch);
            }
            steps.push(Step::Withdraw);
            if self.plan.identity.mode == Mode::Backup && ending.is_success() {
                steps.push(Step::Prune);
            }
        }
        if self.begun.contains(&Step::Swap) {
            steps.push(Step::LookAgain);
        }
        if self.done.contains(&Step::Claim) {
            steps.extend([Step::Record, Step::Close]);
        }
        steps
    }

    /// A step has ended since the job did.
    pub(super) fn go_on_finishing(&mut self, now: Duration) -> Vec<Action> {
        if self.doing.is_some() {
            return Vec::new();
        }
        if self.finishing.is_none() { self.begin_finishing(now) } else { self.next_finishing(now) }
    }

    pub(super) fn next_finishing(&mut self, now: Duration) -> Vec<Action> {
        if self.is_to_leave_first(now) {
            return self.leave_first(now);
        }
        let told = self.leave_no_more(now);
        told.into_iter().chain(self.next_step(now)).collect()
    }

    fn next_step(&mut self, now: Duration) -> Vec<Action> {
        let is_left = self.swapping.is_left();
        let Some(steps) = &mut self.finishing else { return Vec::new() };
        match steps.pop() {
            // The record shall tell what comes of it, and nothing that takes long may hold it up.
            Some(step) if is_left && step.waits_for_the_revert() && self.insists(now) => {
                self.finishing.get_or_insert_default().push(step);
                self.try_again_later(now)
            }
            // The record shall tell whether it has stayed off.
            Some(Step::Record) if self.listening.is_some() => {
                self.finishing.get_or_insert_default().push(Step::Record);
                self.only_listens(now)
            }
            // What is known to be swapped need not be looked for.
            Some(Step::LookAgain) if is_left => self.next_finishing(now),
            // One that has only just been started may end at once.
            Some(Step::LookAgain) if self.watched_until().is_some_and(|until| now < until) => {
                self.finishing.get_or_insert_default().push(Step::LookAgain);
                self.look_due = self.watched_until();
                Vec::new()
            }
            // What takes long has given time for a mend.
            Some(Step::Record) if is_left && self.has_waited_since_the_revert() => {
                self.finishing.get_or_insert_default().push(Step::Record);
                vec![self.begin(Step::Revert)]
            }
            // The journal's entry outlives what may not stay: it is what `recover` goes by.
            Some(Step::Close) if is_left || self.keeps_the_entry() => self.next_finishing(now),
            Some(step) => {
                self.again = None;
                vec![self.begin(step)]
            }
            None => {
                self.phase = Phase::Closed;
                let left = self.left_undone();
                let ended =
                    self.ending.clone().map(|ending| Action::Tell(Note::Ended { ending, left, lacks: None }));
                ended.into_iter().collect()
            }
        }
    }

    /// Whether something is left that only the journal's entry tells of: a client that boots from the network later could still
    /// find its order or mount its folders, or there is no record of the job.
    fn keeps_the_entry(&self) -> bool {
        [Step::Withdraw, Step::Unexport, Step::Record].into_iter().any(|step| self.is_troubled_by(step))
    }

    fn is_troubled_by(&self, step: Step) -> bool {
        self.troubles.iter().any(|trouble| trouble.step == Some(step))
    }

    /// What remains of the job and how to put it right, for the last line. `None`: nothing remains.
    fn left_undone(&self) -> Option<String> {
        let others =
            self.troubles.iter().filter(|trouble| self.swapping == Swapping::Own || !trouble.is_of_revert());
        let kept = [
            (Step::Withdraw, "the order is still in the tree"),
            (Step::Unexport, self.still_exported()),
            (Step::Record, "the journal's entry is kept until its record can be written"),
        ];
        let kept = kept.into_iter().filter(|(step, _)| self.is_troubled_by(*step));
        let mend = "correct the cause above, then run 'ghostctl recover'";
        let left = kept.map(|(_, left)| format!("{left}; {mend}")).chain(self.swap_left());
        let words: Vec<String> = others.map(Trouble::words).chain(left).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    const fn still_exported(&self) -> &'static str {
        match self.ending {
            Some(Ending::StepFailed { step: Step::Unexport, .. }) => {
                "the client may still write to its backup, which is no generation yet"
            }
            _ => "the client may still write to what it has written",
        }
    }

    /// The client may still write to its image, so that nobody vouches for it yet. It stays where it is, and `recover` finishes it
    /// once the exports are taken away.
    fn finishes_no_generation_yet(&mut self, failure: Failure) {
        let Some(steps) = &mut self.finishing else { return };
        if steps.contains(&Step::FinishGeneration) {
            steps.retain(|step| !matches!(step, Step::FinishGeneration | Step::Prune));
            self.ending = Some(Ending::StepFailed { step: Step::Unexport, failure });
        }
    }

    pub(super) fn finishing_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        self.judge_again(step, &failure);
        if step == Step::LookAgain && self.finishing.is_some() {
            return self.found_swapped(failure, now);
        }
        let mut actions = Vec::new();
        // What the job was doing when it ended and what is undone anyway need not be told.
        if self.finishing.is_some() || matches!(step, Step::Revert | Step::OfferOwn | Step::LookAgain) {
            actions.extend(self.trouble(Some(step), failure.clone()));
        }
        if step == Step::Unexport && self.ending.as_ref().is_some_and(Ending::is_success) {
            self.finishes_no_generation_yet(failure);
        } else if step == Step::FinishGeneration {
            self.ending = Some(Ending::StepFailed { step, failure });
            if let Some(steps) = &mut self.finishing {
                // There is nothing new that older ones would have to make room for.
                steps.retain(|step| *step != Step::Prune);
                steps.push(Step::SetAside);
            }
        }
        let is_tried = self.finishing.is_none() && matches!(step, Step::Revert | Step::OfferOwn);
        actions.extend(match self.doing {
            None if is_tried && !self.has_time_left(now) => self.begin_finishing_after_the_last_try(now),
            _ => self.go_on_finishing(now),
        });
        actions
    }
}
