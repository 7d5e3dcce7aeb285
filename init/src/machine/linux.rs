//! The real machine: signals, children and tasks become events; actions become calls of [`crate::sys`].
//!
//! ```text
//! signals ──┐
//! tasks ────┼──▶ one queue ──▶ next_event, never longer than its deadline
//! children ─┘
//! ```
//!
//! Nothing here waits for a file: each task has its own thread, and a thread that hangs is left behind.

mod imaging;
pub mod monitor;
mod tasks;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::report::{self, Entry, Outcome};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use self::imaging::Bench;
use self::tasks::Workplace;
use super::last_resort::LastResort;
use super::{Machine, Occurrence};
use crate::failure::Failure;
use crate::keys::Press;
use crate::session::{Action, Event};
use crate::sys::card::Asked;
use crate::sys::child::{Children, Departure, Left};
use crate::sys::console::Console;
use crate::sys::power_button::PowerButton;
use crate::sys::power_command::Wish;
use crate::sys::report_file::ReportFile;
use crate::sys::way_out::WayOut;
use crate::sys::{STACK, clock, datagram, power, power_command, signals};
use crate::task::{Farewell, Finding, Task};

/// The loop turns at least this often, so that [`LastResort`] sees that it does.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long the last words of a session that broke may take to reach the server.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(10);

/// What comes into the queue.
enum Message {
    Signal(Signal),
    Pressed(Press),
    /// The task of this number has ended.
    Finished(u64, Result<Finding, Failure>),
    SleepEnded(Departure),
    ImagerEnded(Departure),
}

/// The machine that this program is PID 1 of.
pub struct Linux {
    queue: Receiver<Message>,
    sender: Sender<Message>,
    /// Events that are due at once.
    due: VecDeque<Event>,
    /// The number of the task that was started last; what others say is not heard any more.
    task: u64,
    /// The task that ends when no other process is left.
    waiting_for_solitude: Option<u64>,
    workplace: Workplace,
    console: Console,
    last_resort: LastResort,
}

impl Linux {
    pub fn take_over(way_out: WayOut) -> anyhow::Result<Self> {
        // Before there are threads: each that allocates before has a heap of its own, most of it reserved and locked.
        let asked = [power::lock_in_memory(), power::take_over_ctrl_alt_del(), power_command::take_name()];
        let last_resort = LastResort::start(way_out.clone())?;
        let (sender, queue) = mpsc::channel();
        let tell = sender.clone();
        // The queue is gone only when the machine is being left.
        signals::watch(move |signal| drop(tell.send(Message::Signal(signal))))?;
        let tell = sender.clone();
        let children = Children::new(move || drop(tell.send(Message::Signal(Signal::SIGCHLD))));
        let tell = sender.clone();
        let button = PowerButton::new(move |press| drop(tell.send(Message::Pressed(press))));
        let mut machine = Self {
            queue,
            sender,
            due: VecDeque::from([Event::Started]),
            task: 0,
            waiting_for_solitude: None,
            workplace: Workplace {
                children: Arc::new(children),
                report: ReportFile::start()?,
                bench: Bench::default(),
                way_out,
                asked: Asked::default(),
                button,
            },
            console: Console::default(),
            last_resort,
        };
        machine.console.say(concat!("version ", env!("CARGO_PKG_VERSION")));
        for error in asked.into_iter().filter_map(Result::err) {
            machine.console.say(&Failure::of(error).to_string());
        }
        Ok(machine)
    }

    /// Does the whole job; returns only on a machine that survives being powered off.
    pub fn run(&mut self) {
        super::run(self);
    }

    /// What is left to do when the session itself has broken: last words, and a sync, neither for long.
    pub fn last_words(&mut self, reason: &str) {
        self.console.say(reason);
        let outcome = Outcome::Failed { reason: reason.to_owned() };
        self.append(report::Event::Ended { outcome });
        let how = self.workplace.way_out.how(AtEnd::PowerOff);
        self.append(report::Event::PoweringOff { reboot: how == AtEnd::Reboot });
        for task in [Task::FlushReport, Task::Sync] {
            self.start(task);
            let deadline = clock::uptime().saturating_add(LAST_WORDS_LIMIT);
            let mut happened = self.next_event(deadline).event;
            while !matches!(happened, Event::Finished(_) | Event::DeadlinePassed) {
                happened = self.next_event(deadline).event;
            }
        }
    }

    fn append(&mut self, event: report::Event) {
        let uptime = u64::try_from(clock::uptime().as_millis()).unwrap_or(u64::MAX);
        let entry = Entry { at: clock::own_time(), uptime, event };
        match entry.to_line() {
            Ok(line) => self.workplace.report.append(line),
            Err(error) => self.console.say(&Failure::of(error).to_string()),
        }
        self.workplace.bench.hear(entry);
    }

    fn start(&mut self, task: Task) {
        self.task += 1;
        self.waiting_for_solitude = None;
        match task {
            Task::EndProcesses(farewell) => self.end_processes(farewell),
            task => self.start_in_background(task),
        }
    }

    fn start_in_background(&mut self, task: Task) {
        let (sender, number) = (self.sender.clone(), self.task);
        let (workplace, tell) = (self.workplace.clone(), self.sender.clone());
        let message = if task == Task::StartImager { Message::ImagerEnded } else { Message::SleepEnded };
        let child_ended = move |departure| drop(tell.send(message(departure)));
        let work = move || {
            let result = tasks::carry_out(task, &workplace, child_ended);
            // The queue is gone only when the machine is being left.
            let _ = sender.send(Message::Finished(number, result));
        };
        let thread = std::thread::Builder::new().name(format!("task {number}")).stack_size(STACK);
        if let Err(error) = thread.spawn(work) {
            self.due.push_back(Event::Finished(Err(Failure::of(error))));
        }
    }

    /// Signals every process but this one; the task ends when none is left.
    fn end_processes(&mut self, farewell: Farewell) {
        let signal = match farewell {
            Farewell::Ask => Signal::SIGTERM,
            Farewell::Force => Signal::SIGKILL,
        };
        // Threads of the kernel count as found, so success does not mean that there is any process.
        match kill(Pid::from_raw(-1), signal) {
            Ok(()) | Err(Errno::ESRCH) => {
                self.waiting_for_solitude = Some(self.task);
                let alone = self.reap();
                self.due.extend(alone);
            }
            Err(error) => self.due.push_back(Event::Finished(Err(Failure::of(error)))),
        }
    }

    /// What a message means; many mean nothing.
    fn understand(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Signal(Signal::SIGCHLD) => self.reap(),
            Message::Signal(Signal::SIGINT) => Some(Event::Pressed(Press::CtrlAltDel)),
            Message::Signal(Signal::SIGPWR) => Some(stop("a power failure (SIGPWR)")),
            Message::Signal(signal) => Some(match power_command::asked_by(signal) {
                Some(Wish::End(command, how)) => {
                    Event::StopRequested { by: command.to_owned(), leave: Some(how) }
                }
                Some(Wish::LeaveAtOnce(command, how)) => Event::LeaveAtOnce { by: command.to_owned(), how },
                None => stop(signal.as_str()),
            }),
            Message::Pressed(press) => Some(Event::Pressed(press)),
            Message::Finished(number, result) if number == self.task => Some(Event::Finished(result)),
            Message::Finished(..) => None,
            Message::SleepEnded(departure) => Some(Event::SleepEnded { how: departure.to_string() }),
            Message::ImagerEnded(Departure::Exited(status)) => {
                Some(Event::ImagerEnded { how: format!("by itself, with status {status}") })
            }
            Message::ImagerEnded(departure) => Some(Event::ImagerEnded { how: departure.to_string() }),
        }
    }

    fn reap(&mut self) -> Option<Event> {
        let alone = self.workplace.children.reap() == Left::None;
        let waited_for = alone && self.waiting_for_solitude.take() == Some(self.task);
        waited_for.then_some(Event::Finished(Ok(Finding::Done)))
    }
}

fn stop(by: &str) -> Event {
    Event::StopRequested { by: by.to_owned(), leave: None }
}

impl Machine for Linux {
    fn next_event(&mut self, deadline: Duration) -> Occurrence {
        loop {
            self.last_resort.alive();
            let now = clock::uptime();
            if let Some(event) = self.due.pop_front() {
                return Occurrence { at: now, event };
            }
            let left = deadline.saturating_sub(now);
            if left.is_zero() {
                return Occurrence { at: now, event: Event::DeadlinePassed };
            }
            match self.queue.recv_timeout(left.min(LONGEST_WAIT)) {
                Ok(message) => {
                    let event = self.understand(message);
                    self.due.extend(event);
                }
                // This very machine holds a sender: the queue is never without one.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Say(words) => self.console.say(&words),
            Action::SayOver(words) => self.console.say_over(&words),
            // It may be lost on the way as well, and there is nothing to do about that.
            Action::SendWord { to, words } => drop(datagram::send(to, &words)),
            Action::Report(event) => self.append(event),
            Action::LendScreen => self.console.lend_screen(),
            Action::TakeScreenBack => self.console.take_screen_back(),
            Action::Start(task) => self.start(task),
            Action::Leave(how) => {
                let still_on = self.workplace.way_out.take(how);
                self.console.say(&Failure::of(still_on).to_string());
            }
        }
    }
}
