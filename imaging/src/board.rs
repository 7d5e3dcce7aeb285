//! The board on which the work writes how far it is, and from which others read. Shared between threads; what
//! is made of it (a file, a screen) is not known here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ghost_contract::image::{Phase, Progress};

/// Over this time the rate is taken.
const LATELY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Board {
    /// Bytes of the phase that are done.
    done: AtomicU64,
    stand: Mutex<Stand>,
    /// When whoever does the work gives up.
    deadline: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
struct Stand {
    phase: Option<Phase>,
    disk: (u32, u32),
    region: (u32, u32),
    subject: String,
    total: u64,
}

impl Board {
    /// For work that must be over by then.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..Self::default() }
    }

    pub fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Which disk of how many comes now, from 0.
    pub fn disk(&self, index: u32, disks: u32) {
        self.change(|stand| stand.disk = (index, disks));
    }

    /// Another phase begins, with so many regions and bytes.
    pub fn phase(&self, phase: Phase, regions: usize, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        let regions = u32::try_from(regions).unwrap_or(u32::MAX);
        self.change(|stand| {
            stand.phase = Some(phase);
            stand.region = (0, regions);
            stand.subject = String::new();
            stand.total = total;
        });
    }

    pub fn region(&self, subject: String) {
        self.change(|stand| {
            stand.region.0 += 1;
            stand.subject = subject;
        });
    }

    /// So many more bytes are done.
    pub fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes of the phase that are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// So many bytes of the phase are done, whatever was estimated before.
    pub fn set(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
    }

    pub fn current_phase(&self) -> Option<Phase> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner).phase
    }

    /// What stands on it, with a rate that somebody keeps.
    pub fn read(&self, pace: &mut Pace, now: Duration) -> Option<Progress> {
        let stand = self.stand.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let phase = stand.phase?;
        let done = self.done().min(stand.total);
        let rate = pace.observe(phase, now, done);
        let left = stand.total - done;
        let eta = (rate > 0 && stand.total > 0).then(|| left.div_ceil(rate.max(1)));
        Some(Progress {
            phase,
            disk: stand.disk.0,
            disks: stand.disk.1.max(1),
            region: stand.region.0,
            regions: stand.region.1,
            subject: stand.subject,
            done,
            total: stand.total,
            rate,
            eta,
        })
    }

    fn change(&self, change: impl FnOnce(&mut Stand)) {
        change(&mut self.stand.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How fast it was lately.
#[derive(Debug, Default)]
pub struct Pace {
    phase: Option<Phase>,
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// Bytes a second over the last ten seconds, or since the phase began.
    pub fn observe(&mut self, phase: Phase, now: Duration, done: u64) -> u64 {
        let again = self.seen.back().is_some_and(|&(_, before)| done < before);
        if self.phase != Some(phase) || again {
            self.phase = Some(phase);
            self.seen.clear();
        }
        self.seen.push_back((now, done));
        while self.seen.get(1).is_some_and(|&(second, _)| now.saturating_sub(second) >= LATELY) {
            self.seen.pop_front();
        }
        let Some(&(since, before)) = self.seen.front() else { return 0 };
        let millis = now.saturating_sub(since).as_millis();
        let bytes = u128::from(done.saturating_sub(before)) * 1000;
        bytes.checked_div(millis).and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut pace = Pace::default();
        assert_eq!(pace.observe(Phase::Reading, SECOND, 0), 0);
        assert_eq!(pace.observe(Phase::Reading, 2 * SECOND, 1000), 1000);
        for second in 3..=20 {
            pace.observe(Phase::Reading, second * SECOND, 1000 + u64::from(second - 2) * 10);
        }
        assert_eq!(pace.observe(Phase::Reading, 21 * SECOND, 1190), 10);
        assert_eq!(pace.observe(Phase::Writing, 22 * SECOND, 5), 0);
    }

    #[test]
    fn what_is_left_is_divided_by_the_rate() {
        let (board, mut pace) = (Board::default(), Pace::default());
        assert_eq!(board.read(&mut pace, SECOND), None);
        board.phase(Phase::Reading, 2, 1000);
        board.region("partition 1".to_owned());
        assert_eq!(board.read(&mut pace, SECOND).unwrap().eta, None);
        board.add(100);
        let progress = board.read(&mut pace, 2 * SECOND).unwrap();
        assert_eq!((progress.region, progress.regions, progress.rate, progress.eta), (1, 2, 100, Some(9)));
        board.add(5000);
        assert_eq!(board.read(&mut pace, 3 * SECOND).unwrap().done, 1000);
    }
}
