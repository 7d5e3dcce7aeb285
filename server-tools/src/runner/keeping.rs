//! Has the NFS server export again what it has forgotten while jobs run: NFS-Ganesha that was restarted knows only its
//! configuration.
//!
//! ```text
//! Export done ──▶ kept ──every few seconds──▶ is all of it listed? ──no──▶ exported again, and told
//!                  │ Unexport begins
//!                  ▼
//!              (nothing)
//! ```
//! What a job takes away is not put back: both hold the same lock.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ghost_contract::JobId;

use super::task::Task;
use super::work::Work;
use crate::exports::for_job::ForJob;
use crate::job::{Identity, Note, Step};
use crate::output::Output;
use crate::site::Site;

const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is exported for jobs that run.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    is_over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    exports: BTreeMap<JobId, (Identity, ForJob)>,
    is_over: bool,
}

impl Kept {
    fn keep(&self, identity: &Identity, exports: &ForJob) {
        self.lock().exports.insert(identity.job.clone(), (identity.clone(), exports.clone()));
    }

    /// Waits for what is being put back.
    fn forget(&self, job: &JobId) {
        self.lock().exports.remove(job);
    }

    /// What is exported, some seconds from now; none if it is over.
    fn after_a_while(&self) -> Option<Vec<(Identity, ForJob)>> {
        let waited = self.0.is_over.wait_timeout_while(self.lock(), LOOK_EVERY, |state| !state.is_over);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.is_over).then(|| state.exports.values().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends with the loop that drives the jobs.
#[derive(Debug)]
pub(crate) struct Keeping {
    kept: Kept,
    thread: Option<JoinHandle<()>>,
}

impl Keeping {
    pub(crate) fn start(site: Arc<Site>, output: Output) -> io::Result<Self> {
        let kept = Kept::default();
        let looked_at = kept.clone();
        let look = move || look_after(&looked_at, &site, output);
        let thread = thread::Builder::new().name("exports".to_owned()).spawn(look)?;
        Ok(Self { kept, thread: Some(thread) })
    }

    /// The task of a step, after which its exports are kept, or before which they are forgotten.
    pub(crate) fn around(&self, step: Step, work: &Work, task: Task) -> Task {
        let (kept, identity, exports) =
            (self.kept.clone(), work.begun.identity.clone(), work.begun.exports.clone());
        match (step, exports) {
            (Step::Export, Some(exports)) => Box::new(move || {
                let done = task();
                if done.result.is_ok() {
                    kept.keep(&identity, &exports);
                }
                done
            }),
            (Step::Unexport, _) => Box::new(move || {
                kept.forget(&identity.job);
                task()
            }),
            _ => task,
        }
    }

    pub(crate) fn end(&mut self) {
        self.kept.lock().is_over = true;
        self.kept.0.is_over.notify_all();
        if let Some(thread) = self.thread.take() {
            let _told_by_the_hook = thread.join();
        }
    }
}

fn look_after(kept: &Kept, site: &Site, mut output: Output) {
    let mut told: BTreeMap<JobId, String> = BTreeMap::new();
    while let Some(exports) = kept.after_a_while() {
        for (identity, exports) in exports {
            let Some(words) = put_back(kept, site, &identity, &exports) else { continue };
            if told.insert(identity.job.clone(), words.clone()).is_none_or(|before| before != words) {
                output.note(&identity.host, &Note::Warning { text: words });
            }
        }
    }
}

/// What people should know of it. That the server does not answer now is for its client to notice.
fn put_back(kept: &Kept, site: &Site, identity: &Identity, exports: &ForJob) -> Option<String> {
    if !exports.is_forgotten(&site.ghostrc).ok()? {
        return None;
    }
    // Held until it is exported again: the job takes nothing away meanwhile.
    let state = kept.lock();
    let is_wanted = !state.is_over && state.exports.contains_key(&identity.job);
    let again = is_wanted.then(|| exports.export(&site.ghostrc, identity.ip))?;
    let forgotten = "the NFS server has forgotten the client's folders, as after a restart";
    Some(match again {
        Ok(()) => format!("{forgotten}; they are exported again"),
        Err(error) => format!("{forgotten}, and they cannot be exported again: {error:#}"),
    })
}
