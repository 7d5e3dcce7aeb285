//! Renews the leases of the jobs that run, on a thread of its own: a store that does not answer must not hold the loop up.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::lease::kept::Held;
use crate::lease::renewed_every;
use crate::sys::clock;

/// What became of a lease that was to be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Another boot server may work on the host now.
    Lost,
    /// It could not be renewed, in words.
    NotRenewed(String),
}

#[derive(Debug)]
pub(crate) struct Renewing {
    shared: Arc<Shared>,
    heard: Receiver<(usize, Heard)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// By the place of the job in the list.
    held: Mutex<BTreeMap<usize, Held>>,
    is_over: AtomicBool,
}

impl Renewing {
    /// With leases that expire after so long.
    pub(crate) fn start(expires: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (theirs, (tell, heard)) = (Arc::clone(&shared), channel());
        let thread = thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || renew_all(renewed_every(expires), &theirs, &tell))?;
        Ok(Self { shared, heard, thread: Some(thread) })
    }

    /// From now on a job's lease is renewed.
    pub(crate) fn add(&self, index: usize, held: Held) {
        self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).insert(index, held);
    }

    pub(crate) fn remove(&self, index: usize) {
        self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&index);
    }

    /// What became of leases since the last call.
    pub(crate) fn take(&self) -> Vec<(usize, Heard)> {
        self.heard.try_iter().collect()
    }

    /// Nothing is renewed any more. A store that does not answer is not waited for.
    pub(crate) fn end(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
        }
    }
}

fn renew_all(every: Duration, shared: &Shared, tell: &Sender<(usize, Heard)>) {
    // One that cannot be renewed is told of once.
    let mut told: BTreeMap<usize, String> = BTreeMap::new();
    loop {
        wait(every, shared);
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let held = shared.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (index, held) in held {
            let heard = match held.renew() {
                Ok(true) => {
                    told.remove(&index);
                    continue;
                }
                Ok(false) => Heard::Lost,
                Err(error) => Heard::NotRenewed(format!("{error:#}")),
            };
            if let Heard::NotRenewed(words) = &heard
                && told.insert(index, words.clone()).as_ref() == Some(words)
            {
                continue;
            }
            let is_given_up = {
                let mut all = shared.held.lock().unwrap_or_else(PoisonError::into_inner);
                // It may have been given up while it was looked at.
                let is_same = all.get(&index) == Some(&held);
                if heard == Heard::Lost {
                    all.remove(&index);
                }
                !is_same
            };
            if !is_given_up && tell.send((index, heard)).is_err() {
                return;
            }
        }
    }
}

/// A thread may be woken for nothing.
fn wait(time: Duration, shared: &Shared) {
    let deadline = clock::uptime() + time;
    while !shared.is_over.load(Ordering::Relaxed) {
        let left = deadline.saturating_sub(clock::uptime());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}
