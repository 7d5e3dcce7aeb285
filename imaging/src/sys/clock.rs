//! What time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use ghost_contract::UnixTime;

/// Now, by this machine's clock; 1970 if it stands before that.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
