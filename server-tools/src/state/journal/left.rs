//! What an entry's lines say, and what they say is left to do. Pure.

use ghost_contract::{Mode, UnixTime};

use super::line::{Begun, Line};
use crate::dhcp::Swap;
use crate::job::{Phase, Step, Swapping};

/// What an entry's lines say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub begun: Begun,
    /// When the job came to which phase.
    pub phases: Vec<(Phase, UnixTime)>,
    /// The last swap, if one may have happened.
    pub swap: Option<Swap>,
    /// What DHCP offers the client, as far as these lines tell.
    pub swapping: Swapping,
    /// The steps that were intended, in order.
    pub intended: Vec<Step>,
    /// The steps that were done, in order.
    pub done: Vec<Step>,
}

/// What is known of the client of a job that has lost its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientState {
    /// It has its order, has not said that it is done, and answers on the network.
    AtWork,
    /// It said that it succeeded, and powered off.
    Succeeded,
    Gone,
}

impl State {
    /// What these lines say; none if not even the first one is whole: then nothing was done.
    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        let Some((Line::Begun(begun), rest)) = lines.split_first() else { return None };
        let mut state = Self {
            begun: begun.clone(),
            phases: Vec::new(),
            swap: None,
            swapping: Swapping::Own,
            intended: Vec::new(),
            done: Vec::new(),
        };
        rest.iter().for_each(|line| state.hear(line));
        Some(state)
    }

    fn hear(&mut self, line: &Line) {
        match line {
            Line::Begun(_) => {}
            Line::Intends { step, .. } => {
                self.intended.push(*step);
                // What is to be reverted once more may have been found offered again.
                if *step == Step::Revert && self.swap.is_some() {
                    self.swapping = Swapping::Swapped;
                }
            }
            Line::Swaps(swap) => {
                self.swap = Some(swap.clone());
                self.swapping = self.swapping.after(Step::Swap);
            }
            Line::Did { step, .. } => {
                self.done.push(*step);
                // A swap counts from its own line, which comes before.
                if *step != Step::Swap {
                    self.swapping = self.swapping.after(*step);
                }
            }
            Line::Phase { phase, at } => self.phases.push((*phase, *at)),
        }
    }

    /// The same job, whose host is not in the DHCP configuration any more.
    pub(crate) fn without_swap(self) -> Self {
        Self { swap: None, swapping: Swapping::Own, ..self }
    }

    /// What is left to do so that nothing of the job remains outside it. A step that was intended may have
    /// happened; undoing what did not happen changes nothing.
    pub(crate) fn left_over(&self, client: ClientState) -> Vec<Step> {
        let did = |step| self.done.contains(&step);
        let mut steps = Vec::new();
        if self.swapping.is_left() {
            steps.extend([Step::Revert, Step::OfferOwn]);
        } else if self.swap.is_some() {
            steps.push(Step::LookAgain);
        }
        let is_exported = self.intended.contains(&Step::Export) && !did(Step::Unexport);
        if client == ClientState::AtWork {
            // The NFS server may have been restarted, and what it exports for a job it may have forgotten.
            steps.extend(is_exported.then_some(Step::Export));
            return steps;
        }
        steps.extend(is_exported.then_some(Step::Unexport));
        if self.intended.contains(&Step::MakeTree) {
            let is_kept = did(Step::FinishGeneration) || did(Step::SetAside);
            if self.begun.identity.mode == Mode::Backup && !is_kept {
                let succeeded = client == ClientState::Succeeded;
                steps.push(if succeeded { Step::FinishGeneration } else { Step::SetAside });
            }
            if self.begun.identity.mode == Mode::Restore && !did(Step::RemoveScratch) {
                steps.push(Step::RemoveScratch);
            }
            if !did(Step::Withdraw) {
                steps.push(Step::Withdraw);
            }
        }
        if !did(Step::Record) {
            steps.push(Step::Record);
        }
        steps.push(Step::Close);
        steps
    }
}
