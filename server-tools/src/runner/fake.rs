//! A simulated boot server with one client: tests run whole jobs in a millisecond.

use std::collections::VecDeque;
use std::time::Duration;

use ghost_contract::report::{Entry, Event as Reported};
use ghost_contract::{MacAddress, UnixTime};

use super::{Feed, Machine};
use crate::job::{Action, Event, Failure, FailureKind, Job, Phase, Step};

/// What is replayed, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub now: Duration,
    /// What happens so long after the first magic packet.
    pub life: VecDeque<(Duration, Event)>,
    /// The steps that fail, each time they are tried.
    pub failing: Vec<Step>,
    /// How they fail, if it matters.
    pub kind: Option<FailureKind>,
    /// The steps that fail until so long after the first magic packet.
    pub failing_until: Vec<(Step, Duration)>,
    /// Who answers for the address, from when until when.
    pub on: Option<(MacAddress, Duration, Duration)>,
    /// From when on the address's owner answers once more, by the same clock.
    pub back: Option<Duration>,
    /// Something answers ARP for its address for ever.
    pub has_controller: bool,
    /// What was performed, in order.
    pub performed: Vec<Action>,
    /// When each step was performed, by the loop's clock.
    pub times: Vec<(Step, Duration)>,
    /// When the first magic packet was sent.
    pub woken: Option<Duration>,
}

impl Fake {
    /// The steps that were performed, in order.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let step = |action: &Action| if let Action::Do(step) = action { Some(*step) } else { None };
        self.performed.iter().filter_map(step).collect()
    }

    /// Whether the DHCP server offers the boot file now, as far as steps succeeded.
    pub(crate) fn is_swapped(&self) -> bool {
        let edits = self.steps().into_iter().filter(|step| !self.failing.contains(step));
        edits.fold(false, |swapped, step| match step {
            Step::Swap => true,
            Step::Revert => false,
            _ => swapped,
        })
    }

    /// How often this action was performed.
    pub(crate) fn count(&self, action: &Action) -> usize {
        self.performed.iter().filter(|performed| *performed == action).count()
    }
}

impl Fake {
    fn fails(&self, step: Step) -> bool {
        let since_woken = self.now.saturating_sub(self.woken.unwrap_or(self.now));
        let not_yet = |(failing, until): &(Step, Duration)| *failing == step && since_woken < *until;
        self.failing.contains(&step) || self.failing_until.iter().any(not_yet)
    }

    fn is_on(&self, job: &Job) -> bool {
        let since_woken = self.now.saturating_sub(self.woken.unwrap_or(self.now));
        self.on.is_some_and(|(_, from, until)| {
            job.phase() == Phase::Probing && from.is_zero()
                || self.woken.is_some() && since_woken >= from && since_woken < until
                || self.woken.is_some() && self.back.is_some_and(|back| since_woken >= back)
        })
    }

    fn became_of(&mut self, job: &Job, action: Action) -> Option<Event> {
        match action {
            Action::Do(step) if self.fails(step) => {
                let kind = self.kind.unwrap_or(FailureKind::Configuration);
                let failure = Failure { kind, reason: "made to fail".to_owned() };
                Some(Event::StepFailed(step, failure))
            }
            Action::Do(step) => Some(Event::StepDone(step)),
            Action::Wake => {
                self.woken.get_or_insert(self.now);
                None
            }
            Action::Probe => {
                let (mac, ..) = self.on?;
                (self.is_on(job) || self.has_controller && self.woken.is_some())
                    .then_some(Event::Answered(mac))
            }
            Action::Echo => self.is_on(job).then_some(Event::Echoed),
            Action::Tell(_) => None,
        }
    }
}

/// A line of the client's report.
pub(crate) fn says(event: Reported) -> Event {
    Event::Reported(Entry { at: UnixTime::from_millis(0), uptime: 0, event })
}

impl Machine for Fake {
    fn now(&self) -> Duration {
        self.now
    }

    fn perform(&mut self, _index: usize, job: &Job, action: Action) -> Vec<Event> {
        if let Action::Do(step) = action {
            self.times.push((step, self.now));
        }
        self.performed.push(action.clone());
        self.became_of(job, action).into_iter().collect()
    }

    fn wait(&mut self, until: Option<Duration>) -> Vec<(usize, Event)> {
        let next = self.woken.and_then(|woken| Some(woken + self.life.front()?.0));
        let happens = next.filter(|next| until.is_none_or(|until| *next <= until));
        self.now = happens.or(until).unwrap_or(self.now).max(self.now);
        if happens.is_none() {
            return Vec::new();
        }
        self.life.pop_front().into_iter().map(|(_, event)| (0, event)).collect()
    }
}

/// No job begins but those that there are.
pub(crate) struct NoMore;

impl<M> Feed<M> for NoMore {
    fn next(&mut self, _jobs: &[Job], _machine: &mut M) -> Vec<Job> {
        Vec::new()
    }
}
