//! What people read, and what programs read with `--json`: one line a note, to standard output.
//!
//! On a terminal every job has a live line as well, below what is told.

mod live;
pub mod picture;

use std::io::{self, IsTerminal, Write};

use ghost_contract::{HostName, Mode, UnixTime};
use serde::Serialize;

use crate::job::pace::Expected;
use crate::job::{Note, Sample};
use crate::sys::clock;
use live::LiveLines;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Usual,
    /// Every reading of the client's counters as well.
    Everything,
}

#[derive(Debug)]
pub struct Output {
    form: Form,
    detail: Detail,
    live: Option<LiveLines>,
}

#[derive(Serialize)]
struct JsonNote<'a> {
    at: UnixTime,
    host: &'a HostName,
    #[serde(flatten)]
    note: &'a Note,
}

impl Output {
    /// Tells in this form; on a terminal, with live lines.
    pub fn new(form: Form, detail: Detail) -> Self {
        let live = (form == Form::Plain && io::stdout().is_terminal()).then(LiveLines::default);
        Self { form, detail, live }
    }

    pub const fn form(&self) -> Form {
        self.form
    }

    /// Tells a note about a host.
    pub fn note(&mut self, host: &HostName, note: &Note) {
        if self.form == Form::Json {
            return self.json(&JsonNote { at: clock::now(), host, note });
        }
        if let Some(live) = &mut self.live {
            live.hear(host, note);
        }
        if !note.is_reading() || self.detail == Detail::Everything {
            self.line(&format!("{host}: {note}"));
        }
    }

    /// From now on a host has a job; where lines are live, it gets one.
    pub fn begin(&mut self, host: &HostName, mode: Mode, expected: Option<Expected>) {
        if let Some(live) = &mut self.live {
            live.add(host, mode, expected);
        }
    }

    /// Shows a reading of a client's counters where lines are live.
    pub fn reading(&mut self, host: &HostName, sample: Sample) {
        if let Some(live) = &mut self.live {
            live.read(host, sample);
        }
    }

    /// Tells a line to people.
    pub fn line(&mut self, text: &str) {
        match &self.live {
            Some(live) => live.above(|| write_line(text)),
            None => write_line(text),
        }
    }

    /// Tells lines whose cells stand below one another.
    pub fn table<const N: usize>(&mut self, heading: &[String; N], rows: &[[String; N]]) {
        let lines = || std::iter::once(heading).chain(rows);
        let widths: [usize; N] = std::array::from_fn(|cell| {
            lines().map(|row| row[cell].chars().count()).max().unwrap_or_default()
        });
        for row in lines() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }

    /// Tells a value to programs.
    pub fn json(&mut self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            write_line(&text);
        }
    }
}

/// A reader who has gone away (`ghostctl … | head`) is no reason to leave a job alone.
fn write_line(text: &str) {
    let mut out = io::stdout().lock();
    let _nobody_reads = writeln!(out, "{text}").and_then(|()| out.flush());
}
