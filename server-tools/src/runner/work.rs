//! What the steps of one job work with, and what they write to its journal: the intent before, the completion after.

use std::path::PathBuf;
use std::sync::Arc;

use ghost_contract::{Order, UnixTime};

use crate::dhcp::Swap;
use crate::dhcp::restart::Ticket;
use crate::job::luks_key::LuksKey;
use crate::job::{Failure, FailureKind, Phase, Step};
use crate::lease::kept::Held;
use crate::state::journal::{Begun, Entry, JournalError, Line, State};
use crate::sys::clock;

/// What became of a step for each of the jobs that shared it, in their order.
pub(crate) type Results = Vec<Result<(), Failure>>;

#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub begun: Begun,
    /// What the client is asked to do. A recovery has none.
    pub order: Option<Order>,
    /// The key of encrypted partitions that comes with it.
    pub luks_key: Option<LuksKey>,
    /// All clients, as [`ghost_contract::ethers`] writes them. The jobs of a run share it.
    pub host_table: Arc<str>,
    /// The journal's entry, once it is claimed.
    pub journal: Option<Entry>,
    /// The host's lease in the store, once it is taken.
    pub lease: Option<Held>,
    /// The swap, once it is intended.
    pub swap: Option<Swap>,
    /// What is said in place of "reverted": another person has changed the host's entry.
    pub left_alone: Option<String>,
    /// Whether the last look at the configuration found that it offers the boot file again, or has no entry.
    pub is_doubtful: bool,
    /// Whether the DHCP server has answered for this client.
    pub is_heard: bool,
    /// Whether people were told that nothing is heard.
    pub is_told_unheard: bool,
    /// Which restart of the DHCP server makes the last edit take effect.
    pub ticket: Option<Ticket>,
    /// When the job came to which phase.
    pub phases: Vec<(Phase, UnixTime)>,
    /// Where the generation is, or what was set aside of it.
    pub image: Option<PathBuf>,
    /// What the generation takes in the store, once it is finished.
    pub bytes: Option<u64>,
    /// What is not in the image though nothing says that it is free, in words.
    pub lacks: Option<String>,
    /// What people should be told.
    pub remarks: Vec<String>,
    /// What went wrong besides the steps: lines that could not be written to the journal, and what other programs have saved that is
    /// not in the DHCP configuration.
    pub unwritten: Vec<Failure>,
}

impl Work {
    pub(crate) fn new(begun: Begun) -> Self {
        Self {
            begun,
            order: None,
            luks_key: None,
            host_table: "".into(),
            journal: None,
            lease: None,
            swap: None,
            left_alone: None,
            is_doubtful: false,
            is_heard: false,
            is_told_unheard: false,
            ticket: None,
            phases: Vec::new(),
            image: None,
            bytes: None,
            lacks: None,
            remarks: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    /// The work that a job has left whose owner is dead.
    pub(crate) fn of_an_orphan(entry: Entry, state: &State) -> Self {
        Self {
            journal: Some(entry),
            swap: state.swap.clone(),
            phases: state.phases.clone(),
            ..Self::new(state.begun.clone())
        }
    }

    /// A copy for another thread, with nothing yet to be told.
    pub(crate) fn copy(&self) -> Self {
        Self { remarks: Vec::new(), unwritten: Vec::new(), ..self.clone() }
    }

    /// Takes over what a DHCP step has changed in such a copy. Another one may have been done with a copy of its own meanwhile, so
    /// only an edit tells what it has edited.
    pub(crate) fn take_over(&mut self, step: Step, copy: Self) {
        self.remarks.extend(copy.remarks);
        self.unwritten.extend(copy.unwritten);
        self.is_heard |= copy.is_heard;
        self.is_told_unheard |= copy.is_told_unheard;
        if step == Step::OfferOwn {
            self.is_doubtful = copy.is_doubtful;
        }
        if step.is_edit() {
            self.swap = copy.swap;
            self.left_alone = copy.left_alone;
            self.ticket = copy.ticket;
        }
    }

    /// Writes to the journal what is about to be done. A step that undoes something is done even if this fails.
    pub(crate) fn intend(&mut self, step: Step) -> anyhow::Result<()> {
        match self.write(&Line::Intends { step, at: clock::now() }) {
            Err(error) if step.needs_intent() => Err(error.into()),
            Err(error) => {
                self.unwritten.push(Failure::new(FailureKind::Failed, error));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes to the journal that a step was done. It was done, whether or not this succeeds.
    pub(crate) fn complete(&mut self, step: Step) {
        if let Err(error) = self.write(&Line::Did { step, at: clock::now() }) {
            self.unwritten.push(Failure::new(FailureKind::Failed, error));
        }
    }

    fn write(&self, line: &Line) -> Result<(), JournalError> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.append(line))
    }
}
