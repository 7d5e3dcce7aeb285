//! The policy of a job: what is done about what happened.

use std::time::Duration;

use ghost_contract::image::Progress;
use ghost_contract::order::AtEnd;
use ghost_contract::report::{self, Entry};
use ghost_contract::{MacAddress, Mode};

use super::said::AT_STAKE;
use super::{
    Action, Again, AlreadyOn, Ending, Event, Failure, FailureKind, Job, Note, Phase, Step, Swapping, Trouble,
};

/// How often a client that is at work is asked whether it is there.
const ASK_AT_WORK: Duration = Duration::from_secs(20);
/// How often it is asked when an answer is awaited.
const ASK_CLOSELY: Duration = Duration::from_millis(500);
/// How soon a revert that failed is tried again, and after how long at most: each time twice as long as before.
const AGAIN_FIRST: Duration = Duration::from_secs(5);
const AGAIN_LAST: Duration = Duration::from_secs(300);
/// The same at most once the job is over, when there is nothing else to do.
const AGAIN_LAST_AT_THE_END: Duration = Duration::from_secs(60);

impl Job {
    /// What is to be done now that this has happened.
    pub fn decide(&mut self, event: Event, now: Duration) -> Vec<Action> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        match event {
            Event::Begun => {
                self.entered = now;
                vec![self.begin(Step::Claim)]
            }
            Event::StepDone(step) => self.step_done(step, now),
            Event::StepFailed(step, failure) => self.step_failed(step, failure, now),
            Event::Answered(mac) => self.answered(mac, now),
            Event::Echoed => {
                self.seen.echoed = Some(now);
                self.is_on(now)
            }
            Event::Reported(entry) => self.reported(entry, now),
            Event::Muttered(line) => vec![Action::Tell(Note::Muttered { line })],
            Event::Unwritten(failure) => self.trouble(None, failure).into_iter().collect(),
            Event::StopAsked(by) => self.stop(by, now),
            Event::TimePassed => self.time_passed(now),
        }
    }

    /// When this job next wants to hear [`Event::TimePassed`], if nothing happens before.
    pub fn next_due(&self) -> Option<Duration> {
        if self.phase == Phase::Closed {
            return None;
        }
        let due = self.deadline().map(|deadline| self.due.min(deadline));
        let again = self.again.filter(|_| self.doing.is_none()).map(|again| again.due);
        due.into_iter().chain(again).min()
    }

    /// When the phase must be over. Phases in which a step is done have the step's own deadlines.
    fn deadline(&self) -> Option<Duration> {
        let limits = &self.plan.limits;
        let limit = match self.phase {
            Phase::Probing => limits.probing,
            Phase::Woken => limits.up,
            Phase::Up if self.is_reverting() => return None,
            Phase::Up | Phase::Reverted => limits.claim,
            Phase::Imaging => limits.imaging,
            Phase::GoingOff => limits.off,
            Phase::Preparing | Phase::Prepared | Phase::Swapped | Phase::Finishing | Phase::Closed => {
                return None;
            }
        };
        Some(self.entered.saturating_add(limit))
    }

    const fn is_reverting(&self) -> bool {
        matches!(self.doing, Some(Step::Revert | Step::OfferOwn))
    }

    /// Has a step done. A swap may have happened as soon as it is begun.
    fn begin(&mut self, step: Step) -> Action {
        self.doing = Some(step);
        self.begun.push(step);
        if matches!(step, Step::Swap) {
            self.swapping = Swapping::Swapped;
        }
        Action::Do(step)
    }

    fn enter(&mut self, phase: Phase, now: Duration) -> Action {
        self.phase = phase;
        self.entered = now;
        self.due = now;
        Action::Tell(Note::Phase { phase })
    }

    fn step_done(&mut self, step: Step, now: Duration) -> Vec<Action> {
        self.done.push(step);
        self.doing = None;
        self.swapping = self.swapping.after(step);
        let mut actions = self.put_right(step);
        let is_put_back = step == Step::Revert && self.swapping == Swapping::PutBack;
        actions.extend(match self.phase {
            Phase::Finishing if is_put_back && self.finishing.is_some() => vec![self.begin(Step::OfferOwn)],
            Phase::Finishing => self.go_on_finishing(now),
            _ => self.after(step, now),
        });
        actions
    }

    /// What follows a step while the job is not over.
    fn after(&mut self, step: Step, now: Duration) -> Vec<Action> {
        match step {
            Step::Claim => {
                self.due = now + ASK_CLOSELY;
                vec![self.enter_probing(now), Action::Probe]
            }
            Step::MakeTree => vec![self.enter(Phase::Prepared, now), self.begin(Step::Swap)],
            Step::Swap => vec![self.enter(Phase::Swapped, now), self.begin(Step::OfferBoot)],
            Step::OfferBoot => {
                // An answer from before was the machine's own system.
                self.seen.answered = None;
                let mut actions = vec![self.enter(Phase::Woken, now)];
                // It may have been heard of before we hear of the restart.
                actions.extend(self.catch_up(now));
                if self.phase == Phase::Woken {
                    actions.push(Action::Tell(Note::Waking));
                    actions.extend(self.time_passed(now));
                }
                actions
            }
            Step::Revert => vec![self.begin(Step::OfferOwn)],
            Step::OfferOwn if self.phase == Phase::Up => {
                let mut actions = vec![self.enter(Phase::Reverted, now)];
                actions.extend(self.catch_up(now));
                actions
            }
            Step::OfferOwn
            | Step::AskToStop
            | Step::FinishGeneration
            | Step::Prune
            | Step::SetAside
            | Step::RemoveScratch
            | Step::Withdraw
            | Step::Record
            | Step::Close => Vec::new(),
        }
    }

    /// The swap is undone after all, so what went wrong with that is no trouble any more.
    fn put_right(&mut self, step: Step) -> Vec<Action> {
        if step != Step::OfferOwn || self.swapping.is_left() {
            return Vec::new();
        }
        self.again = None;
        let before = self.troubles.len();
        self.troubles.retain(|trouble| !trouble.is_of_revert());
        let is_late = self.troubles.len() < before;
        is_late.then_some(Action::Tell(Note::RevertedLate)).into_iter().collect()
    }

    fn enter_probing(&mut self, now: Duration) -> Action {
        let tell = self.enter(Phase::Probing, now);
        self.due = now + ASK_CLOSELY;
        tell
    }

    fn step_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        self.doing = None;
        if self.phase == Phase::Finishing {
            return self.finishing_failed(step, failure, now);
        }
        match step {
            // The client works already: it is let go on, and the revert is tried again meanwhile.
            Step::Revert | Step::OfferOwn => {
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
            _ => self.end(Ending::StepFailed { step, failure }, now),
        }
    }

    /// Keeps what went wrong, and tells it unless just that has been told.
    fn trouble(&mut self, step: Option<Step>, failure: Failure) -> Option<Action> {
        let trouble = Trouble { step, failure: failure.clone() };
        if self.troubles.contains(&trouble) {
            return None;
        }
        self.troubles.push(trouble);
        Some(Action::Tell(step.map_or_else(
            || Note::Unwritten { reason: failure.reason.clone() },
            |step| Note::Trouble { step, failure: failure.clone() },
        )))
    }

    fn answered(&mut self, mac: MacAddress, now: Duration) -> Vec<Action> {
        if mac != self.plan.identity.mac {
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
            report::Event::Up { mac, .. } if *mac != self.plan.identity.mac => {
                return vec![Action::Tell(Note::OtherUp { mac: *mac })];
            }
            report::Event::Progressed(progress) => actions.extend(self.does_something_else(progress)),
            _ => {}
        }
        self.seen.said.hear(&entry, &self.plan.identity.job);
        actions.push(Action::Tell(Note::Reported { event: entry.event }));
        actions.extend(self.catch_up(now));
        actions
    }

    /// People are told when the imager does something else than before.
    fn does_something_else(&self, progress: &Progress) -> Option<Action> {
        let what = |progress: &Progress| (progress.phase, progress.disk, progress.region);
        let is_new = self.seen.said.progress.as_ref().map(what) != Some(what(progress));
        is_new.then(|| Action::Tell(Note::Doing { progress: progress.clone() }))
    }

    /// Goes as far as what the client has said allows.
    fn catch_up(&mut self, now: Duration) -> Vec<Action> {
        match self.phase {
            Phase::Woken if self.seen.said.up => vec![self.enter(Phase::Up, now), self.begin(Step::Revert)],
            Phase::Woken if self.seen.said.powering_off.is_some() => {
                let reason =
                    self.seen.said.refused.clone().unwrap_or_else(|| "it did not say why".to_owned());
                self.end(Ending::Refused { reason }, now)
            }
            // The first revert is awaited, since the next phases are of a client whose entry is its own again.
            Phase::Up if self.is_reverting() => Vec::new(),
            Phase::Up | Phase::Reverted if self.seen.said.powering_off.is_some() => self.going_off(now),
            Phase::Up | Phase::Reverted if self.seen.said.claimed => {
                let mut actions = vec![self.enter(Phase::Imaging, now)];
                actions.extend(self.catch_up(now));
                actions
            }
            Phase::Imaging if self.seen.said.powering_off.is_some() => self.going_off(now),
            _ => Vec::new(),
        }
    }

    fn going_off(&mut self, now: Duration) -> Vec<Action> {
        // One that was told to power off and boots again may still write, so that its silence is awaited.
        if self.seen.said.powering_off == Some(true) && self.plan.at_end == AtEnd::Reboot {
            return self.end(self.client_ending(), now);
        }
        let tell = self.enter(Phase::GoingOff, now);
        self.due = now + ASK_CLOSELY;
        vec![tell, Action::Probe, Action::Echo]
    }

    /// What the client's last words make the job's ending.
    fn client_ending(&self) -> Ending {
        match (&self.seen.said.outcome, &self.seen.said.refused) {
            (Some(outcome), _) => Ending::Done { outcome: outcome.clone() },
            (None, Some(reason)) => Ending::Refused { reason: reason.clone() },
            (None, None) => Ending::Done {
                outcome: report::Outcome::Failed { reason: "the client told no outcome".to_owned() },
            },
        }
    }

    fn time_passed(&mut self, now: Duration) -> Vec<Action> {
        if self.doing.is_none() && self.again.is_some_and(|again| now >= again.due) {
            // Whatever else is due is heard of by the next call.
            return vec![self.begin(Step::Revert)];
        }
        if self.phase == Phase::Finishing {
            return Vec::new();
        }
        if self.is_quiet(now) {
            let mut actions = Vec::new();
            if self.seen.answered.is_some_and(|answered| self.is_lately(answered, now)) {
                actions.push(Action::Tell(Note::OnlyArp));
            }
            actions.extend(self.end(self.client_ending(), now));
            return actions;
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
            Phase::Probing => {
                self.due = now + ASK_CLOSELY;
                vec![Action::Probe]
            }
            Phase::GoingOff => {
                self.due = now + ASK_CLOSELY;
                vec![Action::Probe, Action::Echo]
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
        let last = self.seen.echoed.unwrap_or_default().max(self.entered);
        self.phase == Phase::GoingOff && !self.is_lately(last, now)
    }

    fn is_lately(&self, then: Duration, now: Duration) -> bool {
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
            Phase::Woken => self.end(Ending::NeverUp { last_seen: self.last_seen() }, now),
            Phase::Up | Phase::Reverted => self.end(self.overdue("the client to claim its order"), now),
            Phase::Imaging => self.end(self.overdue("the client's work to end"), now),
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
            return self.stop_finishing(&by, now);
        }
        let client_runs = self.seen.said.up && self.seen.said.powering_off.is_none();
        self.end(Ending::Stopped { by, client_runs }, now)
    }

    /// What is left to do must be done; only the tries to revert can be cut short.
    fn stop_finishing(&mut self, by: &str, now: Duration) -> Vec<Action> {
        let insists = self.insists_until.is_some_and(|until| now < until) && self.swapping.is_left();
        let what = if insists {
            self.insists_until = Some(now);
            self.again = self.again.map(|again| Again { due: now, ..again });
            "trying to revert for the last time"
        } else {
            "already finishing, which cannot be stopped"
        };
        vec![Action::Tell(Note::Warning { text: format!("{by}: {what}") })]
    }

    /// The job is over: undo, keep and record what there is. A step that is being done is waited for.
    fn end(&mut self, ending: Ending, now: Duration) -> Vec<Action> {
        let at_stake = self.disk_at_stake(&ending);
        self.ending = Some(ending);
        self.again = None;
        let mut actions = vec![self.enter(Phase::Finishing, now)];
        actions.extend(at_stake);
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
        if self.done.contains(&Step::Claim) {
            steps.extend([Step::Record, Step::Close]);
        }
        steps
    }

    /// A step has ended since the job did.
    fn go_on_finishing(&mut self, now: Duration) -> Vec<Action> {
        if self.finishing.is_none() { self.begin_finishing(now) } else { self.next_finishing(now) }
    }

    fn next_finishing(&mut self, now: Duration) -> Vec<Action> {
        let is_left = self.swapping.is_left();
        let Some(steps) = &mut self.finishing else { return Vec::new() };
        match steps.pop() {
            // The record shall tell what comes of it, and nothing that takes long may hold it up.
            Some(step) if is_left && (step == Step::Record || step.is_lengthy()) && self.insists(now) => {
                self.finishing.get_or_insert_default().push(step);
                self.try_again_later(now)
            }
            // What takes long has given time for a mend.
            Some(Step::Record) if is_left && self.has_waited_since_the_revert() => {
                self.finishing.get_or_insert_default().push(Step::Record);
                vec![self.begin(Step::Revert)]
            }
            // The journal's entry outlives what may not stay: it is what `recover` goes by.
            Some(Step::Close) if is_left || self.order_is_left() => self.next_finishing(now),
            Some(step) => {
                self.again = None;
                vec![self.begin(step)]
            }
            None => {
                self.phase = Phase::Closed;
                let left = self.left_undone();
                let ended = self.ending.clone().map(|ending| Action::Tell(Note::Ended { ending, left }));
                ended.into_iter().collect()
            }
        }
    }

    /// Whether a job that is over goes on trying to revert before it does anything else.
    fn insists(&self, now: Duration) -> bool {
        !self.plan.limits.revert.is_zero() && self.insists_until.is_none_or(|until| now < until)
    }

    fn try_again_later(&mut self, now: Duration) -> Vec<Action> {
        let limit = self.plan.limits.revert;
        let is_first = self.insists_until.is_none();
        let until = *self.insists_until.get_or_insert(now.saturating_add(limit));
        let before = self.again.filter(|_| !is_first);
        let waited = before.map_or(AGAIN_FIRST, |again| (again.waited * 2).min(AGAIN_LAST_AT_THE_END));
        self.again = Some(Again::after(now, waited.min(until.saturating_sub(now))));
        is_first.then_some(Action::Tell(Note::Insists { seconds: limit.as_secs() })).into_iter().collect()
    }

    /// Whether a client that boots from the network later could still find an order.
    fn order_is_left(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.step == Some(Step::Withdraw))
    }

    fn has_waited_since_the_revert(&self) -> bool {
        let last = |is_it: fn(Step) -> bool| self.begun.iter().rposition(|step| is_it(*step));
        last(Step::is_lengthy) > last(|step| step == Step::Revert)
    }

    /// What remains of the job and how it is put right, for the last line; none if nothing remains.
    fn left_undone(&self) -> Option<String> {
        let host = &self.plan.identity.host;
        let swap = match self.swapping {
            Swapping::Own => None,
            Swapping::Swapped => Some(format!(
                "DHCP still offers it the boot file; mend what stood in the way, then 'ghostctl dhcp revert {host}' puts its own back"
            )),
            Swapping::PutBack => Some(format!(
                "its DHCP entry is put back, but the DHCP server does not serve it yet; mend what stood in the way, then 'ghostctl dhcp revert {host}' has it served"
            )),
        };
        let others =
            self.troubles.iter().filter(|trouble| self.swapping == Swapping::Own || !trouble.is_of_revert());
        let order = self.order_is_left().then(|| {
            "mend what stood in the way of that, then 'ghostctl recover' withdraws the order".to_owned()
        });
        let words: Vec<String> = others.map(Trouble::words).chain(order).chain(swap).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    fn finishing_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        // What the job was doing when it ended and what is undone anyway need not be told.
        if self.finishing.is_some() || matches!(step, Step::Revert | Step::OfferOwn) {
            actions.extend(self.trouble(Some(step), failure.clone()));
        }
        if step == Step::FinishGeneration {
            self.ending = Some(Ending::StepFailed { step, failure });
            if let Some(steps) = &mut self.finishing {
                // There is nothing new that older ones would have to make room for.
                steps.retain(|step| *step != Step::Prune);
                steps.push(Step::SetAside);
            }
        }
        actions.extend(self.go_on_finishing(now));
        actions
    }
}

#[cfg(test)]
mod tests;
