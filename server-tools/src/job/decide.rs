//! The policy of a job: what is done about what happened.

use std::time::Duration;

use ghost_contract::image::Progress;
use ghost_contract::report::{self, Entry};
use ghost_contract::{MacAddress, Mode};

use super::note::AT_STAKE;
use super::{Action, AlreadyOn, Ending, Event, Failure, FailureKind, Job, Note, Phase, Sample, Step};

/// How often a client that is at work is asked whether it is there.
const ASK_AT_WORK: Duration = Duration::from_secs(20);
/// How often it is asked when an answer is awaited.
const ASK_CLOSELY: Duration = Duration::from_millis(500);

impl Job {
    /// What is to be done now that this has happened.
    pub fn decide(&mut self, event: Event, now: Duration) -> Vec<Action> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        match event {
            Event::Begun => {
                self.entered = now;
                vec![Action::Do(Step::Claim)]
            }
            Event::StepDone(step) => self.step_done(step, now),
            Event::StepFailed(step, failure) => self.step_failed(step, failure, now),
            Event::Answered(mac) => self.answered(mac, now),
            Event::Echoed => self.is_on(now),
            Event::Reported(entry) => self.reported(entry, now),
            Event::Muttered(line) => vec![Action::Tell(Note::Muttered { line })],
            Event::StopAsked(by) => self.stop(by, now),
            Event::TimePassed => self.time_passed(now),
        }
    }

    /// When this job next wants to hear [`Event::TimePassed`], if nothing happens before.
    pub fn next_due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Probing | Phase::Woken | Phase::Reverted | Phase::Imaging | Phase::GoingOff => {
                Some(self.due.min(self.deadline().unwrap_or(self.due)))
            }
            Phase::Preparing
            | Phase::Prepared
            | Phase::Swapped
            | Phase::Up
            | Phase::Finishing
            | Phase::Closed => None,
        }
    }

    /// When the phase must be over. Phases in which a step is done have the step's own deadlines.
    fn deadline(&self) -> Option<Duration> {
        let limits = &self.plan.limits;
        let limit = match self.phase {
            Phase::Probing => limits.probing,
            Phase::Woken => limits.up,
            Phase::Reverted => limits.claim,
            Phase::Imaging => limits.imaging,
            Phase::GoingOff => limits.off,
            Phase::Preparing
            | Phase::Prepared
            | Phase::Swapped
            | Phase::Up
            | Phase::Finishing
            | Phase::Closed => return None,
        };
        Some(self.entered.saturating_add(limit))
    }

    fn enter(&mut self, phase: Phase, now: Duration) -> Action {
        self.phase = phase;
        self.entered = now;
        self.due = now;
        Action::Tell(Note::Phase { phase })
    }

    fn step_done(&mut self, step: Step, now: Duration) -> Vec<Action> {
        self.done.push(step);
        if self.phase == Phase::Finishing {
            return self.next_finishing();
        }
        match step {
            Step::Claim => {
                self.due = now + ASK_CLOSELY;
                vec![self.enter_probing(now), Action::Probe]
            }
            Step::MakeTree => vec![self.enter(Phase::Prepared, now), Action::Do(Step::Swap)],
            Step::Swap => vec![self.enter(Phase::Swapped, now), Action::Do(Step::OfferBoot)],
            Step::OfferBoot => {
                // An answer from before was the machine's own system.
                self.seen.answered = None;
                let mut actions = vec![self.enter(Phase::Woken, now), Action::Tell(Note::Waking)];
                actions.extend(self.time_passed(now));
                actions
            }
            Step::Revert => vec![Action::Do(Step::OfferOwn)],
            Step::OfferOwn => self.reverted(now),
            Step::AskToStop
            | Step::FinishGeneration
            | Step::Prune
            | Step::SetAside
            | Step::RemoveScratch
            | Step::Withdraw
            | Step::Record
            | Step::Close => Vec::new(),
        }
    }

    fn enter_probing(&mut self, now: Duration) -> Action {
        let tell = self.enter(Phase::Probing, now);
        self.due = now + ASK_CLOSELY;
        tell
    }

    /// The swap is undone; the client may have gone on meanwhile.
    fn reverted(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = vec![self.enter(Phase::Reverted, now)];
        actions.extend(self.catch_up(now));
        actions
    }

    fn step_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        if self.phase == Phase::Finishing {
            return self.finishing_failed(step, failure);
        }
        match step {
            // The client works already: it is let go on, and the revert is tried again at the end.
            Step::Revert | Step::OfferOwn => {
                let mut actions = vec![self.trouble(step, failure)];
                actions.extend(self.reverted(now));
                actions
            }
            _ => self.end(Ending::StepFailed { step, failure }, now),
        }
    }

    fn trouble(&mut self, step: Step, failure: Failure) -> Action {
        self.troubles.push(failure.clone());
        Action::Tell(Note::Trouble { step, failure })
    }

    fn answered(&mut self, mac: MacAddress, now: Duration) -> Vec<Action> {
        if mac != self.plan.mac {
            let known = self.seen.stranger.replace(mac) == Some(mac);
            return match self.phase {
                Phase::Probing => self.end(Ending::AddressTaken { by: mac }, now),
                _ if known => Vec::new(),
                _ => vec![Action::Tell(Note::Stranger { mac })],
            };
        }
        self.is_on(now)
    }

    /// The client, as far as can be known, answers on the network.
    fn is_on(&mut self, now: Duration) -> Vec<Action> {
        let first = self.seen.answered.replace(now).is_none();
        match self.phase {
            Phase::Probing if self.plan.already_on == AlreadyOn::Refuse => self.end(Ending::AlreadyOn, now),
            Phase::Woken if first => vec![Action::Tell(Note::Answers)],
            _ => Vec::new(),
        }
    }

    fn reported(&mut self, entry: Entry, now: Duration) -> Vec<Action> {
        self.seen.spoke = Some(now);
        let mut actions = Vec::new();
        match &entry.event {
            report::Event::Up { mac, .. } if *mac != self.plan.mac => {
                return vec![Action::Tell(Note::OtherUp { mac: *mac })];
            }
            report::Event::Up { .. } => self.seen.up = true,
            report::Event::OrderClaimed { job, .. } if *job == self.plan.id => self.seen.claimed = true,
            report::Event::OrderRefused { reason } => self.seen.refused = Some(reason.clone()),
            report::Event::Ended { outcome } => self.seen.outcome = Some(outcome.clone()),
            report::Event::PoweringOff { reboot } => self.seen.powering_off = Some(*reboot),
            report::Event::Sampled { .. } => self.seen.sample = Sample::of(&entry),
            report::Event::Progressed(progress) => actions.extend(self.progressed(progress)),
            report::Event::DiskIncomplete { .. } => self.seen.disk_incomplete = true,
            _ => {}
        }
        actions.push(Action::Tell(Note::Reported { event: entry.event }));
        actions.extend(self.catch_up(now));
        actions
    }

    /// The imager says how far it is; people are told when it does something else than before.
    fn progressed(&mut self, progress: &Progress) -> Option<Action> {
        let what = |progress: &Progress| (progress.phase, progress.disk, progress.region);
        let before = self.seen.progress.replace(progress.clone());
        let is_new = before.as_ref().map(what) != Some(what(progress));
        is_new.then(|| Action::Tell(Note::Doing { progress: progress.clone() }))
    }

    /// Goes as far as what the client has said allows.
    fn catch_up(&mut self, now: Duration) -> Vec<Action> {
        match self.phase {
            Phase::Woken if self.seen.up => vec![self.enter(Phase::Up, now), Action::Do(Step::Revert)],
            Phase::Woken if self.seen.powering_off.is_some() => {
                let reason = self.seen.refused.clone().unwrap_or_else(|| "it did not say why".to_owned());
                self.end(Ending::Refused { reason }, now)
            }
            Phase::Reverted if self.seen.powering_off.is_some() => self.going_off(now),
            Phase::Reverted if self.seen.claimed => {
                let mut actions = vec![self.enter(Phase::Imaging, now)];
                actions.extend(self.catch_up(now));
                actions
            }
            Phase::Imaging if self.seen.powering_off.is_some() => self.going_off(now),
            _ => Vec::new(),
        }
    }

    fn going_off(&mut self, now: Duration) -> Vec<Action> {
        if self.seen.powering_off == Some(true) {
            return self.end(self.client_ending(), now);
        }
        let tell = self.enter(Phase::GoingOff, now);
        self.due = now + ASK_CLOSELY;
        vec![tell, Action::Probe]
    }

    /// What the client's last words make the job's ending.
    fn client_ending(&self) -> Ending {
        match (&self.seen.outcome, &self.seen.refused) {
            (Some(outcome), _) => Ending::Done { outcome: outcome.clone() },
            (None, Some(reason)) => Ending::Refused { reason: reason.clone() },
            (None, None) => Ending::Done {
                outcome: report::Outcome::Failed { reason: "the client told no outcome".to_owned() },
            },
        }
    }

    fn time_passed(&mut self, now: Duration) -> Vec<Action> {
        if self.is_quiet(now) {
            return self.end(self.client_ending(), now);
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            return self.deadline_passed(now);
        }
        if self.phase == Phase::Imaging && self.silence(now) >= self.plan.limits.lost {
            return self.end(Ending::Lost { silent: self.silence(now).as_secs() }, now);
        }
        if now < self.due {
            return Vec::new();
        }
        match self.phase {
            Phase::Probing | Phase::GoingOff => {
                self.due = now + ASK_CLOSELY;
                vec![Action::Probe]
            }
            Phase::Woken if self.seen.answered.is_some() => {
                self.due = now + self.plan.limits.wake_every;
                vec![Action::Probe]
            }
            Phase::Woken => {
                self.due = now + self.plan.limits.wake_every;
                self.seen.packets += 1;
                vec![Action::Wake, Action::Probe]
            }
            Phase::Imaging | Phase::Reverted => {
                self.due = now + ASK_AT_WORK;
                vec![Action::Probe]
            }
            _ => Vec::new(),
        }
    }

    /// Whether the machine that said that it goes off has not answered for long enough.
    fn is_quiet(&self, now: Duration) -> bool {
        let last = self.seen.answered.unwrap_or_default().max(self.entered);
        self.phase == Phase::GoingOff && now.saturating_sub(last) >= self.plan.limits.quiet
    }

    /// How long the client has neither spoken nor answered.
    fn silence(&self, now: Duration) -> Duration {
        let heard = self.seen.answered.max(self.seen.spoke).unwrap_or_default().max(self.entered);
        now.saturating_sub(heard)
    }

    fn deadline_passed(&mut self, now: Duration) -> Vec<Action> {
        match self.phase {
            Phase::Probing => vec![self.enter(Phase::Preparing, now), Action::Do(Step::MakeTree)],
            Phase::Woken => self.end(Ending::NeverUp { last_seen: self.last_seen() }, now),
            Phase::Reverted => self.end(self.overdue("the client to claim its order"), now),
            Phase::Imaging => self.end(self.overdue("the client's work to end"), now),
            Phase::GoingOff => self.end(Ending::StillOn { outcome: self.seen.outcome.clone() }, now),
            _ => Vec::new(),
        }
    }

    fn overdue(&self, waiting_for: &str) -> Ending {
        match &self.seen.refused {
            Some(reason) => Ending::Refused { reason: reason.clone() },
            None => Ending::Overdue { waiting_for: waiting_for.to_owned() },
        }
    }

    /// What there is to tell of a client that never came up.
    fn last_seen(&self) -> String {
        let packets = self.seen.packets;
        let seen = match (self.seen.spoke, self.seen.answered, self.seen.stranger) {
            (Some(_), ..) => "its tree was used by another machine",
            (None, Some(_), _) => {
                "it answered on the network, so it was awake, but ghost-init never reported: look at its \
                 screen, the TFTP files and the NFS export"
            }
            (None, None, Some(_)) => "another machine answered for its IP address",
            (None, None, None) => {
                "nothing was seen of it on the network: look whether Wake-on-LAN is armed and whether it \
                 boots from the network first"
            }
        };
        format!("{packets} magic packets were sent and {seen}")
    }

    fn stop(&mut self, by: String, now: Duration) -> Vec<Action> {
        if self.phase == Phase::Finishing {
            return vec![Action::Tell(Note::Warning {
                text: format!("{by}: already finishing, which cannot be stopped"),
            })];
        }
        let client_runs = self.seen.up && self.seen.powering_off.is_none();
        self.end(Ending::Stopped { by, client_runs }, now)
    }

    /// The job is over: undo, keep and record what there is.
    fn end(&mut self, ending: Ending, now: Duration) -> Vec<Action> {
        self.finishing = self.clean_up(&ending);
        self.finishing.reverse();
        let at_stake = self.disk_at_stake(&ending);
        self.ending = Some(ending);
        let mut actions = vec![self.enter(Phase::Finishing, now)];
        actions.extend(at_stake);
        actions.extend(self.next_finishing());
        actions
    }

    /// Keeps in the record that a restore has left a disk that must not be used, and tells of it unless the client
    /// has. A client that ends without an outcome has told nothing of its disk either.
    fn disk_at_stake(&mut self, ending: &Ending) -> Option<Action> {
        let is_restore = self.plan.mode == Mode::Restore && self.seen.claimed && !ending.is_success();
        let is_unknown = self.seen.outcome.is_none();
        if !is_restore || !(is_unknown || self.seen.disk_incomplete) {
            return None;
        }
        self.troubles.push(Failure { kind: FailureKind::Failed, reason: AT_STAKE.to_owned() });
        is_unknown.then_some(Action::Tell(Note::DiskAtStake))
    }

    /// The steps that this ending needs after those that were done, in their order.
    fn clean_up(&self, ending: &Ending) -> Vec<Step> {
        let did = |step| self.done.contains(&step);
        let failed = |step| matches!(ending, Ending::StepFailed { step: failed, .. } if *failed == step);
        let mut steps = Vec::new();
        // A swap that failed half-way may have happened.
        if (did(Step::Swap) || failed(Step::Swap)) && !did(Step::OfferOwn) {
            steps.extend([Step::Revert, Step::OfferOwn]);
        }
        if matches!(ending, Ending::Stopped { client_runs: true, .. }) {
            steps.push(Step::AskToStop);
        }
        if did(Step::MakeTree) || failed(Step::MakeTree) {
            if self.plan.mode == Mode::Backup {
                steps.push(if ending.is_success() { Step::FinishGeneration } else { Step::SetAside });
            }
            // A client that still works on it has been given up: its disk is told of as one that must not be used.
            if self.plan.mode == Mode::Restore {
                steps.push(Step::RemoveScratch);
            }
            steps.push(Step::Withdraw);
            if self.plan.mode == Mode::Backup && ending.is_success() {
                steps.push(Step::Prune);
            }
        }
        if did(Step::Claim) {
            steps.extend([Step::Record, Step::Close]);
        }
        steps
    }

    fn next_finishing(&mut self) -> Vec<Action> {
        match self.finishing.pop() {
            // The journal's entry outlives a revert that failed: it is what `recover` goes by.
            Some(Step::Close) if self.is_swap_left() => self.next_finishing(),
            Some(step) => vec![Action::Do(step)],
            None => {
                self.phase = Phase::Closed;
                let ended = self.ending.clone().map(|ending| Action::Tell(Note::Ended { ending }));
                ended.into_iter().collect()
            }
        }
    }

    fn is_swap_left(&self) -> bool {
        let swap_failed = matches!(self.ending, Some(Ending::StepFailed { step: Step::Swap, .. }));
        let may_be_swapped = swap_failed || self.done.contains(&Step::Swap);
        may_be_swapped && !(self.done.contains(&Step::Revert) && self.done.contains(&Step::OfferOwn))
    }

    fn finishing_failed(&mut self, step: Step, failure: Failure) -> Vec<Action> {
        let mut actions = vec![self.trouble(step, failure.clone())];
        if step == Step::FinishGeneration {
            self.ending = Some(Ending::StepFailed { step, failure });
            // There is nothing new that older ones would have to make room for.
            self.finishing.retain(|step| *step != Step::Prune);
            self.finishing.push(Step::SetAside);
        }
        actions.extend(self.next_finishing());
        actions
    }
}

#[cfg(test)]
mod tests;
