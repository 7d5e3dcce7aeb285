//! Where everything below STATEDIR is. A folder that one part has for itself (`restart/`) is named here, its files there.
//!
//! ```text
//! journal/   IP.jsonl       jobs that run, or that a crash has left
//! damaged/   NAME.N         entries of the journal (IP.jsonl) and records (JOB.record.json, HOST.by-hand.json) that could not be read whole
//! jobs/      JOB/           what is kept of each job when it is over
//! runs/      RUN.jsonl      what is kept of each run
//! cancel/    JOB            requests to stop a job
//! by-hand/   HOST.json      swaps that a person has made, until that person reverts them; each with a .copy and a HOST.lock
//! given-up/  HOST.json      swaps that a person has given up
//! restart/                  who restarts the DHCP server for whom
//! images/    HOST.lock      what keeps a generation from being removed
//! mounts/                   disks of generations that are mounted
//! vouched/   HOST.jsonl     checksums of the manifests of generations that are ours
//! exports/   IP.conf        what NFS-Ganesha is being told to export
//! boot-files.json           what was copied into the TFTP server's folder
//! server-id                 what tells this boot server from others with the same image store
//! base-root.lock            who uses the base root, replaces it or removes it
//! root-build.lock           who makes a new base root beside it
//! setup.lock                who changes what setup.json tells
//! setup.json                what `ghostctl setup` has made
//! setup/     NUMBER-NAME    files as they were before it changed them
//! ```

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::{HostName, JobId};

pub(crate) fn journal(state_folder: &Path) -> PathBuf {
    state_folder.join("journal")
}

pub(crate) fn boot_files(state_folder: &Path) -> PathBuf {
    state_folder.join("boot-files.json")
}

pub(crate) fn base_root_lock(state_folder: &Path) -> PathBuf {
    state_folder.join("base-root.lock")
}

pub(crate) fn root_build_lock(state_folder: &Path) -> PathBuf {
    state_folder.join("root-build.lock")
}

pub(crate) fn made(state_folder: &Path) -> PathBuf {
    state_folder.join("setup.json")
}

pub(crate) fn made_lock(state_folder: &Path) -> PathBuf {
    state_folder.join("setup.lock")
}

pub(crate) fn server(state_folder: &Path) -> PathBuf {
    state_folder.join("server-id")
}

pub(crate) fn kept_by_setup(state_folder: &Path) -> PathBuf {
    state_folder.join("setup")
}

pub(crate) fn damaged(state_folder: &Path) -> PathBuf {
    state_folder.join("damaged")
}

pub(crate) fn records(state_folder: &Path) -> PathBuf {
    state_folder.join("jobs")
}

pub(crate) fn record(state_folder: &Path, job: &JobId) -> PathBuf {
    records(state_folder).join(job.as_str())
}

pub(crate) fn runs(state_folder: &Path) -> PathBuf {
    state_folder.join("runs")
}

pub(crate) fn cancels(state_folder: &Path) -> PathBuf {
    state_folder.join("cancel")
}

pub(crate) fn by_hands(state_folder: &Path) -> PathBuf {
    state_folder.join("by-hand")
}

pub(crate) fn by_hand(state_folder: &Path, host: &HostName) -> PathBuf {
    by_hands(state_folder).join(format!("{host}.json"))
}

pub(crate) fn all_given_up(state_folder: &Path) -> PathBuf {
    state_folder.join("given-up")
}

pub(crate) fn given_up(state_folder: &Path, host: &HostName) -> PathBuf {
    all_given_up(state_folder).join(format!("{host}.json"))
}

pub(crate) fn restarts(state_folder: &Path) -> PathBuf {
    state_folder.join("restart")
}

pub(crate) fn removal_lock(state_folder: &Path, host: &HostName) -> PathBuf {
    state_folder.join("images").join(format!("{host}.lock"))
}

/// What NFS-Ganesha is told to export to a client, while it is told.
pub(crate) fn ganesha_block(state_folder: &Path, ip: Ipv4Addr) -> PathBuf {
    state_folder.join("exports").join(format!("{ip}.conf"))
}

pub(crate) fn vouched(state_folder: &Path, host: &HostName) -> PathBuf {
    state_folder.join("vouched").join(format!("{host}.jsonl"))
}

pub(crate) fn mounts(state_folder: &Path) -> PathBuf {
    state_folder.join("mounts")
}
