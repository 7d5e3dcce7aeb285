//! Acts for a run: makes the jobs of which `run` says that they begin, tells it which have ended, and keeps the run's record.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use ghost_contract::order::ImageStore;
use ghost_contract::{HostName, Mode};
use serde::Serialize;

use super::{Intent, plan, work};
use crate::catalog::screens;
use crate::doctor::judge::NEARLY_FULL;
use crate::exit::Exit;
use crate::ghostrc::NfsServer;
use crate::hooks::Hooks;
use crate::job::{AlreadyOn, Ending, Job, Note, Phase};
use crate::run::figures::Figures;
use crate::run::room::{Look, Moved, Room};
use crate::run::{Action, Event, Limits, Now, Run, RunId, Why};
use crate::runner::Feed;
use crate::runner::linux::Linux;
use crate::runner::steps::record_of;
use crate::site::Site;
use crate::state::runs::{Ended, HookSaid, Line, Places, Record};
use crate::sys::{clock, disk_space};

/// What hooks are told of a job.
#[derive(Serialize)]
struct OfJob<'a> {
    of: &'a str,
    run: &'a RunId,
    mode: Mode,
    #[serde(flatten)]
    ended: &'a Ended,
}

/// A host that can have a job, with all that is the same whenever its job begins.
pub(super) struct Ready {
    pub(super) intent: Intent,
    pub(super) store: ImageStore,
    pub(super) authorized_keys: Vec<String>,
    /// How the machine reaches it.
    pub(super) way: usize,
    pub(super) retries: u32,
}

/// What all jobs of the run have in common.
pub(super) struct Shared<'a> {
    pub(super) site: &'a Site,
    pub(super) mode: Mode,
    pub(super) already_on: AlreadyOn,
    pub(super) host_table: Arc<str>,
    /// Who exports for them.
    pub(super) nfs_server: NfsServer,
}

/// What is kept of the run.
pub(super) struct Kept {
    pub(super) run: RunId,
    /// None where no record could be made.
    pub(super) record: Option<Record>,
    /// Whether something could not be written to it.
    pub(super) is_incomplete: bool,
}

impl Kept {
    pub(super) fn keep(&mut self, line: &Line, warn: &mut dyn FnMut(&str)) {
        if let Some(Err(error)) = self.record.as_ref().map(|record| record.append(line)) {
            self.is_incomplete = true;
            warn(&format!("the record of the run is incomplete: {error:#}"));
        }
    }

    /// Keeps what hooks have said, and tells people of those that failed.
    pub(super) fn keep_said(&mut self, said: Vec<HookSaid>, warn: &mut dyn FnMut(&str)) {
        for said in said {
            if !said.succeeded {
                warn(&format!("the hook {} failed: {}", said.hook, said.output));
            }
            self.keep(&Line::Hook(said), warn);
        }
    }
}

pub(super) struct Turns<'a> {
    shared: Shared<'a>,
    hosts: Vec<Ready>,
    run: Run,
    /// None where the administrator says how many jobs run at the same time.
    room: Option<Room>,
    has_begun: bool,
    pub(super) kept: Kept,
    pub(super) hooks: Hooks,
    /// The host of each job in the list.
    of_job: Vec<usize>,
    /// The jobs that run, by their places in the list.
    open: BTreeSet<usize>,
    /// How the last job of each host ended.
    exits: Vec<Exit>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        shared: Shared<'a>,
        hosts: Vec<Ready>,
        limits: Limits,
        order: Vec<usize>,
        kept: Kept,
        room: Option<Room>,
    ) -> Self {
        let run = Run::new(limits, order, hosts.iter().map(|host| host.retries).collect());
        let exits = vec![Exit::Done; hosts.len()];
        let (of_job, open) = (Vec::new(), BTreeSet::new());
        let called = Hooks::of(&shared.site.ghostrc);
        Self { shared, hosts, run, room, has_begun: false, kept, hooks: called, of_job, open, exits }
    }

    /// The worst of the hosts' endings.
    pub(super) fn exit(&self) -> Exit {
        self.exits.iter().copied().max().unwrap_or(Exit::Done)
    }

    fn now(&self, machine: &Linux<'_>) -> Now {
        let needs_room = self.shared.mode == Mode::Backup;
        Now {
            at: clock::uptime(),
            store_is_full: needs_room && is_full(&self.shared.site.ghostrc.store_folder),
            stopped: machine.stopped().map(str::to_owned),
        }
    }

    fn host(&self, host: usize) -> Option<&HostName> {
        self.hosts.get(host).map(|ready| &ready.intent.host.name)
    }

    fn keep(&mut self, line: &Line, machine: &mut Linux<'_>) {
        self.kept.keep(line, &mut |text| machine.warn(text));
    }

    /// Notes that a job is over.
    fn ended(&mut self, index: usize, job: &Job, machine: &mut Linux<'_>) -> Option<Event> {
        let host = *self.of_job.get(index)?;
        let exit = job.exit();
        if let Some(known) = self.exits.get_mut(host) {
            *known = exit;
        }
        let record = record_of(machine.work(index)?, Some(job));
        let identity = record.identity.clone();
        let failed = exit != Exit::Done;
        let ended = Ended {
            host: identity.host.clone(),
            job: identity.job.clone(),
            began: record.began,
            ended: record.ended,
            ending: record.ending.clone(),
            exit: exit.status(),
            words: words(job),
            figures: Figures::of(&record),
            image: record.image,
            // A store that cannot be read is told of elsewhere.
            screen: if failed {
                screens::last(&self.shared.site.ghostrc, &identity).ok().flatten()
            } else {
                None
            },
        };
        let told = OfJob { of: "job", run: &self.kept.run, mode: identity.mode, ended: &ended };
        match serde_json::to_string(&told) {
            Ok(json) => self.hooks.call(Some(identity.job), json),
            Err(error) => machine.warn(&format!("the hooks are not called for {}: {error}", identity.host)),
        }
        self.keep(&Line::JobEnded(Box::new(ended)), machine);
        Some(Event::Ended { host, never_woke: never_woke(job) })
    }

    /// What the measured rates make of the number of jobs at the same time.
    fn room_changes(&mut self, jobs: &[Job], machine: &mut Linux<'_>) -> Option<Event> {
        let room = self.room.as_mut()?;
        let mode = self.shared.mode;
        let moved = |index: &usize| {
            let readings =
                jobs.get(*index).filter(|job| job.phase() == Phase::Imaging)?.seen().said.readings?;
            Some((*index, Moved { uptime: readings.last().uptime, bytes: readings.transferred(mode)? }))
        };
        let moved = self.open.iter().filter_map(moved).collect();
        let look = Look { moved, running: self.run.running(), is_wanted: self.run.has_waiting() };
        let decision = room.decide(look)?;
        let places = Places { at: clock::now(), places: decision.places, why: decision.why.to_string() };
        machine.announce(&places, || places.words());
        self.keep(&Line::Places(places), machine);
        Some(Event::RoomChanged { parallel: decision.places })
    }

    fn begin(&mut self, host: usize, machine: &mut Linux<'_>) -> anyhow::Result<Option<Job>> {
        let Some(ready) = self.hosts.get(host) else { return Ok(None) };
        let plan = plan(self.shared.site, self.shared.mode, &ready.intent, self.shared.already_on)?;
        let work = work(&self.shared, ready, &plan);
        let work = work.context("cannot make the order")?;
        machine.add(work, ready.way);
        let (host, job) = (plan.identity.host.clone(), plan.identity.job.clone());
        let line = Line::JobBegun { host, job, at: clock::now() };
        self.keep(&line, machine);
        Ok(Some(Job::new(plan)))
    }

    fn leave(&mut self, host: usize, why: &Why, machine: &mut Linux<'_>) {
        let Some(name) = self.host(host).cloned() else { return };
        if self.of_job.contains(&host) {
            let text = format!("it is not tried again: {why}");
            return machine.note(&name, &Note::Warning { text });
        }
        self.not_begun(host, &name, why.to_string(), machine);
    }

    fn not_begun(&mut self, host: usize, name: &HostName, reason: String, machine: &mut Linux<'_>) {
        if let Some(known) = self.exits.get_mut(host) {
            *known = (*known).max(Exit::Failed);
        }
        machine.note(name, &Note::NotBegun { reason: reason.clone() });
        self.keep(&Line::NotBegun { host: name.clone(), at: clock::now(), reason }, machine);
    }
}

impl<'m> Feed<Linux<'m>> for Turns<'_> {
    fn next(&mut self, jobs: &[Job], machine: &mut Linux<'m>) -> Vec<Job> {
        let is_off = |index: &usize| jobs.get(*index).is_some_and(Job::has_gone_off);
        let off = self.open.iter().filter(|index| is_off(index)).filter_map(|index| self.of_job.get(*index));
        let off = off.copied().filter(|host| !self.run.is_off(*host));
        let mut events: VecDeque<Event> = off.map(|host| Event::WentOff { host }).collect();
        let is_closed = |index: &usize| jobs.get(*index).is_some_and(Job::is_closed);
        let closed: Vec<usize> = self.open.iter().copied().filter(is_closed).collect();
        if !self.has_begun {
            self.has_begun = true;
            events.push_back(Event::Begun);
        }
        for index in closed {
            self.open.remove(&index);
            events.extend(jobs.get(index).and_then(|job| self.ended(index, job, machine)));
        }
        let said = self.hooks.take();
        self.kept.keep_said(said, &mut |text| machine.warn(text));
        events.extend(self.room_changes(jobs, machine));
        let mut next = Vec::new();
        while let Some(event) = events.pop_front() {
            let now = self.now(machine);
            for action in self.run.decide(event, &now) {
                match action {
                    Action::Begin { host } => match self.begin(host, machine) {
                        Ok(Some(job)) => {
                            self.open.insert(self.of_job.len());
                            self.of_job.push(host);
                            next.push(job);
                        }
                        Ok(None) => {}
                        Err(error) => {
                            let name = self.host(host).cloned();
                            let reason = format!("{error:#}");
                            name.into_iter()
                                .for_each(|name| self.not_begun(host, &name, reason.clone(), machine));
                            events.push_back(Event::Ended { host, never_woke: false });
                        }
                    },
                    Action::TryLater { host } => {
                        let note = Note::Warning { text: "it is tried again after the others".to_owned() };
                        let name = self.host(host).cloned();
                        name.into_iter().for_each(|name| machine.note(&name, &note));
                    }
                    Action::Leave { host, why } => self.leave(host, &why, machine),
                }
            }
        }
        next
    }
}

/// Whether the client did nothing at all, and nothing is left of the try.
fn never_woke(job: &Job) -> bool {
    let never_up = matches!(job.ending(), Some(Ending::NeverUp { .. }));
    never_up && !job.seen().said.claimed && !job.swap_is_left() && job.troubles().is_empty()
}

fn words(job: &Job) -> String {
    let ending = job.ending().map(ToString::to_string).unwrap_or_default();
    let troubles = job.troubles().into_iter().filter(|trouble| !ending.contains(&trouble.reason));
    let besides = troubles.map(|trouble| format!("; besides: {}", trouble.reason)).collect::<String>();
    ending + &besides
}

/// A store of which this cannot be told is left to the jobs, which say why they cannot use it.
fn is_full(store: &Path) -> bool {
    disk_space::of(store).is_ok_and(|space| space.free < NEARLY_FULL || !space.has_inodes)
}
