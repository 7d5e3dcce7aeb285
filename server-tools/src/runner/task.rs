//! The parts of steps that are done on other threads, as they take as long as disks do or as a client likes. They touch neither the journal nor the job, so any thread can do them.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use ghost_contract::{Generation, layout};

use super::work::Work;
use crate::catalog::disks;
use crate::catalog::pruning::{self, Resolve};
use crate::catalog::removal::Plan;
use crate::catalog::{Catalog, Facts};
use crate::exports::for_job::ForJob;
use crate::ghostrc::Ghostrc;
use crate::job::{Identity, Phase, Step};
use crate::site::Site;
use crate::sys::clock;

/// What a thread does for a step. The result is for [`super::steps::Steps::end`].
pub(crate) type Task = Box<dyn FnOnce() -> Done + Send>;

#[derive(Debug)]
pub(crate) struct Done {
    pub step: Step,
    pub result: anyhow::Result<Yield>,
}

#[derive(Debug)]
pub(crate) enum Yield {
    /// Where the finished generation is, what it takes in the store, what is not in it, and what else people should be told, in words.
    Image { path: PathBuf, bytes: u64, lacks: Option<String>, remark: Option<String> },
    /// What people should be told.
    Remark(Option<String>),
    /// Where what the client has written is kept; nothing if it has written nothing.
    SetAside(Option<PathBuf>),
}

/// The task of a lengthy step.
pub(crate) fn task(step: Step, work: &Work, site: &Site, catalog: &Catalog) -> anyhow::Result<Task> {
    match step {
        Step::FinishGeneration => finishing(work, site, catalog.clone()),
        Step::Prune => Ok(pruning(work, site.clone(), catalog.clone())),
        Step::Export => exporting(step, work, site.clone(), ForJob::export),
        Step::Unexport => exporting(step, work, site.clone(), ForJob::unexport),
        _ => bail!("a bug in ghostctl: '{}' is no task for a thread", step.as_str()),
    }
}

fn finishing(work: &Work, site: &Site, catalog: Catalog) -> anyhow::Result<Task> {
    let imager = work.begun.imager.clone().context("the journal does not say which imager there was")?;
    let Identity { host, job, mac, mode, .. } = work.begun.identity.clone();
    let began = |phase| work.phases.iter().find(|(found, _)| *found == phase).map(|(_, at)| *at);
    let facts = Facts {
        mac,
        mode,
        imager,
        started: began(Phase::Imaging).unwrap_or(work.begun.at),
        ended: began(Phase::GoingOff).unwrap_or_else(clock::now),
        checked: clock::now(),
    };
    let generation = layout::generation(&host, &Generation::of_job(job.clone()));
    let path = site.ghostrc.store_folder.join(generation);
    Ok(Box::new(move || {
        let result = catalog.remove_older_screens(&host, &job).and_then(|remark| {
            let made = catalog.finish(&host, &job, &facts)?;
            Ok(Yield::Image { path, bytes: made.bytes, lacks: disks::lacks(&made.disks), remark })
        });
        Done { step: Step::FinishGeneration, result }
    }))
}

fn exporting(
    step: Step,
    work: &Work,
    site: Site,
    act: fn(&ForJob, &Ghostrc, Ipv4Addr) -> anyhow::Result<()>,
) -> anyhow::Result<Task> {
    let exports = work.begun.exports.clone().context("the journal does not say what is exported")?;
    let ip = work.begun.identity.ip;
    Ok(Box::new(move || {
        let result = act(&exports, &site.ghostrc, ip).map(|()| Yield::Remark(None));
        Done { step, result }
    }))
}

fn pruning(work: &Work, site: Site, catalog: Catalog) -> Task {
    let host = work.begun.identity.host.clone();
    Box::new(move || {
        let pruned = pruning::prune(&site, &catalog, &host, Resolve::Remove);
        Done { step: Step::Prune, result: pruned.map(|plan| Yield::Remark(removed(&plan))) }
    })
}

/// Names the generations that were removed; `None` if there were none.
fn removed(plan: &Plan) -> Option<String> {
    let names: Vec<&str> = plan.generations.iter().map(Generation::as_str).collect();
    let removed = || format!("removed as GENERATIONS and KEEP_DAYS ask for: {}", names.join(", "));
    (!names.is_empty()).then(removed)
}
