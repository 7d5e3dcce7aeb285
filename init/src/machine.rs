//! What the session acts upon: it gives events, and performs actions.
//!
//! Knows no policy: `run` only passes events and actions on.

#[cfg(test)]
pub(crate) mod fake;
mod last_resort;
pub mod linux;

use std::time::Duration;

use ghost_contract::order::AtEnd;

use crate::session::{Action, Event, Session};

/// An event, and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// Time since the kernel's start.
    pub(crate) at: Duration,
    pub(crate) event: Event,
}

/// A machine on which a job runs.
pub(crate) trait Machine {
    /// Waits for the next event, until `deadline` (time since the kernel's start) at most: then it is
    /// [`Event::DeadlinePassed`].
    fn next_event(&mut self, deadline: Duration) -> Occurrence;

    /// Does, or begins to do, what the session wants. Never waits.
    fn perform(&mut self, action: Action);
}

/// Runs a whole job; gives how the machine was left, on a machine that survives being powered off.
pub(crate) fn run(machine: &mut impl Machine) -> AtEnd {
    let mut session = Session::new();
    loop {
        let Occurrence { at, event } = machine.next_event(session.deadline());
        for action in session.decide(event, at) {
            let leave = match action {
                Action::Leave(at_end) => Some(at_end),
                _ => None,
            };
            machine.perform(action);
            if let Some(at_end) = leave {
                return at_end;
            }
        }
    }
}
