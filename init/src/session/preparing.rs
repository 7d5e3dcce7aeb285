//! From the first mount to a job that is claimed and has its image store.

use std::collections::VecDeque;
use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::report::Event as Report;
use ghost_contract::{HostName, MacAddress, Mode};

use super::waiting::Wait;
use super::{
    BOOT_LIMIT, Boot, Event, ROOT_LIMIT, Report as ReportFile, Session, Stage, Tries, Turn, UNORDERED_LIMIT,
};
use crate::boot::{self, BootStep, OnFailure};
use crate::cmdline::BootOptions;
use crate::failure::Failure;
use crate::fstab;
use crate::identity;
use crate::job::{Client, Job};
use crate::memory;
use crate::network::{self, address_check};
use crate::task::{Finding, Root, Surroundings, Task, WakeOnLan};

/// What is over sooner is not worth a line.
const SHORT: Duration = Duration::from_secs(2);

impl Boot {
    /// The step that is being done, and why it has failed until now if it has.
    pub(super) fn in_words(&self) -> String {
        let task = &self.current.task;
        self.tries.told.as_ref().map_or_else(|| task.to_string(), |why| format!("cannot {task}: {why}"))
    }
}

impl Session {
    /// Gives up. What was done last says more than the limit.
    pub(super) fn boot_too_long(&mut self, last: &str, turn: &mut Turn) -> Stage {
        let limit = if self.root == Root::Mounted { BOOT_LIMIT } else { ROOT_LIMIT };
        self.fail(format!("the boot took longer than {} s; the last was: {last}", limit.as_secs()), turn)
    }

    /// Begins with the next line of the boot table, or with the order when there is none left.
    pub(super) fn boot(&mut self, mut left: VecDeque<BootStep>, turn: &mut Turn) -> Stage {
        let Some(current) = left.pop_front() else {
            self.start(Task::ReadOrder, turn);
            return Stage::ReadingOrder;
        };
        self.start(current.task.clone(), turn);
        let tries = Tries { since: turn.now, told: None };
        Stage::Booting(Boot { current, left, tries })
    }

    pub(super) fn step_finished(
        &mut self,
        boot: Boot,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        let Boot { current: step, mut left, tries } = boot;
        if let Ok(Finding::AddressTaken { address, by }) = result {
            return self.fail(Failure::of(address_check::taken(address, by)).to_string(), turn);
        }
        let (result, on_failure) = match result {
            Ok(Finding::AddressContested { address, by, pause }) => {
                (Err(Failure::of(address_check::contested(address, by))), step.on_failure.insisting(pause))
            }
            result => (result, step.on_failure),
        };
        let found = result.and_then(|finding| self.learn(finding, turn));
        match (found, on_failure) {
            (Ok(more), _) => {
                turn.say(step.task.to_string());
                if self.root == Root::Initramfs {
                    self.done.push(step.task);
                }
                more.into_iter().rev().for_each(|step| left.push_front(step));
                self.boot(left, turn)
            }
            (
                Err(failure),
                OnFailure::TryAgain { pause, limit } | OnFailure::TryThenCarryOn { pause, limit },
            ) if turn.now < tries.since.saturating_add(limit) => {
                let tries = self.tell_of_a_try(tries, &step.task, &failure, turn);
                self.deadline = turn.now.saturating_add(pause);
                Stage::Pausing(Boot { current: step, left, tries })
            }
            (Err(failure), OnFailure::CarryOn | OnFailure::TryThenCarryOn { .. }) => {
                turn.carry_on(step.task.to_string(), &failure);
                self.boot(left, turn)
            }
            (Err(failure), OnFailure::Abort | OnFailure::TryAgain { .. }) => {
                self.fail(format!("cannot {}: {failure}", step.task), turn)
            }
        }
    }

    /// Tells of a failure that lasts, and again when it is another.
    fn tell_of_a_try(&self, mut tries: Tries, task: &Task, failure: &Failure, turn: &mut Turn) -> Tries {
        let words = failure.to_string();
        if turn.now >= tries.since.saturating_add(SHORT) && tries.told.as_ref() != Some(&words) {
            self.say_aloud(format!("cannot {task} yet: {words}"), turn);
            tries.told = Some(words);
        }
        tries
    }

    /// Keeps what a boot step found out; gives the steps that follow from it.
    fn learn(&mut self, finding: Finding, turn: &mut Turn) -> Result<Vec<BootStep>, Failure> {
        match finding {
            Finding::Surroundings(seen) => self.plan(seen, turn),
            Finding::Card(card) => boot::steps_to_root(&self.options, &card).map_err(Failure::of),
            Finding::ReportOpened => {
                // From now on the server knows of this client, and what becomes of it.
                self.at_end = AtEnd::PowerOff;
                self.report = ReportFile::Open;
                self.report_up(turn);
                Ok(Vec::new())
            }
            Finding::Hosts(hosts) => self.identify(&hosts, turn),
            Finding::Fstab(text) => Ok(mount_steps(&text, turn)),
            Finding::WakeOnLan(result) => {
                self.report_wake_on_lan(result, turn);
                Ok(Vec::new())
            }
            Finding::Watchdogs(names) => {
                turn.say(format!("watched by {}", names.join(" and ")));
                Ok(Vec::new())
            }
            Finding::Flushed(server_time) => {
                self.server_time = server_time;
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn plan(&mut self, seen: Surroundings, turn: &Turn) -> Result<Vec<BootStep>, Failure> {
        self.root = seen.root;
        self.options = BootOptions::parse(&seen.command_line);
        self.kernel = seen.kernel;
        self.power_switch = seen.power_switch;
        if seen.root == Root::Initramfs {
            // The server does not know of this client yet; its own disk is what its user needs.
            self.at_end = AtEnd::Reboot;
            self.overall = ROOT_LIMIT;
            seen.memory.map_or(Ok(()), memory::require).map_err(Failure::of)?;
            return boot::steps_to_card(&self.options).map_err(Failure::of);
        }
        self.overall = turn.now.saturating_add(BOOT_LIMIT);
        let server = self.options.root.as_ref().map(|root| root.server);
        let bootif = self.options.boot_interface;
        let interface =
            network::boot_interface(bootif, server, &seen.interfaces, &seen.routes).map_err(Failure::of)?;
        let mut steps = boot::steps(&self.options, &interface).map_err(Failure::of)?;
        steps.retain(|step| !self.done.contains(&step.task));
        self.interface = Some(interface);
        Ok(steps)
    }

    fn report_up(&self, turn: &mut Turn) {
        if let Some(interface) = self.interface.clone() {
            turn.say(format!("up as {} ({}) on {}", interface.ip, interface.mac, interface.name));
            turn.report(Report::Up {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                kernel: self.kernel.clone(),
                interface: interface.name,
                mac: interface.mac,
                ip: interface.ip,
            });
        }
        for flag in &self.options.unknown {
            turn.say(format!("ignoring '{flag}' on the kernel command line: no such flag is known"));
            turn.report(Report::UnknownFlag { flag: flag.clone() });
        }
    }

    fn identify(
        &mut self,
        hosts: &[(HostName, MacAddress)],
        turn: &mut Turn,
    ) -> Result<Vec<BootStep>, Failure> {
        let Some(interface) = &self.interface else { return Ok(Vec::new()) };
        let host = identity::name_of(interface.mac, hosts).map_err(Failure::of)?;
        turn.report(Report::Identified { host: host.clone() });
        self.host = Some(host.clone());
        Ok(vec![BootStep::wanted(Task::SetHostName(host))])
    }

    /// Tells what came of arming.
    pub(super) fn report_wake_on_lan(&self, result: WakeOnLan, turn: &mut Turn) {
        let Some(interface) = self.interface.as_ref().map(|interface| interface.name.clone()) else { return };
        match result {
            WakeOnLan::Armed(wake_on) => {
                turn.say(format!("{interface} is armed (wake-on {wake_on})"));
                turn.report(Report::Armed { interface, wake_on });
            }
            WakeOnLan::NotArmed { reason, detail } => {
                turn.say(format!("{interface} is NOT armed: {detail}"));
                turn.report(Report::NotArmed { interface, reason, detail });
            }
        }
    }

    pub(super) fn order_read(&mut self, result: Result<Finding, Failure>, turn: &mut Turn) -> Stage {
        let bytes = match result {
            Ok(Finding::Order(bytes)) => bytes,
            Ok(_) => None,
            Err(failure) => return self.refuse(format!("the order cannot be read: {failure}"), turn),
        };
        let Some(interface) = &self.interface else {
            return self.refuse("the boot interface is not known".to_owned(), turn);
        };
        let client = Client { mac: interface.mac, host: self.host.clone(), now: self.server_time };
        match Job::find(bytes.as_deref(), &self.options.mode, client) {
            Ok(job) => self.delay(job, turn),
            Err(error) => self.refuse(Failure::of(error).to_string(), turn),
        }
    }

    fn refuse(&mut self, reason: String, turn: &mut Turn) -> Stage {
        turn.say(format!("doing nothing: {reason}"));
        turn.say("no disk has been touched");
        turn.report(Report::OrderRefused { reason: reason.clone() });
        self.fail(reason, turn)
    }

    fn delay(&mut self, job: Job, turn: &mut Turn) -> Stage {
        let seconds = self.options.delay.as_secs();
        turn.say(format!("mode {} begins in {seconds} s; Ctrl-Alt-Del powers off instead", job.mode));
        self.overall = Duration::MAX;
        let wait = self.wait(turn.now.saturating_add(self.options.delay), &job, turn);
        Stage::Delaying(job, wait)
    }

    pub(super) fn go_on_delaying(&mut self, job: Job, wait: Wait, event: Event, turn: &mut Turn) -> Stage {
        match self.go_on_waiting(wait, event, turn) {
            Some(wait) => Stage::Delaying(job, wait),
            None => self.claim(job, turn),
        }
    }

    fn claim(&mut self, job: Job, turn: &mut Turn) -> Stage {
        let Some(order) = &job.order else {
            self.overall = turn.now.saturating_add(UNORDERED_LIMIT);
            return self.begin(job, turn);
        };
        self.overall = turn.now.saturating_add(order.deadlines.job);
        self.start(Task::Claim(order.job.clone()), turn);
        Stage::Claiming(job)
    }

    pub(super) fn claim_finished(
        &mut self,
        job: Job,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        let Some(order) = &job.order else { return self.begin(job, turn) };
        match result {
            Ok(Finding::Claimed) => {}
            Ok(_) => return self.refuse(format!("the order of job {} was claimed before", order.job), turn),
            Err(failure) => return self.refuse(format!("the order cannot be claimed: {failure}"), turn),
        }
        turn.report(Report::OrderClaimed { job: order.job.clone(), mode: job.mode });
        self.at_end = order.at_end;
        self.ending_limit = order.deadlines.ending;
        let Some(store) = order.store.clone() else { return self.begin(job, turn) };
        self.start(Task::OpenStore(store, order.nonce.clone()), turn);
        Stage::OpeningStore(job)
    }

    pub(super) fn store_opened(
        &mut self,
        job: Job,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        let Err(failure) = result else { return self.begin(job, turn) };
        if job.mode.needs_image_store() {
            return self.fail(format!("cannot open the image store: {failure}"), turn);
        }
        turn.carry_on("open the image store".to_owned(), &failure);
        self.begin(job, turn)
    }

    fn begin(&mut self, job: Job, turn: &mut Turn) -> Stage {
        turn.say(format!("mode {} begins", job.mode));
        match job.mode {
            Mode::Test => self.start_test(job, turn),
            Mode::Backup | Mode::Verify | Mode::Restore | Mode::Ghost => self.start_imaging(job, turn),
        }
    }
}

fn mount_steps(text: &str, turn: &mut Turn) -> Vec<BootStep> {
    let mut steps = Vec::new();
    for mount in fstab::mounts(text) {
        match mount {
            Ok(mount) => steps.push(BootStep::wanted(Task::Mount(mount))),
            Err(error) => turn.carry_on("read /etc/fstab".to_owned(), &Failure::of(error)),
        }
    }
    steps
}
