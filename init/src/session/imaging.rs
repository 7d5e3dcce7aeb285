//! The modes that run an imager: it is made ready, started, watched, answered, and judged when it has ended.
//!
//! ```text
//! PreparingImager ─▶ LookingOnceMore ─▶ StartingImager ─▶ Imaging: look, look, …, it has ended ─▶ look ─▶ judge ─▶ Ending
//!                                         │ stalled, or a prompt that must come did not
//!                                         └─▶ screenshot ─▶ asked, then forced to end ─▶ Ending
//! ```
//!
//! One thing is done at a time, each with the time limit of its task; what cannot be done (a picture that the
//! store does not take) is reported and passed over. Only the imager's end, the watch or a prompt ends this.

use std::collections::VecDeque;
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::Mode;
use ghost_contract::image::{Phase, Progress};
use ghost_contract::layout::ASKED_SCREEN;
use ghost_contract::order::{Order, Watch};
use ghost_contract::report::{Event as Report, Outcome};

use super::screens::Screens;
use super::waiting::StopLooks;
use super::{Action, Event, ImagerState, Session, Stage, Turn};
use crate::failure::Failure;
use crate::imager::{Judgement, Terminal};
use crate::job::Job;
use crate::prompt::{PromptAction, Prompts};
use crate::screen::history::Occasion;
use crate::stall::{Counters, Sample, StallWatch, Verdict};
use crate::task::{Farewell, Finding, Glance, Task};

/// How often the screen is looked at while a prompt may come.
const LOOK_FOR_PROMPTS: Duration = Duration::from_secs(1);
/// How long what was written may be the same before the picture is looked at for a prompt that a program has drawn, and how
/// long until it is looked at again.
const LOOK_CLOSELY: Duration = Duration::from_secs(5);
/// So long after an imager's start its work counts as begun, whatever it says. DOS under an emulator under another emulator
/// on a loaded machine took 147 s.
const BEGIN_LIMIT: Duration = Duration::from_secs(600);
/// How often what has moved is reported, besides once when the imager has ended: enough to show a rate.
const REPORT_SAMPLES: Duration = Duration::from_secs(10);
/// What a line of the report, or a look for the stop file, may move over the network: 3 KB were seen.
const SMALL_TRAFFIC: u64 = 8 << 10;
/// What a screenshot with its page may move: 20 to 60 KB were seen, in true colour it is more.
const SCREENSHOT_TRAFFIC: u64 = 1 << 20;

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
    /// What the counters say when it begins.
    FirstLook,
    Look(Glance),
    /// … and when it has ended.
    LastLook,
    LookForStop,
    Capture(&'static str, Occasion),
    Remove(String),
    Type {
        keys: Vec<KeyCode>,
        names: Vec<String>,
        because: String,
    },
    End(Farewell),
    Judge,
}

impl Step {
    /// What it may move over the network by itself, bytes.
    const fn own_traffic(&self) -> u64 {
        match self {
            Self::Capture(..) => SCREENSHOT_TRAFFIC,
            Self::LookForStop | Self::Remove(_) | Self::Type { .. } => SMALL_TRAFFIC,
            Self::FirstLook | Self::Look(_) | Self::LastLook | Self::End(_) | Self::Judge => 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Imaging {
    job: Job,
    settings: Watch,
    interface: String,
    started: Duration,
    /// Since when its work goes on, so that the time counts that a prompt may take and that nothing may move.
    begun: Option<Duration>,
    watch: Option<StallWatch>,
    /// When the imager could be looked at last.
    last_seen: Duration,
    prompts: Prompts,
    screens: Screens,
    /// What a quick look has shown, and when the next look is to be a close one unless that changes.
    last_text: Option<String>,
    next_close_look: Duration,
    stop_looks: StopLooks,
    /// What is being done, and what comes after it.
    current: Option<Step>,
    queue: VecDeque<Step>,
    next_report: Duration,
    /// What the imager was doing when its progress was reported last.
    phase: Option<Phase>,
    /// What the report, screenshots and looks for a stop may have moved over the network since the last reading, bytes.
    own_traffic: u64,
    /// The same of the time before: what was begun then may be on the network only now.
    own_traffic_before: u64,
    /// Known beforehand when it is us who end the imager.
    outcome: Option<Outcome>,
}

impl Imaging {
    fn new(job: Job, prompts: Prompts, interface: String, now: Duration) -> Self {
        let settings = job.order.as_ref().map_or(WITHOUT_ORDER, |order| order.watch.clone());
        Self {
            screens: Screens::new(&settings, now),
            last_text: None,
            next_close_look: now.saturating_add(LOOK_CLOSELY),
            stop_looks: StopLooks::new(&job, now),
            job,
            settings,
            interface,
            started: now,
            begun: None,
            watch: None,
            last_seen: now,
            prompts,
            current: None,
            queue: VecDeque::new(),
            next_report: now.saturating_add(REPORT_SAMPLES),
            phase: None,
            own_traffic: 0,
            own_traffic_before: 0,
            outcome: None,
        }
    }

    pub(super) fn capture(&mut self, what_for: &str) -> Task {
        self.screens.capture(what_for)
    }

    fn look_every(&self) -> Duration {
        let sample_every = self.settings.sample_every.max(LOOK_FOR_PROMPTS);
        if self.prompts.is_waiting() { LOOK_FOR_PROMPTS } else { sample_every }
    }

    /// A program that draws by itself writes nothing: what stands still may have something new in its picture.
    fn glance(&mut self, now: Duration) -> Glance {
        if now < self.next_close_look || !self.prompts.wait_for_text() {
            return Glance::Quick;
        }
        self.next_close_look = now.saturating_add(LOOK_CLOSELY);
        Glance::Close
    }

    fn note_text(&mut self, glance: Glance, text: Option<&String>, now: Duration) {
        if glance == Glance::Quick && self.last_text.as_ref() != text {
            self.last_text = text.cloned();
            self.next_close_look = now.saturating_add(LOOK_CLOSELY);
        }
    }

    /// How long its work has gone on. One of which it is never heard that it has begun counts as begun some time.
    fn elapsed(&self, now: Duration) -> Duration {
        let begun = self.begun.unwrap_or(self.started.saturating_add(BEGIN_LIMIT));
        now.saturating_sub(begun)
    }

    fn watch(&mut self, counters: Counters) -> &mut StallWatch {
        self.watch.get_or_insert_with(|| StallWatch::new(self.job.mode, &self.settings, counters))
    }

    /// What follows from a look at the counters, the screen and the imager's progress.
    fn judge(&mut self, counters: Counters, text: Option<&str>, progress: Option<Progress>, turn: &mut Turn) {
        self.last_seen = turn.now;
        let elapsed = self.elapsed(turn.now);
        let own = self.own_traffic.saturating_add(self.own_traffic_before);
        self.own_traffic_before = std::mem::take(&mut self.own_traffic);
        let watch = self.watch(counters);
        let (verdict, moved) = (watch.observe(Sample { at: elapsed, counters }, own), watch.moved());
        let is_due = turn.now >= self.next_report;
        if let Some(progress) = progress.filter(|progress| is_due || self.phase != Some(progress.phase)) {
            self.phase = Some(progress.phase);
            self.own_traffic += SMALL_TRAFFIC;
            turn.report(Report::Progressed(progress));
        }
        if is_due {
            self.report_sample(moved, turn);
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
            None if self.screens.are_due(turn.now) => {
                self.queue.push_back(Step::Capture("interval", Occasion::Interval));
            }
            None => {}
        }
    }

    /// What has moved is reported once more when the imager has ended, however short a time it ran.
    fn conclude(&mut self, counters: Counters, turn: &mut Turn) {
        let at = self.elapsed(turn.now);
        // Without a look at its beginning nobody knows.
        let Some(watch) = &mut self.watch else { return };
        // One that has ended does not stall.
        let _verdict = watch.observe(Sample { at, counters }, 0);
        let moved = watch.moved();
        self.report_sample(moved, turn);
    }

    fn report_sample(&mut self, moved: Counters, turn: &mut Turn) {
        self.next_report = turn.now.saturating_add(REPORT_SAMPLES);
        self.own_traffic += SMALL_TRAFFIC;
        let Counters { disk_read, disk_written, received, sent } = moved;
        turn.report(Report::Sampled { disk_read, disk_written, received, sent });
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

    fn look(&self, glance: Glance) -> Task {
        Task::LookAtImager { interface: self.interface.clone(), glance }
    }

    fn task(&mut self, step: &Step) -> Task {
        self.own_traffic = self.own_traffic.saturating_add(step.own_traffic());
        match step {
            Step::FirstLook | Step::LastLook => self.look(Glance::Quick),
            Step::Look(glance) => self.look(*glance),
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
            Err(error) => self.fail(Failure::of(error).to_string(), turn),
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
            Ok(Finding::ImagerReady { imager, command, disks, terminal }) => {
                let launch = (Report::ImagerStarted { imager, command, disks }, terminal);
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
        launch: (Report, Terminal),
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        if let Err(failure) = result {
            turn.carry_on(Task::LookForStop.to_string(), &failure);
        }
        self.start_imager(job, prompts, launch, turn)
    }

    fn start_imager(
        &mut self,
        job: Job,
        prompts: Prompts,
        (launch, terminal): (Report, Terminal),
        turn: &mut Turn,
    ) -> Stage {
        turn.say(Task::StartImager.to_string());
        if let (Mode::Restore, Report::ImagerStarted { disks, .. }) = (job.mode, &launch) {
            self.at_stake = Some(disks.clone());
        }
        turn.report(launch);
        self.imager = ImagerState::Started(terminal);
        if terminal == Terminal::FirstVt {
            turn.actions.push(Action::LendScreen);
        }
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
                let mut imaging = self.imaging(job, prompts, turn);
                imaging.queue.push_back(Step::FirstLook);
                self.go_on_imaging(imaging, turn)
            }
            Err(failure) => {
                self.take_screen_back(turn);
                self.fail(format!("the imager cannot be started: {failure}"), turn)
            }
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
                let glance = imaging.glance(turn.now);
                imaging.queue.push_back(Step::Look(glance));
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
                let reason = format!("nobody knows what the imager has done: {failure}");
                imaging.outcome = Some(Outcome::Failed { reason });
            }
            (Some(step), Err(failure)) => turn.carry_on(imaging.task(&step).to_string(), &failure),
            (_, _) => {}
        }
        self.go_on_imaging(imaging, turn)
    }

    /// It is known what the imager has done.
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
