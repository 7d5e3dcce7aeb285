//! Everything below the state folder (`STATEDIR`): what must outlive a `ghostctl`.
//!
//! Each file has one reader and writer here; [`journal`] is the one that undoing a job depends on.

pub mod cancel;
pub mod damaged;
pub mod journal;
pub mod paths;
pub mod record;
