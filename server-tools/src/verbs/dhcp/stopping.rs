//! Signals that ask for a stop while an entry is being swapped or put back by hand: what has begun is brought to an end, and that is
//! said at once, because a restart may take long.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::HostName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::job::Note;
use crate::output::Output;
use crate::sys::signals::{Asked, Stops};

/// How often it is looked whether the work is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Signals do not end the program until this is dropped, nor after.
pub(super) struct Stopping {
    asked: Arc<Mutex<Option<String>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stopping {
    /// Each signal is told with these words, which say what becomes of the work.
    pub(super) fn watch(host: &HostName, words: &'static str, output: &Output) -> anyhow::Result<Self> {
        let watched = || -> io::Result<Self> {
            let mut stops = Stops::watch()?;
            let asked: Arc<Mutex<Option<String>>> = Arc::default();
            let is_over: Arc<AtomicBool> = Arc::default();
            let (mut output, host) = (output.clone(), host.clone());
            let (heard, over) = (Arc::clone(&asked), Arc::clone(&is_over));
            let watch = move || {
                while !over.load(Ordering::Relaxed) {
                    for signal in wait(&mut stops) {
                        let text = format!("{signal} was received; {words}");
                        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
                        // Whoever reads this can rely on it.
                        output.note(&host, &Note::Warning { text });
                    }
                }
            };
            let thread = std::thread::Builder::new().name("stopping".to_owned()).spawn(watch)?;
            Ok(Self { asked, is_over, thread: Some(thread) })
        };
        watched().context("cannot watch for signals, so nothing was begun")
    }

    /// The signal that has asked for a stop, if one has.
    pub(super) fn asked(&self) -> Option<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn wait(stops: &mut Stops) -> Vec<String> {
    let descriptor = stops.as_fd();
    let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    let timeout = Timespec::try_from(LOOK_EVERY).ok();
    let _interrupted = poll(&mut polled, timeout.as_ref());
    let name = |asked| match asked {
        Asked::Stop(name) => Some(name),
        // A moment later the program is at its end.
        Asked::Pause => None,
    };
    stops.take().into_iter().filter_map(name).collect()
}
