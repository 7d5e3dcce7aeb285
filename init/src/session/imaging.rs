//! The modes that run an imager: it is made ready, started, watched, answered, and judged when it has ended.
//!
//! ```text
//! PreparingImager ─▶ LookingOnceMore ─▶ StartingImager ─▶ Imaging: look, look, …, it has ended ─▶ judge ─▶ Ending
//!                                         │ stalled, or a prompt that must come did not
//!                                         └─▶ screenshot ─▶ asked, then forced to end ─▶ Ending
//! ```
//!
//! One thing is done at a time, each with the time limit of its task; what cannot be done (a picture that the
//! store does not take) is reported and passed over. Only the imager's end, the watch or a prompt ends this.

use std::collections::VecDeque;
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::order::{Order, Watch};
use ghost_contract::report::{Event as Report, Outcome};

use super::preparing::carry_on;
use super::waiting::StopLooks;
use super::{Event, Session, Stage, Turn};
use crate::failure::Failure;
use crate::job::Job;
use crate::prompt::{PromptAction, Prompts};
use crate::screen::history::{History, Occasion};
use crate::stall::{Counters, Sample, StallWatch, Verdict};
use crate::task::{Farewell, Finding, Task};

/// How often the screen is looked at while a prompt may come.
const LOOK_FOR_PROMPTS: Duration = Duration::from_secs(1);
/// How often what has moved is reported: enough to show a rate, little enough to be no traffic itself.
const REPORT_SAMPLES: Duration = Duration::from_secs(10);

/// How an imager is watched that runs without an order, for a person at the screen.
const WITHOUT_ORDER: Watch = Watch {
    minimum_rate: 0,
    window: Duration::MAX,
    grace: Duration::MAX,
    sample_every: Duration::from_secs(10),
    screenshot_every: Duration::from_secs(60),
    screenshots_kept: 10,
};

/// Something that is done about a running imager.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Look,
    LookForStop,
    Capture(&'static str, Occasion),
    Remove(String),
    Type { keys: Vec<KeyCode>, names: Vec<String>, because: String },
    End(Farewell),
    Judge,
}

/// An imager that runs.
#[derive(Debug)]
pub(super) struct Imaging {
    job: Job,
    settings: Watch,
    interface: String,
    started: Duration,
    watch: Option<StallWatch>,
    /// When the imager could be looked at last.
    last_seen: Duration,
    prompts: Prompts,
    history: History,
    stop_looks: StopLooks,
    /// What is being done, and what comes after it.
    current: Option<Step>,
    queue: VecDeque<Step>,
    next_report: Duration,
    next_screenshot: Duration,
    screenshots: u32,
    /// Known beforehand when it is us who end the imager.
    outcome: Option<Outcome>,
}

impl Imaging {
    fn new(job: Job, prompts: Prompts, interface: String, now: Duration) -> Self {
        let settings = job.order.as_ref().map_or(WITHOUT_ORDER, |order| order.watch.clone());
        Self {
            history: History::new(settings.screenshots_kept),
            stop_looks: StopLooks::new(&job, now),
            job,
            settings,
            interface,
            started: now,
            watch: None,
            last_seen: now,
            prompts,
            current: None,
            queue: VecDeque::new(),
            next_report: now.saturating_add(REPORT_SAMPLES),
            next_screenshot: now,
            screenshots: 0,
            outcome: None,
        }
    }

    /// The next screenshot. Its name sorts by time and says what it was taken for.
    pub(super) fn capture(&mut self, what_for: &str) -> Task {
        self.screenshots += 1;
        Task::Capture { name: format!("{:04}-{what_for}", self.screenshots) }
    }

    fn look_every(&self) -> Duration {
        let sample_every = self.settings.sample_every.max(LOOK_FOR_PROMPTS);
        if self.prompts.is_waiting() { LOOK_FOR_PROMPTS } else { sample_every }
    }

    /// What follows from a look at the counters and the screen.
    fn judge(&mut self, counters: Counters, text: Option<&str>, turn: &mut Turn) {
        self.last_seen = turn.now;
        let elapsed = turn.now.saturating_sub(self.started);
        let watch =
            self.watch.get_or_insert_with(|| StallWatch::new(self.job.mode, &self.settings, counters));
        let verdict = watch.observe(Sample { at: elapsed, counters });
        if turn.now >= self.next_report {
            self.next_report = turn.now.saturating_add(REPORT_SAMPLES);
            let Counters { disk_read, disk_written, received, sent } = watch.moved();
            turn.report(Report::Sampled { disk_read, disk_written, received, sent });
        }
        if let Verdict::Stalled { idle } = verdict {
            turn.report(Report::Stalled { idle });
            return self.end_imager("stalled", Outcome::Stalled);
        }
        match self.prompts.observe(text.unwrap_or_default(), elapsed) {
            Some(PromptAction::Type { keys, names, because }) => {
                self.queue.push_back(Step::Capture("before-keys", Occasion::Event));
                self.queue.push_back(Step::Type { keys, names, because });
                self.queue.push_back(Step::Capture("after-keys", Occasion::Event));
            }
            Some(PromptAction::Fail { reason }) => self.end_imager("no-prompt", Outcome::Failed { reason }),
            None if turn.now >= self.next_screenshot => {
                self.next_screenshot = turn.now.saturating_add(self.settings.screenshot_every);
                self.queue.push_back(Step::Capture("interval", Occasion::Interval));
            }
            None => {}
        }
    }

    /// Nobody can tell a stalled imager from one that cannot be looked at.
    fn judge_blindly(&mut self, failure: &Failure, turn: &mut Turn) {
        let blind = turn.now.saturating_sub(self.last_seen);
        if blind >= self.settings.window {
            let reason = format!("the imager could not be looked at for {} s: {failure}", blind.as_secs());
            self.end_imager("unseen", Outcome::Failed { reason });
        }
    }

    fn end_imager(&mut self, why: &'static str, outcome: Outcome) {
        self.outcome = Some(outcome);
        let ends = [Farewell::Ask, Farewell::Force].map(Step::End);
        self.queue = [Step::Capture(why, Occasion::Event)].into_iter().chain(ends).collect();
    }

    fn task(&mut self, step: &Step) -> Task {
        match step {
            Step::Look => Task::LookAtImager { interface: self.interface.clone() },
            Step::LookForStop => Task::LookForStop,
            Step::Capture(what_for, _) => self.capture(what_for),
            Step::Remove(name) => Task::RemoveScreenshot { name: name.clone() },
            Step::Type { keys, .. } => Task::Type(keys.clone()),
            Step::End(farewell) => Task::EndImager(*farewell),
            Step::Judge => Task::JudgeImager,
        }
    }
}

impl Session {
    /// The first thing of a mode that runs an imager: what the order says must make sense.
    pub(super) fn start_imaging(&mut self, job: Job, turn: &mut Turn) -> Stage {
        let prompts = job.order.as_ref().map_or_else(Vec::new, |order: &Order| order.prompts.clone());
        match Prompts::new(&prompts) {
            Ok(prompts) => {
                self.start(Task::PrepareImager(Box::new(job.clone())), turn);
                Stage::PreparingImager(job, prompts)
            }
            Err(error) => self.fail(Failure::from(error).to_string(), turn),
        }
    }

    pub(super) fn imager_prepared(
        &mut self,
        job: Job,
        prompts: Prompts,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        match result {
            Ok(Finding::ImagerReady { imager, command }) => {
                let launch = Report::ImagerStarted { imager, command };
                if job.order.is_none() {
                    return self.start_imager(job, prompts, launch, turn);
                }
                self.start(Task::LookForStop, turn);
                Stage::LookingOnceMore(job, prompts, launch)
            }
            Ok(_) => self.fail("the imager's preparation found nothing", turn),
            Err(failure) => self.fail(format!("the imager is not started: {failure}"), turn),
        }
    }

    /// Nobody has stopped the job before a disk is touched, or nobody can be asked.
    pub(super) fn looked_once_more(
        &mut self,
        job: Job,
        prompts: Prompts,
        launch: Report,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        if let Err(failure) = result {
            carry_on(Task::LookForStop.to_string(), &failure, turn);
        }
        self.start_imager(job, prompts, launch, turn)
    }

    fn start_imager(&mut self, job: Job, prompts: Prompts, launch: Report, turn: &mut Turn) -> Stage {
        turn.say(Task::StartImager.to_string());
        turn.report(launch);
        self.start(Task::StartImager, turn);
        Stage::StartingImager(job, prompts)
    }

    pub(super) fn imager_started(
        &mut self,
        job: Job,
        prompts: Prompts,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        match result {
            Ok(_) => {
                let imaging = self.imaging(job, prompts, turn);
                self.go_on_imaging(imaging, turn)
            }
            Err(failure) => self.fail(format!("the imager cannot be started: {failure}"), turn),
        }
    }

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
                imaging.queue.push_back(Step::Look);
                self.go_on_imaging(imaging, turn)
            }
            Event::Started | Event::SleepEnded { .. } | Event::StopRequested { .. } => {
                Stage::Imaging(imaging)
            }
        }
    }

    pub(super) fn imager_ended(&mut self, mut imaging: Box<Imaging>, how: String, turn: &mut Turn) -> Stage {
        turn.say(format!("the imager has ended: {how}"));
        turn.report(Report::ImagerExited { how });
        imaging.queue.clear();
        if imaging.outcome.is_none() {
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
            (Some(Step::Look), Ok(Finding::Seen { counters, text })) => {
                imaging.judge(counters, text.as_deref(), turn);
            }
            (Some(Step::Look), Err(failure)) => imaging.judge_blindly(&failure, turn),
            (Some(Step::LookForStop), result) => imaging.stop_looks.looked(result, turn),
            (Some(Step::Capture(_, occasion)), Ok(Finding::Captured { name, source })) => {
                turn.report(Report::ScreenshotTaken { name: name.clone(), source });
                let removed = imaging.history.add(name, occasion);
                removed.into_iter().for_each(|name| imaging.queue.push_back(Step::Remove(name)));
            }
            (Some(Step::Capture(..)), Err(failure)) => {
                turn.report(Report::ScreenshotFailed { reason: failure.to_string() });
            }
            (Some(Step::Type { names, because, .. }), Ok(_)) => {
                turn.say(format!("typed {} because {because}", names.join(" ")));
                turn.report(Report::KeysTyped { keys: names, because });
            }
            (Some(Step::Judge), Ok(Finding::Judged(outcome))) => imaging.outcome = Some(outcome),
            (Some(Step::Judge), Err(failure)) => {
                let reason = format!("nobody knows what the imager has done: {failure}");
                imaging.outcome = Some(Outcome::Failed { reason });
            }
            (Some(step), Err(failure)) => carry_on(imaging.task(&step).to_string(), &failure, turn),
            (_, _) => {}
        }
        self.go_on_imaging(imaging, turn)
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
