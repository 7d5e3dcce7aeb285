//! Performs the steps of a job, each between its intent and its completion in the journal. The DHCP steps, which jobs
//! share, are in [`super::dhcp_steps`].
//!
//! A step that takes as long as disks do, or as a client likes, is begun, done on any thread, and ended: [`Steps::begin`],
//! [`Task`], [`Steps::end`]. All others are performed at once.
//!
//! Both the loop that drives jobs and the recovery after a crash use this. They decide which steps are done, and in which
//! order.

use std::time::Duration;

use anyhow::bail;
use ghost_contract::JobId;

use super::folders;
use super::task::{Done, Task, Yield, task};
use super::work::Work;
use crate::catalog::Catalog;
use crate::catalog::pruning::keep_removals_out;
use crate::exit::{Exit, WithExit as _};
use crate::job::{Failure, Identity, Job, Step};
use crate::lease::kept::Leases;
use crate::site::Site;
use crate::state::journal::{self, Entry, JournalError};
use crate::state::record::{self, Record};
use crate::sys::clock;
use crate::sys::crash;
use crate::tree::Tree;

/// Performs steps at one boot server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub site: &'a Site,
    pub catalog: &'a Catalog,
}

impl Steps<'_> {
    /// Performs one step; `job` is the job itself if it lives.
    pub(crate) fn perform(&self, step: Step, work: &mut Work, job: Option<&Job>) -> Result<(), Failure> {
        if step.is_done_elsewhere() {
            let task = self.begin(step, work)?;
            return self.end(work, task());
        }
        crash::point(&format!("before-{step:?}"));
        let result = self.journalled(step, work, job);
        crash::point(&format!("after-{step:?}"));
        Ok(result?)
    }

    /// Writes to the journal that a step is intended which is done elsewhere, and yields its task.
    pub(crate) fn begin(&self, step: Step, work: &mut Work) -> Result<Task, Failure> {
        crash::point(&format!("before-{step:?}"));
        work.intend(step)?;
        Ok(match step.is_in_folders_of_the_client() {
            true => folders::task(step, work, self.site, self.catalog.clone())?,
            false => task(step, work, self.site, self.catalog)?,
        })
    }

    /// Writes to the journal that such a step was done, if it was.
    pub(crate) fn end(&self, work: &mut Work, done: Done) -> Result<(), Failure> {
        let Done { step, result } = done;
        let ended = result.map(|yielded| {
            match yielded {
                Yield::Image { path, bytes, lacks, remark } => {
                    (work.image, work.bytes, work.lacks) = (Some(path), Some(bytes), lacks);
                    work.remarks.extend(remark);
                }
                Yield::Remark(remark) => work.remarks.extend(remark),
                Yield::SetAside(path) => work.image = path,
            }
            work.complete(step);
        });
        crash::point(&format!("after-{step:?}"));
        Ok(ended?)
    }

    fn journalled(&self, step: Step, work: &mut Work, job: Option<&Job>) -> anyhow::Result<()> {
        work.intend(step)?;
        self.act(step, work, job)?;
        work.complete(step);
        Ok(())
    }

    fn act(&self, step: Step, work: &mut Work, job: Option<&Job>) -> anyhow::Result<()> {
        let Identity { job: id, host, .. } = &work.begun.identity;
        match step {
            Step::Claim => self.claim_for_all(work)?,
            Step::Record => self.record(work, job)?,
            Step::Close => {
                if let Err(error) = Leases::of(self.site).and_then(|leases| leases.release(host, id)) {
                    work.remarks.push(format!("{error:#}; other boot servers may work on it after LEASE"));
                }
                if let Some(journal) = work.journal.take() {
                    journal.close()?;
                }
            }
            Step::Swap
            | Step::Revert
            | Step::OfferBoot
            | Step::OfferOwn
            | Step::LookAgain
            | Step::MakeTree
            | Step::AskToStop
            | Step::SetAside
            | Step::RemoveScratch
            | Step::Withdraw
            | Step::Export
            | Step::Unexport
            | Step::FinishGeneration
            | Step::Prune => {
                bail!("a bug in ghostctl: '{}' is not done here", step.as_str());
            }
        }
        Ok(())
    }

    fn tree(&self, work: &Work) -> Tree {
        self.site.tree(work.begun.identity.ip)
    }

    /// Claims the host at this boot server, and then at all others with the same store.
    fn claim_for_all(&self, work: &mut Work) -> anyhow::Result<()> {
        let Identity { job, host, .. } = &work.begun.identity;
        let entry = self.claim(work)?;
        let state_folder = &self.site.ghostrc.state_folder;
        // One that cannot be looked at may be open.
        let is_open = |job: &JobId| {
            journal::look_at_all(state_folder).map_or(true, |all| {
                let mut states = all.into_iter().filter_map(|seen| seen.says.state);
                states.any(|state| state.begun.identity.job == *job)
            })
        };
        match Leases::of(self.site).and_then(|leases| leases.take(host, job, &is_open)) {
            Ok(held) => (work.journal, work.lease) = (Some(entry), Some(held)),
            Err(error) => {
                let closed = entry.close();
                return Err(match closed {
                    Ok(()) => error,
                    Err(besides) => {
                        error.context(format!("the journal's entry is not closed either: {besides:#}"))
                    }
                });
            }
        }
        Ok(())
    }

    /// Keeps the host from other boot servers while its client works on without a ghostctl.
    pub(crate) fn keep_host(&self, work: &mut Work) {
        let Identity { job, host, .. } = &work.begun.identity;
        let left = work.begun.deadline.map_or(Duration::ZERO, |deadline| deadline.since(clock::now()));
        let text = match Leases::of(self.site).and_then(|leases| leases.keep(host, job, left)) {
            Ok(true) => return,
            Ok(false) => {
                format!("another boot server with this image store may work on {host}: its lease is lost")
            }
            Err(error) => format!("{error:#}; other boot servers may work on {host} after LEASE"),
        };
        work.remarks.push(text);
    }

    fn claim(&self, work: &Work) -> anyhow::Result<Entry> {
        let Identity { host, .. } = &work.begun.identity;
        let state_folder = &self.site.ghostrc.state_folder;
        // Nothing is removed between the look at the generation and the journal's word that it is read.
        let _kept = match &work.begun.generation {
            Some(generation) => {
                let lock = keep_removals_out(state_folder, host, self.site.lock_timeout)?;
                self.catalog.show(host, generation.clone())?;
                Some(lock)
            }
            None => None,
        };
        Entry::claim(state_folder, work.begun.clone()).map_err(|error| match error {
            JournalError::Busy(_) | JournalError::Orphaned => anyhow::Error::new(error).exit(Exit::Busy),
            error => error.into(),
        })
    }

    fn record(&self, work: &Work, job: Option<&Job>) -> anyhow::Result<()> {
        let report = self.tree(work).whole_report().unwrap_or_default();
        record::keep(&self.site.ghostrc.state_folder, &record_of(work, job), &report)
    }
}

/// What is to be kept of a job that ends now; `job` is the job itself if it lives.
pub(crate) fn record_of(work: &Work, job: Option<&Job>) -> Record {
    Record {
        identity: work.begun.identity.clone(),
        began: work.begun.at,
        ended: clock::now(),
        phases: work.phases.clone(),
        ending: job.and_then(Job::ending).cloned(),
        troubles: job.map(Job::troubles).unwrap_or_default(),
        sample: job.and_then(|job| job.seen().said.sample()),
        image: work.image.clone(),
        bytes: work.bytes,
        swap: work.swap.clone(),
    }
}
