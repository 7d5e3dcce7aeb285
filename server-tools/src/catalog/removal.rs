//! Removes from the store what is no longer needed: first a plan, which a person can look at, then the removal.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ghost_contract::{Generation, HostName, JobId, UnixTime};

use super::listing::MOST_LEFTOVERS;
use super::retention::{LEFTOVERS_KEPT, Leftover, LeftoverKind, Policy, is_abandoned, superfluous};
use super::{Catalog, FAILED, INCOMING, REMOVING, cannot};
use crate::sys::folder::Folder;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InUse {
    /// Jobs whose clients may still write.
    pub jobs: BTreeSet<JobId>,
    /// Generations that are being checked or written back.
    pub generations: BTreeSet<Generation>,
}

/// What is to be removed of one host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub host: HostName,
    /// Generations that the policy does not ask for.
    pub generations: BTreeSet<Generation>,
    pub leftovers: Vec<Leftover>,
    /// Whether there may be more leftovers that nobody needs.
    pub has_more: bool,
    /// What the generations take, bytes; leftovers are not measured.
    pub bytes: u64,
}

impl Catalog {
    /// What is no longer needed. The caller must keep jobs from starting until the plan is carried out.
    pub fn plan(
        &self,
        host: &HostName,
        policy: Policy,
        in_use: &InUse,
        now: UnixTime,
    ) -> anyhow::Result<Plan> {
        let listed = self.list_host(host)?;
        let candidates: Vec<_> = listed.iter().filter_map(super::listing::Listed::candidate).collect();
        let generations = superfluous(&candidates, policy, &in_use.generations, now);
        let is_removed = |leftover: &Leftover| is_abandoned(leftover, LEFTOVERS_KEPT, &in_use.jobs, now);
        let leftovers = self.leftovers(host, is_removed)?;
        let has_more = leftovers.len() >= MOST_LEFTOVERS;
        let goes = listed.iter().filter(|one| generations.contains(&one.generation));
        let bytes = goes.filter_map(|one| Some(one.manifest.as_ref().ok()?.bytes)).sum();
        Ok(Plan { host: host.clone(), generations, leftovers, has_more, bytes })
    }

    /// Removes all that can be removed, and then says what could not.
    pub fn carry_out(&self, plan: &Plan) -> anyhow::Result<()> {
        let leftovers = plan.leftovers.iter().map(|leftover| self.remove_leftover(&plan.host, leftover));
        let generations = plan.generations.iter().map(|generation| self.remove(&plan.host, generation));
        let mut all = Ok(());
        for one in leftovers.chain(generations) {
            // The first error is as good as all of them: the others are met again next time.
            all = all.and(one);
        }
        all.and_then(|()| if plan.has_more { Err(more_leftovers(&plan.host)) } else { Ok(()) })
    }

    /// Removes a generation. From its first step on it is not listed any more.
    pub fn remove(&self, host: &HostName, generation: &Generation) -> anyhow::Result<()> {
        let path = self.store.join(host.as_str());
        let folder = self.open()?.folder(host.as_str()).with_context(|| cannot("open", &path))?;
        remove_named((&path, &folder), generation.as_str(), generation.as_str())
    }

    /// Removes what a job left behind.
    pub fn remove_leftover(&self, host: &HostName, leftover: &Leftover) -> anyhow::Result<()> {
        let prefix = match leftover.kind {
            LeftoverKind::Incoming => INCOMING,
            LeftoverKind::Failed => FAILED,
            LeftoverKind::Removing => REMOVING,
        };
        let name = format!("{prefix}{}", leftover.job);
        let was_there = self.remove_wherever_it_is(host, &name, &leftover.job)?;
        // What was being removed goes with whatever else is removed of the job.
        let is_gone = was_there || leftover.kind == LeftoverKind::Removing;
        is_gone.then_some(()).ok_or_else(|| anyhow!("there is no {name} of {host} any more"))
    }

    /// Removes a job's staging folder with all that is in it. Called again, or without one, it does nothing.
    pub fn remove_staging(&self, host: &HostName, job: &JobId) -> anyhow::Result<()> {
        // An interrupted removal has it under its other name already.
        for name in [super::incoming(job), format!("{REMOVING}{job}")] {
            self.remove_wherever_it_is(host, &name, job)?;
        }
        Ok(())
    }

    /// Removes what has this name in any folder of the host's; says whether there was something.
    fn remove_wherever_it_is(&self, host: &HostName, name: &str, job: &JobId) -> anyhow::Result<bool> {
        let mut was_there = false;
        for (path, folder) in self.places_of(host)? {
            if folder.has(name).with_context(|| cannot("look at", &path.join(name)))? {
                remove_named((&path, &folder), name, job.as_str())?;
                was_there = true;
            }
        }
        Ok(was_there)
    }
}

fn more_leftovers(host: &HostName) -> anyhow::Error {
    anyhow!(
        "{host} has {MOST_LEFTOVERS} leftovers of jobs or more that nobody needs, and not all of them were removed; 'ghostctl images prune {host}' goes on with them"
    )
}

fn remove_named((path, folder): (&Path, &Folder), name: &str, job: &str) -> anyhow::Result<()> {
    let removing = format!("{REMOVING}{job}");
    let removed = || {
        if name != removing {
            // An interrupted removal of the same name, or what a client put there.
            folder.remove(&removing)?;
            folder.rename(name, &removing)?;
            folder.sync()?;
        }
        folder.remove(&removing)?;
        folder.sync()
    };
    removed().with_context(|| cannot("remove", &path.join(name)))
}
