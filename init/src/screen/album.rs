//! The screenshots of one job and what happened between them, for a page that tells the story at a glance.
//!
//! ```text
//! report events ─┐
//! screenshots ───┴─▶ Album ──▶ page (HTML)
//! ```
//!
//! The page shows pictures by their names and needs nothing but the files beside it. It is bounded: screenshots by
//! `history`, events by `MOST_EVENTS`. Does not know where anything is stored.

mod page;

use std::collections::VecDeque;
use std::time::Duration;

use ghost_contract::report::{Entry, Event, Outcome};

/// How many of the latest events the page shows. A job has a dozen.
const MOST_EVENTS: usize = 200;

/// The story of a job so far.
#[derive(Debug, Default)]
pub(crate) struct Album {
    /// What the page is about: host, mode, job.
    title: String,
    /// The kernel's time when the imager was started.
    started: Option<Duration>,
    frames: Vec<Frame>,
    happenings: VecDeque<Happening>,
    moved: Option<(Duration, u64)>,
    rate: Option<u64>,
    missed: u32,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub name: String,
    /// When it was taken, as time since the kernel's start.
    pub at: Duration,
    /// Where it was read from.
    pub source: String,
    /// What can be read on it.
    pub text: Option<String>,
    /// The same for the same picture; others rarely have it too.
    pub fingerprint: u64,
}

/// A frame with what was moving when it was taken.
#[derive(Debug)]
struct Happening {
    at: Duration,
    kind: Kind,
    words: String,
}

/// How something that happened is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keys,
    Rate,
    Note,
    Trouble,
}

impl Album {
    pub(crate) fn new(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// Takes note of what was reported.
    pub(crate) fn hear(&mut self, entry: &Entry) {
        let at = Duration::from_millis(entry.uptime);
        match &entry.event {
            Event::ImagerStarted { command, .. } => {
                self.started = Some(at);
                self.tell(at, Kind::Note, format!("started: {command}"));
            }
            Event::KeysTyped { keys, because } => {
                self.tell(at, Kind::Keys, format!("typed {} because {because}", keys.join(" ")));
            }
            Event::Sampled { disk_read, disk_written, received, sent } => {
                let all = [disk_read, disk_written, received, sent];
                self.sample(at, all.into_iter().fold(0, |sum, count| sum.saturating_add(*count)));
            }
            Event::ScreenshotFailed { reason, missed } => {
                self.missed = *missed;
                self.tell(at, Kind::Trouble, format!("no screenshot: {reason}"));
            }
            Event::Stalled { idle } => {
                self.tell(at, Kind::Trouble, format!("nothing has moved for {} s", idle.as_secs()));
            }
            Event::StopRequested { by } => self.tell(at, Kind::Trouble, format!("asked to stop by {by}")),
            Event::ImagerExited { how } => self.tell(at, Kind::Note, format!("the imager ended: {how}")),
            Event::Ended { outcome } => self.outcome = Some(outcome.clone()),
            _ => {}
        }
    }

    pub(crate) fn add(&mut self, frame: Frame) {
        if let Some(rate) = self.rate.take() {
            self.tell(frame.at, Kind::Rate, format!("{} a second", bytes(rate)));
        }
        self.frames.push(frame);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.frames.retain(|frame| frame.name != name);
    }

    /// The screenshots that may show the same picture, the latest first.
    pub(crate) fn like(&self, fingerprint: u64) -> impl Iterator<Item = &str> {
        self.frames
            .iter()
            .rev()
            .filter(move |frame| frame.fingerprint == fingerprint)
            .map(|frame| frame.name.as_str())
    }

    pub(crate) fn page(&self) -> String {
        page::write(self)
    }

    fn tell(&mut self, at: Duration, kind: Kind, words: String) {
        if self.happenings.len() == MOST_EVENTS {
            self.happenings.pop_front();
        }
        self.happenings.push_back(Happening { at, kind, words });
    }

    /// The rate between the last two readings.
    fn sample(&mut self, at: Duration, moved: u64) {
        if let Some((before, moved_before)) = self.moved {
            let seconds = at.saturating_sub(before).as_secs().max(1);
            self.rate = Some(moved.saturating_sub(moved_before) / seconds);
        }
        self.moved = Some((at, moved));
    }
}

/// For people, in powers of 1024.
fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..0x10_0000 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}

#[cfg(test)]
mod tests;
