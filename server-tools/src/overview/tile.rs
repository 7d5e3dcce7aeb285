//! A host as a table or a wall shows it. Pure.

use ghost_contract::{HostName, JobId, Mode, UnixTime};
use serde::Serialize;

use super::{Past, Running};
use crate::job::pace::{self, Left};
use crate::job::{Phase, bytes};
use crate::output::plain::FromClient;

/// How things stand with a host; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A crash has left its job: `ghostctl recover` finishes it.
    Abandoned,
    /// Its last job was not done.
    Failed,
    Running,
    /// Its last job was done.
    Done,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Abandoned, Self::Failed, Self::Running, Self::Done];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Done => "done",
        }
    }

    /// Whether there is a job that is not over.
    pub const fn has_a_job(self) -> bool {
        matches!(self, Self::Running | Self::Abandoned)
    }
}

/// All that is shown of a host in one place. Its words are plain text of one line each, whoever said them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tile {
    pub host: HostName,
    pub job: JobId,
    pub mode: Mode,
    pub state: State,
    /// Where the job is, or how it ended.
    pub phase: String,
    /// What the imager is at, if it says so.
    pub doing: Option<String>,
    /// How much of its work is done.
    pub percent: Option<u8>,
    /// Bytes a second.
    pub rate: Option<u64>,
    pub left: Option<Left>,
    /// When this phase began, or when the job ended.
    pub since: UnixTime,
    /// The name of the last screenshot.
    pub screen: Option<String>,
}

impl Tile {
    pub(crate) fn of_running(running: &Running) -> Self {
        let state = if running.owned { State::Running } else { State::Abandoned };
        let phase = running.phase.map_or("beginning", Phase::as_str);
        let phase = if running.owned {
            phase.to_owned()
        } else {
            format!("{phase}; its ghostctl is gone: run 'ghostctl recover'")
        };
        let progress = running.progress.as_ref();
        Self {
            host: running.host.clone(),
            job: running.job.clone(),
            mode: running.mode,
            state,
            phase,
            doing: progress.map(|progress| FromClient(pace::doing(progress)).to_string()),
            percent: running.percent,
            rate: progress.map(|progress| progress.rate).filter(|rate| *rate > 0).or(running.rate),
            left: progress.and_then(|progress| progress.eta).map(Left::Exactly).or(running.left),
            since: running.since,
            screen: running.screen.clone(),
        }
    }

    pub(crate) fn of_past(past: &Past, screen: Option<String>) -> Self {
        Self {
            host: past.identity.host.clone(),
            job: past.identity.job.clone(),
            mode: past.identity.mode,
            state: if past.is_good { State::Done } else { State::Failed },
            phase: FromClient(&past.words).to_string(),
            doing: None,
            percent: None,
            rate: None,
            left: None,
            since: past.ended,
            screen,
        }
    }

    /// Bytes a second, for people; empty if not known.
    pub fn rate_words(&self) -> String {
        self.rate.map(|rate| format!("{}/s", bytes::bytes(rate))).unwrap_or_default()
    }

    /// How long it takes yet, for people; empty if not known.
    pub fn left_words(&self) -> String {
        pace::words(None, self.left)
    }
}

/// Those with trouble first, and among equals by name.
pub fn sort(tiles: &mut [Tile]) {
    tiles.sort_by(|one, other| (one.state, &one.host).cmp(&(other.state, &other.host)));
}

/// How many hosts are in which state, for a heading: `2 failed, 1 running`.
pub fn counts(tiles: &[Tile]) -> String {
    let count = |state: State| tiles.iter().filter(|tile| tile.state == state).count();
    let some = State::ALL.into_iter().map(|state| (count(state), state)).filter(|(count, _)| *count > 0);
    let words: Vec<String> = some.map(|(count, state)| format!("{count} {}", state.as_str())).collect();
    if words.is_empty() { "no job has run yet".to_owned() } else { words.join(", ") }
}
