//! `ghostctl cancel`: asks the ghostctl that runs a host's job to stop it, and waits until it has.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, JobId};
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;

use crate::exit::{Exit, WithExit};
use crate::output::Output;
use crate::site::Site;
use crate::state::cancel;
use crate::state::journal::{self, State};
use crate::state::paths;
use crate::sys::clock;
use crate::sys::watch::Watch;

/// How long a job has to finish: as long as a restart of the DHCP server may take, and the client to say that it stops, and the NFS server
/// to take its exports away, and some.
const PATIENCE: Duration = Duration::from_secs(300);
/// The journal is looked at so often even if the kernel tells of no change.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const CANNOT_ASK: &str = "cannot ask for the stop";

pub(super) fn run(site: &Site, host: &HostName, dry_run: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let state_folder = &site.ghostrc.state_folder;
    let running = find(site, host)?.ok_or_else(|| anyhow!("{host} has no job"))?;
    let (job, pid) = (&running.begun.identity.job, running.begun.pid);
    if dry_run {
        tell(host, job, false, &format!("would ask {job} (pid {pid}) to stop; nothing was changed"), output);
        return Ok(Exit::Done);
    }
    let watch = Watch::new().context(CANNOT_ASK)?;
    let _looked_now_and_then = watch.add(&paths::journal(state_folder));
    cancel::ask(state_folder, &running.begun.identity.job).context(CANNOT_ASK)?;
    tell(host, job, false, &format!("asked {job} (pid {pid}) to stop"), output);
    let deadline = clock::uptime() + PATIENCE;
    while clock::uptime() < deadline {
        if find(site, host)?.is_none_or(|now| now.begun.identity.job != running.begun.identity.job) {
            tell(host, job, true, "stopped", output);
            return Ok(Exit::Done);
        }
        let mut polled = [PollFd::new(&watch, PollFlags::IN)];
        let _ready = poll(&mut polled, LOOK_EVERY.try_into().ok().as_ref());
        let _drained = watch.take();
    }
    Err(anyhow!("the job of {host} was asked to stop and has not ended yet").exit(Exit::Busy))
}

/// How far the stop is, for programs.
#[derive(Serialize)]
struct Stopping<'a> {
    host: &'a HostName,
    job: &'a JobId,
    stopped: bool,
}

fn tell(host: &HostName, job: &JobId, stopped: bool, words: &str, output: &mut Output) {
    output.either(&Stopping { host, job, stopped }, || format!("{host}: {words}"));
}

/// The job of a host whose owner lives.
fn find(site: &Site, host: &HostName) -> anyhow::Result<Option<State>> {
    for seen in journal::look_at_all(&site.ghostrc.state_folder)? {
        match seen.says.state.filter(|state| state.begun.identity.host == *host) {
            Some(state) if seen.owned => return Ok(Some(state)),
            Some(_) => {
                return Err(anyhow!("the ghostctl of the job of {host} is gone; run 'ghostctl recover'"));
            }
            None => {}
        }
    }
    Ok(None)
}
