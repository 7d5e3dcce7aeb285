//! Puts entries back if the loop that drives jobs stands still, as it does on a file system that does not answer any more: then no
//! deadline and no signal reaches a job.
//!
//! ```text
//! loop goes round ──▶ beat ──▶ guard looks each second ──▶ no beat at so many looks in a row ──▶ own jobs that the journal calls swapped:
//!                                                                                                revert, restart
//! ```
//! It counts looks and no time: a program that was stopped as a whole is none whose loop stands still. Does not know what the loop
//! waits for. Once the loop goes on, it finds the entries put back.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ghost_contract::JobId;

use super::dhcp_steps::DhcpSteps;
use super::work::Work;
use crate::job::{Failure, Identity, Note, Step};
use crate::output::Output;
use crate::site::Site;
use crate::state::journal::{self, State};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// At how many looks in a row the loop must have stood still. It goes round every few seconds, and waits for a lock for a minute at
/// most.
const FEWEST: u64 = 15;
const MOST: u64 = 90;

/// Ends with the loop.
#[derive(Debug)]
pub(crate) struct Guard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    beats: AtomicU64,
    is_over: AtomicBool,
    /// The jobs of the loop, with the addresses by which the journal knows them.
    own: Mutex<Vec<(JobId, Ipv4Addr)>>,
}

impl Guard {
    pub(crate) fn start(site: Arc<Site>, output: Output) -> io::Result<Self> {
        let shared: Arc<Shared> = Arc::default();
        let watched = Arc::clone(&shared);
        let patience = patience(site.ghostrc.settings().up_deadline);
        let watch =
            move || watch(&watched, patience, &mut PuttingBack { site, output, done: BTreeSet::new() });
        let thread = thread::Builder::new().name("guard".to_owned()).spawn(watch)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn add(&self, Identity { job, ip, .. }: &Identity) {
        self.shared.own.lock().unwrap_or_else(PoisonError::into_inner).push((job.clone(), *ip));
    }

    /// The loop goes round.
    pub(crate) fn beat(&self) {
        self.shared.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for what it is putting back.
    pub(crate) fn end(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _told_by_the_hook = thread.join();
        }
    }
}

/// At how many looks in a row the loop must have stood still: as long as a client may take to come up, within bounds. Pure.
fn patience(up: Duration) -> u64 {
    (up.as_secs() / LOOK_EVERY.as_secs()).clamp(FEWEST, MOST)
}

fn watch(shared: &Shared, patience: u64, putting_back: &mut PuttingBack) {
    let mut looks = Looks::default();
    while !shared.is_over.load(Ordering::Relaxed) {
        thread::park_timeout(LOOK_EVERY);
        let same = looks.look(shared.beats.load(Ordering::Relaxed));
        if same > 0 && same.is_multiple_of(patience) {
            let own = shared.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
            putting_back.perform(&own);
        }
    }
}

#[derive(Debug, Default)]
struct Looks {
    beats: u64,
    same: u64,
}

impl Looks {
    /// At how many looks in a row there was no beat. Pure.
    fn look(&mut self, beats: u64) -> u64 {
        self.same = if beats == self.beats { self.same + 1 } else { 0 };
        self.beats = beats;
        self.same
    }
}

struct PuttingBack {
    site: Arc<Site>,
    output: Output,
    /// The jobs whose entries are put back, and that are not to be told of again.
    done: BTreeSet<JobId>,
}

impl PuttingBack {
    fn perform(&mut self, own: &[(JobId, Ipv4Addr)]) {
        let mut works: Vec<Work> = own.iter().filter_map(|(job, ip)| self.swapped(job, *ip)).collect();
        if works.is_empty() {
            return;
        }
        let words = "ghostctl stands still, as on a file system that does not answer (it looks at PXEBASE, GHSTBASE and STATEDIR), and \
                     keeps no deadline; its DHCP entry is put back";
        works.iter().for_each(|work| self.tell(&work.begun.identity, words));
        let reverted = self.step(Step::Revert, &mut works.iter_mut().collect::<Vec<_>>());
        let mut reverted: Vec<&mut Work> =
            works.iter_mut().zip(reverted).filter_map(|(work, became)| became.then_some(work)).collect();
        let served = self.step(Step::OfferOwn, &mut reverted);
        let served = reverted.into_iter().zip(served).filter_map(|(work, became)| became.then_some(work));
        self.done.extend(served.map(|work| work.begun.identity.job.clone()));
    }

    /// What a job has swapped and not reverted, as far as the journal tells.
    fn swapped(&self, job: &JobId, ip: Ipv4Addr) -> Option<Work> {
        let seen = journal::look_at(&self.site.ghostrc.state_folder, ip).ok().flatten()?;
        let State { begun, swap, swapping, .. } = seen.says.state?;
        let is_left = begun.identity.job == *job && swapping.is_left() && !self.done.contains(job);
        // Without its journal: what became of the entry is the loop's to write.
        is_left.then(|| Work { swap, ..Work::new(begun) })
    }

    /// Whether it was done for each.
    fn step(&mut self, step: Step, works: &mut [&mut Work]) -> Vec<bool> {
        if works.is_empty() {
            return Vec::new();
        }
        let mut output = self.output.clone();
        let mut waiting = |holder: &str| output.waiting(holder);
        let results = DhcpSteps { site: &self.site, waiting: &mut waiting }.perform(step, works);
        for (work, result) in works.iter_mut().zip(&results) {
            for remark in std::mem::take(&mut work.remarks) {
                self.tell(&work.begun.identity, &remark);
            }
            if let Err(Failure { reason, .. }) = result {
                self.tell(&work.begun.identity, &format!("could not {}: {reason}", step.as_str()));
            }
        }
        results.iter().map(Result::is_ok).collect()
    }

    fn tell(&mut self, Identity { host, .. }: &Identity, text: &str) {
        self.output.note(host, &Note::Warning { text: text.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_looks_without_a_beat_in_a_row_count() {
        let mut looks = Looks::default();
        let seen: Vec<u64> = [1, 1, 1, 2, 2, 5].into_iter().map(|beats| looks.look(beats)).collect();
        assert_eq!(seen, [0, 1, 2, 0, 1, 0]);
    }

    #[test]
    fn a_loop_may_stand_still_as_long_as_a_client_may_take_to_come_up_within_bounds() {
        for (up, looks) in [(1, 15), (40, 40), (600, 90)] {
            assert_eq!(patience(Duration::from_secs(up)), looks);
        }
    }
}
