//! A run: the jobs of one mode that one command asks for, a few at a time. Pure.
//!
//! ```text
//!           room for a job            went off           ended
//! waiting ─────────────────▶ running ───────────▶ off ───────────▶ done
//!    ▲ │                        │ never woke, tries left
//!    │ │ late, stopped,         │
//!    │ │ store full             │
//!    │ └──────▶ left            │
//!    └──────────────────────────┘
//! ```
//! It knows hosts by their places in a list, and neither what a job is nor how it is begun.

pub(crate) mod figures;
pub(crate) mod film;
pub(crate) mod metrics;
pub(crate) mod page;
pub(crate) mod room;
pub(crate) mod summary;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use ghost_contract::JobId;
use ghost_contract::job::JobError;
use serde::{Deserialize, Serialize};

/// The name of a run; it is made like that of a job, so runs sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub JobId);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for RunId {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What the administrator allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many jobs run at the same time.
    pub parallel: NonZeroUsize,
    /// When the last job may begin, by the loop's clock.
    pub until: Option<Duration>,
}

/// What is so at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Now {
    pub at: Duration,
    /// Whether the image store has no room for another image.
    pub store_is_full: bool,
    /// Who or what has asked the run to stop.
    pub stopped: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Begun,
    /// So many jobs may run at the same time from now on.
    RoomChanged {
        parallel: NonZeroUsize,
    },
    /// The client has gone off. Its job goes on, and leaves room for another one.
    WentOff {
        host: usize,
    },
    /// A host's job has ended, or could not be begun.
    Ended {
        host: usize,
        /// Whether the client never came up, so that it did nothing.
        never_woke: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Begin {
        host: usize,
    },
    /// The host is put last in the queue.
    TryLater {
        host: usize,
    },
    /// No job of this host begins any more.
    Leave {
        host: usize,
        why: Why,
    },
}

/// Why no more jobs begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    Late,
    StoreFull,
    Stopped(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("the time that --until gives is over"),
            Self::StoreFull => f.write_str("the image store is full: make room there, or remove generations"),
            Self::Stopped(by) => write!(f, "the run was stopped by {by}"),
        }
    }
}

/// Which hosts wait, and how many jobs run.
#[derive(Debug)]
pub(crate) struct Run {
    limits: Limits,
    waiting: VecDeque<usize>,
    /// How often each host may be tried again.
    retries: Vec<u32>,
    running: usize,
    /// Those whose job goes on after they went off.
    off: BTreeSet<usize>,
}

impl Run {
    /// The hosts in the order in which they begin, and how often each may be tried again.
    pub(crate) fn new(limits: Limits, order: Vec<usize>, retries: Vec<u32>) -> Self {
        Self { limits, waiting: order.into(), retries, running: 0, off: BTreeSet::new() }
    }

    /// Whether the host's job has made room for another one already.
    pub(crate) fn is_off(&self, host: usize) -> bool {
        self.off.contains(&host)
    }

    /// How many jobs take a place.
    pub(crate) const fn running(&self) -> usize {
        self.running
    }

    /// Whether a host waits for a place.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn decide(&mut self, event: Event, now: &Now) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Event::RoomChanged { parallel } = event {
            self.limits.parallel = parallel;
        }
        if let Event::WentOff { host } = event
            && self.off.insert(host)
        {
            self.running = self.running.saturating_sub(1);
        }
        if let Event::Ended { host, never_woke } = event {
            if !self.off.remove(&host) {
                self.running = self.running.saturating_sub(1);
            }
            let retries = self.retries.get_mut(host).filter(|retries| never_woke && **retries > 0);
            if let Some(retries) = retries {
                *retries -= 1;
                self.waiting.push_back(host);
                actions.push(Action::TryLater { host });
            }
        }
        match self.why_none_begins(now) {
            // A job that ends may make room, as older generations are removed then.
            Some(Why::StoreFull) if self.running > 0 || !self.off.is_empty() => {}
            Some(why) => {
                let left = self.waiting.drain(..);
                actions.extend(left.map(|host| Action::Leave { host, why: why.clone() }));
            }
            None => actions.extend(self.begin()),
        }
        actions
    }

    fn why_none_begins(&self, now: &Now) -> Option<Why> {
        if let Some(by) = &now.stopped {
            return Some(Why::Stopped(by.clone()));
        }
        if self.limits.until.is_some_and(|until| now.at >= until) {
            return Some(Why::Late);
        }
        now.store_is_full.then_some(Why::StoreFull)
    }

    fn begin(&mut self) -> Vec<Action> {
        let room = self.limits.parallel.get().saturating_sub(self.running);
        let begun: Vec<usize> = self.waiting.drain(..room.min(self.waiting.len())).collect();
        self.running += begun.len();
        begun.into_iter().map(|host| Action::Begin { host }).collect()
    }
}

/// The order in which hosts begin: those of which it is not known how long they take, then the longest first. So the last
/// ones are short, and all are done as early as they can be.
pub(crate) fn longest_first(took: &[Option<Duration>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..took.len()).collect();
    order.sort_by_key(|host| std::cmp::Reverse(took[*host].unwrap_or(Duration::MAX)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Begin, Leave, TryLater};

    const NOW: Now = Now { at: Duration::ZERO, store_is_full: false, stopped: None };

    fn run(hosts: usize, parallel: usize, retries: u32) -> Run {
        let limits = Limits { parallel: parallel.try_into().unwrap(), until: Some(Duration::from_secs(60)) };
        Run::new(limits, (0..hosts).collect(), vec![retries; hosts])
    }

    fn ended(host: usize) -> Event {
        Event::Ended { host, never_woke: false }
    }

    fn begins(hosts: &[usize]) -> Vec<Action> {
        hosts.iter().map(|host| Begin { host: *host }).collect()
    }

    fn leaves(hosts: &[usize], why: &Why) -> Vec<Action> {
        hosts.iter().map(|host| Leave { host: *host, why: why.clone() }).collect()
    }

    #[test]
    fn another_number_of_places_counts_from_then_on_and_ends_nothing() {
        let mut run = run(6, 2, 0);
        assert_eq!(run.decide(Event::Begun, &NOW), begins(&[0, 1]));
        let room = |parallel: usize| Event::RoomChanged { parallel: parallel.try_into().unwrap() };
        assert_eq!(run.decide(room(3), &NOW), begins(&[2]));
        assert_eq!(run.decide(room(1), &NOW), []);
        assert_eq!((run.running(), run.has_waiting()), (3, true));
        assert_eq!(run.decide(ended(0), &NOW), []);
        assert_eq!(run.decide(ended(1), &NOW), []);
        assert_eq!(run.decide(ended(2), &NOW), begins(&[3]));
    }

    #[test]
    fn never_more_run_than_may_and_one_begins_when_one_ends() {
        let mut run = run(5, 2, 0);
        assert_eq!(run.decide(Event::Begun, &NOW), begins(&[0, 1]));
        assert_eq!(run.decide(ended(1), &NOW), begins(&[2]));
        assert_eq!(run.decide(ended(2), &NOW), begins(&[3]));
        assert_eq!(run.decide(ended(0), &NOW), begins(&[4]));
        assert_eq!(run.decide(ended(3), &NOW), []);
        assert_eq!(run.decide(ended(4), &NOW), []);
    }

    #[test]
    fn a_client_that_has_gone_off_makes_room_while_its_job_goes_on() {
        let mut run = run(5, 2, 0);
        run.decide(Event::Begun, &NOW);
        assert_eq!(run.decide(Event::WentOff { host: 0 }, &NOW), begins(&[2]));
        assert_eq!(run.decide(Event::WentOff { host: 0 }, &NOW), [], "it makes room once");
        assert_eq!(run.decide(ended(0), &NOW), [], "its room is taken");
        assert_eq!(run.decide(ended(1), &NOW), begins(&[3]));
        let full = Now { store_is_full: true, ..NOW };
        assert_eq!(run.decide(Event::WentOff { host: 2 }, &full), []);
        assert_eq!(
            run.decide(Event::WentOff { host: 3 }, &full),
            [],
            "its job may make room in the store yet"
        );
        assert_eq!(run.decide(ended(2), &full), []);
        assert_eq!(run.decide(ended(3), &full), leaves(&[4], &Why::StoreFull));
    }

    #[test]
    fn who_does_not_wake_is_tried_again_after_the_others_as_often_as_is_allowed() {
        let mut run = run(2, 1, 1);
        assert_eq!(run.decide(Event::Begun, &NOW), begins(&[0]));
        let never = Event::Ended { host: 0, never_woke: true };
        assert_eq!(run.decide(never, &NOW), [TryLater { host: 0 }, Begin { host: 1 }]);
        assert_eq!(run.decide(ended(1), &NOW), begins(&[0]), "one that came up is not tried again");
        assert_eq!(run.decide(never, &NOW), []);
    }

    #[test]
    fn nothing_begins_after_the_hour_or_after_a_stop() {
        let late = Now { at: Duration::from_secs(60), ..NOW };
        let stopped = Now { stopped: Some("SIGINT".to_owned()), ..NOW };
        for (now, why) in [(late, Why::Late), (stopped, Why::Stopped("SIGINT".to_owned()))] {
            let mut run = run(4, 2, 1);
            run.decide(Event::Begun, &NOW);
            assert_eq!(run.decide(ended(0), &now), leaves(&[2, 3], &why));
            let last = run.decide(Event::Ended { host: 1, never_woke: true }, &now);
            let expected = [TryLater { host: 1 }, Leave { host: 1, why }];
            assert_eq!(last, expected, "nor a second try");
        }
    }

    #[test]
    fn a_full_store_holds_jobs_back_while_one_that_runs_may_make_room() {
        let full = Now { store_is_full: true, ..NOW };
        let mut run = run(4, 2, 0);
        run.decide(Event::Begun, &NOW);
        assert_eq!(run.decide(ended(0), &full), []);
        assert_eq!(run.decide(ended(1), &NOW), begins(&[2, 3]), "room was made");
        run = self::run(3, 1, 0);
        run.decide(Event::Begun, &NOW);
        assert_eq!(run.decide(ended(0), &full), leaves(&[1, 2], &Why::StoreFull));
        run = self::run(2, 1, 0);
        assert_eq!(run.decide(Event::Begun, &full), leaves(&[0, 1], &Why::StoreFull));
    }

    #[test]
    fn the_longest_begins_first_and_the_unknown_before_it() {
        let took = [Some(5), None, Some(900), None, Some(60)].map(|took| took.map(Duration::from_secs));
        assert_eq!(longest_first(&took), [1, 3, 2, 4, 0]);
    }
}
