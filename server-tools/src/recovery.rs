//! After a crash: finds jobs that have lost their owners, and undoes or finishes what they left.
//!
//! What is left to do is decided by [`State::left_over`]; here it is found out and performed.

mod client;
mod damaged;
mod lost;
mod lost_state;
mod strays;
mod undoing;

use std::path::PathBuf;

use ghost_contract::{HostName, JobId};
use serde::Serialize;

pub(crate) use damaged::{Damaged, DamagedRecord};
pub(crate) use lost_state::of_a_lost_state;
pub(crate) use strays::{Stray, newcomers, strays};
use undoing::{Became, Undoing, Unfinished};

use crate::catalog::Catalog;
use crate::exit::Exit;
use crate::job::{Failure, Identity, Step, Swapping};
use crate::output::Output;
use crate::runner::dhcp_steps::DhcpSteps;
use crate::runner::steps::Steps;
use crate::runner::work::Work;
use crate::site::Site;
use crate::state::journal::{self, Entry, JournalError, Orphan, State};

/// What became of one job that a crash had left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Recovered {
    pub host: HostName,
    pub job: JobId,
    /// The steps that were done.
    pub done: Vec<Step>,
    /// The steps that could not be done, and why.
    pub failed: Vec<(Step, Failure)>,
    /// What else people should know.
    pub remarks: Vec<String>,
    /// Whether the client is still at work; its journal entry stays until it is off.
    pub at_work: bool,
    /// Why it may be doing something else than its work, though it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What DHCP offers the client now.
    #[serde(skip)]
    swapping: Swapping,
}

impl Recovered {
    /// Whether nothing of the job is left.
    pub(crate) fn is_over(&self) -> bool {
        self.done.contains(&Step::Close)
    }

    /// Whether all is done, and nothing shows that the client is on. A job is over even where its backup could not be made a generation. What DHCP offers again by now
    /// counts, and not how often that was tried.
    fn is_done(&self) -> bool {
        self.is_over() && self.doubt.is_none() && self.failed.iter().all(|(step, _)| step.is_offer())
    }

    /// Whether DHCP may still offer the boot file.
    pub(crate) const fn swap_is_left(&self) -> bool {
        self.swapping.is_left()
    }

    fn begin(state: &State) -> Self {
        Self {
            host: state.begun.identity.host.clone(),
            job: state.begun.identity.job.clone(),
            done: Vec::new(),
            failed: Vec::new(),
            remarks: Vec::new(),
            at_work: false,
            doubt: None,
            swapping: state.swapping,
        }
    }

    /// Performs steps that are not about what DHCP offers.
    fn perform_all(&mut self, steps: Steps<'_>, work: &mut Work, left: &[Step]) {
        for step in left.iter().copied() {
            // Until the entry's own bytes are back and the server knows, the journal must go on saying so; the same with an
            // order that a client could find, and with what only the record will tell.
            if step == Step::Close && (self.swap_is_left() || self.left_undone()) {
                continue;
            }
            // Its client may still write to it. The next recovery finishes it.
            if step == Step::FinishGeneration && self.has_failed(Step::Unexport) {
                continue;
            }
            self.became(step, steps.perform(step, work, None));
            if step == Step::FinishGeneration && self.has_failed(step) {
                self.became(Step::SetAside, steps.perform(Step::SetAside, work, None));
            }
        }
    }

    /// Keeps what people should know of what was done.
    fn remark(&mut self, work: &mut Work) {
        self.remarks.append(&mut work.remarks);
        self.remarks.extend(work.lacks.take());
        self.remarks.extend(work.unwritten.drain(..).map(|failure| failure.reason));
        if self.swap_is_left() {
            self.remarks.push(format!(
                "DHCP may still offer it the boot file; correct the cause above, then run 'ghostctl dhcp revert {}'",
                self.host
            ));
        }
    }

    fn became(&mut self, step: Step, became: Result<(), Failure>) {
        match became {
            Ok(()) => {
                self.done.push(step);
                self.swapping = self.swapping.after(step);
            }
            Err(failure) => self.failed.push((step, failure)),
        }
    }

    fn left_undone(&self) -> bool {
        [Step::Withdraw, Step::Unexport, Step::Record].into_iter().any(|step| self.has_failed(step))
    }

    fn has_failed(&self, step: Step) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == step)
    }

    /// What was done, what could not be, and what else people should know.
    fn told(&self) -> Vec<String> {
        let done = self.done.iter().map(|step| format!("done: {}", step.as_str()));
        done.chain(self.failures()).chain(self.remarks.iter().cloned()).collect()
    }

    fn failures(&self) -> impl Iterator<Item = String> {
        self.failed
            .iter()
            .map(|(step, failure)| format!("error: could not {}: {}", step.as_str(), failure.reason))
    }

    pub(crate) fn words(&self) -> String {
        let done: Vec<&str> = self.done.iter().map(|step| step.as_str()).collect();
        let at_work = match &self.doubt {
            Some(doubt) => Some(doubt.clone()),
            None if self.at_work => {
                Some("the client is still at work, so recover again when it is off".to_owned())
            }
            None => None,
        };
        let parts = [format!("job {} was left by a crash", self.job), done.join(", ")].into_iter();
        let parts = parts.chain(self.failures()).chain(self.remarks.iter().cloned()).chain(at_work);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

/// What a recovery came to.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pub jobs: Vec<Recovered>,
    pub damaged: Vec<Damaged>,
    pub damaged_records: Vec<DamagedRecord>,
}

impl Recovery {
    /// What a recovery ends the program with.
    pub(crate) fn exit(&self) -> Exit {
        let is_done = self.is_undamaged() && self.jobs.iter().all(Recovered::is_done);
        if is_done { Exit::Done } else { Exit::Failed }
    }

    fn tell(&self, output: &mut Output) {
        for one in &self.jobs {
            let words = || format!("{}: {}", one.host, one.words());
            if one.is_done() { output.either(one, words) } else { output.either_left(one, words) }
        }
        self.damaged.iter().for_each(|one| output.either_left(one, || format!("error: {}", one.words())));
        let records = self.damaged_records.iter();
        records.for_each(|one| output.either_left(one, || format!("error: {}", one.words())));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.is_undamaged()
    }

    /// Whether all that was found could be read.
    pub(crate) fn is_undamaged(&self) -> bool {
        self.damaged.is_empty() && self.damaged_records.is_empty()
    }
}

/// Recovers every job that has no living owner. What `deleted` says is known: DHCP has no such host any more.
///
/// What DHCP offers comes first, for all of them; then what they export. A client decides how long the rest takes.
fn recover(
    site: &Site,
    deleted: Option<&HostName>,
    waiting: &mut dyn FnMut(&str),
) -> Result<Recovery, JournalError> {
    let catalog = Catalog::of(&site.ghostrc);
    let steps = Steps { site, catalog: &catalog };
    let (mut recovery, mut unfinished, mut unread) = (Recovery::default(), Vec::new(), Vec::new());
    for path in journal::entries(&site.ghostrc.state_folder)? {
        match Entry::take_over(&path) {
            Ok(None) => {}
            Ok(Some((entry, Orphan { state: Some(state), damage }))) => {
                let is_deleted = deleted == Some(&state.begun.identity.host) && damage.is_none();
                let state = if is_deleted { state.without_swap() } else { state };
                unfinished.push(Unfinished::of(entry, path, state, damage));
            }
            Ok(Some((entry, Orphan { state: None, damage }))) => unread.push((path, entry, damage)),
            // One that cannot even be opened keeps nobody from recovering the others.
            Err(error) => {
                recovery.damaged.push(Damaged::unread(path, format!("{:#}", anyhow::Error::new(error))))
            }
        }
    }
    let mut undoing = Undoing { dhcp: DhcpSteps { site, waiting } };
    undoing.revert_together(&mut unfinished);
    unfinished.iter_mut().for_each(|one| undoing.look_again(one));
    for became in undoing::finish_all(unfinished, steps) {
        match became {
            Became::Recovered(one) => recovery.jobs.push(one),
            Became::Damaged(one) => recovery.damaged.push(one),
        }
    }
    let unread = unread.into_iter().map(|(path, entry, damage)| set_aside_unread(steps, path, entry, damage));
    recovery.damaged.extend(unread);
    recovery.damaged.sort_by(|one, other| one.entry.cmp(&other.entry));
    recovery.damaged_records = damaged::damaged_records(site);
    Ok(recovery)
}

/// Withdraws the order that an entry was about which says nothing, and keeps the entry.
fn set_aside_unread(steps: Steps<'_>, path: PathBuf, entry: Entry, damage: Option<String>) -> Damaged {
    let mut damaged = Damaged::unread(path, damage.unwrap_or_else(|| "it says nothing".to_owned()));
    match damaged::withdraw(steps, &damaged.entry, &mut damaged.remarks) {
        Ok(whose) => damaged.set_aside(steps.site, entry, whose),
        Err(error) => damaged.remarks.push(format!("error: could not withdraw its order: {error:#}")),
    }
    damaged
}

/// Recovers, and tells what became of each job.
pub(crate) fn recover_and_tell(site: &Site, output: &mut Output) -> Result<Recovery, JournalError> {
    let recovery = recover(site, None, &mut |holder| output.waiting(holder))?;
    recovery.tell(output);
    Ok(recovery)
}

/// Recovers what is left of the job of a host that is not in the DHCP configuration any more, and everything else, and tells it.
pub(crate) fn recover_deleted(
    site: &Site,
    host: &HostName,
    output: &mut Output,
) -> Result<Recovery, JournalError> {
    let recovery = recover(site, Some(host), &mut |holder| output.waiting(holder))?;
    recovery.tell(output);
    Ok(recovery)
}

/// A job that a crash has left, and what would be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Left {
    pub host: HostName,
    pub job: JobId,
    /// The steps that would be done.
    pub steps: Vec<Step>,
}

impl Left {
    pub(crate) fn words(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.as_str()).collect();
        format!("job {} was left by a crash; would {}; nothing was changed", self.job, steps.join(", "))
    }
}

/// Every job that has no living owner, and what is left to do.
pub(crate) fn left(site: &Site) -> Result<Vec<Left>, JournalError> {
    let seen = journal::look_at_all(&site.ghostrc.state_folder)?;
    let orphans = seen.into_iter().filter(|seen| !seen.owned).filter_map(|seen| seen.says.state);
    let left = orphans.map(|state| {
        let client = client::look(&site.tree(state.begun.identity.ip), &state);
        let steps = state.left_over(client.state);
        let Identity { host, job, .. } = state.begun.identity;
        Left { host, job, steps }
    });
    Ok(left.collect())
}
