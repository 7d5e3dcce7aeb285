//! Which processes of a name run in this network, as the kernel tells it (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A process. A number is given to another one later; with the time of its start it is the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
pub(crate) fn named(name: &str) -> Vec<Process> {
    let here = fs::read_link("/proc/self/ns/net").ok();
    let Ok(listed) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is none.
    pids.filter_map(|pid: u32| look(pid, name, here.as_deref())).collect()
}

fn look(pid: u32, name: &str, network: Option<&Path>) -> Option<Process> {
    let folder = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (found, started) = name_and_start(&stat)?;
    let is_here = || fs::read_link(folder.join("ns/net")).ok().as_deref() == network;
    if found != name || !is_here() {
        return None;
    }
    let line = fs::read(folder.join("cmdline")).ok()?;
    // One that is ending has given its arguments back already.
    if line.is_empty() {
        return None;
    }
    let arguments = line.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
    // Without the right to look it is as a service's.
    let own_folder = fs::read_link(folder.join("cwd")).unwrap_or_else(|_| PathBuf::from("/"));
    Some(Process { identity: Identity { pid, started }, arguments, folder: own_folder })
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
    fn this_very_process_is_found_with_its_arguments() {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        let own = named(name.trim_end())
            .into_iter()
            .find(|process| process.identity.pid == std::process::id())
            .unwrap();
        assert_eq!(own.arguments.first(), std::env::args_os().next().as_ref());
        assert_eq!(own.folder, std::env::current_dir().unwrap());
    }
}
