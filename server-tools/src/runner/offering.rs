//! Collects the DHCP steps of all jobs. Those that are due together become one edit, and then one restart. A thread of its
//! own does them, so that the loop does not wait for it.
//!
//! ```text
//! asked ──▶ queue ──(nothing is being done)──▶ all of one kind at once ──thread──▶ answers
//!             ▲ what is asked for meanwhile
//! ```
//! Does not know what a job makes of the answers.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::dhcp_steps::DhcpSteps;
use super::lengthy::{Lengthy, Panicked};
use super::work::Work;
use crate::job::{Failure, Step};
use crate::output::Output;
use crate::site::Site;
use crate::sys::clock;

/// Jobs that end one after the other look at the configuration one after the other, and a large one takes long to read: looks
/// take one part in so many of the time.
const LOOKS_TAKE: u32 = 20;
/// And no job waits longer for that.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A job's work, after the step was tried with it.
pub(crate) type Answer = (usize, Step, Box<Work>, Result<(), Failure>);
type Answers = Vec<(Box<Work>, Result<(), Failure>)>;

/// What is asked for, and by which job.
#[derive(Debug)]
struct Asked {
    index: usize,
    step: Step,
    work: Box<Work>,
}

/// Does DHCP steps of one kind, edits or restarts, for many jobs.
#[derive(Debug)]
pub(crate) struct Offering {
    site: Arc<Site>,
    output: Output,
    thread: Lengthy<Answers>,
    queue: Vec<Asked>,
    /// Whose steps are being done.
    doing: Vec<(usize, Step)>,
    /// Milliseconds of the machine's clock before which the configuration is not looked at again.
    next_look: Arc<AtomicU64>,
}

impl Offering {
    pub(crate) fn new(site: Arc<Site>, output: Output) -> io::Result<Self> {
        Ok(Self {
            site,
            output,
            thread: Lengthy::on_one_thread()?,
            queue: Vec::new(),
            doing: Vec::new(),
            next_look: Arc::default(),
        })
    }

    /// Has a step done for the job at this place in the list, with a copy of its work.
    pub(crate) fn ask(&mut self, index: usize, step: Step, work: &Work) {
        self.queue.push(Asked { index, step, work: Box::new(work.copy()) });
    }

    /// Begins what is asked for, unless something is being done. What undoes comes before what does.
    pub(crate) fn begin(&mut self) {
        let steps = [Step::Revert, Step::OfferOwn, Step::Swap, Step::OfferBoot, Step::LookAgain];
        let next = steps.into_iter().find(|step| self.queue.iter().any(|asked| asked.step == *step));
        let Some(step) = next.filter(|_| self.doing.is_empty()) else { return };
        let (now, later) = mem::take(&mut self.queue).into_iter().partition(|asked| asked.step == step);
        self.queue = later;
        let now: Vec<Asked> = now;
        self.doing = now.iter().map(|asked| (asked.index, step)).collect();
        let mut works: Vec<Box<Work>> = now.into_iter().map(|asked| asked.work).collect();
        let (site, mut output) = (Arc::clone(&self.site), self.output.clone());
        let next_look = (step == Step::LookAgain).then(|| Arc::clone(&self.next_look));
        self.thread.begin(
            0,
            Box::new(move || {
                let looking = next_look.map(Looking::begin);
                let mut waiting = |holder: &str| output.waiting(holder);
                let mut steps = DhcpSteps { site: &site, waiting: &mut waiting };
                let mut shared: Vec<&mut Work> = works.iter_mut().map(|work| &mut **work).collect();
                let results = steps.perform(step, &mut shared);
                drop(looking);
                works.into_iter().zip(results).collect()
            }),
        );
    }

    /// What was done since the last call; what was asked for meanwhile is begun.
    pub(crate) fn take(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (_, ended) in self.thread.take() {
            let doing = mem::take(&mut self.doing).into_iter();
            match ended {
                Ok(works) => answers.extend(
                    doing.zip(works).map(|((index, step), (work, result))| (index, step, work, result)),
                ),
                // Only the journal knows what it has changed. The recovery after the panic goes by that.
                Err(Panicked) => std::panic::resume_unwind(Box::new(Panicked)),
            }
        }
        self.begin();
        answers
    }

    /// Waits for what is being done. What is only asked for is not done.
    pub(crate) fn end(&mut self) {
        self.queue.clear();
        self.thread.join();
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.thread.as_fd()
    }
}

/// A look at the configuration, from when it may begin; when it ends, it is known when the next one may.
struct Looking {
    next_look: Arc<AtomicU64>,
    since: Duration,
}

impl Looking {
    fn begin(next_look: Arc<AtomicU64>) -> Self {
        let due = Duration::from_millis(next_look.load(Ordering::Relaxed));
        std::thread::sleep(due.saturating_sub(clock::uptime()));
        Self { next_look, since: clock::uptime() }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let now = clock::uptime();
        let pause = now.saturating_sub(self.since).saturating_mul(LOOKS_TAKE - 1).min(LONGEST_PAUSE);
        let next = now + pause;
        self.next_look.store(u64::try_from(next.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
