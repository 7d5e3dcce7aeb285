//! How many jobs of a run are at work at the same time, where that is left to what the image store can take. Pure.
//!
//! Each job's rate is measured while it works, and compared with what it was before another job came or went:
//!
//! ```text
//!           every place is taken, and every job was measured
//!          ┌──────────────┐
//!          ▼              │   the others lost most of what a new job moves, or took up most of what one has left
//!      one place more ────┴──────────────────────────────────────────────▶ full: no place more
//!          ▲                                                                        │
//!          └──────────────── a job has ended, and what it moved was lost ───────────┘
//! ```
//! Slow clients are no sign of a full store: only what a job adds to the others, or takes from them, is looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use crate::job::bytes::bytes;

/// With so many it begins.
pub(crate) const TO_BEGIN_WITH: NonZeroUsize = NonZeroUsize::new(8).unwrap();
/// Never fewer: one works while the next one boots.
const FEWEST: usize = 2;
/// Never more without being asked for.
pub(crate) const MOST: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// So long a rate is measured, in milliseconds of the client's own clock.
const WINDOW: u64 = 30_000;

/// What a client had moved to or from the image store when it told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Milliseconds since the client's start.
    pub uptime: u64,
    pub bytes: u64,
}

/// The jobs at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Those whose imager moves something, by their places in the list.
    pub moved: BTreeMap<usize, Moved>,
    /// How many take a place, those included that boot.
    pub running: usize,
    /// Whether another host waits for a place.
    pub is_wanted: bool,
}

/// Another number of places, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub places: NonZeroUsize,
    pub why: Why,
}

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// So many jobs together move so much, and no job was seen to take it from another.
    Grows { jobs: usize, rate: u64 },
    /// New jobs move so much, and the others have lost so much by it.
    TakenFromOthers { brought: u64, lost: u64 },
    /// A job has ended that moved so much, and the others have taken so much of it up.
    TakenUp { left: u64, taken: u64 },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |rate: &u64| format!("{}/s", bytes(*rate));
        match self {
            Self::Grows { jobs, rate: all } => {
                write!(f, "{jobs} jobs together move {}, and more may move more", rate(all))
            }
            Self::TakenFromOthers { brought, lost } => write!(
                f,
                "the image store is at its limit: new jobs move {}, and the others {} less than before",
                rate(brought),
                rate(lost)
            ),
            Self::TakenUp { left, taken } => write!(
                f,
                "the image store is at its limit: a job that moved {} has ended, and the others move {} more",
                rate(left),
                rate(taken)
            ),
        }
    }
}

type Rates = BTreeMap<usize, u64>;

/// The places that there are.
#[derive(Debug)]
pub(crate) struct Room {
    places: NonZeroUsize,
    is_full: bool,
    /// Where the measurement that goes on has begun.
    from: BTreeMap<usize, Moved>,
    /// What was measured last, maybe of other jobs.
    before: Rates,
}

impl Room {
    pub(crate) const fn new() -> Self {
        Self { places: TO_BEGIN_WITH, is_full: false, from: BTreeMap::new(), before: BTreeMap::new() }
    }

    /// What follows of this look, if the number of places changes.
    pub(crate) fn decide(&mut self, look: Look) -> Option<Decision> {
        let Look { moved, running, is_wanted } = look;
        if !moved.keys().eq(self.from.keys()) {
            // What was measured of the jobs before is compared with what these move.
            self.from = moved;
            return None;
        }
        let now = rates(&self.from, &moved)?;
        self.from = moved;
        let before = std::mem::replace(&mut self.before, now.clone());
        let (places, why) = self.compare(&before, &now).or_else(|| {
            let every_place_is_measured = running == self.places.get() && now.len() == running;
            let rate = now.values().fold(0, |sum: u64, rate| sum.saturating_add(*rate));
            (!self.is_full && is_wanted && every_place_is_measured && rate > 0)
                .then(|| (now.len() + 1, Why::Grows { jobs: now.len(), rate }))
        })?;
        let places = NonZeroUsize::new(places.clamp(FEWEST, MOST.get()))?;
        if places == self.places {
            return None;
        }
        self.places = places;
        Some(Decision { places, why })
    }

    /// What the jobs that came or went have done to the others: how many places are enough, if not all are.
    fn compare(&mut self, before: &Rates, now: &Rates) -> Option<(usize, Why)> {
        let came = of_those_not_in(now, before);
        let went = of_those_not_in(before, now);
        let stayed = now.iter().filter_map(|(job, rate)| Some((*before.get(job)?, *rate)));
        let (was, is) =
            stayed.fold((0_u64, 0_u64), |(was, is), (a, b)| (was.saturating_add(a), is.saturating_add(b)));
        if was == 0 {
            return None;
        }
        let sum = |rates: &[u64]| rates.iter().fold(0, |sum: u64, rate| sum.saturating_add(*rate));
        let (brought, left) = (sum(&came), sum(&went));
        if brought > 0 && went.is_empty() {
            let lost = was.saturating_sub(is);
            self.is_full = is_most(lost, brought);
            let in_vain = u128::from(lost) * came.len() as u128 / u128::from(brought);
            let in_vain = usize::try_from(in_vain).unwrap_or(came.len()).clamp(1, came.len());
            return self.is_full.then(|| (now.len() - in_vain, Why::TakenFromOthers { brought, lost }));
        }
        if left > 0 && came.is_empty() {
            let taken = is.saturating_sub(was);
            self.is_full = is_most(taken, left);
            return self.is_full.then_some((now.len(), Why::TakenUp { left, taken }));
        }
        None
    }
}

/// Three quarters of it, as rates are never steady.
fn is_most(part: u64, whole: u64) -> bool {
    u128::from(part) * 4 >= u128::from(whole) * 3
}

fn of_those_not_in(rates: &Rates, others: &Rates) -> Vec<u64> {
    rates.iter().filter(|(job, _)| !others.contains_key(job)).map(|(_, rate)| *rate).collect()
}

/// The rate of each job between two looks; none before each was measured long enough.
fn rates(from: &BTreeMap<usize, Moved>, until: &BTreeMap<usize, Moved>) -> Option<Rates> {
    if until.is_empty() {
        return None;
    }
    let rate = |(job, now): (&usize, &Moved)| {
        let began = from.get(job)?;
        let time = now.uptime.checked_sub(began.uptime).filter(|time| *time >= WINDOW)?;
        let more = u128::from(now.bytes.saturating_sub(began.bytes)) * 1_000;
        Some((*job, u64::try_from(more / u128::from(time)).unwrap_or(u64::MAX)))
    };
    until.iter().map(rate).collect()
}

#[cfg(test)]
mod tests;
