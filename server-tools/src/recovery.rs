//! After a crash: finds jobs that have lost their owners, and undoes or finishes what they left.
//!
//! What is left to do is decided by [`State::left_over`]; here it is found out and performed.

mod client;
mod damaged;
mod lost;
mod lost_state;
mod strays;
mod undoing;

use std::path::Path;

use ghost_contract::{HostName, JobId};
use serde::Serialize;

pub(crate) use damaged::{Damaged, DamagedRecord};
pub(crate) use lost_state::of_a_lost_state;
pub(crate) use strays::{Stray, newcomers, strays};
use undoing::{Undoing, Unfinished};

use crate::catalog::Catalog;
use crate::exit::Exit;
use crate::job::{Failure, Identity, Step, Swapping};
use crate::output::Output;
use crate::runner::dhcp_steps::DhcpSteps;
use crate::runner::steps::Steps;
use crate::runner::work::Work;
use crate::site::Site;
use crate::state::damaged as damaged_files;
use crate::state::journal::{self, ClientState, Entry, JournalError, Orphan, State};

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

    fn perform_all(&mut self, undoing: &mut Undoing<'_>, work: &mut Work, left: &[Step]) {
        for step in left.iter().copied() {
            // Until the entry's own bytes are back and the server knows, the journal must go on saying so; the same with an
            // order that a client could find, and with what only the record will tell.
            if step == Step::Close && (self.swap_is_left() || self.left_undone()) {
                continue;
            }
            // A restart would take up what was not put back.
            if step == Step::OfferOwn && self.swapping != Swapping::PutBack {
                continue;
            }
            self.perform(step, undoing, work);
            if step == Step::FinishGeneration && self.has_failed(step) {
                self.perform(Step::SetAside, undoing, work);
            }
            if step == Step::LookAgain && self.has_failed(step) {
                self.revert_once_more(undoing, work);
            }
        }
        self.remarks = std::mem::take(&mut work.remarks);
        self.remarks.extend(work.lacks.take());
        self.remarks.extend(work.unwritten.drain(..).map(|failure| failure.reason));
        if self.swap_is_left() {
            self.remarks.push(format!(
                "DHCP may still offer it the boot file; correct the cause above, then run 'ghostctl dhcp revert {}'",
                self.host
            ));
        }
    }

    fn perform(&mut self, step: Step, undoing: &mut Undoing<'_>, work: &mut Work) {
        let became = undoing.perform(step, work);
        self.became(step, became);
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

    /// The host is offered the boot file again, though it was reverted.
    fn revert_once_more(&mut self, undoing: &mut Undoing<'_>, work: &mut Work) {
        self.swapping = Swapping::Swapped;
        self.perform(Step::Revert, undoing, work);
        if self.swapping == Swapping::PutBack {
            self.perform(Step::OfferOwn, undoing, work);
        }
        if !self.swap_is_left() {
            self.failed.retain(|(failed, _)| *failed != Step::LookAgain);
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
fn recover(
    site: &Site,
    deleted: Option<&HostName>,
    waiting: &mut dyn FnMut(&str),
) -> Result<Recovery, JournalError> {
    let catalog = Catalog::of(&site.ghostrc);
    let steps = Steps { site, catalog: &catalog };
    let mut undoing = Undoing { steps, dhcp: DhcpSteps { site, waiting } };
    let (mut recovery, mut unfinished) = (Recovery::default(), Vec::new());
    for path in journal::entries(&site.ghostrc.state_folder)? {
        match Entry::take_over(&path) {
            Ok(None) => {}
            Ok(Some((entry, Orphan { state: Some(state), damage: None }))) => {
                let is_deleted = deleted == Some(&state.begun.identity.host);
                let state = if is_deleted { state.without_swap() } else { state };
                unfinished.push(Unfinished::of(entry, state));
            }
            Ok(Some((entry, orphan))) => {
                recovery.damaged.push(set_aside(&mut undoing, &path, entry, orphan));
            }
            // One that cannot even be opened keeps nobody from recovering the others.
            Err(error) => recovery.damaged.push(Damaged {
                entry: path,
                why: format!("{:#}", anyhow::Error::new(error)),
                host: None,
                kept: None,
                remarks: Vec::new(),
            }),
        }
    }
    undoing.revert_together(&mut unfinished);
    recovery.jobs = unfinished.into_iter().map(|one| one.finish(&mut undoing)).collect();
    recovery.damaged_records = damaged::damaged_records(site);
    Ok(recovery)
}

/// Undoes what a damaged entry tells of, as far as it does, and keeps the entry.
fn set_aside(
    undoing: &mut Undoing<'_>,
    path: &Path,
    entry: Entry,
    Orphan { state, damage }: Orphan,
) -> Damaged {
    let why = damage.unwrap_or_else(|| "it says nothing".to_owned());
    let mut damaged = Damaged { entry: path.to_owned(), why, host: None, kept: None, remarks: Vec::new() };
    let whose = match &state {
        Some(state) => {
            let Identity { host, mac, .. } = &state.begun.identity;
            damaged.host = Some(host.clone());
            if !undo_damaged(undoing, &entry, state, &mut damaged.remarks) {
                // The next recovery tries again.
                return damaged;
            }
            Some((host.clone(), *mac))
        }
        None => match damaged::withdraw(undoing.steps, path, &mut damaged.remarks) {
            Ok(whose) => whose,
            Err(error) => {
                damaged.remarks.push(format!("error: could not withdraw its order: {error:#}"));
                return damaged;
            }
        },
    };
    match entry.set_aside(&undoing.steps.site.ghostrc.state_folder) {
        Ok(kept) => {
            let said = whose.map_or(Ok(()), |(host, mac)| damaged_files::say_whose(&kept, &host, mac));
            damaged
                .remarks
                .extend(said.err().map(|error| format!("whose entry it was is not kept: {error}")));
            damaged.kept = Some(kept);
        }
        Err(error) => damaged.remarks.push(format!("{:#}", anyhow::Error::new(error))),
    }
    damaged
}

/// Undoes what can be read of a damaged entry: the swap, and the order of a client that does not work. Says whether nothing of that
/// is left.
fn undo_damaged(undoing: &mut Undoing<'_>, entry: &Entry, state: &State, remarks: &mut Vec<String>) -> bool {
    let mut recovered = Recovered::begin(state);
    let tree = undoing.steps.site.tree(state.begun.identity.ip);
    // One that works has claimed its order, so that nobody obeys that again.
    let is_at_work = client::look(&tree, &state.begun).state == ClientState::AtWork;
    let reverting = [Step::Revert, Step::OfferOwn].into_iter().filter(|_| state.swapping.is_left());
    let is_exported = state.begun.exports.is_some();
    let undoing_exports = (is_exported && !is_at_work).then_some(Step::Unexport);
    let withdrawing = (!is_at_work).then_some(Step::Withdraw);
    let steps: Vec<Step> = reverting.chain(undoing_exports).chain(withdrawing).collect();
    recovered.perform_all(undoing, &mut Work::of_an_orphan(entry.clone(), state), &steps);
    *remarks = recovered.told();
    !(recovered.swap_is_left() || recovered.left_undone())
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
        let client = client::look(&site.tree(state.begun.identity.ip), &state.begun);
        let steps = state.left_over(client.state);
        let Identity { host, job, .. } = state.begun.identity;
        Left { host, job, steps }
    });
    Ok(left.collect())
}
