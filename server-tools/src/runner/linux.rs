//! The boot server itself: sockets, report files, signals and steps, for any number of jobs at once.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::dhcp::Network;
use crate::ghostrc::Settings;
use ghost_contract::report::{self, Event as Reported};
use rustix::event::{PollFd, PollFlags, poll};

use super::Machine;
use super::lengthy::{Lengthy, Panicked};
use super::offering::Offering;
use super::steps::{Done, Steps, Work};
use crate::catalog::Catalog;
use crate::job::{Action, Event, Failure, Job, Note, Phase, Step};
use crate::output::Output;
use crate::site::Site;
use crate::state::cancel;
use crate::state::journal::Line;
use crate::sys::arp::Arp;
use crate::sys::clock;
use crate::sys::icmp::Icmp;
use crate::sys::interface::Interface;
use crate::sys::signals::Stops;
use crate::sys::watch::{Watch, Watched};
use crate::tree::Tree;
use crate::wake::{self, Waker};

/// How often report files are looked at even if nobody says that they have changed: another machine may serve
/// the tree over NFS.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How much of a report is read at once, bytes.
const READ_AT_ONCE: u64 = 1 << 20;

const CANNOT_WATCH: &str = "cannot watch for signals and reports";

/// One interface that clients are reached by.
#[derive(Debug)]
struct Wire {
    interface: Interface,
    arp: Arp,
    waker: Waker,
}

/// One client as the machine sees it.
#[derive(Debug)]
pub struct Client {
    /// What its steps work with.
    pub work: Work,
    pub settings: Settings,
    tree: Tree,
    wire: usize,
    /// Where magic packets go besides the wire.
    beyond: Option<Ipv4Addr>,
    offset: u64,
    /// The step that is done on a thread.
    elsewhere: Option<Step>,
}

pub struct Linux<'a> {
    site: &'a Site,
    catalog: Catalog,
    output: &'a mut Output,
    clients: Vec<Client>,
    wires: Vec<Wire>,
    /// Asks operating systems, and all clients behind gateways.
    icmp: Option<Icmp>,
    stops: Stops,
    watch: Watch,
    watched: HashMap<Watched, usize>,
    looked: Duration,
    /// What takes as long as disks do.
    lengthy: Lengthy<Done>,
    /// What changes the DHCP configuration, and what has the server take that up.
    edits: Offering,
    restarts: Offering,
}

impl Drop for Linux<'_> {
    fn drop(&mut self) {
        // Whoever recovers the jobs after a panic must not meet an edit that is being made.
        self.edits.end();
        self.restarts.end();
    }
}

impl<'a> Linux<'a> {
    /// Takes over the signals, and nothing else yet.
    pub fn new(site: &'a Site, output: &'a mut Output) -> anyhow::Result<Self> {
        let watch = Watch::new().context(CANNOT_WATCH)?;
        let (shared, told) = (Arc::new(site.clone()), output.clone());
        let offering = || Offering::new(Arc::clone(&shared), told.clone());
        let cancels = cancel::folder(&site.ghostrc.state_folder);
        // Without a watch the slow look still finds a request.
        let _looked_now_and_then = std::fs::create_dir_all(&cancels).and_then(|()| watch.add(&cancels));
        Ok(Self {
            site,
            catalog: Catalog::new(&site.ghostrc.store_folder),
            output,
            clients: Vec::new(),
            wires: Vec::new(),
            icmp: None,
            stops: Stops::watch().context(CANNOT_WATCH)?,
            watch,
            watched: HashMap::new(),
            looked: Duration::ZERO,
            lengthy: Lengthy::new().context(CANNOT_WATCH)?,
            edits: offering().context(CANNOT_WATCH)?,
            restarts: offering().context(CANNOT_WATCH)?,
        })
    }

    /// Adds the client of the next job in the list.
    pub fn add(&mut self, work: Work, settings: Settings, network: Option<Network>) -> anyhow::Result<()> {
        let interface = match &settings.interface {
            Some(name) => Interface::named(name)?,
            None => Interface::towards(work.begun.identity.ip)?,
        };
        interface.require_link()?;
        let ask = || format!("cannot ask on {} who is on; this needs root's rights", interface.name);
        let is_neighbour = interface.is_neighbour(work.begun.identity.ip);
        if self.icmp.is_none() {
            self.icmp = Some(Icmp::open().with_context(ask)?);
        }
        let beyond = wake::beyond(settings.wake_relay, is_neighbour, network);
        let wire = match self.wires.iter().position(|wire| wire.interface == interface) {
            Some(wire) => wire,
            None => {
                let arp = Arp::open(&interface).with_context(ask)?;
                let waker = Waker::open(&interface)?;
                self.wires.push(Wire { interface, arp, waker });
                self.wires.len() - 1
            }
        };
        let tree = Tree::of(&self.site.ghostrc.base_root, work.begun.identity.ip);
        let generation = work.order.as_ref().and_then(|order| order.generation.as_ref());
        let expected = self.catalog.expected(&work.begun.identity.host, work.begun.identity.mode, generation);
        self.output.begin(&work.begun.identity.host, work.begun.identity.mode, expected);
        self.clients.push(Client { work, settings, tree, wire, beyond, offset: 0, elsewhere: None });
        Ok(())
    }

    fn step(&mut self, index: usize, job: &Job, step: Step) -> Vec<Event> {
        let steps = Steps { site: self.site, catalog: &self.catalog };
        let Some(client) = self.clients.get_mut(index) else { return Vec::new() };
        if step.is_offer() {
            let offering = if step.is_edit() { &mut self.edits } else { &mut self.restarts };
            offering.ask(index, step, &client.work);
            return Vec::new();
        }
        if step.is_lengthy() {
            return match steps.begin(step, &mut client.work) {
                Ok(task) => {
                    client.elsewhere = Some(step);
                    self.lengthy.begin(index, task);
                    Vec::new()
                }
                Err(failure) => self.became_of(index, step, Err(failure)),
            };
        }
        let (output, host) = (&mut *self.output, job.plan().identity.host.clone());
        let mut waiting = |holder: &str| {
            let text = format!("waiting for the DHCP configuration, which is held by {holder}");
            output.note(&host, &Note::Warning { text });
        };
        let result = steps.perform(step, &mut client.work, Some(job), &mut waiting);
        if step == Step::MakeTree && result.is_ok() {
            self.follow(index);
        }
        self.became_of(index, step, result)
    }

    /// The lengthy steps that were done meanwhile.
    fn ended(&mut self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        for (index, step, work, result) in self.edits.take().into_iter().chain(self.restarts.take()) {
            if let Some(client) = self.clients.get_mut(index) {
                client.work.take_over(*work);
            }
            events.extend(self.became_of(index, step, result).into_iter().map(|event| (index, event)));
        }
        for (index, done) in self.lengthy.take() {
            let Some(client) = self.clients.get_mut(index) else { continue };
            let Some(step) = client.elsewhere.take() else { continue };
            let steps = Steps { site: self.site, catalog: &self.catalog };
            let result = match done {
                Ok(done) => steps.end(&mut client.work, done),
                Err(Panicked) => Err(Failure::of_the_program()),
            };
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

    /// Begins to follow the report of a new tree.
    fn follow(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else { return };
        client.offset = 0;
        // Without a watch the slow look at all reports still finds what is written.
        if let Ok(watched) = self.watch.add(&client.tree.report_folder()) {
            self.watched.insert(watched, index);
        }
    }

    fn wake(&mut self, index: usize) -> anyhow::Result<()> {
        let Some(client) = self.clients.get(index) else { return Ok(()) };
        let password = client.settings.secure_on.as_ref().map(|password| password.bytes());
        let Some(wire) = self.wires.get(client.wire) else { return Ok(()) };
        wire.interface.require_link()?;
        wire.waker.wake(client.work.begun.identity.mac, password, client.beyond)
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

    /// What a client has written since the last time.
    fn read(&mut self, index: usize) -> Vec<(usize, Event)> {
        let Some(client) = self.clients.get_mut(index) else { return Vec::new() };
        let Ok(bytes) = client.tree.report(client.offset, READ_AT_ONCE) else { return Vec::new() };
        let read = report::read(&bytes);
        let mut used = u64::try_from(read.used).unwrap_or_default();
        let endless = read.used == 0 && u64::try_from(bytes.len()).unwrap_or_default() == READ_AT_ONCE;
        if endless {
            used = READ_AT_ONCE;
        }
        client.offset += used;
        let said = read.entries.into_iter().map(Event::Reported);
        let muttered = read.unknown.into_iter().map(Event::Muttered);
        said.chain(muttered).map(|event| (index, event)).collect()
    }

    fn look_at_all(&mut self) -> Vec<(usize, Event)> {
        self.looked = clock::uptime();
        let followed: Vec<usize> = self.watched.values().copied().collect();
        followed.into_iter().flat_map(|index| self.read(index)).collect()
    }

    fn answers(&self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        for (number, wire) in self.wires.iter().enumerate() {
            // An interface that has gone away answers nothing; the deadlines see to the rest.
            while let Ok(Some(answer)) = wire.arp.answer() {
                let asked = self.clients.iter().enumerate().filter(|(_, client)| {
                    client.wire == number && client.work.begun.identity.ip == answer.ip
                });
                events.extend(asked.map(|(index, _)| (index, Event::Answered(answer.mac))));
            }
        }
        events
    }

    /// The clients whose operating systems have answered.
    fn echoes(&self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        while let Some(Ok(Some(from))) = self.icmp.as_ref().map(Icmp::answer) {
            let asked = self.clients.iter().enumerate();
            let asked = asked.filter(|(_, client)| client.work.begun.identity.ip == from);
            events.extend(asked.map(|(index, _)| (index, Event::Echoed)));
        }
        events
    }

    /// Asks whether a client is on. A question that is not sent is not answered, which is what the deadlines are for.
    fn probe(&self, index: usize) {
        let Some(client) = self.clients.get(index) else { return };
        let _unasked = match (self.wires.get(client.wire), &self.icmp) {
            (_, Some(icmp)) if !self.is_neighbour(client) => icmp.ask(client.work.begun.identity.ip),
            (Some(wire), _) => wire.arp.ask(client.work.begun.identity.ip),
            (None, _) => Ok(()),
        };
    }

    /// Asks for an echo. Behind a gateway [`Self::probe`] has done so.
    fn echo(&self, index: usize) {
        let asked = self.clients.get(index).filter(|client| self.is_neighbour(client));
        if let (Some(client), Some(icmp)) = (asked, &self.icmp) {
            let _unasked = icmp.ask(client.work.begun.identity.ip);
        }
    }

    fn is_neighbour(&self, client: &Client) -> bool {
        self.wires
            .get(client.wire)
            .is_none_or(|wire| wire.interface.is_neighbour(client.work.begun.identity.ip))
    }

    fn stops(&mut self) -> Vec<(usize, Event)> {
        let Some(name) = self.stops.take() else { return self.cancels() };
        (0..self.clients.len()).map(|index| (index, Event::StopAsked(name.to_owned()))).collect()
    }

    /// The jobs that another ghostctl asks to stop.
    fn cancels(&self) -> Vec<(usize, Event)> {
        let asked =
            |client: &Client| cancel::take(&self.site.ghostrc.state_folder, &client.work.begun.identity.job);
        let clients = self.clients.iter().enumerate().filter(|(_, client)| asked(client));
        clients.map(|(index, _)| (index, Event::StopAsked("ghostctl cancel".to_owned()))).collect()
    }

    /// Sleeps until a descriptor has something to say.
    fn sleep(&self, timeout: Duration) {
        let stops = self.stops.descriptors();
        let arps = self.wires.iter().map(|wire| wire.arp.socket.as_fd());
        let mut polled: Vec<PollFd<'_>> = stops
            .chain(arps)
            .chain(self.icmp.as_ref().map(Icmp::as_fd))
            .chain([self.watch.as_fd(), self.lengthy.as_fd(), self.edits.as_fd(), self.restarts.as_fd()])
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
        match action {
            Action::Do(step) => return self.step(index, job, step),
            Action::Wake => {
                if let Err(error) = self.wake(index) {
                    let text = format!("no magic packet was sent: {error:#}");
                    self.tell(index, job, &Note::Warning { text });
                }
            }
            Action::Probe => self.probe(index),
            Action::Echo => self.echo(index),
            Action::Tell(note) => self.tell(index, job, &note),
        }
        Vec::new()
    }

    fn begin_what_is_shared(&mut self) {
        self.edits.begin();
        self.restarts.begin();
    }

    fn wait(&mut self, until: Option<Duration>) -> Vec<(usize, Event)> {
        let now = clock::uptime();
        let next_look = self.looked + LOOK_EVERY;
        let until = until.map_or(next_look, |until| until.min(next_look));
        self.sleep(until.saturating_sub(now));
        let mut events = self.answers();
        events.extend(self.echoes());
        events.extend(self.ended());
        if clock::uptime() >= next_look {
            events.extend(self.stops());
            events.extend(self.look_at_all());
            return events;
        }
        let written: Vec<usize> = self
            .watch
            .take()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|watched| self.watched.get(&watched).copied())
            .collect();
        for index in written {
            events.extend(self.read(index));
        }
        events.extend(self.stops());
        events
    }
}
