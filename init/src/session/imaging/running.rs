//! The state of a running imager, and what follows from a look at it.
//!
//! Fills a queue of steps, which the session takes from there, reports what it saw, and keeps the outcome once it is known.

use std::collections::VecDeque;
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::image::{Phase, Progress};
use ghost_contract::order::Watch;
use ghost_contract::report::{Event as Report, Outcome};

use crate::failure::Failure;
use crate::job::Job;
use crate::prompt::{PromptAction, Prompts};
use crate::screen::history::Occasion;
use crate::session::Turn;
use crate::session::screens::Screens;
use crate::session::waiting::StopLooks;
use crate::stall::{Counters, Sample, StallWatch, Verdict};
use crate::task::{Farewell, Glance, Task};

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
pub(super) enum Step {
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
pub(in crate::session) struct Imaging {
    job: Job,
    settings: Watch,
    interface: String,
    started: Duration,
    /// When its work began. Only from then on do prompts and the stall watch count time.
    pub(super) begun: Option<Duration>,
    watch: Option<StallWatch>,
    /// When the imager could be looked at last.
    last_seen: Duration,
    prompts: Prompts,
    pub(super) screens: Screens,
    /// What a quick look has shown, and when the next look is to be a close one unless that changes.
    last_text: Option<String>,
    next_close_look: Duration,
    pub(super) stop_looks: StopLooks,
    /// What is being done, and what comes after it.
    pub(super) current: Option<Step>,
    pub(super) queue: VecDeque<Step>,
    next_report: Duration,
    /// What the imager was doing when its progress was reported last.
    phase: Option<Phase>,
    /// What the report, screenshots and looks for a stop may have moved over the network since the last reading, bytes.
    own_traffic: u64,
    /// The same of the time before: what was begun then may be on the network only now.
    own_traffic_before: u64,
    /// How the job ended. Set before the imager has ended if this program ends it.
    pub(super) outcome: Option<Outcome>,
}

impl Imaging {
    pub(super) fn new(job: Job, prompts: Prompts, interface: String, now: Duration) -> Self {
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

    pub(in crate::session) fn capture(&mut self, what_for: &str) -> Task {
        self.screens.capture(what_for)
    }

    pub(super) fn look_every(&self) -> Duration {
        let sample_every = self.settings.sample_every.max(LOOK_FOR_PROMPTS);
        if self.prompts.is_waiting() { LOOK_FOR_PROMPTS } else { sample_every }
    }

    /// A program that draws by itself writes nothing: what stands still may have something new in its picture.
    pub(super) fn glance(&mut self, now: Duration) -> Glance {
        if now < self.next_close_look || !self.prompts.wait_for_text() {
            return Glance::Quick;
        }
        self.next_close_look = now.saturating_add(LOOK_CLOSELY);
        Glance::Close
    }

    pub(super) fn note_text(&mut self, glance: Glance, text: Option<&String>, now: Duration) {
        if glance == Glance::Quick && self.last_text.as_ref() != text {
            self.last_text = text.cloned();
            self.next_close_look = now.saturating_add(LOOK_CLOSELY);
        }
    }

    /// How long its work has gone on. If it never says that it has begun, it counts as begun after [`BEGIN_LIMIT`].
    fn elapsed(&self, now: Duration) -> Duration {
        let begun = self.begun.unwrap_or(self.started.saturating_add(BEGIN_LIMIT));
        now.saturating_sub(begun)
    }

    pub(super) fn watch(&mut self, counters: Counters) -> &mut StallWatch {
        self.watch.get_or_insert_with(|| StallWatch::new(self.job.mode, &self.settings, counters))
    }

    /// What follows from a look at the counters, the screen and the imager's progress.
    pub(super) fn judge(
        &mut self,
        counters: Counters,
        text: Option<&str>,
        progress: Option<Progress>,
        turn: &mut Turn,
    ) {
        self.last_seen = turn.now;
        let elapsed = self.elapsed(turn.now);
        let own = self.own_traffic.saturating_add(self.own_traffic_before);
        self.own_traffic_before = std::mem::take(&mut self.own_traffic);
        let watch = self.watch(counters);
        let (verdict, moved) = (watch.observe(Sample { at: elapsed, counters }, own), watch.moved());
        let is_due = turn.now >= self.next_report;
        if let Some(progress) = progress.filter(|progress| is_due || self.phase != Some(progress.phase)) {
            self.phase = Some(progress.phase);
            self.report(Report::Progressed(progress), turn);
        }
        if is_due {
            self.report_sample(moved, turn);
        }
        if let Verdict::Stalled { idle } = verdict {
            self.report(Report::Stalled { idle }, turn);
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
    pub(super) fn conclude(&mut self, counters: Counters, turn: &mut Turn) {
        let at = self.elapsed(turn.now);
        // Without a look at the beginning, what has moved is unknown.
        let Some(watch) = &mut self.watch else { return };
        // An imager that has ended cannot stall.
        let _verdict = watch.observe(Sample { at, counters }, 0);
        let moved = watch.moved();
        self.report_sample(moved, turn);
    }

    fn report_sample(&mut self, moved: Counters, turn: &mut Turn) {
        self.next_report = turn.now.saturating_add(REPORT_SAMPLES);
        let Counters { disk_read, disk_written, received, sent } = moved;
        self.report(Report::Sampled { disk_read, disk_written, received, sent }, turn);
    }

    /// Reports go over the network too: what they cost must not look like the imager's work to the stall watch.
    fn report(&mut self, report: Report, turn: &mut Turn) {
        self.own_traffic += SMALL_TRAFFIC;
        turn.report(report);
    }

    /// An imager that cannot be looked at may have stalled, so it is ended after the same time.
    pub(super) fn judge_blindly(&mut self, failure: &Failure, turn: &mut Turn) {
        let blind = turn.now.saturating_sub(self.last_seen);
        if blind >= self.settings.window {
            let reason =
                format!("could not check for {} s what the imager is doing: {failure}", blind.as_secs());
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

    pub(super) fn task(&mut self, step: &Step) -> Task {
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
