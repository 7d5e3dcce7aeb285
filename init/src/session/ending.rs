//! The way out: whatever fails on it, the machine goes off.
//!
//! ```text
//! outcome ─▶ shown, if it is a failure ─▶ last screenshot ─▶ imager asked, then forced ─▶ all other processes asked, then forced
//!         ─▶ armed again ─▶ store closed ─▶ report written ─▶ sync ─▶ off
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use ghost_contract::image::TargetDisk;
use ghost_contract::order::AtEnd;
use ghost_contract::report::{Event as Report, Outcome};

use super::{Action, Event, ImagerState, Report as ReportFile, Session, Stage, Turn};
use crate::failure::Failure;
use crate::task::{Farewell, Finding, NO_SWITCH, Task};

/// How long the whole ending may take when no order says so: a little more than all its tasks' limits.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// How long a failure stays on the screen that nobody hears of.
const UNHEARD: Duration = Duration::from_secs(30);
/// What an administrator must know after a restore that did not come to its end.
const INCOMPLETE: &str =
    "the disk is incomplete, or may be: it must not be used before another restore has succeeded";

impl Session {
    /// Begins to end with this outcome.
    pub(super) fn end(&mut self, outcome: Outcome, turn: &mut Turn) -> Stage {
        self.end_after(None, outcome, turn)
    }

    /// Begins to end with this outcome. A last screenshot is taken first where an imager is or was on the
    /// screen; then nothing is shown for long, since the imager must not go on.
    pub(super) fn end_after(&mut self, last_look: Option<Task>, outcome: Outcome, turn: &mut Turn) -> Stage {
        let outcome = self.with_what_is_at_stake(outcome);
        self.say_aloud(in_words(&outcome), turn);
        let failed = matches!(outcome, Outcome::Failed { .. });
        turn.report(Report::Ended { outcome });
        let shown = self.time_to_read();
        if !failed || last_look.is_some() || shown.is_zero() {
            return self.clear_up(last_look, turn);
        }
        self.overall = Duration::MAX;
        self.deadline = turn.now.saturating_add(shown);
        Stage::Showing
    }

    /// How long a failure stays on the screen. Where the server has not heard of this client, it is told nowhere else.
    fn time_to_read(&self) -> Duration {
        match self.report {
            ReportFile::NotYet => self.options.delay.max(UNHEARD),
            ReportFile::Open => self.options.delay,
        }
    }

    fn with_what_is_at_stake(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed { reason } if self.at_stake.is_some() => {
                Outcome::Failed { reason: format!("{reason}; {INCOMPLETE}") }
            }
            outcome => outcome,
        }
    }

    /// What is known of the disks of a restore once it is judged.
    pub(super) fn heed(&mut self, target: Option<TargetDisk>, outcome: &Outcome) {
        if *outcome == Outcome::Succeeded || target == Some(TargetDisk::Untouched) {
            self.at_stake = None;
        }
    }

    /// Begins to leave nothing behind.
    pub(super) fn clear_up(&mut self, last_look: Option<Task>, turn: &mut Turn) -> Stage {
        let imager_ends = match self.imager {
            ImagerState::NotStarted | ImagerState::Gone => [].as_slice(),
            ImagerState::Started(_) | ImagerState::Left => &[Farewell::Ask, Farewell::Force],
        };
        let imager_ends: Vec<Task> = imager_ends.iter().copied().map(Task::EndImager).collect();
        let time_for_it: Duration = imager_ends.iter().map(Task::limit).sum();
        self.overall = turn.now.saturating_add(self.ending_limit).saturating_add(time_for_it);
        let arm = self.interface.as_ref().map(|interface| Task::Arm { interface: interface.name.clone() });
        let farewell = [Farewell::Ask, Farewell::Force].map(Task::EndProcesses);
        // If a restore was ended from outside, its imager was not judged yet.
        let judge = self.at_stake.as_ref().map(|_disks| Task::JudgeImager);
        let rest = [Task::CloseStore, Task::FlushReport, Task::Sync];
        let tasks =
            last_look.into_iter().chain(imager_ends).chain(farewell).chain(arm).chain(judge).chain(rest);
        self.next_of_ending(tasks.collect(), turn)
    }

    pub(super) fn go_on_ending(&mut self, left: VecDeque<Task>, event: Event, turn: &mut Turn) -> Stage {
        match event {
            Event::DeadlinePassed if turn.now >= self.overall => {
                turn.say("clearing up took too long");
                self.leave(turn)
            }
            Event::DeadlinePassed => {
                turn.say("that took too long; going on without it");
                self.next_of_ending(left, turn)
            }
            Event::Finished(result) => {
                self.tell(result, turn);
                self.next_of_ending(left, turn)
            }
            Event::StopRequested { by, .. } => {
                turn.say(format!("{by}: the job is ending already"));
                Stage::Ending(left)
            }
            Event::Started
            | Event::SleepEnded { .. }
            | Event::ImagerEnded { .. }
            | Event::Pressed(_)
            | Event::LeaveAtOnce { .. } => Stage::Ending(left),
        }
    }

    fn tell(&mut self, result: Result<Finding, Failure>, turn: &mut Turn) {
        match result {
            Ok(Finding::WakeOnLan(result)) => self.report_wake_on_lan(result, turn),
            Ok(Finding::Captured { name, source, .. }) => {
                turn.report(Report::ScreenshotTaken { name, source, passed_over: Vec::new() });
            }
            Ok(Finding::Judged(judgement)) => self.heed(judgement.target, &judgement.outcome),
            Ok(_) => {}
            Err(failure) => turn.say(failure.to_string()),
        }
    }

    fn next_of_ending(&mut self, mut left: VecDeque<Task>, turn: &mut Turn) -> Stage {
        let Some(task) = left.pop_front() else { return self.leave(turn) };
        let may_have_the_screen =
            matches!(task, Task::Capture { .. } | Task::EndImager(_) | Task::EndProcesses(_));
        if !may_have_the_screen {
            self.take_screen_back(turn);
        }
        if task == Task::FlushReport {
            if let Some(disks) = self.at_stake.take() {
                turn.say(format!("{}: {INCOMPLETE}", disks.join(", ")));
                turn.report(Report::DiskIncomplete { disks });
            }
            self.choose_way_out(turn);
            turn.report(Report::PoweringOff { reboot: self.at_end == AtEnd::Reboot });
        }
        self.start(task, turn);
        Stage::Ending(left)
    }

    /// Boots a machine that cannot go off. Once that is said, it is not said again.
    fn choose_way_out(&mut self, turn: &mut Turn) {
        let way_out = self.power_switch.way_out(self.at_end);
        if way_out != self.at_end {
            turn.say(format!("{NO_SWITCH}; booting its own disk instead"));
            turn.report(Report::CannotPowerOff { reason: NO_SWITCH.to_owned() });
        }
        self.at_end = way_out;
    }

    /// Leaves with nothing cleared up.
    pub(super) fn leave_at_once(&mut self, by: &str, how: AtEnd, turn: &mut Turn) -> Stage {
        self.take_screen_back(turn);
        turn.say(format!("{by}: leaving at once; the job is not ended first"));
        self.at_end = how;
        self.leave(turn)
    }

    fn leave(&mut self, turn: &mut Turn) -> Stage {
        self.take_screen_back(turn);
        // Not every way leads by the report.
        self.choose_way_out(turn);
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
        Outcome::Cancelled { by } => format!("the job was cancelled: {by}"),
    }
}

#[cfg(test)]
mod tests;
