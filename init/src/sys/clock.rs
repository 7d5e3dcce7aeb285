//! The machine's two clocks. Never waits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ghost_contract::UnixTime;
use nix::time::{ClockId, clock_gettime};

/// Time since the kernel's start, with the time that the machine was suspended. Zero if the kernel has no such
/// clock, which a kernel since 2.6.39 has.
pub(crate) fn uptime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// What the machine's own clock says, which may be years off.
pub(crate) fn own_time() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(0).plus(since)
}
