//! What people read, and what programs read with `--json`: one line a note, to standard output.
//!
//! While jobs run, a [separate thread](Output::beside_jobs) writes it. A terminal then also shows a live line for each job,
//! below these lines.
//!
//! Nothing is written to standard output or standard error past [`plain`], as a client's words may be in anything.

#![allow(clippy::disallowed_methods, reason = "what is written here is filtered")]

mod beside;
mod journald;
mod live;
pub(crate) mod picture;
pub(crate) mod plain;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use ghost_contract::{HostName, UnixTime};
use serde::Serialize;

use self::plain::{Filtered, FromClient};
use crate::job::pace::Expected;
use crate::job::{Identity, Note, Sample};
use crate::sys::clock;
use beside::Beside;
use journald::Messages;
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
    /// Where jobs are told of besides.
    messages: Option<Arc<Messages>>,
    /// Why the first line that did not get out was not written, while no jobs run.
    untold: Arc<OnceLock<io::Error>>,
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
    pub(crate) fn new(form: Form, detail: Detail) -> Self {
        Self { form, detail, beside: None, messages: None, untold: Arc::default() }
    }

    /// Why not everything was written that was told, if so: a full disk, or a terminal that is gone. A reader that has read
    /// enough (`ghostctl … | head`) is no such reason. Jobs are not there for what they print, so theirs does not count.
    pub(crate) fn untold(&self) -> Option<&io::Error> {
        self.untold.get().filter(|_| self.beside.is_none())
    }

    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    /// From now on no call waits for a reader, a terminal has live lines, and journald is told of jobs.
    pub(crate) fn beside_jobs(&mut self) {
        let has_live_lines = self.form == Form::Plain && io::stdout().is_terminal();
        // Without a thread jobs are told of as all else is.
        self.beside = Beside::start(has_live_lines.then(LiveLines::default)).ok().map(Arc::new);
        self.beside.iter().for_each(|beside| beside.take_over_panics());
        self.messages = Messages::connect().map(Arc::new);
    }

    /// Tells a note about a host. What is left undone is told to standard error if nobody takes it here.
    pub(crate) fn note(&mut self, host: &HostName, note: &Note) {
        let is_told = self.messages.as_ref().is_some_and(|messages| messages.tell(host, note));
        let words = || format!("{host}: {note}");
        let otherwise = note.leaves_something().then(words);
        if self.form == Form::Json {
            if let Ok(text) = serde_json::to_string(&JsonNote { at: clock::now(), host, note }) {
                self.tell(Filtered::json(&text), otherwise);
            }
            return;
        }
        self.change(|live| live.hear(host, note));
        if !is_told && (!note.is_reading() || self.detail == Detail::Everything) {
            self.tell(Filtered::lines(&words()), otherwise);
        }
    }

    /// From now on a host has a job; where lines are live, it gets one.
    pub(crate) fn begin(&mut self, identity: &Identity, expected: Option<Expected>) {
        self.messages.iter().for_each(|messages| messages.begin(identity));
        self.change(|live| live.add(&identity.host, identity.mode, expected));
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
        self.tell(Filtered::lines(text), None);
    }

    /// Shows the text of a client's screen, in its colours.
    pub(crate) fn screen(&mut self, text: &str) {
        self.tell(Filtered::screen(text), None);
    }

    /// Shows a picture to a terminal that understands it.
    pub(crate) fn picture(&mut self, png: &[u8], graphics: picture::Graphics) -> anyhow::Result<()> {
        self.tell(Filtered::picture(png, graphics)?, None);
        Ok(())
    }

    /// The same of something that is left undone: it is told to standard error if nobody takes it here.
    pub(crate) fn line_left(&mut self, text: &str) {
        self.tell(Filtered::lines(text), Some(text.to_owned()));
    }

    /// Writes a line. `otherwise` needs no filter yet, as [`complain_to`] is one.
    fn tell(&self, text: Filtered, otherwise: Option<String>) {
        match &self.beside {
            Some(beside) => beside.tell(text, otherwise),
            None => self.write(text.as_str(), otherwise),
        }
    }

    fn write(&self, text: &str, otherwise: Option<String>) {
        let Err(error) = write_line(text) else { return };
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.untold.get_or_init(|| error);
        }
        beside::say_otherwise(otherwise.into_iter().collect());
    }

    /// Tells lines whose cells stand below one another.
    pub(crate) fn table<const N: usize>(&mut self, heading: &[String; N], rows: &[[String; N]]) {
        let lines: Vec<[String; N]> = std::iter::once(heading)
            .chain(rows)
            .map(|row| std::array::from_fn(|cell| FromClient(&row[cell]).to_string()))
            .collect();
        let widths: [usize; N] = std::array::from_fn(|cell| {
            lines.iter().map(|row| row[cell].chars().count()).max().unwrap_or_default()
        });
        for row in &lines {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }

    /// Says who holds the DHCP configuration while this program waits for it.
    pub(crate) fn waiting(&mut self, holder: &str) {
        self.waiting_for("the DHCP configuration", holder);
    }

    /// The same of something else.
    pub(crate) fn waiting_for(&mut self, what: &str, holder: &str) {
        self.either(&Waiting { waiting_for: holder }, || {
            format!("waiting for {what}, which is held by {holder}")
        });
    }

    /// Tells a value to programs, or the words for it to people.
    pub(crate) fn either(&mut self, value: &impl Serialize, words: impl FnOnce() -> String) {
        match self.form {
            Form::Json => self.json(value),
            Form::Plain => self.line(&words()),
        }
    }

    /// The same of something that is left undone: it is told to standard error if nobody takes it here.
    pub(crate) fn either_left(&mut self, value: &impl Serialize, words: impl FnOnce() -> String) {
        let words = words();
        let text = match self.form {
            Form::Json => serde_json::to_string(value)
                .map_or_else(|_| Filtered::lines(&words), |json| Filtered::json(&json)),
            Form::Plain => Filtered::lines(&words),
        };
        self.tell(text, Some(words));
    }

    /// Tells a value to programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.tell(Filtered::json(&text), None);
        }
    }
}

/// Says to standard error why the program ends, in the one place that prints an error with its causes.
pub fn complain(error: &dyn fmt::Display) {
    // Nobody may be there to read it.
    let _unread = complain_to(&mut io::stderr(), error);
}

fn complain_to(to: &mut impl Write, error: &dyn fmt::Display) -> io::Result<()> {
    writeln!(to, "{}", plain::lines(&format!("ghostctl: {error:#}")))
}

fn write_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_clients_words_in_it_is_said_in_lines_of_ours() {
        let error = anyhow::anyhow!("no\x1b[2J\njoe: succeeded").context("cannot read back a\u{202e}b");
        let mut said = Vec::new();
        complain_to(&mut said, &error).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said, "ghostctl: cannot read back a\u{fffd}b: no\u{fffd}[2J\n  joe: succeeded\n");
    }
}
