//! After a crash: finds jobs that have lost their owners, and undoes or finishes what they left.
//!
//! What is left to do is decided by [`State::left_over`]; here it is found out and performed.

use std::time::Duration;

use ghost_contract::report::{Event as Reported, Outcome};
use ghost_contract::{HostName, JobId, Order, report};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::job::{Failure, Step, Swapping};
use crate::output::{Form, Output};
use crate::runner::steps::{Steps, Work};
use crate::site::Site;
use crate::state::journal::{self, ClientState, Entry, JournalError, State};
use crate::sys::arp::Arp;
use crate::sys::icmp::Icmp;
use crate::sys::interface::Interface;
use crate::tree::Tree;

/// How long is listened whether a client is still on.
const LISTENING: Duration = Duration::from_millis(1_500);

/// What became of one job that a crash had left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovered {
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
    /// What DHCP offers the client now.
    #[serde(skip)]
    swapping: Swapping,
}

impl Recovered {
    /// Whether nothing of the job is left.
    pub fn is_over(&self) -> bool {
        self.done.contains(&Step::Close)
    }

    /// Whether DHCP may still offer the boot file.
    pub const fn swap_is_left(&self) -> bool {
        self.swapping.is_left()
    }

    fn perform(&mut self, step: Step, steps: &Steps<'_>, work: &mut Work, waiting: &mut dyn FnMut(&str)) {
        match steps.perform(step, work, None, waiting) {
            Ok(()) => {
                self.done.push(step);
                self.swapping = self.swapping.after(step);
            }
            Err(failure) => self.failed.push((step, failure)),
        }
    }

    pub fn words(&self) -> String {
        let done: Vec<&str> = self.done.iter().map(|step| step.as_str()).collect();
        let failed = self
            .failed
            .iter()
            .map(|(step, failure)| format!("; error: could not {}: {}", step.as_str(), failure.reason));
        let at_work =
            if self.at_work { "; the client is still at work, so recover again when it is off" } else { "" };
        format!(
            "job {} was left by a crash; {}{}{}{at_work}",
            self.job,
            done.join(", "),
            failed.collect::<String>(),
            self.remarks.iter().map(|remark| format!("; {remark}")).collect::<String>()
        )
    }
}

/// Recovers every job that has no living owner.
pub fn recover(site: &Site, waiting: &mut dyn FnMut(&str)) -> Result<Vec<Recovered>, JournalError> {
    let mut recovered = Vec::new();
    for path in journal::entries(&site.ghostrc.state_folder)? {
        let entry = match Entry::take_over(&path) {
            Ok(Some(entry)) => entry,
            Ok(None) | Err(JournalError::Busy(_)) => continue,
            Err(error) => return Err(error),
        };
        match entry.state() {
            Some(state) => recovered.push(recover_one(site, entry, state, waiting)),
            None => entry.close()?,
        }
    }
    Ok(recovered)
}

/// Recovers, and tells what became of each job.
pub fn recover_and_tell(site: &Site, output: &mut Output) -> Result<Vec<Recovered>, JournalError> {
    let recovered = recover(site, &mut |holder| output.waiting(holder))?;
    for one in &recovered {
        match output.form() {
            Form::Json => output.json(one),
            Form::Plain => output.line(&format!("{}: {}", one.host, one.words())),
        }
    }
    Ok(recovered)
}

/// A job that a crash has left, and what would be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    pub host: HostName,
    pub job: JobId,
    /// The steps that would be done.
    pub steps: Vec<Step>,
}

impl Left {
    pub fn words(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.as_str()).collect();
        format!("job {} was left by a crash; would {}; nothing was changed", self.job, steps.join(", "))
    }
}

/// Every job that has no living owner, and what is left to do.
pub fn left(site: &Site) -> Result<Vec<Left>, JournalError> {
    let mut left = Vec::new();
    for path in journal::entries(&site.ghostrc.state_folder)? {
        let entry = match Entry::take_over(&path) {
            Ok(Some(entry)) => entry,
            Ok(None) | Err(JournalError::Busy(_)) => continue,
            Err(error) => return Err(error),
        };
        let Some(state) = entry.state() else { continue };
        let client = client_state(&Tree::of(&site.ghostrc.base_root, state.begun.ip), &state);
        let steps = state.left_over(client);
        left.push(Left { host: state.begun.host, job: state.begun.job, steps });
    }
    Ok(left)
}

fn recover_one(site: &Site, entry: Entry, state: State, waiting: &mut dyn FnMut(&str)) -> Recovered {
    let tree = Tree::of(&site.ghostrc.base_root, state.begun.ip);
    let client = client_state(&tree, &state);
    let catalog = Catalog::new(&site.ghostrc.store_folder);
    let steps = Steps { site, catalog: &catalog };
    let mut work = Work {
        begun: state.begun.clone(),
        order: order_left(&tree, &state),
        host_table: "".into(),
        journal: Some(entry),
        swap: state.swap.clone(),
        ticket: None,
        phases: state.phases.clone(),
        image: None,
        remarks: Vec::new(),
        unwritten: Vec::new(),
    };
    let mut recovered = Recovered {
        host: state.begun.host.clone(),
        job: state.begun.job.clone(),
        done: Vec::new(),
        failed: Vec::new(),
        remarks: Vec::new(),
        at_work: client == ClientState::AtWork,
        swapping: state.swapping,
    };
    for step in state.left_over(client) {
        // Until the entry's own bytes are back and the server knows, the journal must go on saying so.
        if step == Step::Close && recovered.swap_is_left() {
            continue;
        }
        // A restart would take up what was not put back.
        if step == Step::OfferOwn && recovered.swapping != Swapping::PutBack {
            continue;
        }
        recovered.perform(step, &steps, &mut work, waiting);
        let is_unfinished = recovered.failed.iter().any(|(failed, _)| *failed == Step::FinishGeneration);
        if step == Step::FinishGeneration && is_unfinished {
            recovered.perform(Step::SetAside, &steps, &mut work, waiting);
        }
    }
    recovered.remarks = work.remarks;
    recovered.remarks.extend(work.unwritten.into_iter().map(|failure| failure.reason));
    if recovered.swap_is_left() {
        recovered.remarks.push(format!(
            "DHCP may still offer it the boot file; mend what stood in the way, then 'ghostctl dhcp revert {}'",
            recovered.host
        ));
    }
    recovered
}

/// The order, if it still lies in the tree and is this job's: it says which imager there was.
fn order_left(tree: &Tree, state: &State) -> Option<Order> {
    tree.order().ok().flatten().filter(|order| order.job == state.begun.job)
}

fn client_state(tree: &Tree, state: &State) -> ClientState {
    let Ok(bytes) = tree.whole_report() else { return ClientState::Gone };
    let entries = report::read(&bytes).entries;
    let said = |wanted: &dyn Fn(&Reported) -> bool| entries.iter().any(|entry| wanted(&entry.event));
    let claimed =
        |event: &Reported| matches!(event, Reported::OrderClaimed { job, .. } if *job == state.begun.job);
    if !said(&claimed) {
        return ClientState::Gone;
    }
    if !said(&|event| matches!(event, Reported::PoweringOff { .. })) {
        return if answers(state) { ClientState::AtWork } else { ClientState::Gone };
    }
    let succeeded = said(&|event| matches!(event, Reported::Ended { outcome: Outcome::Succeeded }));
    if succeeded { ClientState::Succeeded } else { ClientState::Gone }
}

/// Whether the client answers on the network. Where nobody can be asked, nobody answers.
fn answers(state: &State) -> bool {
    let begun = &state.begun;
    let Ok(interface) = Interface::towards(begun.ip) else { return false };
    if !interface.is_neighbour(begun.ip) {
        return Icmp::open().is_ok_and(|icmp| icmp.find(begun.ip, LISTENING));
    }
    let found = Arp::open(&interface).ok().and_then(|arp| arp.find(begun.ip, LISTENING));
    found.is_some_and(|mac| mac == begun.mac)
}
