//! A machine for tests: every task succeeds at once, except those that are told to fail, to hang, or to be stopped.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::image::Progress;
use ghost_contract::report::{self, Outcome};
use ghost_contract::{MacAddress, UnixTime};

use super::{Machine, Occurrence};
use crate::failure::Failure;
use crate::imager::{Judgement, Terminal};
use crate::network::Interface;
use crate::session::{Action, Event};
use crate::stall::Counters;
use crate::task::{Finding, PowerSwitch, Root, Surroundings, Task, Undone, WakeOnLan};

/// What goes wrong with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Fails,
    Hangs,
    /// It never ends, nor does any after it: the server has died.
    ServerDies,
    /// It ends well, but a child that it starts never does.
    Lasts,
    /// It never ends, and the machine is to stop while it runs.
    Stopped,
}

/// What a screenshot sends to the image store, bytes.
const SCREENSHOT: u64 = 60_000;

/// The machine, and what was done to it.
#[derive(Debug)]
pub(crate) struct Fake {
    /// Time since its kernel's start.
    pub now: Duration,
    due: VecDeque<Event>,
    /// Which of the tasks that are started, counted from 0, gets into which trouble.
    trouble: Option<(usize, Trouble)>,
    pub root: Root,
    /// Tasks that fail whenever they are tried.
    pub always_fails: Option<fn(&Task) -> bool>,
    pub command_line: String,
    /// The order in its tree.
    pub order: Option<Vec<u8>>,
    /// Whether the order has been claimed before.
    pub claimed: bool,
    /// Since when there has been a stop file in its tree, as time since its kernel's start.
    pub stop_file_since: Option<Duration>,
    pub power_switch: PowerSwitch,
    /// Another machine that has its address.
    pub address_taken_by: Option<MacAddress>,
    /// Another machine that is about to take its address whenever it looks.
    pub address_contested_by: Option<MacAddress>,
    /// KiB of memory that it says it has.
    pub memory: Option<u64>,
    /// What a person at it does, and when, as time since its kernel's start.
    pub wishes: VecDeque<(Duration, Event)>,
    /// From when until when the server does not know its folders, as time since its kernel's start.
    pub tree_gone: std::ops::Range<Duration>,
    /// Whether every look for the stop file hangs.
    pub stop_looks_hang: bool,
    pub captures_hang: bool,
    /// The server's request to see the screen, and since when it is there.
    pub screen_request: Option<(Duration, String)>,
    /// What the imager has for a screen.
    pub terminal: Terminal,
    /// What was not done to make it ready.
    pub undone: Vec<Undone>,
    /// After how many looks at it, besides the one when it begins, the imager ends.
    pub imager_lasts: usize,
    /// At which look its work has begun.
    pub begins_at_look: usize,
    /// Bytes that the imager reads between two looks at it.
    pub disk_rate: u64,
    /// What stands on the imager's screen at each look; nothing readable after that.
    pub screens: Vec<String>,
    /// How far the imager says it is at each look; nothing after that.
    pub progress: Vec<Progress>,
    /// What comes out when the imager has ended.
    pub judgement: Judgement,
    looks: usize,
    /// All that was done, in order.
    pub done: Vec<Action>,
    /// How often it was asked for an event.
    pub turns: usize,
}

impl Fake {
    /// John's machine, with this order in its tree, on which all goes well.
    pub(crate) fn new(command_line: &str, order: Option<Vec<u8>>) -> Self {
        Self {
            now: Duration::from_secs(20),
            due: VecDeque::from([Event::Started]),
            trouble: None,
            root: Root::Mounted,
            always_fails: None,
            command_line: format!("{command_line} BOOTIF=01-00-0a-eb-01-02-03"),
            order,
            claimed: false,
            stop_file_since: None,
            tree_gone: Duration::ZERO..Duration::ZERO,
            power_switch: PowerSwitch::Acpi,
            address_taken_by: None,
            address_contested_by: None,
            memory: None,
            wishes: VecDeque::new(),
            stop_looks_hang: false,
            captures_hang: false,
            screen_request: None,
            terminal: Terminal::FirstVt,
            undone: Vec::new(),
            imager_lasts: 20,
            begins_at_look: 0,
            disk_rate: 1 << 30,
            screens: Vec::new(),
            progress: Vec::new(),
            judgement: Judgement::of(Outcome::Succeeded),
            looks: 0,
            done: Vec::new(),
            turns: 0,
        }
    }

    /// The same, with trouble at this task.
    pub(crate) fn with(mut self, task: usize, trouble: Trouble) -> Self {
        self.trouble = Some((task, trouble));
        self
    }

    /// The tasks that were started.
    pub(crate) fn tasks(&self) -> Vec<&Task> {
        self.done.iter().filter_map(task).collect()
    }

    /// The events that were reported.
    pub(crate) fn reported(&self) -> Vec<&report::Event> {
        self.done.iter().filter_map(reported).collect()
    }

    fn begin(&mut self, task: &Task) {
        self.due.clear();
        if self.always_fails.is_some_and(|fails| fails(task)) {
            self.due.push_back(Event::Finished(Err(Failure::new("no luck"))));
            return;
        }
        let number = self.tasks().len();
        match self.trouble_of(number) {
            Some(Trouble::Fails) => self.due.push_back(Event::Finished(Err(Failure::new("no luck")))),
            Some(Trouble::Hangs | Trouble::ServerDies) => {}
            Some(Trouble::Lasts) => self.due.push_back(Event::Finished(Ok(self.find(task)))),
            Some(Trouble::Stopped) => {
                self.due.push_back(Event::StopRequested { by: "SIGTERM".to_owned(), leave: None });
            }
            None if self.stop_looks_hang && *task == Task::LookForStop => {}
            None if self.captures_hang && matches!(task, Task::Capture { .. }) => {}
            None => {
                let finding = self.find(task);
                if matches!(task, Task::EnterRoot(_)) {
                    self.root = Root::Mounted;
                }
                self.due.push_back(Event::Finished(Ok(finding)));
                self.looks += usize::from(matches!(task, Task::LookAtImager { .. }));
                if matches!(task, Task::LookAtImager { .. }) && self.looks > self.imager_lasts {
                    self.due.push_back(Event::ImagerEnded { how: "ran out".to_owned() });
                }
                if matches!(task, Task::StartSleep(_)) {
                    self.due.push_back(Event::SleepEnded { how: "ran out".to_owned() });
                }
            }
        }
    }

    fn trouble_of(&self, number: usize) -> Option<Trouble> {
        let (unlucky, trouble) = self.trouble?;
        let hit = number == unlucky || (trouble == Trouble::ServerDies && number > unlucky);
        hit.then_some(trouble)
    }

    fn find(&self, task: &Task) -> Finding {
        match task {
            Task::LookAround => Finding::Surroundings(self.surroundings()),
            Task::FindCard(_) => Finding::Card("eth0".to_owned()),
            Task::CheckAddress { address, .. } => match (self.address_taken_by, self.address_contested_by) {
                (Some(by), _) => Finding::AddressTaken { address: *address, by },
                (None, Some(by)) => {
                    Finding::AddressContested { address: *address, by, pause: Duration::from_secs(1) }
                }
                (None, None) => Finding::Done,
            },
            Task::OpenReport => Finding::ReportOpened,
            Task::ReadFstab => {
                Finding::Fstab("none /tmp tmpfs\n192.168.7.1:/home/ghost /backup nfs".to_owned())
            }
            Task::ReadHostTable => {
                Finding::Hosts(vec![("john".parse().unwrap(), "00:0a:eb:01:02:03".parse().unwrap())])
            }
            Task::Arm { .. } => Finding::WakeOnLan(WakeOnLan::Armed("g".to_owned())),
            Task::FlushReport => Finding::Flushed(Some(UnixTime::from_millis(1_500_000))),
            Task::ReadOrder => Finding::Order(self.order.clone()),
            Task::Claim(_) if self.claimed => Finding::AlreadyClaimed,
            Task::Claim(_) => Finding::Claimed,
            Task::LookForStop if self.stop_file_since.is_some_and(|since| self.now >= since) => {
                Finding::StopAsked
            }
            Task::LookForStop if self.tree_gone.contains(&self.now) => Finding::TreeGone,
            Task::LookForStop => match &self.screen_request {
                Some((since, word)) if self.now >= *since => Finding::ScreenAsked(word.clone()),
                _ => Finding::Done,
            },
            Task::StartShellServer { .. } => Finding::ShellServer(22),
            Task::PrepareImager(_) => Finding::ImagerReady {
                imager: "fake".to_owned(),
                command: "fake -sure".to_owned(),
                disks: vec!["sda".to_owned()],
                terminal: self.terminal,
                undone: self.undone.clone(),
            },
            Task::LookAtImager { .. } => Finding::Seen {
                counters: self.counters(),
                text: self.seen(&self.screens),
                has_begun: self.looks >= self.begins_at_look,
                progress: self.seen(&self.progress),
            },
            Task::Capture { name } => Finding::Captured {
                name: name.clone(),
                source: "imagination".to_owned(),
                passed_over: vec!["/dev/eyes: closed".to_owned()],
            },
            Task::JudgeImager => Finding::Judged(self.judgement.clone()),
            _ => Finding::Done,
        }
    }

    /// The first look, when the imager begins, shows nothing.
    fn seen<T: Clone>(&self, all: &[T]) -> Option<T> {
        self.looks.checked_sub(1).and_then(|look| all.get(look)).cloned()
    }

    fn counters(&self) -> Counters {
        let disk_read = self.disk_rate * u64::try_from(self.looks).unwrap();
        let is_capture = |action: &&Action| matches!(action, Action::Start(Task::Capture { .. }));
        let captures = u64::try_from(self.done.iter().filter(is_capture).count()).unwrap();
        Counters { disk_read, sent: SCREENSHOT * captures, ..Counters::default() }
    }

    fn surroundings(&self) -> Surroundings {
        let interface = Interface {
            name: "eth0".to_owned(),
            mac: Some("00:0a:eb:01:02:03".parse().unwrap()),
            addresses: vec![Ipv4Addr::new(192, 168, 7, 2)],
        };
        Surroundings {
            root: self.root,
            command_line: self.command_line.clone(),
            interfaces: vec![interface],
            power_switch: self.power_switch,
            memory: self.memory,
            ..Surroundings::default()
        }
    }
}

impl Machine for Fake {
    fn next_event(&mut self, deadline: Duration) -> Occurrence {
        self.turns += 1;
        let is_due = |at: Duration| at <= self.now || (self.due.is_empty() && at <= deadline);
        if let Some((at, event)) = self.wishes.pop_front_if(|(at, _)| is_due(*at)) {
            self.now = self.now.max(at);
            return Occurrence { at: self.now, event };
        }
        let event = self.due.pop_front().unwrap_or_else(|| {
            assert!(deadline < Duration::MAX, "it would wait for ever, after {:#?}", self.done);
            self.now = self.now.max(deadline);
            Event::DeadlinePassed
        });
        Occurrence { at: self.now, event }
    }

    fn perform(&mut self, action: Action) {
        if let Action::Start(task) = &action {
            self.begin(task);
        }
        self.done.push(action);
    }
}

fn task(action: &Action) -> Option<&Task> {
    match action {
        Action::Start(task) => Some(task),
        _ => None,
    }
}

fn reported(action: &Action) -> Option<&report::Event> {
    match action {
        Action::Report(event) => Some(event),
        _ => None,
    }
}
