//! Performs what crashes have left to do: what DHCP offers for all jobs at once, and the rest for each.
//!
//! Does not decide what that is.

use super::{Recovered, client};
use crate::dhcp::Kind;
use crate::job::{Failure, Step, Swapping};
use crate::runner::dhcp_steps::DhcpSteps;
use crate::runner::steps::Steps;
use crate::runner::work::Work;
use crate::state::journal::{ClientState, Entry, State};

/// Performs what is left to do.
pub(super) struct Undoing<'a> {
    pub(super) steps: Steps<'a>,
    pub(super) dhcp: DhcpSteps<'a>,
}

impl Undoing<'_> {
    pub(super) fn perform(&mut self, step: Step, work: &mut Work) -> Result<(), Failure> {
        if step.is_offer() {
            return self.dhcp.perform(step, &mut [work]).pop().unwrap_or(Ok(()));
        }
        self.steps.perform(step, work, None)
    }

    /// Puts the entries of all jobs back by one edit, and then one restart: a restart for each would take long, and clients that boot
    /// meanwhile would find no server again and again.
    pub(super) fn revert_together(&mut self, unfinished: &mut [Unfinished]) {
        for kind in Kind::ALL {
            let is_its = |one: &&mut Unfinished| {
                one.recovered.swap_is_left() && one.work.swap.as_ref().is_some_and(|swap| swap.server == kind)
            };
            let mut swapped: Vec<&mut Unfinished> = unfinished.iter_mut().filter(is_its).collect();
            self.perform_together(Step::Revert, &mut swapped);
            swapped.retain(|one| one.recovered.swapping == Swapping::PutBack);
            self.perform_together(Step::OfferOwn, &mut swapped);
        }
    }

    fn perform_together(&mut self, step: Step, unfinished: &mut [&mut Unfinished]) {
        if unfinished.is_empty() {
            return;
        }
        let mut works: Vec<&mut Work> = unfinished.iter_mut().map(|one| &mut one.work).collect();
        let became = self.dhcp.perform(step, &mut works);
        unfinished.iter_mut().zip(became).for_each(|(one, became)| one.recovered.became(step, became));
    }
}

/// A job that has lost its owner, and what is done about it.
pub(super) struct Unfinished {
    state: State,
    work: Work,
    recovered: Recovered,
}

impl Unfinished {
    pub(super) fn of(entry: Entry, state: State) -> Self {
        Self { work: Work::of_an_orphan(entry, &state), recovered: Recovered::begin(&state), state }
    }

    /// Does what is left after the revert.
    pub(super) fn finish(mut self, undoing: &mut Undoing<'_>) -> Recovered {
        let tree = undoing.steps.site.tree(self.state.begun.identity.ip);
        let client::Look { state: client, doubt } = client::look(&tree, &self.state.begun);
        self.recovered.at_work = client == ClientState::AtWork;
        self.recovered.doubt = doubt;
        if self.recovered.at_work {
            undoing.steps.keep_host(&mut self.work);
        }
        let mut left = self.state.left_over(client);
        left.retain(|step| !matches!(step, Step::Revert | Step::OfferOwn));
        self.recovered.perform_all(undoing, &mut self.work, &left);
        self.recovered
    }
}
