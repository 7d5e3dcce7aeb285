//! What people read, and what programs read with `--json`: one line a note, to standard output.
//!
//! While jobs run, a [separate thread](Output::beside_jobs) writes it. A terminal then also shows a live line for each job,
//! below these lines.

mod beside;
mod live;
pub(crate) mod picture;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use ghost_contract::{HostName, Mode, UnixTime};
use serde::Serialize;

use crate::job::pace::Expected;
use crate::job::{Note, Sample};
use crate::sys::clock;
use beside::Beside;
use live::LiveLines;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Usual,
    /// Every reading of the client's counters as well.
    Everything,
}

/// Where things are told. Clones tell in the same place, from other threads too.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    form: Form,
    detail: Detail,
    /// The thread that writes while jobs run.
    beside: Option<Arc<Beside>>,
}

#[derive(Serialize)]
struct JsonNote<'a> {
    at: UnixTime,
    host: &'a HostName,
    #[serde(flatten)]
    note: &'a Note,
}

#[derive(Serialize)]
struct Waiting<'a> {
    waiting_for: &'a str,
}

impl Output {
    /// Writes in this form. Each call waits until its line is read.
    pub(crate) const fn new(form: Form, detail: Detail) -> Self {
        Self { form, detail, beside: None }
    }

    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    /// From now on no call waits for a reader, and a terminal has live lines.
    pub(crate) fn beside_jobs(&mut self) {
        let has_live_lines = self.form == Form::Plain && io::stdout().is_terminal();
        // Without a thread jobs are told of as all else is.
        self.beside = Beside::start(has_live_lines.then(LiveLines::default)).ok().map(Arc::new);
        self.beside.iter().for_each(|beside| beside.take_over_panics());
    }

    /// Tells a note about a host. What is left undone is told to standard error if nobody takes it here.
    pub(crate) fn note(&mut self, host: &HostName, note: &Note) {
        let words = || format!("{host}: {}", harmless(&note.to_string()));
        let otherwise = note.leaves_something().then(words);
        if self.form == Form::Json {
            if let Ok(text) = serde_json::to_string(&JsonNote { at: clock::now(), host, note }) {
                self.tell(text, otherwise);
            }
            return;
        }
        self.change(|live| live.hear(host, note));
        if !note.is_reading() || self.detail == Detail::Everything {
            self.tell(words(), otherwise);
        }
    }

    /// From now on a host has a job; where lines are live, it gets one.
    pub(crate) fn begin(&mut self, host: &HostName, mode: Mode, expected: Option<Expected>) {
        self.change(|live| live.add(host, mode, expected));
    }

    /// Shows a reading of a client's counters where lines are live.
    pub(crate) fn reading(&mut self, host: &HostName, sample: Sample) {
        self.change(|live| live.read(host, sample));
    }

    fn change(&self, change: impl FnOnce(&mut LiveLines)) {
        if let Some(beside) = &self.beside {
            beside.change(change);
        }
    }

    /// Tells a line to people.
    pub(crate) fn line(&mut self, text: &str) {
        self.tell(text.to_owned(), None);
    }

    fn tell(&self, text: String, otherwise: Option<String>) {
        match &self.beside {
            Some(beside) => beside.tell(text, otherwise),
            // It goes on if the reader is gone (`ghostctl … | head`).
            None if write_line(&text).is_err() => beside::say_otherwise(otherwise.into_iter().collect()),
            None => {}
        }
    }

    /// Tells lines whose cells stand below one another.
    pub(crate) fn table<const N: usize>(&mut self, heading: &[String; N], rows: &[[String; N]]) {
        let lines = || std::iter::once(heading).chain(rows);
        let widths: [usize; N] = std::array::from_fn(|cell| {
            lines().map(|row| row[cell].chars().count()).max().unwrap_or_default()
        });
        for row in lines() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }

    /// Says who holds the DHCP configuration while this program waits for it.
    pub(crate) fn waiting(&mut self, holder: &str) {
        self.either(&Waiting { waiting_for: holder }, || {
            format!("waiting for the DHCP configuration, which is held by {holder}")
        });
    }

    /// Tells a value to programs, or the words for it to people.
    pub(crate) fn either(&mut self, value: &impl Serialize, words: impl FnOnce() -> String) {
        match self.form {
            Form::Json => self.json(value),
            Form::Plain => self.line(&words()),
        }
    }

    /// Tells a value to programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.line(&text);
        }
    }
}

/// Without what could make a terminal do more than show it: a note may have a client's words in it.
fn harmless(text: &str) -> String {
    text.replace(|character: char| character.is_control() && character != '\n', "\u{fffd}")
}

fn write_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_words_cannot_command_the_terminal() {
        assert_eq!(harmless("a\x1b]0;t\x07é\nb\u{9b}2J\r"), "a\u{fffd}]0;t\u{fffd}é\nb\u{fffd}2J\u{fffd}");
    }
}
