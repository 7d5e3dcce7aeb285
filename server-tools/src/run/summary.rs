//! What a run's record says, folded into one value. Pure.

use std::collections::BTreeMap;

use ghost_contract::{HostName, JobId, UnixTime};
use serde::Serialize;

use crate::state::runs::{Begun, Contents, Ended, HookSaid, Line, Places};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Running,
    Over,
    /// Its ghostctl has gone without a last word.
    BrokenOff,
}

/// What has become of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Became {
    Waiting,
    NotBegun { reason: String },
    Running { job: JobId, since: UnixTime },
    Ended(Box<Ended>),
}

impl Became {
    /// Whether nothing is left to do for the host.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Ended(ended) if ended.is_good())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OfHost {
    pub host: HostName,
    /// How many jobs of it were begun.
    pub tries: u32,
    #[serde(flatten)]
    pub became: Became,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    #[serde(flatten)]
    pub begun: Begun,
    pub run_state: State,
    pub ended: Option<UnixTime>,
    /// How many hosts are done, and how many are not.
    pub succeeded: usize,
    pub not_succeeded: usize,
    pub jobs: Vec<OfHost>,
    /// What the measured rates have made of the number of jobs at the same time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Places>,
    pub hooks: Vec<HookSaid>,
    /// Why the record cannot be read whole, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

impl Summary {
    /// None if the record does not even say what was asked for. `is_owned`: whether the run's ghostctl lives.
    pub(crate) fn of(contents: Contents, is_owned: bool) -> Option<Self> {
        let mut lines = contents.lines.into_iter();
        let Some(Line::Begun(begun)) = lines.next() else { return None };
        let waiting = |host: &HostName| OfHost { host: host.clone(), tries: 0, became: Became::Waiting };
        let jobs: Vec<OfHost> = begun.hosts.iter().map(waiting).collect();
        let mut summary = Self {
            begun: *begun,
            run_state: if is_owned { State::Running } else { State::BrokenOff },
            ended: None,
            succeeded: 0,
            not_succeeded: 0,
            jobs,
            places: Vec::new(),
            hooks: Vec::new(),
            damage: contents.damage,
        };
        let hosts = summary.begun.hosts.iter().enumerate();
        let places: BTreeMap<HostName, usize> = hosts.map(|(place, host)| (host.clone(), place)).collect();
        lines.for_each(|line| summary.hear(line, &places, is_owned));
        summary.succeeded = summary.jobs.iter().filter(|one| one.became.is_done()).count();
        summary.not_succeeded = summary.jobs.len() - summary.succeeded;
        Some(summary)
    }

    fn hear(&mut self, line: Line, places: &BTreeMap<HostName, usize>, is_owned: bool) {
        let mut host = |host: &HostName, became: Became, tries: u32| {
            if let Some(one) = places.get(host).and_then(|place| self.jobs.get_mut(*place)) {
                (one.became, one.tries) = (became, one.tries + tries);
            }
        };
        match line {
            Line::Begun(_) => {}
            Line::Resumed { .. } => {
                self.run_state = if is_owned { State::Running } else { State::BrokenOff };
                self.ended = None;
            }
            Line::NotBegun { host: name, reason, .. } => host(&name, Became::NotBegun { reason }, 0),
            Line::JobBegun { host: name, job, at } => host(&name, Became::Running { job, since: at }, 1),
            Line::JobEnded(ended) => host(&ended.host.clone(), Became::Ended(ended), 0),
            Line::Places(places) => self.places.push(places),
            Line::Hook(said) => self.hooks.push(said),
            Line::Ended { at, .. } => (self.run_state, self.ended) = (State::Over, Some(at)),
        }
    }

    /// The hosts that are not done, with the job that was begun last if nothing says how it ended.
    pub(crate) fn not_done(&self) -> impl Iterator<Item = (&HostName, Option<&JobId>)> {
        self.jobs.iter().filter(|one| !one.became.is_done()).map(|one| match &one.became {
            Became::Running { job, .. } => (&one.host, Some(job)),
            _ => (&one.host, None),
        })
    }
}
