//! While jobs run, a thread of its own writes the output. It may fail or fall behind: a terminal that is gone or stopped
//! (Ctrl-S), or a reader that waits, neither ends a job nor holds it up.
//!
//! ```text
//! jobs ──tell──▶ lines (bounded, the oldest go first) ──┐
//!      ──hear──▶ live lines (only as they are now) ─────┴──thread──▶ standard output
//! ```
//! Does not know what the lines say.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::live::LiveLines;
use crate::sys::terminal;

/// So many lines wait for a reader. Each is a few hundred bytes at most.
const LINES_KEPT: usize = 10_000;
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

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    /// How many lines went unwritten since the last that was written.
    left_out: usize,
    live: Option<LiveLines>,
    live_changed: bool,
    /// Nothing more will be told.
    over: bool,
    /// How often something was written, so that one who waits sees whether it goes on.
    writes: u64,
    /// Everything is written, or the reader is gone.
    done: bool,
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

    pub(super) fn tell(&self, line: String) {
        self.shared.tell(line);
    }

    /// What panics say goes the same way: the usual way would wait for a terminal that is stopped.
    pub(super) fn take_over_panics(&self) {
        let shared = Arc::clone(&self.shared);
        std::panic::set_hook(Box::new(move |panic| {
            shared.tell(format!("ghostctl: this is an error in the program: {panic}"));
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
            if timeout.timed_out() {
                return;
            }
            state = now;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, line: String) {
        let mut state = self.lock();
        if state.lines.len() >= LINES_KEPT {
            state.lines.pop_front();
            state.left_out += 1;
        }
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for something to write. `None`: nothing more will come.
    fn next(&self) -> Option<String> {
        let state = self.lock();
        let idle = |state: &mut State| state.lines.is_empty() && !state.live_changed && !state.over;
        let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let is_last = state.over && state.lines.is_empty() && !state.live_changed;
        if is_last {
            return None;
        }
        let left_out = std::mem::take(&mut state.left_out);
        let missing = (left_out > 0)
            .then(|| format!("({left_out} lines were left out here, because nothing took them for a while)"));
        let told: Vec<String> = missing.into_iter().chain(state.lines.drain(..)).collect();
        state.live_changed = false;
        let is_over = state.over;
        Some(match &mut state.live {
            Some(live) => live.draw(&told, terminal::size(), is_over),
            None => told.into_iter().map(|line| line + "\n").collect(),
        })
    }
}

fn write_all(shared: &Shared) {
    while let Some(text) = shared.next() {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // The reader is gone (`ghostctl … | head`, a closed window). The jobs go on.
            let Ok(written) = terminal::write_some(rest) else { return };
            rest = rest.get(written..).unwrap_or_default();
            shared.lock().writes += 1;
            shared.changed.notify_all();
        }
        pause(shared);
    }
}

/// Between two drawings of the live lines.
fn pause(shared: &Shared) {
    let state = shared.lock();
    if state.live.is_some() {
        let waited = shared.changed.wait_timeout_while(state, REDRAW_EVERY, |state| !state.over);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_when_nobody_takes_them_and_it_is_said_how_many() {
        let shared = Shared::default();
        (0..LINES_KEPT + 3).for_each(|number| shared.tell(number.to_string()));
        let text = shared.next().unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("(3 lines were left out here, because nothing took them for a while)"));
        assert_eq!(lines.next(), Some("3"));
        assert_eq!(lines.count(), LINES_KEPT - 1);
        shared.lock().over = true;
        assert_eq!(shared.next(), None);
    }
}
