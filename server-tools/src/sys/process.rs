//! Which processes of a name run in this network, as the kernel tells it (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process. A number is given to another one later; with the time of its start it is the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub pid: u32,
    /// Since the machine's start, in the kernel's clock ticks.
    started: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub identity: Identity,
    /// What it was called with, its own name first.
    pub arguments: Vec<OsString>,
    /// Where it looks for relative paths.
    pub folder: PathBuf,
}

/// All processes of this name in the network that this one is in: another network has a server of its own.
pub(crate) fn named(name: &str) -> io::Result<Vec<Process>> {
    let here = fs::read_link("/proc/self/ns/net").ok();
    let processes = pids()?.into_iter().filter_map(|pid| look(pid, name, here.as_deref()).transpose());
    processes.collect()
}

/// Signals this very process, and no other that has its number since.
pub(crate) fn signal(process: Identity, signal: Signal) -> io::Result<()> {
    let ended = || io::Error::from_raw_os_error(libc::ESRCH);
    let number = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or_else(ended)?;
    let held = pidfd_open(number, PidfdFlags::empty())?;
    let stat = of(process.pid, "stat")?.ok_or_else(ended)?;
    let is_same = name_and_start(&String::from_utf8_lossy(&stat))
        .is_some_and(|(_, started)| started == process.started);
    if !is_same {
        return Err(ended());
    }
    Ok(pidfd_send_signal(held, signal)?)
}

/// The process that has this number now.
pub(crate) fn identity(pid: u32) -> io::Result<Identity> {
    let stat = of(pid, "stat")?.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    let found = String::from_utf8_lossy(&stat);
    let (_, started) = name_and_start(&found).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    Ok(Identity { pid, started })
}

/// Waits so long for this very process to end, and ends it then. One that has ended already is fine.
pub(crate) fn see_end(process: Identity, patience: Duration) -> io::Result<()> {
    let Some(number) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let held = match pidfd_open(number, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        held => held?,
    };
    if identity(process.pid).ok() != Some(process) {
        return Ok(());
    }
    if !has_ended_within(&held, patience)? {
        pidfd_send_signal(&held, Signal::KILL)?;
        has_ended_within(&held, patience)?;
    }
    Ok(())
}

fn has_ended_within(process: &impl AsFd, patience: Duration) -> io::Result<bool> {
    let until = Timespec::try_from(patience).map_err(io::Error::other)?;
    let mut waited = [PollFd::new(process, PollFlags::IN)];
    Ok(poll(&mut waited, Some(&until))? > 0)
}

/// The processes of a process group whose names are others than this one.
pub(crate) fn of_group_besides(group: u32, name: &str) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for pid in pids()? {
        let Some(stat) = of(pid, "stat")? else { continue };
        let stat = String::from_utf8_lossy(&stat);
        if group_of(&stat) == Some(group) && name_and_start(&stat).is_some_and(|(found, _)| found != name) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Whether a process whose name is another than this one has inherited this mark in its environment.
pub(crate) fn has_marked(mark: &str, besides: &str) -> bool {
    let is_another = |pid: u32| {
        let stat = of(pid, "stat").ok().flatten().unwrap_or_default();
        name_and_start(&String::from_utf8_lossy(&stat)).is_some_and(|(name, _)| name != besides)
    };
    pids().is_ok_and(|pids| pids.into_iter().any(|pid| is_marked(pid, mark) && is_another(pid)))
}

/// Whether a process has inherited this mark in its environment.
pub(crate) fn is_marked(pid: u32, mark: &str) -> bool {
    let environment = of(pid, "environ").ok().flatten().unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
}

fn pids() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

/// What the kernel tells of a process; none of one that ends meanwhile or that this one may not look at.
fn of(pid: u32, file: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(Path::new("/proc").join(pid.to_string()).join(file)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_no_answer(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_no_answer(error: &io::Error) -> bool {
    let has_ended = error.raw_os_error() == Some(libc::ESRCH);
    has_ended || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

fn look(pid: u32, name: &str, network: Option<&Path>) -> io::Result<Option<Process>> {
    let folder = Path::new("/proc").join(pid.to_string());
    let Some(stat) = of(pid, "stat")? else { return Ok(None) };
    let stat = String::from_utf8_lossy(&stat);
    let Some((found, started)) = name_and_start(&stat) else { return Ok(None) };
    let is_here = || fs::read_link(folder.join("ns/net")).ok().as_deref() == network;
    if found != name || !is_here() {
        return Ok(None);
    }
    let line = of(pid, "cmdline")?.unwrap_or_default();
    // One that is ending has given its arguments back already.
    if line.is_empty() {
        return Ok(None);
    }
    let arguments = line.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
    // Without the right to look it is as a service's.
    let own_folder = fs::read_link(folder.join("cwd")).unwrap_or_else(|_| PathBuf::from("/"));
    Ok(Some(Process { identity: Identity { pid, started }, arguments, folder: own_folder }))
}

/// A zombie has ended already.
fn name_and_start(stat: &str) -> Option<(&str, u64)> {
    // The name may hold anything, parentheses and blanks too.
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace();
    let is_running = fields.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    // Field 22 of all, the state being the third.
    let started = fields.nth(18)?.parse().ok()?;
    is_running.then_some((name, started))
}

/// The process group, the fifth field of all.
fn group_of(stat: &str) -> Option<u32> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_ascii_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read_whole_and_a_zombie_is_none() {
        let rest = "1 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 4711 1 1";
        assert_eq!(name_and_start(&format!("7 (a) b) S {rest}")), Some(("a) b", 4711)));
        assert_eq!(name_and_start(&format!("7 (dhcpd) Z {rest}")), None);
    }

    #[test]
    fn a_process_that_has_ended_is_none_and_what_this_program_lacks_is_an_error() {
        let is_none = |errno| is_no_answer(&io::Error::from_raw_os_error(errno));
        assert!([libc::ENOENT, libc::ESRCH, libc::EACCES].into_iter().all(is_none));
        assert!(![libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EIO].into_iter().any(is_none));
    }

    #[test]
    fn a_process_that_does_not_end_is_ended_and_one_that_has_its_number_since_is_not() {
        let mut sleeping = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = identity(sleeping.id()).unwrap();
        see_end(Identity { started: process.started + 1, ..process }, Duration::ZERO).unwrap();
        assert_eq!(sleeping.try_wait().unwrap(), None, "it is another one");
        see_end(process, Duration::from_millis(10)).unwrap();
        assert!(!sleeping.wait().unwrap().success());
        see_end(process, Duration::ZERO).unwrap();
    }

    #[test]
    fn this_very_process_is_found_with_its_arguments() {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        let own = named(name.trim_end())
            .unwrap()
            .into_iter()
            .find(|process| process.identity.pid == std::process::id())
            .unwrap();
        assert_eq!(own.arguments.first(), std::env::args_os().next().as_ref());
        assert_eq!(own.folder, std::env::current_dir().unwrap());
    }
}
