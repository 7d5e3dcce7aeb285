//! The policy of a job: what is done about what happened.

mod finishing;
mod leaving;
mod listening;
pub(super) mod resetting;
mod reverting;
mod time;

use std::time::Duration;

use ghost_contract::MacAddress;
use ghost_contract::image::Progress;
use ghost_contract::order::AtEnd;
use ghost_contract::report::{self, Entry, Outcome};

use super::order::ENDING;
use super::{
    Action, AlreadyOn, Ending, Event, Failure, Heard, Job, Note, Phase, Step, Swapping, Trouble, heard,
};

/// How often a client that is at work is asked whether it is there.
const ASK_AT_WORK: Duration = Duration::from_secs(20);
/// How often it is asked when an answer is awaited.
const ASK_CLOSELY: Duration = Duration::from_millis(500);

/// A client's own deadline is the same, and counts from its claim on: it says why it ends before it is given up here.
const CLIENT_FIRST: Duration = Duration::from_secs(10);

impl Job {
    /// What is to be done now that this has happened.
    pub fn decide(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let actions = self.decided(event, now);
        self.told.bound(actions)
    }

    fn decided(&mut self, event: Event, now: Duration) -> Vec<Action> {
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
                let mut actions = self.is_on(now);
                actions.extend(self.came_back("it answers", now));
                actions
            }
            Event::Heard(heard) => {
                let mut actions = self.boots_again(&heard, now);
                actions.extend(self.suspect(&heard, now));
                actions.extend(self.overheard(heard));
                actions
            }
            Event::Reported(entry) => self.reported(entry, now),
            Event::Muttered(line) => {
                self.is_at_work(None, now);
                vec![Action::Tell(Note::Muttered { line })]
            }
            Event::LeftOut(text) => vec![Action::Tell(Note::Warning { text })],
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
        let again = self.again.filter(|_| self.doing.is_none() || self.can_revert_beside());
        let again = again.map(|again| again.due);
        let look = self.look_due.filter(|_| self.doing.is_none());
        let listening = self.listening.map(|listening| listening.due.min(listening.until));
        let leaving = self.waits_for_the_client();
        due.into_iter()
            .chain(again)
            .chain(look)
            .chain(listening)
            .chain(leaving)
            .chain(self.ends_as_reset())
            .min()
    }

    /// When the phase must be over. Phases in which a step is done have the step's own deadlines.
    fn deadline(&self) -> Option<Duration> {
        let limits = &self.plan.limits;
        let limit = match self.phase {
            Phase::Probing => limits.probing,
            Phase::Woken => limits.up,
            Phase::Up if self.is_reverting() => return None,
            Phase::Up | Phase::Reverted => limits.claim,
            Phase::Imaging if self.seen.said.outcome.is_some() => limits.imaging.saturating_add(ENDING),
            Phase::Imaging => limits.imaging.saturating_add(CLIENT_FIRST),
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
        self.has_done(step)
    }

    fn has_done(&mut self, step: Step) -> Action {
        self.begun.push(step);
        // A revert that is tried again may find the boot file offered again.
        if matches!(step, Step::Swap | Step::Revert) {
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
        self.swapping = self.swapping.after(step);
        if self.was_beside(step) {
            return Vec::new();
        }
        let mut actions = self.put_right(step);
        self.watch(step, now);
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
            Step::MakeTree if self.plan.exported_for_job => vec![self.begin(Step::Export)],
            Step::MakeTree | Step::Export => vec![self.enter(Phase::Prepared, now), self.begin(Step::Swap)],
            Step::Swap => vec![self.enter(Phase::Swapped, now), self.begin(Step::OfferBoot)],
            Step::OfferBoot => {
                // An answer from before was the machine's own system.
                self.seen.answered = None;
                self.again = None;
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
            | Step::LookAgain
            | Step::AskToStop
            | Step::Unexport
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

    fn step_failed(&mut self, step: Step, failure: Failure, now: Duration) -> Vec<Action> {
        if self.was_beside(step) {
            return self.trouble(Some(step), failure).into_iter().collect();
        }
        if self.phase == Phase::Finishing {
            return self.finishing_failed(step, failure, now);
        }
        match step {
            Step::Revert | Step::OfferOwn | Step::LookAgain => self.revert_failed(step, failure, now),
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

    /// It is on its way. Before, and after, what is heard is its own system's.
    fn overheard(&mut self, heard: Heard) -> Option<Action> {
        if !matches!(self.phase, Phase::Swapped | Phase::Woken) {
            return None;
        }
        // Stage 1 may ask for an address again, behind the boot loader.
        if let Heard::TakesAddress { address, of } = heard {
            self.seen.took = Some((address, of));
        }
        let before = self.seen.heard.as_ref();
        if !heard.is_as_far_as(before) {
            return None;
        }
        let is_news = heard.is_news_after(before) && self.seen.told_heard < heard::MOST;
        self.seen.heard = Some(heard.clone());
        self.seen.told_heard += u32::from(is_news);
        is_news.then_some(Action::Tell(Note::Heard { heard }))
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
        self.is_at_work(Some(&entry.event), now);
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
            Phase::Swapped if self.seen.said.up => self.wait_for_the_restart(now),
            Phase::Woken if self.seen.said.up => {
                let tell = self.enter(Phase::Up, now);
                std::iter::once(tell).chain(self.go_on_reverting()).collect()
            }
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
            Phase::Finishing if self.seen.said.powering_off.is_some() => self.has_left(now),
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
            (Some(Outcome::Succeeded), None) if !self.seen.said.claimed => {
                let host = &self.plan.identity.host;
                let reason =
                    format!("{host} says that it succeeded, but it never claimed the order of this job");
                Ending::Done { outcome: Outcome::Failed { reason } }
            }
            (Some(Outcome::Succeeded), Some(reason)) if !self.seen.said.claimed => {
                Ending::Refused { reason: reason.clone() }
            }
            (Some(outcome), _) => Ending::Done { outcome: outcome.clone() },
            (None, Some(reason)) => Ending::Refused { reason: reason.clone() },
            (None, None) => Ending::Done {
                outcome: Outcome::Failed {
                    reason: format!(
                        "{} powered off without reporting how the job ended",
                        self.plan.identity.host
                    ),
                },
            },
        }
    }

    fn stop(&mut self, by: String, now: Duration) -> Vec<Action> {
        if self.phase == Phase::Finishing {
            return self.stop_finishing(&by, now);
        }
        let client_runs = self.seen.said.up && self.seen.said.powering_off.is_none();
        self.end(Ending::Stopped { by, client_runs }, now)
    }
}

#[cfg(test)]
mod tests;
