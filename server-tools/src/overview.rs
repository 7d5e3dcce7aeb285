//! What runs and how the last jobs ended, for those who watch: `status`, `top`, and the console.
//!
//! ```text
//! journal, reports ──following──▶ Running ─┐
//!                                          ├─tile──▶ one tile a host, sorted by trouble
//! records ──────────past────────▶ Past ────┘
//! ```
//! It only looks. No job waits for it, or notices it: what is read is what jobs write anyway.

mod following;
pub mod pages;
mod past;
pub mod screens;
mod tile;

use std::collections::BTreeMap;

use ghost_contract::{HostName, JobId};

pub use crate::output::plain::{lines_of_screen, one_line};
pub(crate) use following::Running;
pub use past::Past;
pub use tile::{State, Tile, counts, sort};

use crate::job::Identity;
use crate::site::Site;
use crate::state::journal;
use following::Followed;
use past::Records;

/// What has been read so far, so that the next look reads only what is new.
#[derive(Debug, Default)]
pub struct Overview {
    followed: BTreeMap<JobId, Followed>,
    records: Records,
    /// The last screenshots of the jobs that are over.
    last_screens: BTreeMap<JobId, Option<String>>,
}

impl Overview {
    /// All jobs that run, or that a crash has left.
    pub(crate) fn running(&mut self, site: &Site) -> anyhow::Result<Vec<Running>> {
        let mut running = Vec::new();
        let mut before = std::mem::take(&mut self.followed);
        for seen in journal::look_at_all(&site.ghostrc.state_folder)? {
            let Some(state) = seen.says.state else { continue };
            let job = &state.begun.identity.job;
            let mut followed = before.remove(job).unwrap_or_else(|| Followed::begin(site, &state));
            followed.read_on();
            running.push(followed.running(site, &state, seen.owned));
            self.followed.insert(job.clone(), followed);
        }
        Ok(running)
    }

    /// A tile for each host that has a job or had one, those with trouble first.
    pub fn look(&mut self, site: &Site) -> anyhow::Result<Vec<Tile>> {
        // Records first: a job that ends between the two looks is then seen as running, and not as unknown.
        let mut last: BTreeMap<HostName, Past> = self.records.last(&site.ghostrc.state_folder)?;
        let mut tiles = Vec::new();
        for running in self.running(site)? {
            last.remove(&running.host);
            tiles.push(Tile::of_running(&running));
        }
        self.last_screens.retain(|job, _| last.values().any(|past| past.identity.job == *job));
        for past in last.values() {
            let job = &past.identity.job;
            if !self.last_screens.contains_key(job) {
                self.last_screens.insert(job.clone(), screens::last(site, &past.identity));
            }
            tiles.push(Tile::of_past(past, self.last_screens.get(job).cloned().flatten()));
        }
        sort(&mut tiles);
        Ok(tiles)
    }

    /// All jobs of a host that are over, the newest first.
    pub fn past(&mut self, site: &Site, host: &HostName) -> anyhow::Result<Vec<Past>> {
        self.records.of(&site.ghostrc.state_folder, host)
    }

    /// The job of a host that runs, or else the last one; with whether it runs.
    pub fn subject(&mut self, site: &Site, host: &HostName) -> anyhow::Result<Option<(Identity, bool)>> {
        let running = self.running(site)?.into_iter().find(|running| running.host == *host);
        if let Some(running) = running {
            return Ok(Some((running.identity, true)));
        }
        let last = self.past(site, host)?.into_iter().next();
        Ok(last.map(|past| (past.identity, false)))
    }

    /// A job of a host, running or over.
    pub fn job(&mut self, site: &Site, host: &HostName, job: &JobId) -> anyhow::Result<Option<Identity>> {
        if let Some(known) = self.followed_of(host, job) {
            return Ok(Some(known));
        }
        let mut over = self.past(site, host)?.into_iter().map(|past| past.identity);
        if let Some(found) = over.find(|identity| identity.job == *job) {
            return Ok(Some(found));
        }
        // It may have begun since the last look.
        self.running(site)?;
        Ok(self.followed_of(host, job))
    }

    fn followed_of(&self, host: &HostName, job: &JobId) -> Option<Identity> {
        self.followed.get(job).map(Followed::identity).filter(|identity| identity.host == *host).cloned()
    }
}

#[cfg(test)]
mod tests;
