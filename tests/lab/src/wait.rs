//! Waits until a condition holds, with a deadline.
//!
//! `LAB_SLOW` stretches every deadline, for machines that are slower than the one the deadlines were chosen on.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(50);

/// It did not become true in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {} s in vain for {what}", .waited.as_secs())]
pub struct TimedOut {
    pub what: String,
    pub waited: Duration,
}

/// Waits until `condition` gives a value, looking at it every 50 ms.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T, TimedOut> {
    let begun = Instant::now();
    let patience = slow(deadline);
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if begun.elapsed() >= patience {
            return Err(TimedOut { what: what.to_owned(), waited: patience });
        }
        std::thread::sleep(PACE);
    }
}

/// A duration that was measured on two emulated cores, stretched by `LAB_SLOW` (a number, 1 if not set).
pub fn slow(duration: Duration) -> Duration {
    let factor = std::env::var("LAB_SLOW").ok().and_then(|text| text.parse::<u32>().ok()).unwrap_or(1);
    duration.saturating_mul(factor.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_true_is_given_back() {
        let mut looks = 0;
        let found = until("three looks", Duration::from_secs(60), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, Ok(3));
    }

    #[test]
    fn what_never_becomes_true_is_named() {
        let gave_up = until("the end of time", Duration::ZERO, || None::<()>);
        assert_eq!(gave_up, Err(TimedOut { what: "the end of time".to_owned(), waited: Duration::ZERO }));
    }
}
