//! Takes generations out of the image store while jobs run, and never one that a job reads.
//!
//! ```text
//! a job that reads:  lock shared ─▶ is the generation there? ─▶ it is in the journal ─▶ unlock
//! a removal:         lock alone  ─▶ what does the journal say? ─▶ remove ─▶ unlock
//! ```
//! One lock for each host, which the kernel releases when its holder dies. The journal's entry outlives a job that
//! crashed, as its client may still read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use ghost_contract::{Generation, HostName, Mode};

use crate::catalog::Catalog;
use crate::catalog::removal::{InUse, Plan};
use crate::catalog::retention::Policy;
use crate::exit::{Exit, WithExit};
use crate::site::Site;
use crate::state::{journal, paths};
use crate::sys::clock;
use crate::sys::lock::{Lock, LockError, Sharing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolve {
    Remove,
    /// It is only said what would be.
    OnlySay,
}

/// While this is held nothing of the host's is removed: for a job that is about to say in the journal what it reads.
pub fn keep_removals_out(state_folder: &Path, host: &HostName, timeout: Duration) -> Result<Lock, LockError> {
    Lock::take_quietly(&lock(state_folder, host), Sharing::Shared, timeout)
}

/// Removes what the host's settings do not ask for; says what that was.
pub fn prune(site: &Site, catalog: &Catalog, host: &HostName, resolve: Resolve) -> anyhow::Result<Plan> {
    let _alone = alone(site, host)?;
    let settings = site.ghostrc.for_host(host);
    let policy = Policy { generations: settings.generations, keep: settings.keep };
    let plan = catalog.plan(host, policy, &in_use(site, catalog, host)?, clock::now())?;
    if resolve == Resolve::Remove {
        catalog.carry_out(&plan)?;
    }
    Ok(plan)
}

/// Removes one generation, whatever the settings ask for.
pub fn remove(
    site: &Site,
    catalog: &Catalog,
    host: &HostName,
    generation: &Generation,
    resolve: Resolve,
) -> anyhow::Result<()> {
    let _alone = alone(site, host)?;
    catalog.show(host, generation.clone())?;
    if in_use(site, catalog, host)?.generations.contains(generation) {
        let in_use = anyhow!("a job for {host} reads {generation} now; 'ghostctl status {host}' shows it");
        return Err(in_use.exit(Exit::Busy));
    }
    match resolve {
        Resolve::Remove => catalog.remove(host, generation),
        Resolve::OnlySay => Ok(()),
    }
}

fn alone(site: &Site, host: &HostName) -> Result<Lock, LockError> {
    Lock::take_quietly(&lock(&site.ghostrc.state_folder, host), Sharing::Alone, site.lock_timeout)
}

fn lock(state_folder: &Path, host: &HostName) -> PathBuf {
    paths::removal_lock(state_folder, host)
}

/// What jobs need, as the journal says. An entry that names no generation was written by an earlier version: then all of
/// its host count.
fn in_use(site: &Site, catalog: &Catalog, host: &HostName) -> anyhow::Result<InUse> {
    let mut in_use = InUse::default();
    for seen in journal::look_at_all(&site.ghostrc.state_folder)? {
        let Some(begun) = seen.says.state.map(|state| state.begun) else { continue };
        if begun.identity.host != *host {
            continue;
        }
        match begun.generation {
            Some(generation) => in_use.generations.extend([generation]),
            None if matches!(begun.identity.mode, Mode::Verify | Mode::Restore) => {
                in_use.generations.extend(catalog.list_host(host)?.into_iter().map(|one| one.generation));
            }
            None => {}
        }
        in_use.jobs.insert(begun.identity.job);
    }
    Ok(in_use)
}
