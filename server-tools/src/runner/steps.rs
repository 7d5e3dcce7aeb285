//! Performs the steps of a job, each between its intent and its completion in the journal.
//!
//! A step that takes as long as disks do is begun, done wherever there is a thread for it, and ended: [`Steps::begin`],
//! [`Task`], [`Steps::end`]. All others are performed at once.
//!
//! Used by the loop that drives jobs and by the recovery after a crash alike. Decides nothing: which steps are
//! done, and in which order, is said elsewhere.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use ghost_contract::{Generation, HostName, Mode, Order, UnixTime, layout};

use crate::catalog::pruning::{self, Resolve, keep_removals_out};
use crate::catalog::removal::Plan;
use crate::catalog::{Catalog, Facts};
use crate::dhcp::Swap;
use crate::dhcp::offer::{Edited, Offers, Reverted};
use crate::dhcp::restart::{Gathering, Restarts, Ticket};
use crate::exit::Exit;
use crate::job::{Failure, FailureKind, Identity, Job, Phase, Step};
use crate::site::Site;
use crate::state::journal::{Begun, Entry, JournalError, Line, State};
use crate::state::record::{self, Record, RecordError};
use crate::sys::atomic::Real;
use crate::sys::clock;
use crate::sys::crash;
use crate::sys::lock::LockError;
use crate::tree::{Contents, Tree};

/// What the steps of one job work with.
#[derive(Debug, Clone)]
pub struct Work {
    pub begun: Begun,
    /// What the client is asked; none in a recovery.
    pub order: Option<Order>,
    /// All clients, as [`ghost_contract::ethers`] writes them. The jobs of a run share it.
    pub host_table: Arc<str>,
    /// The journal's entry, once it is claimed.
    pub journal: Option<Entry>,
    /// The swap, once it is intended.
    pub swap: Option<Swap>,
    pub ticket: Option<Ticket>,
    /// When the job came to which phase.
    pub phases: Vec<(Phase, UnixTime)>,
    pub image: Option<PathBuf>,
    /// What people should be told.
    pub remarks: Vec<String>,
    /// What the journal could not be told of.
    pub unwritten: Vec<Failure>,
}

impl Work {
    /// What is left of a job that has lost its owner.
    pub fn of_an_orphan(entry: Entry, state: &State) -> Self {
        Self {
            journal: Some(entry),
            swap: state.swap.clone(),
            phases: state.phases.clone(),
            ..Self::new(state.begun.clone())
        }
    }

    /// Takes over what an offering has made of a copy of it. Nothing else has changed meanwhile but the phases.
    pub fn take_over(&mut self, copy: Self) {
        self.swap = copy.swap;
        self.ticket = copy.ticket;
        self.remarks = copy.remarks;
        self.unwritten = copy.unwritten;
    }

    pub fn new(begun: Begun) -> Self {
        Self {
            begun,
            order: None,
            host_table: "".into(),
            journal: None,
            swap: None,
            ticket: None,
            phases: Vec::new(),
            image: None,
            remarks: Vec::new(),
            unwritten: Vec::new(),
        }
    }
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Offer(anyhow::Error),
    /// What jobs have shared.
    #[error("{}", .0.reason)]
    Shared(Failure),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
    #[error("the journal does not say which imager there was")]
    NoImager,
}

/// The part of a step that takes as long as disks do. What it yields is for [`Steps::end`].
pub type Task = Box<dyn FnOnce() -> Done + Send>;

/// What a task has done.
#[derive(Debug)]
pub struct Done {
    step: Step,
    result: Result<Yield, StepError>,
}

/// What there is to show for it.
#[derive(Debug)]
enum Yield {
    /// A generation that is whole, and where.
    Image(PathBuf),
    /// What people should be told.
    Remark(Option<String>),
}

impl StepError {
    fn kind(&self) -> FailureKind {
        let busy = |lock: &LockError| match lock {
            LockError::Busy { .. } => FailureKind::Busy,
            _ => FailureKind::Failed,
        };
        match self {
            Self::Journal(JournalError::Busy(_) | JournalError::Orphaned) => FailureKind::Busy,
            Self::Lock(lock) => busy(lock),
            Self::Offer(error) | Self::Other(error) => FailureKind::of(Exit::of(error)),
            Self::Shared(failure) => failure.kind,
            other if is_permission(other) => FailureKind::Permission,
            _ => FailureKind::Failed,
        }
    }
}

fn is_permission(error: &StepError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.kind() == std::io::ErrorKind::PermissionDenied;
        }
        cause = error.source();
    }
    false
}

/// Performs steps at one boot server.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    pub site: &'a Site,
    pub catalog: &'a Catalog,
}

impl Steps<'_> {
    /// Performs one step; `job` is the job itself if it lives. `waiting` is told who holds a lock that is needed.
    pub fn perform(
        &self,
        step: Step,
        work: &mut Work,
        job: Option<&Job>,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<(), Failure> {
        if step.is_lengthy() {
            let task = self.begin(step, work)?;
            return self.end(work, task());
        }
        crash::point(&format!("before-{step:?}"));
        let result = self.journalled(step, work, job, waiting);
        crash::point(&format!("after-{step:?}"));
        result.map_err(|error| Failure::new(error.kind(), error))
    }

    /// Says in the journal that a lengthy step is intended, and yields what is to be done.
    pub fn begin(&self, step: Step, work: &mut Work) -> Result<Task, Failure> {
        crash::point(&format!("before-{step:?}"));
        intend(step, work)
            .and_then(|()| self.task(step, work))
            .map_err(|error| Failure::new(error.kind(), error))
    }

    /// Says in the journal what became of a lengthy step.
    pub fn end(&self, work: &mut Work, done: Done) -> Result<(), Failure> {
        let Done { step, result } = done;
        let ended = result.map(|yielded| {
            match yielded {
                Yield::Image(path) => work.image = Some(path),
                Yield::Remark(remark) => work.remarks.extend(remark),
            }
            complete(step, work);
        });
        crash::point(&format!("after-{step:?}"));
        ended.map_err(|error| Failure::new(error.kind(), error))
    }

    fn journalled(
        &self,
        step: Step,
        work: &mut Work,
        job: Option<&Job>,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<(), StepError> {
        intend(step, work)?;
        self.act(step, work, job, waiting)?;
        complete(step, work);
        Ok(())
    }

    fn act(
        &self,
        step: Step,
        work: &mut Work,
        job: Option<&Job>,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<(), StepError> {
        let begun = work.begun.clone();
        match step {
            Step::Claim => {
                // Nothing is removed between the look at the generation and the journal's word that it is read.
                let ghostrc = &self.site.ghostrc;
                let _kept = match &begun.generation {
                    Some(generation) => {
                        let lock = keep_removals_out(
                            &ghostrc.state_folder,
                            &begun.identity.host,
                            self.site.lock_timeout,
                        )?;
                        self.catalog.show(&begun.identity.host, generation.clone())?;
                        Some(lock)
                    }
                    None => None,
                };
                work.journal = Some(Entry::claim(&self.site.ghostrc.state_folder, begun)?);
            }
            Step::MakeTree => self.make_tree(work)?,
            Step::Swap | Step::Revert | Step::OfferBoot | Step::OfferOwn => {
                return self.offer_all(step, &mut [work], waiting).pop().unwrap_or(Ok(()));
            }
            Step::AskToStop => self.tree(work).ask_to_stop()?,
            Step::SetAside => {
                work.image = self.catalog.set_aside(&begun.identity.host, &begun.identity.job)?
            }
            Step::RemoveScratch => self.catalog.remove_staging(&begun.identity.host, &begun.identity.job)?,
            Step::Withdraw => {
                self.tree(work).withdraw(&begun.identity.job)?;
                self.catalog.remove_nonce(&begun.nonce)?;
            }
            Step::Record => self.record(work, job)?,
            // Those are tasks.
            Step::FinishGeneration | Step::Prune => {}
            Step::Close => {
                if let Some(journal) = work.journal.take() {
                    journal.close()?;
                }
            }
        }
        Ok(())
    }

    fn tree(&self, work: &Work) -> Tree {
        Tree::of(&self.site.ghostrc.base_root, work.begun.identity.ip)
    }

    fn make_tree(&self, work: &Work) -> Result<(), StepError> {
        let Begun { identity: Identity { job, host, mode, .. }, nonce, .. } = &work.begun;
        self.catalog.write_nonce(nonce)?;
        if *mode == Mode::Backup || work.order.as_ref().is_some_and(Order::needs_scratch) {
            self.catalog.stage(host, job)?;
        }
        match &work.order {
            Some(order) => Ok(self.tree(work).make(&Contents { order, host_table: &work.host_table })?),
            None => Ok(()),
        }
    }

    fn task(&self, step: Step, work: &Work) -> Result<Task, StepError> {
        match step {
            Step::FinishGeneration => self.finishing(work),
            Step::Prune => Ok(self.pruning(work)),
            // All others are done at once.
            _ => Ok(Box::new(move || Done { step, result: Ok(Yield::Remark(None)) })),
        }
    }

    fn finishing(&self, work: &Work) -> Result<Task, StepError> {
        let Some(imager) = work.begun.imager.clone() else {
            return Err(StepError::NoImager);
        };
        let Begun { identity: Identity { host, job: id, mac, mode, .. }, at, .. } = work.begun.clone();
        let began = |phase| work.phases.iter().find(|(found, _)| *found == phase).map(|(_, at)| *at);
        let facts = Facts {
            mac,
            mode,
            imager,
            started: began(Phase::Imaging).unwrap_or(at),
            ended: began(Phase::GoingOff).unwrap_or_else(clock::now),
            checked: clock::now(),
        };
        let catalog = self.catalog.clone();
        let generation = layout::generation(&host, &Generation::of_job(id.clone()));
        let path = self.site.ghostrc.store_folder.join(generation);
        Ok(Box::new(move || {
            let finished = catalog.finish(&host, &id, &facts);
            let result = finished.map(|_manifest| Yield::Image(path)).map_err(StepError::from);
            Done { step: Step::FinishGeneration, result }
        }))
    }

    fn pruning(&self, work: &Work) -> Task {
        let (site, catalog, host) =
            (self.site.clone(), self.catalog.clone(), work.begun.identity.host.clone());
        Box::new(move || {
            let pruned = pruning::prune(&site, &catalog, &host, Resolve::Remove);
            let result = pruned.map(|plan| Yield::Remark(removed(&plan))).map_err(StepError::from);
            Done { step: Step::Prune, result }
        })
    }

    /// Does a step that changes what DHCP offers for many jobs at once.
    pub fn offer(
        &self,
        step: Step,
        mut works: Vec<Box<Work>>,
        waiting: &mut dyn FnMut(&str),
    ) -> Vec<(Box<Work>, Result<(), Failure>)> {
        crash::point(&format!("before-{step:?}"));
        let intended: Vec<Result<(), StepError>> = works.iter_mut().map(|work| intend(step, work)).collect();
        let mut ready: Vec<&mut Work> = works
            .iter_mut()
            .zip(&intended)
            .filter(|(_, intended)| intended.is_ok())
            .map(|(work, _)| &mut **work)
            .collect();
        let mut became = self.offer_all(step, &mut ready, waiting).into_iter();
        let results: Vec<Result<(), StepError>> = intended
            .into_iter()
            .map(|intended| intended.and_then(|()| became.next().unwrap_or(Ok(()))))
            .collect();
        let pairs = works.into_iter().zip(results).map(|(mut work, result)| {
            if result.is_ok() {
                complete(step, &mut work);
            }
            (work, result.map_err(|error| Failure::new(error.kind(), error)))
        });
        let done = pairs.collect();
        crash::point(&format!("after-{step:?}"));
        done
    }

    fn offer_all(
        &self,
        step: Step,
        works: &mut [&mut Work],
        waiting: &mut dyn FnMut(&str),
    ) -> Vec<Result<(), StepError>> {
        match step {
            Step::Swap => self.swap(works, waiting),
            Step::Revert => self.revert(works, waiting),
            Step::OfferBoot => self.restart(works, Gathering::SWAPS),
            _ => self.restart(works, Gathering::REVERTS),
        }
    }

    fn swap(&self, works: &mut [&mut Work], waiting: &mut dyn FnMut(&str)) -> Vec<Result<(), StepError>> {
        let hosts: Vec<HostName> = works.iter().map(|work| work.begun.identity.host.clone()).collect();
        let mut intend = |host: &HostName, intended: &Swap| {
            let Some(work) = works.iter_mut().find(|work| work.begun.identity.host == *host) else {
                return Ok(());
            };
            work.swap = Some(intended.clone());
            let written = work.journal.as_ref().map(|journal| journal.append(&Line::Swaps(intended.clone())));
            Ok(written.transpose().map(|_written| ())?)
        };
        let mut effects = Real;
        let mut offers = Offers::new(self.site, purpose("swap", &hosts), waiting, &mut effects);
        let edited = offers.swap(&hosts, &mut intend);
        match edited {
            Ok(Edited { each, ticket, remarks }) => {
                told(works, ticket, remarks);
                each.into_iter().map(|became| became.map_err(StepError::Offer)).collect()
            }
            Err(error) => for_all(works.len(), &error),
        }
    }

    fn revert(&self, works: &mut [&mut Work], waiting: &mut dyn FnMut(&str)) -> Vec<Result<(), StepError>> {
        // Without an intent nothing was changed.
        let swapped: Vec<(HostName, Swap)> = works
            .iter()
            .filter_map(|work| Some((work.begun.identity.host.clone(), work.swap.clone()?)))
            .collect();
        if swapped.is_empty() {
            return works.iter().map(|_| Ok(())).collect();
        }
        let hosts: Vec<HostName> = swapped.iter().map(|(host, _)| host.clone()).collect();
        let mut effects = Real;
        let mut offers = Offers::new(self.site, purpose("revert", &hosts), waiting, &mut effects);
        let Edited { each, ticket, remarks } = match offers.revert(&swapped) {
            Ok(edited) => edited,
            Err(error) => return for_all(works.len(), &error),
        };
        told(works, ticket, remarks);
        let mut each = each.into_iter();
        let became = works.iter_mut().map(|work| {
            let became = work.swap.as_ref().and_then(|_| each.next()).unwrap_or(Ok(Reverted::NothingToDo));
            match became.map_err(StepError::Offer)? {
                Reverted::Restored | Reverted::NothingToDo => {}
                // There is nothing of ours in it any more, and so nothing to be undone.
                Reverted::LeftAlone(fault) => work.remarks.push(format!(
                    "somebody else has changed the DHCP entry since the swap, so it was left alone: {fault}"
                )),
            }
            Ok(())
        });
        became.collect()
    }

    /// The newest ticket first: whoever restarts for it has restarted for those before it.
    fn restart(&self, works: &mut [&mut Work], gathering: Gathering) -> Vec<Result<(), StepError>> {
        let mut served: Vec<(Ticket, Result<(), Failure>)> = Vec::new();
        for ticket in works.iter().rev().filter_map(|work| work.ticket) {
            if served.iter().all(|(known, _)| *known != ticket) {
                let became = Restarts::of(self.site).serve(ticket, self.site, gathering);
                let became = became.map_err(|error| Failure::new(FailureKind::of(error.exit()), error));
                served.push((ticket, became));
            }
        }
        let result = |work: &&mut Work| {
            let served = served.iter().find(|(ticket, _)| Some(*ticket) == work.ticket);
            served.map_or(Ok(()), |(_, became)| became.clone().map_err(StepError::Shared))
        };
        works.iter().map(result).collect()
    }

    fn record(&self, work: &Work, job: Option<&Job>) -> Result<(), StepError> {
        let report = self.tree(work).whole_report().unwrap_or_default();
        let record = Record {
            identity: work.begun.identity.clone(),
            began: work.begun.at,
            ended: clock::now(),
            phases: work.phases.clone(),
            ending: job.and_then(Job::ending).cloned(),
            troubles: job.map(Job::troubles).unwrap_or_default(),
            sample: job.and_then(|job| job.seen().said.sample()),
            image: work.image.clone(),
            swap: work.swap.clone(),
        };
        Ok(record::keep(&self.site.ghostrc.state_folder, &record, &report)?)
    }
}

fn purpose(verb: &str, hosts: &[HostName]) -> String {
    match hosts {
        [host] => format!("ghostctl {verb} {host}"),
        hosts => format!("ghostctl {verb} of {} hosts", hosts.len()),
    }
}

/// An edit is told of where the first of its jobs is, and all of them wait for the same restart.
fn told(works: &mut [&mut Work], ticket: Option<Ticket>, remarks: Vec<String>) {
    works.iter_mut().filter(|work| work.swap.is_some()).for_each(|work| work.ticket = ticket);
    if let Some(first) = works.first_mut() {
        first.remarks.extend(remarks);
    }
}

/// The same obstacle for every job that shared an edit.
fn for_all(count: usize, error: &anyhow::Error) -> Vec<Result<(), StepError>> {
    let again = || Err(StepError::Shared(Failure::from_error(error)));
    (0..count).map(|_| again()).collect()
}

/// Says in the journal what is about to be done. Whatever undoes something is done even if that cannot be said.
fn intend(step: Step, work: &mut Work) -> Result<(), StepError> {
    let intends = |journal: &Entry| journal.append(&Line::Intends { step, at: clock::now() });
    match work.journal.as_ref().map_or(Ok(()), intends) {
        Err(error) if step.needs_intent() => Err(error.into()),
        Err(error) => {
            work.unwritten.push(Failure::new(FailureKind::Failed, error));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Says in the journal that a step was done. It was, whether or not that can be said.
fn complete(step: Step, work: &mut Work) {
    let did = |journal: &Entry| journal.append(&Line::Did { step, at: clock::now() });
    if let Err(error) = work.journal.as_ref().map_or(Ok(()), did) {
        work.unwritten.push(Failure::new(FailureKind::Failed, error));
    }
}

/// Which generations are gone, in words; nothing if none is.
fn removed(plan: &Plan) -> Option<String> {
    let names: Vec<&str> = plan.generations.iter().map(Generation::as_str).collect();
    let removed = || format!("removed as GENERATIONS and KEEP_DAYS ask for: {}", names.join(", "));
    (!names.is_empty()).then(removed)
}
