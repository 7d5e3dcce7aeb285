//! A job that runs, with what its client has said so far.

use ghost_contract::image::Progress;
use ghost_contract::report::{Event, Read, Reader};
use ghost_contract::{Generation, HostName, JobId, Mode, UnixTime, bounds};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::catalog::screens::is_numbered;
use crate::job::pace::{Expected, Left};
use crate::job::{Identity, Phase, Said};
use crate::site::Site;
use crate::state::journal::State;
use crate::tree::Tree;

/// How much of a report is read at once after the first look, bytes.
const READ_AT_ONCE: u64 = 1 << 20;

/// One job that runs, or that a crash has left.
#[derive(Debug, Serialize)]
pub(crate) struct Running {
    pub host: HostName,
    pub job: JobId,
    pub mode: Mode,
    pub phase: Option<Phase>,
    pub since: UnixTime,
    pub pid: u32,
    pub owned: bool,
    /// How far the imager says it is.
    pub progress: Option<Progress>,
    /// Bytes through the network and the disk since the imager's start.
    pub moved: Option<u64>,
    /// Bytes a second between the last two readings.
    pub rate: Option<u64>,
    /// How long it takes yet, where the size of the image tells it.
    pub left: Option<Left>,
    #[serde(skip)]
    pub identity: Identity,
    /// How much of what will be moved in all has been moved, percent.
    #[serde(skip)]
    pub percent: Option<u8>,
    /// The name of the last screenshot.
    #[serde(skip)]
    pub screen: Option<String>,
}

/// A report that is read on, and what it has said up to here.
#[derive(Debug)]
pub(crate) struct Followed {
    identity: Identity,
    generation: Option<Generation>,
    tree: Tree,
    reader: Reader,
    offset: u64,
    said: Said,
    screen: Option<String>,
    /// Asked for once, as it means reading manifests.
    expected: Option<Option<Expected>>,
}

impl Followed {
    pub(crate) fn begin(site: &Site, state: &State) -> Self {
        let identity = state.begun.identity.clone();
        Self {
            tree: site.tree(identity.ip),
            generation: state.begun.generation.clone(),
            identity,
            reader: Reader::default(),
            offset: 0,
            said: Said::default(),
            screen: None,
            expected: None,
        }
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Reads what has been written since the last call. A report that cannot be read says nothing new.
    pub(crate) fn read_on(&mut self) {
        let read = self.next().unwrap_or_default();
        for entry in &read.entries {
            self.said.hear(entry, &self.identity.job);
            if let Event::ScreenshotTaken { name, .. } = &entry.event
                && is_numbered(name)
            {
                self.screen = Some(name.clone());
            }
        }
    }

    fn next(&mut self) -> Option<Read> {
        if self.offset == 0 {
            let read = self.reader.read(&self.tree.report(0, bounds::REPORT_KEPT).ok()?);
            self.offset = u64::try_from(read.used).ok()?;
            return Some(read);
        }
        let more = self.tree.more_of_report(self.offset, READ_AT_ONCE).ok()?;
        if more.from != self.offset {
            self.reader.pass_over();
        }
        let read = self.reader.read(&more.bytes);
        self.offset = more.from + u64::try_from(read.used).ok()?;
        Some(read)
    }

    pub(crate) fn running(&mut self, site: &Site, state: &State, owned: bool) -> Running {
        let Identity { job, host, mode, .. } = self.identity.clone();
        let phase = state.phases.last().map(|(phase, _)| *phase);
        let is_at_work = phase == Some(Phase::Imaging);
        let readings = self.said.readings;
        let at_work = readings.filter(|_| is_at_work);
        if at_work.is_some() && self.expected.is_none() {
            self.expected = Some(Catalog::of(&site.ghostrc).expected(&host, mode, self.generation.as_ref()));
        }
        let expected = self.expected.flatten();
        let progress = self.said.progress.clone().filter(|_| is_at_work);
        let share = || at_work.and_then(|readings| readings.percent(mode, expected));
        Running {
            phase,
            since: state.phases.last().map_or(state.begun.at, |(_, at)| *at),
            pid: state.begun.pid,
            owned,
            moved: readings.map(|readings| readings.moved()),
            rate: at_work.and_then(|readings| readings.rate()),
            left: at_work.and_then(|readings| readings.left(mode, expected)),
            percent: progress
                .as_ref()
                .and_then(|progress| percent(progress.done, progress.total))
                .or_else(share),
            progress,
            screen: self.screen.clone(),
            identity: self.identity.clone(),
            host,
            job,
            mode,
        }
    }
}

/// How much of the whole is done. What a client says may be nonsense: never more than all.
pub(super) fn percent(done: u64, total: u64) -> Option<u8> {
    let percent = (u128::from(done) * 100).checked_div(u128::from(total))?;
    u8::try_from(percent.min(100)).ok()
}
