//! Who uses the base root, so that nobody replaces or removes it meanwhile.
//!
//! ```text
//! runs of jobs, swaps by hand             share it ───┐
//!                                                     ├── STATEDIR/base-root.lock
//! end of root build, setup --remove       alone ──────┘
//! ```
//! A new base root is made beside the old one, which takes minutes and is in no client's way: that has a lock of its own.
//! The kernel releases it when its holder dies. What a dead `ghostctl` has left of a job is in the journal, so whoever has the lock
//! alone looks there too. A recovery needs no lock: what it undoes is in the journal until it is done.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::require_no_jobs;
use crate::exit::{Exit, WithExit as _};
use crate::output::Output;
use crate::site::Site;
use crate::state::paths;
use crate::sys::lock::{Lock, LockError, Sharing};
use crate::sys::private;

/// Keeps others from replacing and removing the base root until the result is dropped.
pub(crate) fn share(site: &Site, output: &mut Output) -> anyhow::Result<Lock> {
    let path = paths::base_root_lock(&site.ghostrc.state_folder);
    let mut waiting = |holder: &str| output.waiting_for("the clients' base root", holder);
    let taken = Lock::take_as(&path, Sharing::Shared, site.lock_timeout, &mut waiting);
    taken.map_err(|error| {
        told(error, |holder| {
            format!(
                "nothing was begun: the clients' base root is being replaced or removed by {holder}; give the command again when that has ended"
            )
        })
    })
}

/// Keeps others from making a new base root until the result is dropped.
pub(crate) fn building(site: &Site, purpose: &str) -> anyhow::Result<Lock> {
    taken(site, &paths::root_build_lock(&site.ghostrc.state_folder), purpose, |holder| {
        format!(
            "a base root is being made by {holder}; wait until that has ended, then give the command again"
        )
    })
}

/// Keeps others from using the base root until the result is dropped. Who has to wait for it is told the `purpose`. Refuses while
/// there are jobs, a crashed one included.
pub(crate) fn alone(site: &Site, purpose: &str) -> anyhow::Result<Lock> {
    // Names the hosts, which the lock does not know.
    require_no_jobs(site)?;
    let lock = taken(site, &paths::base_root_lock(&site.ghostrc.state_folder), purpose, |holder| {
        format!(
            "the clients' base root is in use by {holder}; wait until that has ended, then give the command again. \
             'ghostctl status' names the jobs that run"
        )
    })?;
    require_no_jobs(site)?;
    Ok(lock)
}

fn taken(site: &Site, path: &Path, purpose: &str, words: impl Fn(&str) -> String) -> anyhow::Result<Lock> {
    let state = &site.ghostrc.state_folder;
    private::folder(state).with_context(|| format!("cannot make {}", state.display()))?;
    let taken = Lock::take(path, purpose, Duration::ZERO, &mut |_| ());
    taken.map_err(|error| told(error, words))
}

fn told(error: LockError, words: impl Fn(&str) -> String) -> anyhow::Error {
    match error {
        LockError::Busy { holder, .. } => anyhow!(words(&holder)).exit(Exit::Busy),
        other => other.into(),
    }
}
