//! Performs what crashes have left to do: what DHCP offers for all jobs at once, and the rest for each.
//!
//! ```text
//! all: revert, look again ─┬─ pc2: look at it, stop exporting ─┬─ pc2: finish, set aside, withdraw, record …
//!                          └─ pc3: the same, beside it         └─ pc3: the same, beside it
//! ```
//! A client can make the rest take as long as it likes, by what it leaves in its folders. So the hosts do not wait for each other.
//!
//! Does not decide what is left to do.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Damaged, Recovered, client};
use crate::dhcp::Kind;
use crate::job::{Step, Swapping};
use crate::runner::dhcp_steps::DhcpSteps;
use crate::runner::steps::Steps;
use crate::runner::work::Work;
use crate::state::journal::{ClientState, Entry, State};

/// So many hosts are undone at the same time.
const AT_ONCE: usize = 16;

/// Performs what is left of the steps about what DHCP offers.
pub(super) struct Undoing<'a> {
    pub(super) dhcp: DhcpSteps<'a>,
}

impl Undoing<'_> {
    fn perform(&mut self, step: Step, one: &mut Unfinished) -> bool {
        let became = self.dhcp.perform(step, &mut [&mut one.work]).pop().unwrap_or(Ok(()));
        let is_done = became.is_ok();
        one.recovered.became(step, became);
        is_done
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

    /// Sees that a host that was reverted before the crash is not offered the boot file again, and reverts it once more if it is.
    pub(super) fn look_again(&mut self, one: &mut Unfinished) {
        let is_left =
            one.damage.is_none() && one.state.left_over(ClientState::Gone).contains(&Step::LookAgain);
        if !is_left || self.perform(Step::LookAgain, one) {
            return;
        }
        one.recovered.swapping = Swapping::Swapped;
        self.perform(Step::Revert, one);
        if one.recovered.swapping == Swapping::PutBack {
            self.perform(Step::OfferOwn, one);
        }
        if !one.recovered.swap_is_left() {
            one.recovered.failed.retain(|(failed, _)| *failed != Step::LookAgain);
        }
    }
}

/// A job that has lost its owner, and what is done about it.
pub(super) struct Unfinished {
    entry: Entry,
    path: PathBuf,
    state: State,
    /// Why its entry cannot be read whole, if so.
    damage: Option<String>,
    work: Work,
    recovered: Recovered,
}

/// What became of it.
pub(super) enum Became {
    Recovered(Recovered),
    Damaged(Damaged),
}

/// The hosts whose exports are not looked at yet, those of which only the rest is left, and what became of the others. Each with its
/// place in the list.
#[derive(Default)]
struct Queue {
    exported: VecDeque<(usize, Unfinished)>,
    rest: VecDeque<(usize, Unfinished, Vec<Step>)>,
    became: Vec<(usize, Became)>,
}

/// Does what is left after the reverts, for many hosts at the same time: what is exported first, and then the rest.
pub(super) fn finish_all(unfinished: Vec<Unfinished>, steps: Steps<'_>) -> Vec<Became> {
    let others = unfinished.len().min(AT_ONCE).saturating_sub(1);
    let exported = unfinished.into_iter().enumerate().collect();
    let queue = Mutex::new(Queue { exported, ..Queue::default() });
    thread::scope(|scope| {
        for _ in 0..others {
            // Where no thread is to be had, this one does all of it.
            let _started = thread::Builder::new().spawn_scoped(scope, || take_from(&queue, steps));
        }
        take_from(&queue, steps);
    });
    let mut became = queue.into_inner().unwrap_or_else(PoisonError::into_inner).became;
    became.sort_unstable_by_key(|(place, _)| *place);
    became.into_iter().map(|(_, became)| became).collect()
}

/// Until nothing is left. Whoever puts something back takes it again, if nobody else does.
fn take_from(queue: &Mutex<Queue>, steps: Steps<'_>) {
    let locked = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let exported = locked().exported.pop_front();
        if let Some((place, mut one)) = exported {
            let left = one.ends_exports(steps);
            locked().rest.push_back((place, one, left));
            continue;
        }
        let rest = locked().rest.pop_front();
        let Some((place, one, left)) = rest else { return };
        let became = one.finish(steps, &left);
        locked().became.push((place, became));
    }
}

impl Unfinished {
    pub(super) fn of(entry: Entry, path: PathBuf, state: State, damage: Option<String>) -> Self {
        let work = Work::of_an_orphan(entry.clone(), &state);
        Self { entry, path, damage, work, recovered: Recovered::begin(&state), state }
    }

    /// Looks at the client, and has its folders exported no more unless it is at work. Yields what is left to do then.
    fn ends_exports(&mut self, steps: Steps<'_>) -> Vec<Step> {
        let tree = steps.site.tree(self.state.begun.identity.ip);
        let client::Look { state: client, doubt } = client::look(&tree, &self.state);
        let mut left = match &self.damage {
            None => {
                self.recovered.at_work = client == ClientState::AtWork;
                self.recovered.doubt = doubt;
                if self.recovered.at_work {
                    steps.keep_host(&mut self.work);
                }
                self.state.left_over(client)
            }
            // One that works has claimed its order, so that nobody obeys that again.
            Some(_) if client == ClientState::AtWork => Vec::new(),
            Some(_) => {
                let exports = self.state.begun.exports.as_ref().map(|_| Step::Unexport);
                exports.into_iter().chain([Step::Withdraw]).collect()
            }
        };
        left.retain(|step| !step.is_offer());
        let (first, left): (Vec<Step>, Vec<Step>) = left.into_iter().partition(|step| step.is_export());
        self.recovered.perform_all(steps, &mut self.work, &first);
        left
    }

    /// Does the rest.
    fn finish(mut self, steps: Steps<'_>, left: &[Step]) -> Became {
        self.recovered.perform_all(steps, &mut self.work, left);
        self.recovered.remark(&mut self.work);
        let Some(why) = self.damage else { return Became::Recovered(self.recovered) };
        let identity = self.state.begun.identity;
        let mut damaged = Damaged::unread(self.path, why);
        damaged.host = Some(identity.host.clone());
        damaged.remarks = self.recovered.told();
        // Otherwise the next recovery tries again.
        if !(self.recovered.swap_is_left() || self.recovered.left_undone()) {
            damaged.set_aside(steps.site, self.entry, Some((identity.host, identity.mac)));
        }
        Became::Damaged(damaged)
    }
}
