//! The modes that run an imager: prepare it, start it, watch it, answer its questions, and judge it when it has ended.
//!
//! ```text
//! PreparingImager ─▶ LookingOnceMore ─▶ StartingImager ─▶ Imaging: look, look, …, it has ended ─▶ look ─▶ judge ─▶ Ending
//!                                         │ stalled, or a prompt that must come did not
//!                                         └─▶ screenshot ─▶ asked, then forced to end ─▶ Ending
//! ```
//!
//! One task runs at a time, each with its time limit. A task that fails (say, the store does not take a picture) is reported,
//! and the job goes on. The imager's end, the stall watch, a prompt, a stop, the deadline, or
//! looks that fail for too long end this stage.

mod running;
mod starting;

use ghost_contract::layout::ASKED_SCREEN;
use ghost_contract::report::{Event as Report, Outcome};

pub(super) use self::running::Imaging;
use self::running::Step;
use super::{Event, ImagerState, Session, Stage, Turn};
use crate::failure::Failure;
use crate::imager::Judgement;
use crate::job::Job;
use crate::prompt::Prompts;
use crate::screen::history::Occasion;
use crate::task::{Farewell, Finding};

impl Session {
    /// The state of an imager that runs since now.
    pub(super) fn imaging(&self, job: Job, prompts: Prompts, turn: &Turn) -> Box<Imaging> {
        let interface = self.interface.as_ref().map(|interface| interface.name.clone()).unwrap_or_default();
        Box::new(Imaging::new(job, prompts, interface, turn.now))
    }

    /// Something happened while the imager runs.
    pub(super) fn watch_imaging(
        &mut self,
        mut imaging: Box<Imaging>,
        event: Event,
        turn: &mut Turn,
    ) -> Stage {
        match event {
            Event::ImagerEnded { how } => self.imager_ended(imaging, how, turn),
            Event::Finished(result) => self.step_of_imaging_finished(imaging, result, turn),
            Event::DeadlinePassed if imaging.current.is_some() => {
                self.step_of_imaging_finished(imaging, Err(Failure::too_late()), turn)
            }
            Event::DeadlinePassed => {
                if imaging.stop_looks.are_due(turn.now) {
                    imaging.queue.push_back(Step::LookForStop);
                }
                let glance = imaging.glance(turn.now);
                imaging.queue.push_back(Step::Look(glance));
                self.go_on_imaging(imaging, turn)
            }
            Event::Started
            | Event::SleepEnded { .. }
            | Event::StopRequested { .. }
            | Event::LeaveAtOnce { .. }
            | Event::Pressed(_) => Stage::Imaging(imaging),
        }
    }

    pub(super) fn imager_ended(&mut self, mut imaging: Box<Imaging>, how: String, turn: &mut Turn) -> Stage {
        turn.say(format!("the imager has ended: {how}"));
        turn.report(Report::ImagerExited { how });
        imaging.queue.clear();
        if imaging.outcome.is_none() {
            imaging.queue.push_back(Step::LastLook);
            // What it has started may live on, and its terminal is to be put right.
            imaging.queue.push_back(Step::End(Farewell::Force));
            imaging.queue.push_back(Step::Judge);
        }
        self.go_on_imaging(imaging, turn)
    }

    fn step_of_imaging_finished(
        &mut self,
        mut imaging: Box<Imaging>,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        match (imaging.current.take(), result) {
            (Some(Step::Look(glance)), Ok(Finding::Seen { counters, text, has_begun, progress })) => {
                if has_begun {
                    imaging.begun.get_or_insert(turn.now);
                }
                imaging.note_text(glance, text.as_ref(), turn.now);
                imaging.judge(counters, text.as_deref(), progress, turn);
            }
            (Some(Step::FirstLook), Ok(Finding::Seen { counters, has_begun, .. })) => {
                imaging.begun = has_begun.then_some(turn.now);
                imaging.watch(counters);
            }
            (Some(Step::LastLook), Ok(Finding::Seen { counters, .. })) => imaging.conclude(counters, turn),
            (Some(Step::Look(_)), Err(failure)) => imaging.judge_blindly(&failure, turn),
            (Some(Step::LookForStop), result) => {
                if let Ok(Finding::ScreenAsked(request)) = &result
                    && imaging.screens.is_new(request.clone())
                {
                    imaging.queue.push_back(Step::Capture(ASKED_SCREEN, Occasion::Interval));
                }
                imaging.stop_looks.looked(result, turn);
            }
            (Some(Step::Capture(_, occasion)), Ok(Finding::Captured { name, source, passed_over })) => {
                let (taken, removed) = imaging.screens.took(name, source, passed_over, occasion);
                turn.report(taken);
                removed.into_iter().for_each(|name| imaging.queue.push_back(Step::Remove(name)));
            }
            (Some(Step::Capture(..)), Err(failure)) => {
                turn.report(imaging.screens.missed(&failure));
            }
            (Some(Step::Type { names, because, .. }), Ok(_)) => {
                turn.say(format!("typed {} because {because}", names.join(" ")));
                turn.report(Report::KeysTyped { keys: names, because });
            }
            (Some(Step::End(Farewell::Force)), Ok(_)) => {
                self.take_screen_back(turn);
                self.imager = ImagerState::Gone;
            }
            (Some(Step::Judge), Ok(Finding::Judged(judgement))) => self.judged(&mut imaging, judgement, turn),
            (Some(Step::Judge), Err(failure)) => {
                let reason = format!("cannot find out what the imager did: {failure}");
                imaging.outcome = Some(Outcome::Failed { reason });
            }
            (Some(step), Err(failure)) => turn.carry_on(imaging.task(&step).to_string(), &failure),
            (_, _) => {}
        }
        self.go_on_imaging(imaging, turn)
    }

    /// Takes over the judgement of the imager.
    fn judged(&mut self, imaging: &mut Imaging, judgement: Judgement, turn: &mut Turn) {
        let Judgement { outcome, target, remarks } = judgement;
        for remark in remarks {
            turn.say(remark.clone());
            turn.report(Report::ImagerRemarked { remark });
        }
        self.heed(target, &outcome);
        imaging.outcome = Some(outcome);
    }

    /// Does what is next; when nothing is, the job ends if its outcome is known, else there is a pause.
    fn go_on_imaging(&mut self, mut imaging: Box<Imaging>, turn: &mut Turn) -> Stage {
        if let Some(step) = imaging.queue.pop_front() {
            let task = imaging.task(&step);
            imaging.current = Some(step);
            self.start(task, turn);
            return Stage::Imaging(imaging);
        }
        if let Some(outcome) = imaging.outcome.take() {
            let last_look = imaging.capture("end");
            return self.end_after(Some(last_look), outcome, turn);
        }
        imaging.current = None;
        self.deadline = turn.now.saturating_add(imaging.look_every());
        Stage::Imaging(imaging)
    }
}

#[cfg(test)]
mod tests;
