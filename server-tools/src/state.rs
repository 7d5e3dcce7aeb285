//! Everything below the state folder (`STATEDIR`): what must outlive a `ghostctl`.
//!
//! [`paths`] says where each file is. [`journal`] is the one that undoing a job depends on; it, the records, the swaps by hand and
//! the cancel requests are read and written here, the others by the parts that they belong to.

pub(crate) mod boot_files;
pub(crate) mod by_hand;
pub(crate) mod cancel;
pub(crate) mod damaged;
pub(crate) mod journal;
pub(crate) mod made;
pub(crate) mod paths;
pub(crate) mod pruning;
pub(crate) mod record;
pub(crate) mod runs;
pub(crate) mod server;
mod summed;
pub(crate) mod vouched;
