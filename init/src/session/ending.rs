//! The way out: whatever fails on it, the machine goes off.
//!
//! ```text
//! outcome ─▶ shown, if it is a failure ─▶ arm again ─▶ processes asked, then forced ─▶ store closed ─▶ report written ─▶ sync ─▶ off
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::report::{Event as Report, Outcome};

use super::{Action, Event, Session, Stage, Turn};
use crate::failure::Failure;
use crate::task::{Farewell, Finding, Task};

/// How long the whole ending may take when no order says so: a little more than all its tasks' limits.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

impl Session {
    /// Begins to end with this outcome.
    pub(super) fn end(&mut self, outcome: Outcome, turn: &mut Turn) -> Stage {
        self.end_after(None, outcome, turn)
    }

    /// Begins to end with this outcome. A last screenshot is taken first where an imager is or was on the
    /// screen; then nothing is shown for long, since the imager must not go on.
    pub(super) fn end_after(&mut self, last_look: Option<Task>, outcome: Outcome, turn: &mut Turn) -> Stage {
        turn.say(in_words(&outcome));
        let failed = matches!(outcome, Outcome::Failed { .. });
        turn.report(Report::Ended { outcome });
        if !failed || last_look.is_some() || self.options.delay.is_zero() {
            return self.clear_up(last_look, turn);
        }
        self.overall = Duration::MAX;
        self.deadline = turn.now.saturating_add(self.options.delay);
        Stage::Showing
    }

    /// Begins to leave nothing behind.
    pub(super) fn clear_up(&mut self, last_look: Option<Task>, turn: &mut Turn) -> Stage {
        self.overall = turn.now.saturating_add(self.ending_limit);
        let arm = self.interface.as_ref().map(|interface| Task::Arm { interface: interface.name.clone() });
        let rest = [
            Task::EndProcesses(Farewell::Ask),
            Task::EndProcesses(Farewell::Force),
            Task::CloseStore,
            Task::FlushReport,
            Task::Sync,
        ];
        self.next_of_ending(last_look.into_iter().chain(arm).chain(rest).collect(), turn)
    }

    pub(super) fn go_on_ending(&mut self, left: VecDeque<Task>, event: Event, turn: &mut Turn) -> Stage {
        match event {
            Event::DeadlinePassed if turn.now >= self.overall => {
                turn.say("the ending took too long");
                self.leave(turn)
            }
            Event::DeadlinePassed => {
                turn.say("that took too long and was given up");
                self.next_of_ending(left, turn)
            }
            Event::Finished(result) => {
                self.tell(result, turn);
                self.next_of_ending(left, turn)
            }
            Event::StopRequested { by } => {
                turn.say(format!("{by}: already on the way out"));
                Stage::Ending(left)
            }
            Event::Started | Event::SleepEnded { .. } | Event::ImagerEnded { .. } => Stage::Ending(left),
        }
    }

    fn tell(&self, result: Result<Finding, Failure>, turn: &mut Turn) {
        match result {
            Ok(Finding::WakeOnLan(result)) => self.report_wake_on_lan(result, turn),
            Ok(Finding::Captured { name, source }) => turn.report(Report::ScreenshotTaken { name, source }),
            Ok(_) => {}
            Err(failure) => turn.say(failure.to_string()),
        }
    }

    fn next_of_ending(&mut self, mut left: VecDeque<Task>, turn: &mut Turn) -> Stage {
        let Some(task) = left.pop_front() else { return self.leave(turn) };
        if task == Task::FlushReport {
            turn.report(Report::PoweringOff { reboot: self.at_end == AtEnd::Reboot });
        }
        self.start(task, turn);
        Stage::Ending(left)
    }

    fn leave(&self, turn: &mut Turn) -> Stage {
        turn.say(match self.at_end {
            AtEnd::PowerOff => "powering off",
            AtEnd::Reboot => "booting again",
        });
        turn.actions.push(Action::Leave(self.at_end));
        Stage::Off
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded => "the job is done".to_owned(),
        Outcome::Failed { reason } => format!("the job has failed: {reason}"),
        Outcome::Stalled => "the job has stalled".to_owned(),
        Outcome::Cancelled { by } => format!("the job is cancelled: {by}"),
    }
}
