//! Ends labs: our own, those of other processes, and what a stale lab has left.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::Ownership;
use super::failure::keep_logs;
use crate::folder::{self, LabFolder};
use crate::wait::{self, TimedOut};

/// How long a lab may take to be gone; its processes are gone at once, its thousands of files take 20 s on a slow disk.
const DOWN: Duration = Duration::from_secs(180);

/// Ends the lab in this folder, even one of another process, or removes what a stale one has left.
pub fn end(folder: &LabFolder) -> anyhow::Result<()> {
    if folder.is_up()? {
        let supervisor = folder.supervisor()?;
        // ESRCH: it has ended meanwhile.
        let _ended = rustix::process::kill_process(supervisor, rustix::process::Signal::TERM);
        let orderly = wait_until_gone(folder);
        if orderly.is_err() {
            let _ended = rustix::process::kill_process(supervisor, rustix::process::Signal::KILL);
            wait_until_free(folder)?;
        }
    }
    folder.remove_stale()
}

/// Ends all labs below this folder.
pub fn end_all(labs: &Path) -> anyhow::Result<()> {
    let all = folder::all(labs)?;
    let failed = all.iter().filter_map(|folder| end(folder).err());
    // All are tried, and the errors of all are kept.
    match failed.reduce(|first, next| first.context(format!("{next:#}"))) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

pub(super) fn end_owned(folder: &LabFolder, mut ownership: Ownership) -> anyhow::Result<()> {
    drop(ownership.line);
    let gone = wait_until_gone(folder);
    if gone.is_err() {
        ownership.supervisor.kill().context("cannot end the lab's supervisor")?;
    }
    ownership.supervisor.wait().context("cannot wait for the end of the lab's supervisor")?;
    folder.remove_stale()
}

fn wait_until_gone(folder: &LabFolder) -> Result<(), TimedOut> {
    wait::until("the lab to be gone", DOWN, || (!folder.path().exists()).then_some(()))
}

fn wait_until_free(folder: &LabFolder) -> Result<(), TimedOut> {
    wait::until("the lab's supervisor to be gone", DOWN, || folder.is_up().is_ok_and(|up| !up).then_some(()))
}

/// What to say of a lab whose supervisor has begun to say why it is not up; its logs are kept, then it is ended.
pub(super) fn not_up(folder: &LabFolder, begun: &[u8], mut ownership: Ownership) -> anyhow::Error {
    let mut why = begun.to_vec();
    let nothing = ownership.line.read_to_end(&mut why).is_err() || why.is_empty();
    let logs = keep_logs(folder).unwrap_or_else(|_| folder.logs());
    let ended = end_owned(folder, ownership).map_or_else(|error| format!(" ({error:#})"), |()| String::new());
    let why = if nothing { "its supervisor ended".into() } else { String::from_utf8_lossy(&why) };
    anyhow!("the lab does not come up: {why}{ended}\nits logs are in {}", logs.display())
}
