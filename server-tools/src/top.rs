//! The live table of `ghostctl top`: what it shows, and what each key does. Pure.
//!
//! ```text
//!            Enter                      c
//! Screen ◀────────── Table ──────────────────────────▶ Asking
//!   └─ Esc, q ─────────▲ ◀─ y: cancel; any other key ─────┘
//! ```
//! `frame` draws it, `keys` reads what a terminal sends, `ansi` writes what a terminal is sent. It knows neither files nor
//! the terminal itself.

pub(crate) mod ansi;
pub(crate) mod frame;
pub(crate) mod keys;

use ghost_contract::{HostName, JobId, Mode, UnixTime};

use crate::overview::{State, Tile};
use keys::Key;

/// How far Page Up and Page Down go.
const PAGE: usize = 10;

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Top {
    tiles: Vec<Tile>,
    now: UnixTime,
    /// The host of the chosen line. It stays chosen wherever its line goes.
    chosen: Option<HostName>,
    view: View,
    /// What became of the last key, or what cannot be read.
    said: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    Table,
    /// Whether this job shall be stopped.
    Asking {
        host: HostName,
        job: JobId,
        mode: Mode,
    },
    Screen(Screen),
}

/// The text of a client's screen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Screen {
    host: HostName,
    /// The screenshot that is shown; none until the first was read.
    shown: Option<Screenshot>,
    /// The first line that is shown.
    from: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Screenshot {
    /// None if the job has taken none.
    pub name: Option<String>,
    /// What there is to read on it.
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Pressed(Key),
    Looked {
        tiles: Vec<Tile>,
        now: UnixTime,
    },
    /// What the jobs write cannot be read.
    LookFailed(String),
    Read {
        host: HostName,
        screenshot: Screenshot,
    },
    /// What became of a cancellation, in words.
    Asked(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Answered by [`Event::Read`].
    ReadScreen(HostName),
    /// Answered by [`Event::Asked`].
    Cancel {
        host: HostName,
        job: JobId,
    },
    Quit,
}

impl Top {
    pub(crate) fn new(tiles: Vec<Tile>, now: UnixTime) -> Self {
        let chosen = tiles.first().map(|tile| tile.host.clone());
        Self { tiles, now, chosen, view: View::Table, said: None }
    }

    pub(crate) fn decide(&mut self, event: Event) -> Option<Action> {
        match event {
            Event::Pressed(key) => self.pressed(key),
            Event::Looked { tiles, now } => {
                (self.tiles, self.now) = (tiles, now);
                self.looked()
            }
            Event::LookFailed(words) | Event::Asked(words) => {
                self.said = Some(words);
                None
            }
            Event::Read { host, screenshot } => {
                if let View::Screen(screen) = &mut self.view
                    && screen.host == host
                {
                    screen.shown = Some(screenshot);
                }
                None
            }
        }
    }

    fn pressed(&mut self, key: Key) -> Option<Action> {
        match std::mem::replace(&mut self.view, View::Table) {
            View::Asking { host, job, .. } => {
                if key == Key::Letter('y') {
                    return Some(Action::Cancel { host, job });
                }
                self.said = Some(format!("the job of {host} goes on"));
                None
            }
            View::Screen(mut screen) => {
                if matches!(key, Key::Escape | Key::Letter('q') | Key::Enter) {
                    return None;
                }
                screen.from = moved(screen.from, key, screen.lines().saturating_sub(1));
                self.view = View::Screen(screen);
                None
            }
            View::Table => {
                self.said = None;
                self.pressed_in_table(key)
            }
        }
    }

    fn pressed_in_table(&mut self, key: Key) -> Option<Action> {
        match key {
            Key::Letter('q') | Key::Escape => return Some(Action::Quit),
            Key::Letter('c') => self.ask(),
            Key::Enter => {
                let host = self.chosen_tile()?.host.clone();
                self.view = View::Screen(Screen { host: host.clone(), shown: None, from: 0 });
                return Some(Action::ReadScreen(host));
            }
            key => {
                let place = moved(self.place(), key, self.tiles.len().saturating_sub(1));
                self.chosen = self.tiles.get(place).map(|tile| tile.host.clone());
            }
        }
        None
    }

    /// Asks before a job is stopped. One that does not run, or whose `ghostctl` is gone, cannot be.
    fn ask(&mut self) {
        let Some(Tile { host, job, mode, state, .. }) = self.chosen_tile().cloned() else { return };
        match state {
            State::Running => self.view = View::Asking { host, job, mode },
            State::Abandoned => {
                self.said =
                    Some(format!("the ghostctl of the job of {host} is gone: run 'ghostctl recover'"));
            }
            State::Failed | State::Done => self.said = Some(format!("{host} has no running job")),
        }
    }

    /// What was looked at may have changed what a person is about to do.
    fn looked(&mut self) -> Option<Action> {
        if self.chosen_tile().is_none() {
            self.chosen = self.tiles.first().map(|tile| tile.host.clone());
        }
        let runs =
            |job: &JobId| self.tiles.iter().any(|tile| tile.job == *job && tile.state == State::Running);
        match &self.view {
            View::Asking { host, job, .. } if !runs(job) => {
                self.said = Some(format!("the job of {host} is over"));
                self.view = View::Table;
                None
            }
            View::Screen(screen) => {
                let newest = self.tile(&screen.host).and_then(|tile| tile.screen.as_ref());
                let shown = screen.shown.as_ref().and_then(|shown| shown.name.as_ref());
                (newest != shown).then(|| Action::ReadScreen(screen.host.clone()))
            }
            _ => None,
        }
    }

    fn tile(&self, host: &HostName) -> Option<&Tile> {
        self.tiles.iter().find(|tile| tile.host == *host)
    }

    fn chosen_tile(&self) -> Option<&Tile> {
        self.chosen.as_ref().and_then(|host| self.tile(host))
    }

    /// The place of the chosen line.
    fn place(&self) -> usize {
        let is_chosen = |tile: &Tile| Some(&tile.host) == self.chosen.as_ref();
        self.tiles.iter().position(is_chosen).unwrap_or_default()
    }
}

impl Screen {
    fn text(&self) -> &str {
        self.shown.as_ref().and_then(|shown| shown.text.as_deref()).unwrap_or_default()
    }

    fn lines(&self) -> usize {
        self.text().lines().count()
    }
}

/// Where a key leads from here.
fn moved(from: usize, key: Key, last: usize) -> usize {
    let to = match key {
        Key::Up | Key::Letter('k') => from.saturating_sub(1),
        Key::Down | Key::Letter('j') => from + 1,
        Key::PageUp => from.saturating_sub(PAGE),
        Key::PageDown => from + PAGE,
        Key::Home => 0,
        Key::End => last,
        Key::Enter | Key::Escape | Key::Letter(_) => from,
    };
    to.min(last)
}

#[cfg(test)]
mod tests;
