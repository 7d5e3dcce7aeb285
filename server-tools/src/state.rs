//! Everything below the state folder (`STATEDIR`): what must outlive a `ghostctl`.
//!
//! Each file has one reader and writer here; [`journal`] is the one that undoing a job depends on.

pub(crate) mod cancel;
pub(crate) mod damaged;
pub(crate) mod journal;
pub(crate) mod paths;
pub(crate) mod record;
