//! The boot server itself: sockets, report files, signals and steps, for any number of jobs at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use ghost_contract::HostName;
use ghost_contract::report::Event as Reported;
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;

mod stopping;

use super::Machine;
use super::guard::Guard;
use super::keeping::Keeping;
use super::leases::Renewing;
use super::lengthy::{Lengthy, Panicked};
use super::offering::Offering;
use super::reports::Reports;
use super::steps::Steps;
use super::task::Done;
use super::wires::Wires;
use super::work::Work;
use crate::catalog::Catalog;
use crate::dhcp::{Host, Network};
use crate::ghostrc::Settings;
use crate::job::{Action, Event, Failure, Job, Note, Phase, Step};
use crate::output::Output;
use crate::site::Site;
use crate::state::cancel;
use crate::state::journal::Line;
use crate::sys::clock;
use crate::sys::private;
use crate::sys::signals::Stops;

/// How often report files are read even if the kernel reports no change: another machine may serve
/// the tree over NFS.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A tree is made in less, unless its client has filled the old one.
const TOGETHER: Duration = Duration::from_secs(2);
/// So many clients that have filled their folders keep nobody else waiting.
const IN_FOLDERS: usize = 16;
const CANNOT_WORK: &str = "cannot start the threads that jobs need";
const CANNOT_WATCH: &str = "cannot watch for signals and reports";

/// One client as the machine sees it.
#[derive(Debug)]
pub(crate) struct Client {
    /// What its steps work with.
    pub work: Work,
    /// The step that is done on a thread, and since when.
    elsewhere: Option<(Step, Duration)>,
    /// Whether its job has a swap to revert.
    is_swapped: bool,
    /// The place of its host among the wires.
    way: usize,
}

pub(crate) struct Linux<'a> {
    site: &'a Site,
    catalog: Catalog,
    output: &'a mut Output,
    clients: Vec<Client>,
    wires: Wires,
    /// The place of each host's newest job; answers are for that one.
    newest: Vec<Option<usize>>,
    stops: Stops,
    /// Who or what has asked all jobs to stop.
    stopped: Option<String>,
    reports: Reports,
    /// When all reports were last looked at.
    looked: Duration,
    /// What takes as long as disks do.
    lengthy: Lengthy<Done>,
    /// What asks the NFS server. It has threads of its own, so that no client is woken later because generations are being checked.
    exporting: Lengthy<Done>,
    /// What makes and removes folders that clients can write to: who has filled his keeps nobody else waiting.
    folders: Lengthy<Done>,
    /// What changes the DHCP configuration, what has the server take that up, and what only looks.
    edits: Offering,
    /// Since when swaps wait for trees.
    held: Option<Duration>,
    restarts: Offering,
    looks: Offering,
    /// Told of each turn of the loop.
    guard: Guard,
    /// Has the NFS server export again what it has forgotten.
    keeping: Keeping,
    leases: Renewing,
}

impl Drop for Linux<'_> {
    fn drop(&mut self) {
        // A recovery of the jobs after a panic must not meet an edit that is still being made.
        self.edits.end();
        self.restarts.end();
        self.looks.end();
        self.guard.end();
        self.keeping.end();
        self.leases.end();
    }
}

impl<'a> Linux<'a> {
    /// Takes over the signals, and nothing else yet.
    pub(crate) fn new(site: &'a Site, output: &'a mut Output) -> anyhow::Result<Self> {
        let reports = Reports::new().context(CANNOT_WATCH)?;
        let (shared, told) = (Arc::new(site.clone()), output.clone());
        let offering = || Offering::new(Arc::clone(&shared), told.clone());
        let cancels = cancel::folder(&site.ghostrc.state_folder);
        // Without a watch the slow look still finds a request.
        let _looked_now_and_then = private::folder(&cancels).and_then(|()| reports.watch_also(&cancels));
        Ok(Self {
            site,
            catalog: Catalog::of(&site.ghostrc),
            output,
            clients: Vec::new(),
            wires: Wires::default(),
            newest: Vec::new(),
            stops: Stops::watch().context(CANNOT_WATCH)?,
            stopped: None,
            reports,
            looked: Duration::ZERO,
            lengthy: Lengthy::new().context(CANNOT_WORK)?,
            exporting: Lengthy::new().context(CANNOT_WORK)?,
            folders: Lengthy::with(IN_FOLDERS).context(CANNOT_WORK)?,
            edits: offering().context(CANNOT_WORK)?,
            held: None,
            restarts: offering().context(CANNOT_WORK)?,
            looks: offering().context(CANNOT_WORK)?,
            guard: Guard::start(Arc::clone(&shared), told.clone()).context(CANNOT_WORK)?,
            keeping: Keeping::start(Arc::clone(&shared), told.clone()).context(CANNOT_WORK)?,
            leases: Renewing::start(site.ghostrc.lease).context(CANNOT_WORK)?,
        })
    }

    /// Opens what it takes to reach a host's client; yields the host's place, for its jobs.
    pub(crate) fn reach(
        &mut self,
        host: &Host,
        settings: &Settings,
        network: Option<Network>,
    ) -> anyhow::Result<usize> {
        self.newest.push(None);
        self.wires.add(host, settings, network)
    }

    /// Adds the client of the next job in the list, which is reached in this way.
    pub(crate) fn add(&mut self, work: Work, way: usize) {
        let identity = &work.begun.identity;
        self.guard.add(identity);
        let generation = work.order.as_ref().and_then(|order| order.generation.as_ref());
        self.output.begin(identity, self.catalog.expected(&identity.host, identity.mode, generation));
        if let Some(newest) = self.newest.get_mut(way) {
            *newest = Some(self.clients.len());
        }
        self.clients.push(Client { work, elsewhere: None, is_swapped: false, way });
    }

    /// What the steps of a job have come to.
    pub(crate) fn work(&self, index: usize) -> Option<&Work> {
        self.clients.get(index).map(|client| &client.work)
    }

    /// Who or what has asked all jobs to stop, if so.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Tells people something of a host.
    pub(crate) fn note(&mut self, host: &HostName, note: &Note) {
        self.output.note(host, note);
    }

    /// Tells people and programs something that is no host's.
    pub(crate) fn announce(&mut self, value: &impl Serialize, words: impl FnOnce() -> String) {
        self.output.either(value, words);
    }

    /// Warns people of something that is no host's.
    pub(crate) fn warn(&mut self, text: &str) {
        self.output.line(&format!("warning: {text}"));
    }

    /// Until when swaps wait for hosts whose trees are being made: those that begin together share an edit.
    fn waits_for_trees(&self, now: Duration) -> Option<Duration> {
        let made = self.clients.iter().filter_map(|client| client.elsewhere);
        let until = made.filter(|(step, _)| *step == Step::MakeTree).map(|(_, since)| since + TOGETHER);
        until.max().filter(|until| now < *until)
    }

    fn way(&self, index: usize) -> Option<usize> {
        self.clients.get(index).map(|client| client.way)
    }

    fn step(&mut self, index: usize, job: &Job, step: Step) -> Vec<Event> {
        let steps = Steps { site: self.site, catalog: &self.catalog };
        let Some(client) = self.clients.get_mut(index) else { return Vec::new() };
        if step.is_offer() {
            let offering = match step {
                step if step.is_edit() => &mut self.edits,
                step if step.is_restart() => &mut self.restarts,
                _ => &mut self.looks,
            };
            offering.ask(index, step, &client.work);
            return Vec::new();
        }
        if step.is_done_elsewhere() {
            return match steps.begin(step, &mut client.work) {
                Ok(task) => {
                    let task = self.keeping.around(step, &client.work, task);
                    client.elsewhere = Some((step, clock::uptime()));
                    let threads = match step {
                        step if step.is_export() => &mut self.exporting,
                        step if step.is_in_folders_of_the_client() => &mut self.folders,
                        _ => &mut self.lengthy,
                    };
                    threads.begin(index, task);
                    Vec::new()
                }
                Err(failure) => self.became_of(index, step, Err(failure)),
            };
        }
        if step == Step::Close {
            self.leases.remove(index);
        }
        let result = steps.perform(step, &mut client.work, Some(job));
        if step == Step::Claim {
            client.work.lease.iter().for_each(|held| self.leases.add(index, held.clone()));
        }
        self.became_of(index, step, result)
    }

    /// The steps that were done elsewhere meanwhile.
    fn ended(&mut self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        let done = [&mut self.edits, &mut self.restarts, &mut self.looks].map(Offering::take);
        for (index, step, work, result) in done.into_iter().flatten() {
            if let Some(client) = self.clients.get_mut(index) {
                client.work.take_over(step, *work);
            }
            events.extend(self.became_of(index, step, result).into_iter().map(|event| (index, event)));
        }
        let done = [&self.lengthy, &self.exporting, &self.folders].map(Lengthy::take);
        for (index, done) in done.into_iter().flatten() {
            let Some(client) = self.clients.get_mut(index) else { continue };
            let Some((step, _)) = client.elsewhere.take() else { continue };
            let steps = Steps { site: self.site, catalog: &self.catalog };
            let result = match done {
                Ok(done) => steps.end(&mut client.work, done),
                Err(Panicked) => Err(Failure::of_the_program()),
            };
            if step == Step::MakeTree && result.is_ok() {
                let tree = self.site.tree(client.work.begun.identity.ip);
                self.reports.follow(index, tree);
            }
            events.extend(self.became_of(index, step, result).into_iter().map(|event| (index, event)));
        }
        events
    }

    /// What the job hears of a step; what else people should know of it is told.
    fn became_of(&mut self, index: usize, step: Step, result: Result<(), Failure>) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(client) = self.clients.get_mut(index) {
            events.extend(client.work.unwritten.drain(..).map(Event::Unwritten));
            for text in client.work.remarks.drain(..) {
                self.output.note(&client.work.begun.identity.host, &Note::Warning { text });
            }
        }
        events.push(match result {
            Ok(()) => Event::StepDone(step),
            Err(failure) => Event::StepFailed(step, failure),
        });
        events
    }

    fn tell(&mut self, index: usize, job: &Job, note: &Note) {
        if let Note::Phase { phase } = note {
            self.phase(index, *phase);
        }
        if let (Note::Reported { event: Reported::Sampled { .. } }, Some(sample)) =
            (note, job.seen().said.sample())
        {
            self.output.reading(&job.plan().identity.host, sample);
        }
        let is_reverted = matches!(note, Note::Phase { phase: Phase::Reverted } | Note::RevertedLate);
        let left_alone = self.clients.get(index).and_then(|client| client.work.left_alone.clone());
        if let Some(text) = left_alone.filter(|_| is_reverted) {
            return self.output.note(&job.plan().identity.host, &Note::Warning { text });
        }
        self.output.note(&job.plan().identity.host, note);
    }

    /// Phases go into the journal for those who ask for the status. It is no harm if one cannot be written.
    fn phase(&mut self, index: usize, phase: Phase) {
        let Some(client) = self.clients.get_mut(index) else { return };
        let at = clock::now();
        client.work.phases.push((phase, at));
        if let Some(journal) = client.work.journal.as_ref() {
            let _unsaid = journal.remark(&Line::Phase { phase, at });
        }
    }

    /// Sleeps until a descriptor has something to say.
    fn sleep(&self, timeout: Duration) {
        let mut polled: Vec<PollFd<'_>> = [self.stops.as_fd(), self.reports.as_fd()]
            .into_iter()
            .chain(self.wires.descriptors())
            .chain([self.lengthy.as_fd(), self.exporting.as_fd(), self.folders.as_fd()])
            .chain([self.edits.as_fd(), self.restarts.as_fd(), self.looks.as_fd()])
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect();
        let timeout = timeout.try_into().ok();
        // Whatever poll says, what is there is looked at afterwards.
        let _ready = poll(&mut polled, timeout.as_ref());
    }
}

impl Machine for Linux<'_> {
    fn now(&self) -> Duration {
        clock::uptime()
    }

    fn perform(&mut self, index: usize, job: &Job, action: Action) -> Vec<Event> {
        // Many actions in one turn are no standstill.
        self.guard.beat();
        if let Some(client) = self.clients.get_mut(index) {
            client.is_swapped = job.swap_is_left();
        }
        match action {
            Action::Do(step) => return self.step(index, job, step),
            Action::Wake => {
                let sent = self.way(index).map_or(Ok(()), |way| self.wires.wake(way));
                if let Err(error) = sent {
                    let text = format!("no magic packet was sent: {error:#}");
                    self.tell(index, job, &Note::Warning { text });
                }
            }
            Action::Probe => self.way(index).into_iter().for_each(|way| self.wires.probe(way)),
            Action::Echo => self.way(index).into_iter().for_each(|way| self.wires.echo(way)),
            Action::Tell(Note::Ended { ending, left, lacks: None }) => {
                let lacks = self.clients.get_mut(index).and_then(|client| client.work.lacks.take());
                self.tell(index, job, &Note::Ended { ending, left, lacks });
            }
            Action::Tell(note) => self.tell(index, job, &note),
        }
        Vec::new()
    }

    fn begin_what_is_shared(&mut self) {
        let now = clock::uptime();
        let until = self.waits_for_trees(now);
        self.held = until.map(|_| self.held.unwrap_or(now));
        let until = self.held.zip(until).map(|(from, until)| until.min(from + TOGETHER));
        self.edits.hold_swaps(until.unwrap_or_default());
        self.edits.begin();
        self.restarts.begin();
        self.looks.begin();
    }

    fn wait(&mut self, until: Option<Duration>) -> Vec<(usize, Event)> {
        self.guard.beat();
        let now = clock::uptime();
        let next_look = self.looked + LOOK_EVERY;
        let sooner = self.looks.due().into_iter().chain(self.edits.due());
        let until = until.into_iter().chain(sooner).fold(next_look, Duration::min);
        self.sleep(until.saturating_sub(now));
        let newest = |way: usize| self.newest.get(way).copied().flatten();
        let answers = self.wires.answers().into_iter();
        let answers = answers.filter_map(|(way, mac)| Some((newest(way)?, Event::Answered(mac))));
        let mut events: Vec<(usize, Event)> = answers.collect();
        let echoes = self.wires.echoes().into_iter();
        events.extend(echoes.filter_map(|way| Some((newest(way)?, Event::Echoed))));
        let heard = self.wires.overheard().into_iter();
        events.extend(heard.filter_map(|(way, heard)| Some((newest(way)?, Event::Heard(heard)))));
        events.extend(self.ended());
        events.extend(self.lost_leases());
        if clock::uptime() >= next_look {
            self.looked = clock::uptime();
            events.extend(self.stops());
            events.extend(self.reports.look_at_all());
        } else {
            events.extend(self.reports.written());
            events.extend(self.stops());
        }
        events
    }
}
