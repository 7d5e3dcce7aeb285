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
use std::time::Duration;

use super::dhcp_steps::DhcpSteps;
use super::lengthy::{Lengthy, Panicked};
use super::work::Work;
use crate::dhcp::offer::kept::Told;
use crate::job::{Failure, FailureKind, Step};
use crate::output::Output;
use crate::site::Site;
use crate::sys::clock;

/// Jobs that end one after the other look at the configuration one after the other, and a large one takes long to read: looks
/// take one part in so many of a processor's time.
const LOOKS_TAKE: u32 = 20;
/// And no job waits longer for that.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A job's work, after the step was tried with it.
pub(crate) type Answer = (usize, Step, Box<Work>, Result<(), Failure>);
/// What became of each job's step, and how long that has kept a processor busy.
type Answers = (Vec<(Box<Work>, Result<(), Failure>)>, Duration);

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
    /// The time before which the configuration is not looked at again.
    next_look: Duration,
    /// The time before which no host is swapped, for others that will be ready to share the edit.
    next_swap: Duration,
}

impl Offering {
    pub(crate) fn new(site: Arc<Site>, output: Output) -> io::Result<Self> {
        Ok(Self {
            site,
            output,
            thread: Lengthy::on_one_thread()?,
            queue: Vec::new(),
            doing: Vec::new(),
            next_look: Duration::ZERO,
            next_swap: Duration::ZERO,
        })
    }

    /// Has a step done for the job at this place in the list, with a copy of its work.
    pub(crate) fn ask(&mut self, index: usize, step: Step, work: &Work) {
        self.queue.push(Asked { index, step, work: Box::new(work.copy()) });
    }

    /// Has swaps wait until then.
    pub(crate) fn hold_swaps(&mut self, until: Duration) {
        self.next_swap = until;
    }

    /// Begins what is asked for and due, unless something is being done.
    pub(crate) fn begin(&mut self) {
        if !self.doing.is_empty() {
            return;
        }
        let asked: Vec<Step> = self.queue.iter().map(|asked| asked.step).collect();
        let Some(step) = next(&asked, |step| self.not_before(step), clock::uptime()) else { return };
        let (now, later) = mem::take(&mut self.queue).into_iter().partition(|asked| asked.step == step);
        self.queue = later;
        let now: Vec<Asked> = now;
        self.doing = now.iter().map(|asked| (asked.index, step)).collect();
        let mut works: Vec<Box<Work>> = now.into_iter().map(|asked| asked.work).collect();
        let (site, mut output) = (Arc::clone(&self.site), self.output.clone());
        self.thread.begin(
            0,
            Box::new(move || {
                let began = clock::of_this_thread();
                let mut waiting = |holder: &str| output.waiting(holder);
                let mut steps = DhcpSteps { site: &site, waiting: &mut waiting };
                let mut shared: Vec<&mut Work> = works.iter_mut().map(|work| &mut **work).collect();
                let results = steps.perform(step, &mut shared);
                tell_of_kept_files(&site, &mut shared);
                let took = clock::of_this_thread().saturating_sub(began);
                (works.into_iter().zip(results).collect(), took)
            }),
        );
    }

    const fn not_before(&self, step: Step) -> Duration {
        match step {
            Step::LookAgain => self.next_look,
            Step::Swap => self.next_swap,
            _ => Duration::ZERO,
        }
    }

    /// What was done since the last call.
    pub(crate) fn take(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (_, ended) in self.thread.take() {
            let doing = mem::take(&mut self.doing);
            match ended {
                Ok((works, took)) => {
                    if doing.iter().any(|(_, step)| *step == Step::LookAgain) {
                        self.next_look = clock::uptime() + pause(took);
                    }
                    answers.extend(
                        doing
                            .into_iter()
                            .zip(works)
                            .map(|((index, step), (work, result))| (index, step, work, result)),
                    );
                }
                // Only the journal knows what it has changed. The recovery after the panic goes by that.
                Err(Panicked) => std::panic::resume_unwind(Box::new(Panicked)),
            }
        }
        answers
    }

    /// When what is asked for may be begun, if that is not yet, and nothing is being done whose end comes first.
    pub(crate) fn due(&self) -> Option<Duration> {
        let asked = self.queue.iter().filter(|_| self.doing.is_empty());
        asked.map(|asked| self.not_before(asked.step)).min()
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

/// The first of these jobs is told what is kept beside the configuration, because other programs were writing to it.
fn tell_of_kept_files(site: &Site, works: &mut [&mut Work]) {
    let Some(first) = works.first_mut() else { return };
    for told in site.kept_files.look() {
        match told {
            Told::Warning(words) => first.remarks.push(words),
            Told::Trouble(reason) => {
                first.unwritten.push(Failure { kind: FailureKind::Failed, reason });
            }
        }
    }
}

/// What of this is done next: what undoes comes before what does, and nothing before its time. Pure.
fn next(asked: &[Step], not_before: impl Fn(Step) -> Duration, now: Duration) -> Option<Step> {
    let steps = [Step::Revert, Step::OfferOwn, Step::Swap, Step::OfferBoot, Step::LookAgain];
    let is_due = |step: &Step| now >= not_before(*step);
    steps.into_iter().filter(is_due).find(|step| asked.contains(step))
}

/// How long no look follows one that has kept a processor busy for so long. Pure.
fn pause(took: Duration) -> Duration {
    took.saturating_mul(LOOKS_TAKE - 1).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_due_holds_nothing_else_up() {
        let at = Duration::from_secs;
        for late in [Step::LookAgain, Step::Swap] {
            let not_before = |step| if step == late { at(10) } else { at(0) };
            assert_eq!(next(&[late], not_before, at(9)), None);
            assert_eq!(next(&[late], not_before, at(10)), Some(late));
            for step in [Step::Revert, Step::OfferOwn] {
                for now in [at(9), at(10)] {
                    assert_eq!(next(&[late, step], not_before, now), Some(step));
                }
            }
            assert_eq!(next(&[late, Step::OfferBoot], not_before, at(9)), Some(Step::OfferBoot));
        }
        assert_eq!(pause(Duration::from_millis(100)), Duration::from_millis(1_900));
        assert_eq!(pause(at(60)), LONGEST_PAUSE);
    }
}
