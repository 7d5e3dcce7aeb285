//! The parts of steps that make or remove folders which a client can write to. It may have filled them, so that this takes as long as it
//! likes: they are done on threads of their own, and no other client is kept waiting. They touch neither the journal nor the job.

use anyhow::bail;
use ghost_contract::{HostName, JobId, Mode, Nonce, Order};

use super::task::{Done, Task, Yield};
use super::work::Work;
use crate::catalog::Catalog;
use crate::job::luks_key::LuksKey;
use crate::job::{Identity, Step};
use crate::site::Site;
use crate::tree::{Contents, Tree};

/// The task of such a step.
pub(super) fn task(step: Step, work: &Work, site: &Site, catalog: Catalog) -> anyhow::Result<Task> {
    let tree = site.tree(work.begun.identity.ip);
    let Identity { job, host, .. } = work.begun.identity.clone();
    let nonce = work.begun.nonce.clone();
    Ok(match step {
        Step::MakeTree => making(work, tree, catalog),
        Step::AskToStop => done_by(step, move || tree.ask_to_stop()),
        Step::RemoveScratch => done_by(step, move || catalog.remove_staging(&host, &job)),
        Step::SetAside => Box::new(move || {
            let result = catalog.set_aside(&host, &job).map(Yield::SetAside);
            Done { step, result }
        }),
        Step::Withdraw => done_by(step, move || withdraw(&tree, &catalog, &job, (&host, &nonce))),
        _ => bail!("a bug in ghostctl: '{}' is not done in a client's folders", step.as_str()),
    })
}

fn done_by(step: Step, act: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> Task {
    Box::new(move || Done { step, result: act().map(|()| Yield::Remark(None)) })
}

fn making(work: &Work, tree: Tree, catalog: Catalog) -> Task {
    let Identity { job, host, mode, .. } = work.begun.identity.clone();
    let (order, nonce) = (work.order.clone(), work.begun.nonce.clone());
    let (luks_key, host_table) = (work.luks_key.clone(), work.host_table.clone());
    done_by(Step::MakeTree, move || {
        catalog.write_nonce(&host, &nonce)?;
        if mode == Mode::Backup || order.as_ref().is_some_and(Order::needs_scratch) {
            catalog.stage(&host, &job)?;
        }
        let Some(order) = &order else { return Ok(()) };
        let luks_key = luks_key.as_ref().map(LuksKey::bytes);
        tree.make(&Contents { order, luks_key, host_table: &host_table })
    })
}

/// Makes the order of a job void. The nonce is removed even where the order cannot be.
pub(crate) fn withdraw(
    tree: &Tree,
    catalog: &Catalog,
    job: &JobId,
    (host, nonce): (&HostName, &Nonce),
) -> anyhow::Result<()> {
    let withdrawn = tree.withdraw(job);
    match (withdrawn, catalog.remove_nonce(host, nonce)) {
        (Err(error), Err(besides)) => {
            Err(error.context(format!("the nonce is not removed either: {besides:#}")))
        }
        (withdrawn, removed) => withdrawn.and(removed),
    }
}
