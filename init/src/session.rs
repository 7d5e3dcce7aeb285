//! The course of one job on the client, from the first mount to power off.
//!
//! Does not know processes, paths or clocks: events say what happened and when, and the answer is what to do.
//!
//! ```text
//! Booting ─▶ ReadingOrder ─▶ Delaying ─▶ Claiming ─▶ OpeningStore ─┬─▶ StartingShellServer ─▶ StartingSleep ─▶ Testing
//!    │            │             │           │             │        └─▶ PreparingImager ─▶ StartingImager ─▶ Imaging
//!    └────────────┴─────────────┴───────────┴─────────────┴────────┬─────────────────────────────────────────┘
//!                                  failed, refused, cancelled, done ▼
//!                                                                Ending ─▶ Off
//! ```
//!
//! A line of the boot table that needs patience goes `Booting ─▶ Pausing ─▶ Booting`, as long as it may.
//!
//! Every stage has a deadline, and every way out of a stage leads to `Ending`, which goes on whatever fails. Before it, a
//! failure stays on the screen as long as a job is announced (`Showing`), unless an imager must be ended. Without an
//! order, `Claiming` and `OpeningStore` are left out.
//!
//! While a job is announced, in mode `test`, and while an imager runs, the session looks for the server's stop file now and
//! then. Like a signal, the file is an [`Event::StopRequested`]. What is being started at that time is started first.

mod ending;
mod imaging;
mod preparing;
mod screens;
mod stopping;
mod testing;
mod waiting;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::report::{self, Outcome};
use ghost_contract::{HostName, UnixTime};

use crate::boot::{self, BootStep};
use crate::cmdline::{BootOptions, Switch};
use crate::failure::Failure;
use crate::imager::Terminal;
use crate::job::Job;
use crate::keys::Press;
use crate::network::BootInterface;
use crate::prompt::Prompts;
use crate::task::{Finding, PowerSwitch, Root, Task};

use self::stopping::Button;
use self::waiting::Wait;

/// How long the boot may take, from a root that is there to an order that has been read. It takes two seconds; a
/// server that answers now and then may stretch that.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// How long the root may take to be reached, from the kernel's start. The boot server gives up on a client about then.
const ROOT_LIMIT: Duration = Duration::from_secs(600);

/// How long a job without an order may take: as long as one whose order has the usual deadline. A person may have left its screen.
const UNORDERED_LIMIT: Duration = Duration::from_secs(12 * 3600);

/// Why a job is ended at its deadline.
fn too_long() -> String {
    let hours = UNORDERED_LIMIT.as_secs() / 3600;
    format!("the job took longer than its order allows, or than {hours} h without one")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// PID 1 runs. The first event, once.
    Started,
    /// The task that was started last has ended.
    Finished(Result<Finding, Failure>),
    /// The child of mode `test` is gone.
    SleepEnded {
        /// `ran out`, `killed by SIGTERM`, …
        how: String,
    },
    /// The imager and all that it has started are gone.
    ImagerEnded { how: String },
    /// The machine is to go off: asked for at the machine, or at the server by [`Finding::StopAsked`].
    StopRequested {
        by: String,
        /// How it is to be left, if that is not as the order says.
        leave: Option<AtEnd>,
    },
    /// It is to be left at once and in this way, whatever is left undone: typed at the machine.
    LeaveAtOnce { by: String, how: AtEnd },
    /// A person at the machine wants it off.
    Pressed(Press),
    /// The time that [`Session::deadline`] gave has come.
    DeadlinePassed,
}

/// Something to do. None of these waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Tell a person at the console and the screen.
    Say(String),
    /// The same, on the screen too while that is the imager's: above what it shows.
    SayOver(String),
    /// Tell the boot server, as long as there is no report: once, and whether it is heard or not.
    SendWord {
        to: Ipv4Addr,
        words: String,
    },
    /// Put this into the report.
    Report(report::Event),
    /// The screen is the imager's from now on: nothing is said there.
    LendScreen,
    TakeScreenBack,
    /// Begin with this in the background; its end is an [`Event::Finished`]. What ran before is given up.
    Start(Task),
    /// Switch the machine off, or boot it again, at once. The last action.
    Leave(AtEnd),
}

/// Where the session is, with what that stage needs to know.
#[derive(Debug)]
enum Stage {
    New,
    /// A line of the boot table is being done.
    Booting(Boot),
    /// A line of the boot table has failed, and will be tried again.
    Pausing(Boot),
    /// The order is being read.
    ReadingOrder,
    /// A person can see what is going to happen.
    Delaying(Job, Wait),
    /// The order is being claimed.
    Claiming(Job),
    /// The image store is being mounted and checked.
    OpeningStore(Job),
    /// The shell server is being started.
    StartingShellServer(Job),
    /// The `sleep` is being started; the shell server's port is known.
    StartingSleep(Job, Option<u16>),
    Testing(Wait),
    /// The imager is being made ready.
    PreparingImager(Job, Prompts),
    /// The last look for the server's stop file, before the imager touches a disk.
    LookingOnceMore(Job, Prompts, (report::Event, Terminal)),
    /// The imager is being started.
    StartingImager(Job, Prompts),
    /// Until the imager ends, or must be ended.
    Imaging(Box<imaging::Imaging>),
    /// The job has failed, and a person can read why.
    Showing,
    /// The outcome is known; what is left is to leave nothing behind.
    Ending(VecDeque<Task>),
    /// Nothing can happen any more.
    Off,
}

/// How far the boot table is done.
#[derive(Debug)]
struct Boot {
    current: BootStep,
    left: VecDeque<BootStep>,
    tries: Tries,
}

/// The tries of one line of the table.
#[derive(Debug)]
struct Tries {
    /// When the first one began.
    since: Duration,
    /// What was told of the last failure that was told.
    told: Option<String>,
}

impl Stage {
    /// The screenshot to be taken when this stage ends before its time, where there is anything to be seen.
    fn last_look(self, what_for: &str) -> Option<Task> {
        match self {
            Self::Imaging(mut imaging) => Some(imaging.capture(what_for)),
            _ => None,
        }
    }
}

/// One client's way through one job.
#[derive(Debug)]
pub(crate) struct Session {
    stage: Stage,
    /// When the stage, or the task in it, has taken too long.
    deadline: Duration,
    /// When the whole boot, then the whole job, then the whole ending has taken too long.
    overall: Duration,
    /// How long the ending may take.
    ending_limit: Duration,
    at_end: AtEnd,
    power_switch: PowerSwitch,
    root: Root,
    /// Whether what is reported reaches the server.
    report: Report,
    kernel: String,
    options: BootOptions,
    interface: Option<BootInterface>,
    host: Option<HostName>,
    server_time: Option<UnixTime>,
    imager: ImagerState,
    /// Disks that a restore may have modified. `None` once we know they are intact.
    at_stake: Option<Vec<String>>,
    button: Button,
    /// What was done before the root was reached, and need not be done again.
    done: Vec<Task>,
}

/// Whether the server hears of this client by its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Report {
    #[default]
    NotYet,
    Open,
}

/// What has to be done about the imager on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ImagerState {
    #[default]
    NotStarted,
    /// It was started on this terminal.
    Started(Terminal),
    /// It has ended, and the screen is ours again. What it has started may still be there.
    Left,
    /// All that it has started is gone as well.
    Gone,
}

/// One call of [`Session::decide`]: the time, and the actions found so far.
struct Turn {
    now: Duration,
    actions: Vec<Action>,
}

impl Turn {
    fn say(&mut self, words: impl Into<String>) {
        self.actions.push(Action::Say(words.into()));
    }

    fn report(&mut self, event: report::Event) {
        self.actions.push(Action::Report(event));
    }

    /// Tells of a step that failed, and that the job goes on without it.
    fn carry_on(&mut self, step: String, failure: &Failure) {
        self.say(format!("cannot {step}: {failure}; going on without it"));
        self.report(report::Event::StepFailed { step, reason: failure.to_string(), carried_on: true });
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session that waits for [`Event::Started`].
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::New,
            deadline: Duration::MAX,
            overall: Duration::MAX,
            ending_limit: ending::LIMIT,
            at_end: AtEnd::PowerOff,
            power_switch: PowerSwitch::default(),
            root: Root::default(),
            report: Report::default(),
            kernel: String::new(),
            options: BootOptions::default(),
            interface: None,
            host: None,
            server_time: None,
            imager: ImagerState::default(),
            at_stake: None,
            button: Button::default(),
            done: Vec::new(),
        }
    }

    /// When [`Event::DeadlinePassed`] is due, as time since the kernel's start.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline.min(self.overall)
    }

    /// What to do about an event. `now` is the time since the kernel's start.
    pub(crate) fn decide(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut turn = Turn { now, actions: Vec::new() };
        let stage = std::mem::replace(&mut self.stage, Stage::Off);
        self.stage = self.next(stage, event, &mut turn);
        turn.actions
    }

    fn next(&mut self, stage: Stage, event: Event, turn: &mut Turn) -> Stage {
        let over = turn.now >= self.overall;
        let Some(event) = self.heed_wish(&stage, waiting::understood(event), turn) else { return stage };
        if matches!(event, Event::ImagerEnded { .. }) {
            self.take_screen_back(turn);
        }
        match (stage, event) {
            (Stage::Off, _) => Stage::Off,
            (_, Event::LeaveAtOnce { by, how }) => self.leave_at_once(&by, how, turn),
            (Stage::Ending(left), event) => self.go_on_ending(left, event, turn),
            (Stage::Showing, Event::DeadlinePassed | Event::StopRequested { .. }) => {
                self.clear_up(None, turn)
            }
            (Stage::Booting(boot) | Stage::Pausing(boot), Event::DeadlinePassed) if over => {
                self.boot_too_long(&boot.in_words(), turn)
            }
            (Stage::ReadingOrder, Event::DeadlinePassed) if over => {
                self.boot_too_long(&Task::ReadOrder.to_string(), turn)
            }
            (Stage::Pausing(boot), Event::DeadlinePassed) => {
                self.start(boot.current.task.clone(), turn);
                Stage::Booting(boot)
            }
            (stage, Event::StopRequested { by, .. }) => {
                turn.report(report::Event::StopRequested { by: by.clone() });
                self.end_after(stage.last_look("cancelled"), Outcome::Cancelled { by }, turn)
            }
            (stage, Event::DeadlinePassed) if over => {
                let reason = too_long();
                self.end_after(stage.last_look("too-late"), Outcome::Failed { reason }, turn)
            }
            (Stage::Imaging(imaging), event) => self.watch_imaging(imaging, event, turn),
            (Stage::StartingImager(job, prompts), Event::ImagerEnded { how }) => {
                let imaging = self.imaging(job, prompts, turn);
                self.imager_ended(imaging, how, turn)
            }
            (Stage::New, _) => {
                self.overall = turn.now.saturating_add(BOOT_LIMIT);
                self.boot(boot::first_steps().into(), turn)
            }
            (Stage::Testing(_), Event::SleepEnded { how }) => self.end_test(how, turn),
            (Stage::Testing(wait), event) => self.go_on_testing(wait, event, turn),
            (Stage::Delaying(job, wait), event) => self.go_on_delaying(job, wait, event, turn),
            (Stage::StartingSleep(job, port), Event::SleepEnded { how }) => {
                self.announce_test(&job, port, turn);
                self.end_test(how, turn)
            }
            (stage, Event::Finished(result)) => self.finished(stage, result, turn),
            (stage, Event::DeadlinePassed) => self.finished(stage, Err(Failure::too_late()), turn),
            (
                stage,
                Event::Started | Event::SleepEnded { .. } | Event::ImagerEnded { .. } | Event::Pressed(_),
            ) => stage,
        }
    }

    /// A task has ended, or has been given up.
    fn finished(&mut self, stage: Stage, result: Result<Finding, Failure>, turn: &mut Turn) -> Stage {
        match stage {
            Stage::Booting(boot) => self.step_finished(boot, result, turn),
            Stage::ReadingOrder => self.order_read(result, turn),
            Stage::Claiming(job) => self.claim_finished(job, result, turn),
            Stage::OpeningStore(job) => self.store_opened(job, result, turn),
            Stage::StartingShellServer(job) => self.shell_server_started(job, result, turn),
            Stage::StartingSleep(job, port) => self.sleep_started(job, port, result, turn),
            Stage::PreparingImager(job, prompts) => self.imager_prepared(job, prompts, result, turn),
            Stage::LookingOnceMore(job, prompts, launch) => {
                self.looked_once_more(job, prompts, launch, result, turn)
            }
            Stage::StartingImager(job, prompts) => self.imager_started(job, prompts, result, turn),
            Stage::New
            | Stage::Pausing(_)
            | Stage::Delaying(..)
            | Stage::Testing(_)
            | Stage::Imaging(_)
            | Stage::Showing
            | Stage::Ending(_)
            | Stage::Off => stage,
        }
    }

    /// Begins with a task, and gives it its time limit.
    fn start(&mut self, task: Task, turn: &mut Turn) {
        if self.options.debug == Switch::On {
            turn.say(format!("{} ms: {task} …", turn.now.as_millis()));
        }
        self.deadline = turn.now.saturating_add(task.limit());
        turn.actions.push(Action::Start(task));
    }

    /// Tells a person at the machine, and the boot server as well if the report does not.
    fn say_aloud(&self, words: String, turn: &mut Turn) {
        if let (Report::NotYet, Some(to)) = (self.report, self.options.boot_server()) {
            turn.actions.push(Action::SendWord { to, words: words.clone() });
        }
        turn.say(words);
    }

    /// The imager has the screen no more.
    fn take_screen_back(&mut self, turn: &mut Turn) {
        if let ImagerState::Started(terminal) = self.imager {
            self.imager = ImagerState::Left;
            if terminal != Terminal::None {
                turn.actions.push(Action::TakeScreenBack);
            }
        }
    }

    fn fail(&mut self, reason: impl Into<String>, turn: &mut Turn) -> Stage {
        self.end(Outcome::Failed { reason: reason.into() }, turn)
    }
}

#[cfg(test)]
mod tests;
