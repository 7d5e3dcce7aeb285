//! The stall watch: readings of the traffic counters become a verdict.
//!
//! Does not read counters or clocks, does not know which disk or interface they are of, and ends nothing.
//!
//! ```text
//!            moves                    nothing moves for the window
//!   ┌──────┐ ◀───── ┌──────────────┐ ─────────▶ ┌─────────┐
//!   │ Live │        │ Idle { since}│            │ Stalled │
//!   └──────┘ ─────▶ └──────────────┘ ◀───────── └─────────┘
//!            nothing moves                moves
//! ```

use std::time::Duration;

use ghost_contract::Mode;
use ghost_contract::order::Watch;

/// A gap between two readings counts for at most so many times the ordered interval: what is beyond is a
/// clock that was set or a machine that was suspended, and no time in which data could have moved.
const LONGEST_GAP: u32 = 3;

/// The kernel's counters at one moment. They only ever grow, until they wrap or are reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Bytes read from the disk.
    pub disk_read: u64,
    /// Bytes written to the disk.
    pub disk_written: u64,
    /// Bytes received by the interface.
    pub received: u64,
    /// Bytes sent by the interface.
    pub sent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When, since the imager's start.
    pub at: Duration,
    pub counters: Counters,
}

/// What the watch makes of the readings so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Data moves, or none needs to.
    Live,
    /// Nothing moves, not yet for too long.
    Idle {
        /// Since when, as time since the imager's start.
        since: Duration,
    },
    /// Nothing has moved for the whole window.
    Stalled { idle: Duration },
}

/// The watch over one imager.
#[derive(Debug, Clone)]
pub(crate) struct StallWatch {
    needs: Needs,
    minimum_rate: u64,
    window: Duration,
    grace: Duration,
    longest_gap: Duration,
    last: Sample,
    moved: Counters,
    last_movement: Duration,
    idle: Duration,
}

/// What must move in a mode.
#[derive(Debug, Clone, Copy)]
enum Needs {
    DiskOrNetwork,
    Network,
    Nothing,
}

impl Needs {
    const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Backup | Mode::Restore => Self::DiskOrNetwork,
            Mode::Verify => Self::Network,
            Mode::Test | Mode::Ghost => Self::Nothing,
        }
    }
}

impl StallWatch {
    /// A watch that begins with the reading made when the imager was started.
    pub(crate) fn new(mode: Mode, watch: &Watch, start: Counters) -> Self {
        Self {
            needs: Needs::of(mode),
            minimum_rate: watch.minimum_rate,
            window: watch.window,
            grace: watch.grace,
            longest_gap: watch.sample_every.saturating_mul(LONGEST_GAP),
            last: Sample { at: Duration::ZERO, counters: start },
            moved: Counters::default(),
            last_movement: Duration::ZERO,
            idle: Duration::ZERO,
        }
    }

    /// Takes the next reading. `own` is how many bytes this program itself may have moved over the network since the
    /// last one, for its report and its screenshots: were they movement, an imager that hangs would never stall.
    pub(crate) fn observe(&mut self, sample: Sample, own: u64) -> Verdict {
        let gap = sample.at.saturating_sub(self.last.at).min(self.longest_gap);
        let moved = grown(self.last.counters, sample.counters);
        self.last = sample;
        self.moved = sum(self.moved, moved);
        if self.is_movement(moved, own, gap) || sample.at < self.grace {
            self.last_movement = sample.at;
            self.idle = Duration::ZERO;
        } else {
            self.idle = self.idle.saturating_add(gap);
        }
        self.verdict()
    }

    /// What has moved since the imager's start, across wraps and resets.
    pub(crate) const fn moved(&self) -> Counters {
        self.moved
    }

    fn verdict(&self) -> Verdict {
        if matches!(self.needs, Needs::Nothing) || self.idle.is_zero() {
            return Verdict::Live;
        }
        if self.idle >= self.window {
            return Verdict::Stalled { idle: self.idle };
        }
        Verdict::Idle { since: self.last_movement }
    }

    fn is_movement(&self, moved: Counters, own: u64, gap: Duration) -> bool {
        let network = moved.received.saturating_add(moved.sent).saturating_sub(own);
        let disk = moved.disk_read.saturating_add(moved.disk_written);
        match self.needs {
            Needs::DiskOrNetwork => self.is_fast_enough(disk, gap) || self.is_fast_enough(network, gap),
            Needs::Network => self.is_fast_enough(network, gap),
            Needs::Nothing => true,
        }
    }

    /// Whether this many bytes in this time count as movement. No bytes never do, even if the threshold is 0.
    fn is_fast_enough(&self, bytes: u64, gap: Duration) -> bool {
        let needed = u128::from(self.minimum_rate) * gap.as_millis();
        bytes > 0 && u128::from(bytes) * 1000 >= needed
    }
}

fn grown(before: Counters, after: Counters) -> Counters {
    Counters {
        disk_read: growth(before.disk_read, after.disk_read),
        disk_written: growth(before.disk_written, after.disk_written),
        received: growth(before.received, after.received),
        sent: growth(before.sent, after.sent),
    }
}

fn sum(total: Counters, more: Counters) -> Counters {
    Counters {
        disk_read: total.disk_read.saturating_add(more.disk_read),
        disk_written: total.disk_written.saturating_add(more.disk_written),
        received: total.received.saturating_add(more.received),
        sent: total.sent.saturating_add(more.sent),
    }
}

/// How far a counter went from one reading to the next.
///
/// A counter that went back was either at the end of its 32 or 64 bits, and then it is close to its beginning
/// now and was close to its end before; or its device was reset, and then all that it shows is new.
fn growth(before: u64, after: u64) -> u64 {
    const U32_END: u64 = 1 << 32;
    if after >= before {
        return after - before;
    }
    if before < U32_END && before - after > U32_END / 2 {
        return U32_END - before + after;
    }
    if before - after > u64::MAX / 2 {
        return after.wrapping_sub(before);
    }
    after
}

#[cfg(test)]
mod tests;
