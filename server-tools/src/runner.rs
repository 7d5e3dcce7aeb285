//! One loop drives any number of jobs: it gives events to [`Job::decide`], and the actions that come out to a [`Machine`].
//!
//! It knows neither what jobs decide nor how actions are performed.

pub(crate) mod dhcp_steps;
#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod folders;
mod guard;
mod keeping;
mod leases;
pub(crate) mod lengthy;
pub(crate) mod linux;
mod looking;
pub(crate) mod offering;
pub(crate) mod overheard;
pub(crate) mod reports;
pub(crate) mod steps;
pub(crate) mod task;
pub(crate) mod wires;
pub(crate) mod work;

use std::time::Duration;

use crate::job::{Action, Event, Job};

/// Performs the actions of jobs, and says what happens to them.
pub(crate) trait Machine {
    fn now(&self) -> Duration;
    /// Performs an action of the job at this place in the list. Returns what became of it so far.
    fn perform(&mut self, index: usize, job: &Job, action: Action) -> Vec<Event>;
    /// Called when all actions of this moment are performed, so that what jobs share can begin.
    fn begin_what_is_shared(&mut self) {}
    /// Waits until something happens or this time has come. Returns what happened to which jobs.
    fn wait(&mut self, until: Option<Duration>) -> Vec<(usize, Event)>;
}

/// Says which further jobs begin, while others run or when all have ended.
pub(crate) trait Feed<M> {
    /// The jobs that begin now. They are put at the end of the list. None, while none runs, is the end.
    fn next(&mut self, jobs: &[Job], machine: &mut M) -> Vec<Job>;
}

/// Drives the jobs, and those that are fed to it, to their ends.
pub(crate) fn drive<M: Machine>(jobs: &mut Vec<Job>, machine: &mut M, feed: &mut impl Feed<M>) {
    let mut events: Vec<(usize, Event)> = (0..jobs.len()).map(|index| (index, Event::Begun)).collect();
    loop {
        let next = feed.next(jobs, machine);
        events.extend((jobs.len()..jobs.len() + next.len()).map(|index| (index, Event::Begun)));
        jobs.extend(next);
        if events.is_empty() && jobs.iter().all(Job::is_closed) {
            return;
        }
        // Turn by turn, and one time for all in a turn: what many jobs do together, such as edits, is done by all of
        // them before what comes after it, such as the restart that they then share.
        while !events.is_empty() {
            let now = machine.now();
            for (index, event) in std::mem::take(&mut events) {
                let Some(job) = jobs.get_mut(index) else { continue };
                for action in job.decide(event, now) {
                    let became = machine.perform(index, job, action).into_iter();
                    events.extend(became.map(|event| (index, event)));
                }
            }
        }
        machine.begin_what_is_shared();
        if jobs.iter().all(Job::is_closed) {
            continue;
        }
        events.extend(machine.wait(jobs.iter().filter_map(Job::next_due).min()));
        let now = machine.now();
        let due = |job: &Job| job.next_due().is_some_and(|due| due <= now);
        let late = jobs.iter().enumerate().filter(|(_, job)| due(job));
        events.extend(late.map(|(index, _)| (index, Event::TimePassed)));
    }
}
