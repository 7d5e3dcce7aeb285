//! Removes from the store what is no longer needed: first a plan, which a person can look at, then the removal.

use std::collections::BTreeSet;

use anyhow::Context as _;
use ghost_contract::{Generation, HostName, JobId, UnixTime};

use super::retention::{LEFTOVERS_KEPT, Leftover, LeftoverKind, Policy, abandoned, superfluous};
use super::{Catalog, FAILED, INCOMING, REMOVING, cannot};

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
        let leftovers = self.leftovers(host)?;
        let leftovers =
            abandoned(&leftovers, LEFTOVERS_KEPT, &in_use.jobs, now).into_iter().cloned().collect();
        let goes = listed.iter().filter(|one| generations.contains(&one.generation));
        let bytes = goes.filter_map(|one| Some(one.manifest.as_ref().ok()?.bytes)).sum();
        Ok(Plan { host: host.clone(), generations, leftovers, bytes })
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
        all
    }

    /// Removes a generation. From its first step on it is not listed any more.
    pub fn remove(&self, host: &HostName, generation: &Generation) -> anyhow::Result<()> {
        self.remove_named(host, generation.as_str(), generation.as_str())
    }

    /// Removes what a job left behind.
    pub fn remove_leftover(&self, host: &HostName, leftover: &Leftover) -> anyhow::Result<()> {
        let prefix = match leftover.kind {
            LeftoverKind::Incoming => INCOMING,
            LeftoverKind::Failed => FAILED,
            LeftoverKind::Removing => REMOVING,
        };
        self.remove_named(host, &format!("{prefix}{}", leftover.job), leftover.job.as_str())
    }

    /// Removes a job's staging folder with all that is in it. Called again, or without one, it does nothing.
    pub fn remove_staging(&self, host: &HostName, job: &JobId) -> anyhow::Result<()> {
        // An interrupted removal has it under its other name already.
        let names = [super::incoming(job), format!("{REMOVING}{job}")];
        let Some(folder) = self.host_folder(host)? else { return Ok(()) };
        for name in names {
            let path = self.store.join(host.as_str()).join(&name);
            if folder.has(&name).with_context(|| cannot("look at", &path))? {
                self.remove_named(host, &name, job.as_str())?;
            }
        }
        Ok(())
    }

    fn remove_named(&self, host: &HostName, name: &str, job: &str) -> anyhow::Result<()> {
        let path = self.store.join(host.as_str()).join(name);
        let removing = format!("{REMOVING}{job}");
        let removed = || {
            let folder = self.open()?.folder(host.as_str())?;
            if name != removing {
                // An interrupted removal of the same name, or what a client put there.
                folder.remove(&removing)?;
                folder.rename(name, &removing)?;
                folder.sync()?;
            }
            folder.remove(&removing)?;
            anyhow::Ok(folder.sync()?)
        };
        removed().with_context(|| cannot("remove", &path))
    }
}
