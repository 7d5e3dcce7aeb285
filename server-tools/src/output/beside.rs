//! While jobs run, a thread of its own writes the output. It may fail or fall behind: a terminal that is gone or stopped
//! (Ctrl-S), or a reader that waits, neither ends a job nor holds it up.
//!
//! ```text
//! jobs ──tell──▶ lines (bounded, the oldest go first) ──┐
//!      ──hear──▶ live lines (only as they are now) ─────┴──thread──▶ standard output
//! ```
//! Does not know what the lines say.

#![allow(clippy::disallowed_methods, reason = "what comes here is filtered")]

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::live::LiveLines;
use super::plain::Filtered;
use crate::sys::{clock, terminal};

/// So many lines, and so many bytes of them, wait for a reader. Most lines are a few hundred bytes, but a client's words may be
/// far more.
const LINES_KEPT: usize = 10_000;
const BYTES_KEPT: usize = 4 << 20;
/// The live lines are drawn ten times a second at most.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// How long the end of the program waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread and those who tell share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct Line {
    text: String,
    /// What standard error is told at the end if nobody has taken this line.
    otherwise: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Line>,
    /// How many bytes they are.
    bytes: usize,
    /// What standard error is told of the lines that are being written, if they cannot be.
    in_hand: Vec<String>,
    /// The same of those that went unwritten.
    unheard: Vec<String>,
    /// How many lines went unwritten since the last that was written.
    left_out: usize,
    live: Option<LiveLines>,
    live_changed: bool,
    /// When the live lines were last drawn.
    drawn: Option<Duration>,
    /// Nothing more will be told.
    over: bool,
    /// How often something was written, so that one who waits sees whether it goes on.
    writes: u64,
    /// Everything is written, or the reader is gone.
    done: bool,
}

/// What the thread draws on.
trait Screen {
    fn now(&self) -> Duration;
    /// Waits so long, or until nothing more will be told.
    fn wait<'a>(
        &self,
        shared: &'a Shared,
        state: MutexGuard<'a, State>,
        how_long: Duration,
    ) -> MutexGuard<'a, State>;
    /// Its rows and columns.
    fn size(&self) -> (usize, usize);
}

/// Standard output.
struct Terminal;

impl Screen for Terminal {
    fn now(&self) -> Duration {
        clock::uptime()
    }

    fn wait<'a>(
        &self,
        shared: &'a Shared,
        state: MutexGuard<'a, State>,
        how_long: Duration,
    ) -> MutexGuard<'a, State> {
        let waited = shared.changed.wait_timeout_while(state, how_long, |state| !state.over);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn size(&self) -> (usize, usize) {
        terminal::size()
    }
}

/// The thread that writes. Dropping this waits until all is written, or the reader is gone.
#[derive(Debug)]
pub(super) struct Beside {
    shared: Arc<Shared>,
}

impl Beside {
    /// Starts the thread; on a terminal it has live lines.
    pub(super) fn start(live: Option<LiveLines>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().live = live;
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            // A panic of its own must not leave those waiting who wait for the end.
            let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write_all(&theirs)));
            let mut state = theirs.lock();
            state.done = true;
            drop(state);
            theirs.changed.notify_all();
            drop(written);
        })?;
        Ok(Self { shared })
    }

    /// Tells a line; what `otherwise` says is told to standard error at the end if nobody has taken the line.
    pub(super) fn tell(&self, text: Filtered, otherwise: Option<String>) {
        self.shared.tell(Line { text: text.into_text(), otherwise });
    }

    /// What panics say goes the same way: the usual way would wait for a terminal that is stopped.
    pub(super) fn take_over_panics(&self) {
        let shared = Arc::clone(&self.shared);
        std::panic::set_hook(Box::new(move |panic| {
            let words = format!("this is an error in the program: {panic}");
            let text = Filtered::lines(&format!("ghostctl: {words}"));
            shared.tell(Line { text: text.into_text(), otherwise: Some(words) });
        }));
    }

    /// Changes the live lines, if there are any.
    pub(super) fn change(&self, change: impl FnOnce(&mut LiveLines)) {
        let mut state = self.shared.lock();
        if let Some(live) = &mut state.live {
            change(live);
            state.live_changed = true;
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.over = true;
        self.shared.changed.notify_all();
        while !state.done {
            let before = state.writes;
            let waited = self
                .shared
                .changed
                .wait_timeout_while(state, PATIENCE, |state| !state.done && state.writes == before);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = now;
            if timeout.timed_out() {
                break;
            }
        }
        let unheard = state.take_unheard();
        drop(state);
        say_otherwise(unheard);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, line: Line) {
        let mut state = self.lock();
        while state.is_full_for(&line) {
            let Some(oldest) = state.lines.pop_front() else { break };
            state.bytes -= oldest.text.len();
            state.left_out += 1;
            state.unheard.extend(oldest.otherwise);
        }
        state.bytes += line.text.len();
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for something to write. `None`: nothing more will come.
    fn next(&self, screen: &dyn Screen) -> Option<String> {
        let state = self.lock();
        let idle = |state: &mut State| state.lines.is_empty() && !state.live_changed && !state.over;
        let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        while let Some(rest) = state.rests(screen.now()) {
            state = screen.wait(self, state, rest);
        }
        let is_last = state.over && state.lines.is_empty() && !state.live_changed;
        if is_last {
            return None;
        }
        let left_out = std::mem::take(&mut state.left_out);
        let missing = (left_out > 0)
            .then(|| format!("({left_out} lines were left out here, because nothing took them for a while)"));
        let (lines, others): (Vec<String>, Vec<Option<String>>) =
            state.lines.drain(..).map(|line| (line.text, line.otherwise)).unzip();
        let told: Vec<String> = missing.into_iter().chain(lines).collect();
        state.in_hand.extend(others.into_iter().flatten());
        state.bytes = 0;
        state.live_changed = false;
        let is_over = state.over;
        state.drawn = Some(screen.now());
        Some(match &mut state.live {
            Some(live) => live.draw(&told, screen.size(), is_over),
            None => told.into_iter().map(|line| line + "\n").collect(),
        })
    }
}

impl State {
    /// How long nothing is drawn yet, if so.
    fn rests(&self, now: Duration) -> Option<Duration> {
        let next = self.drawn.filter(|_| self.live.is_some() && !self.over)? + REDRAW_EVERY;
        next.checked_sub(now).filter(|rest| !rest.is_zero())
    }

    fn is_full_for(&self, line: &Line) -> bool {
        self.lines.len() >= LINES_KEPT || self.bytes + line.text.len() > BYTES_KEPT
    }

    fn was_written(&mut self) {
        self.in_hand.clear();
    }

    fn went_unwritten(&mut self, lines: usize) {
        self.left_out += lines;
        self.unheard.append(&mut self.in_hand);
    }

    fn take_unheard(&mut self) -> Vec<String> {
        let waiting = self.lines.drain(..).filter_map(|line| line.otherwise);
        let mut unheard = mem::take(&mut self.unheard);
        unheard.append(&mut self.in_hand);
        unheard.extend(waiting);
        unheard
    }
}

/// Tells standard error, which may be taken where standard output is not. It may be stopped as well, so another thread does.
pub(super) fn say_otherwise(words: Vec<String>) {
    if words.is_empty() {
        return;
    }
    let (said, is_said) = mpsc::channel();
    let started = thread::Builder::new().spawn(move || {
        // Where nobody takes this either, only the exit status is left.
        let _unread = words.iter().try_for_each(|words| super::complain_to(&mut io::stderr(), words));
        let _nobody_waits = said.send(());
    });
    // Without a thread there is no way to say it that may not wait for ever.
    let _in_vain = started.map(|_| is_said.recv_timeout(PATIENCE));
}

fn write_all(shared: &Shared) {
    while let Some(text) = shared.next(&Terminal) {
        match write(shared, text.as_bytes()) {
            Ok(()) => shared.lock().was_written(),
            // There may be room again later.
            Err(error) if is_full(&error) => shared.lock().went_unwritten(text.lines().count()),
            // The reader is gone (`ghostctl … | head`, a closed window). The jobs go on.
            Err(_) => return,
        }
    }
}

fn write(shared: &Shared, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        let written = terminal::write_some(rest)?;
        rest = rest.get(written..).unwrap_or_default();
        shared.lock().writes += 1;
        shared.changed.notify_all();
    }
    Ok(())
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests;
