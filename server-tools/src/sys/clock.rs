//! What time it is: by the calendar for people and orders, and since start-up for deadlines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ghost_contract::UnixTime;
use rustix::time::{ClockId, clock_gettime};

/// Now, by the calendar; the beginning of 1970 if the clock stands before it.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(0).plus(since)
}

/// How long this machine has been up, sleep included: a clock that nobody can set (clock_gettime(2),
/// `CLOCK_BOOTTIME`). Deadlines are kept by it.
pub(crate) fn uptime() -> Duration {
    read(ClockId::Boottime)
}

/// How long the calling thread has kept a processor busy.
pub(crate) fn of_this_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
