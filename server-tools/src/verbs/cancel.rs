//! `ghostctl cancel`: another ghostctl is asked to stop a job, and it is waited for.

use std::io;
use std::time::Duration;

use ghost_contract::{HostName, JobId};
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;

use crate::job::FailureKind;
use crate::output::{Form, Output};
use crate::site::Site;
use crate::state::cancel;
use crate::state::journal::{self, Entry, JournalError, State};
use crate::sys::clock;
use crate::sys::watch::Watch;

/// How long a job has to finish: as long as a restart of the DHCP server may take, and some.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often is looked in any case.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a job was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0} has no job")]
    NoJob(HostName),
    /// What runs has lost its ghostctl.
    #[error("the ghostctl of the job of {0} is gone; run 'ghostctl recover'")]
    Orphaned(HostName),
    #[error("cannot ask for the stop")]
    Ask(#[source] io::Error),
    #[error("the job of {0} was asked to stop and has not ended yet")]
    Deadline(HostName),
}

impl CancelError {
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Deadline(_) => FailureKind::Busy.exit().status(),
            _ => FailureKind::Failed.exit().status(),
        }
    }
}

pub fn run(site: &Site, host: &HostName, dry_run: bool, output: &mut Output) -> Result<u8, CancelError> {
    let state_folder = &site.ghostrc.state_folder;
    let running = find(site, host)?.ok_or_else(|| CancelError::NoJob(host.clone()))?;
    let (job, pid) = (&running.begun.job, running.begun.pid);
    if dry_run {
        tell(host, job, false, &format!("would ask {job} (pid {pid}) to stop; nothing was changed"), output);
        return Ok(0);
    }
    let watch = Watch::new().map_err(CancelError::Ask)?;
    let _looked_now_and_then = watch.add(&journal::folder(state_folder));
    cancel::ask(state_folder, &running.begun.job).map_err(CancelError::Ask)?;
    tell(host, job, false, &format!("asked {job} (pid {pid}) to stop"), output);
    let deadline = clock::uptime() + PATIENCE;
    while clock::uptime() < deadline {
        if find(site, host)?.is_none_or(|now| now.begun.job != running.begun.job) {
            tell(host, job, true, "stopped", output);
            return Ok(0);
        }
        let mut polled = [PollFd::new(&watch, PollFlags::IN)];
        let _ready = poll(&mut polled, LOOK_EVERY.try_into().ok().as_ref());
        let _drained = watch.take();
    }
    Err(CancelError::Deadline(host.clone()))
}

/// How far the stop is, for programs.
#[derive(Serialize)]
struct Stopping<'a> {
    host: &'a HostName,
    job: &'a JobId,
    stopped: bool,
}

fn tell(host: &HostName, job: &JobId, stopped: bool, words: &str, output: &mut Output) {
    match output.form() {
        Form::Json => output.json(&Stopping { host, job, stopped }),
        Form::Plain => output.line(&format!("{host}: {words}")),
    }
}

/// The job of a host whose owner lives.
fn find(site: &Site, host: &HostName) -> Result<Option<State>, CancelError> {
    for path in journal::entries(&site.ghostrc.state_folder)? {
        match Entry::take_over(&path) {
            Err(JournalError::Busy(state)) => {
                if let Some(state) = state.filter(|state| state.begun.host == *host) {
                    return Ok(Some(state));
                }
            }
            Ok(Some(orphan)) if orphan.state().is_some_and(|state| state.begun.host == *host) => {
                return Err(CancelError::Orphaned(host.clone()));
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
