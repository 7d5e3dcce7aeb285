//! Points in time that go from one machine to the other.
//!
//! Does not read a clock: `now` is always an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The point in time that many milliseconds after 1970-01-01 00:00:00 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 00:00:00 UTC.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This much later; the end of time if there is nothing later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long before this it was `earlier`; zero if it was not before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Durations as whole seconds, for fields marked `#[serde(with = "time::seconds")]`.
pub mod seconds {
    use super::Duration;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes whole seconds; what is left over is cut off.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    /// Reads a number of whole seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_added_and_taken_away_without_wrapping() {
        let start = UnixTime::from_millis(1_000);
        assert_eq!(start.plus(Duration::from_secs(2)), UnixTime::from_millis(3_000));
        assert_eq!(UnixTime::from_millis(3_000).since(start), Duration::from_secs(2));
        assert_eq!(start.since(UnixTime::from_millis(3_000)), Duration::ZERO);
        assert_eq!(start.plus(Duration::MAX), UnixTime::from_millis(u64::MAX));
    }
}
