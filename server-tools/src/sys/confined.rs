//! Takes away from this process what it does not need to parse a client's bytes: root's rights, files, network, memory,
//! processor time. What it starts inherits that. There is no way back.
//!
//! ```text
//! limits ─▶ own user ─▶ dies with its parent ─▶ no new privileges ─▶ Landlock ─▶ system calls
//! ```
//! Each is a wall of its own, so that one which the kernel does not have leaves the others. What is lacking is said.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use rustix::process::{Resource, Rlimit, setrlimit};

mod calls;

/// Where programs and their libraries are. PATH may name more.
const PROGRAMS: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache"];
/// What programs write to when they are to be quiet.
const NULL: &str = "/dev/null";
/// The newest kernel's rules that we know of. An older kernel takes those that it knows.
const RULES: ABI = ABI::V6;
/// Threads and processes. The imager has four threads, a tool of partclone's two.
const PROCESSES: u64 = 64;

/// How much a confined process may use, and who it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A user that nobody else is, so that it can signal, trace and outnumber only itself.
    pub user: u32,
    /// Address space of one process, bytes.
    pub memory: u64,
    /// Of one process.
    pub processor: Duration,
    /// The largest file that it may write, bytes.
    pub file: u64,
    pub life: Life,
}

/// When a confined process ends at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// With the thread that has started it.
    OfItsParent,
    /// When it has no more to do.
    Own,
}

/// Confines this process. It may open programs and libraries, and write to `target`; whatever else is open stays open.
///
/// Returns what this machine lacks for it, in words.
pub(crate) fn enter(limits: &Limits, target: Option<BorrowedFd<'_>>) -> anyhow::Result<Vec<String>> {
    limit(limits).context("the limits of a confined process cannot be set")?;
    let mut lacks = Vec::new();
    if geteuid().is_root() {
        leave_root(limits.user).context("a confined process cannot become another user")?;
    } else {
        lacks.push("it is not run by root, and so a confined process has your rights".to_owned());
    }
    // After the change of the user, which clears it.
    if limits.life == Life::OfItsParent {
        prctl::set_pdeathsig(Signal::SIGKILL)
            .context("a confined process cannot be bound to its parent's life")?;
    }
    prctl::set_no_new_privs().context("a confined process could get new privileges")?;
    match fence(target) {
        Ok(RulesetStatus::NotEnforced) => lacks.push(
            "the kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, and landlock in lsm=): a confined process can read what \
             every user can read"
                .to_owned(),
        ),
        Ok(_) => {}
        Err(error) => lacks.push(format!("Landlock cannot be used: {error}")),
    }
    if let Err(error) = calls::forbid() {
        lacks.push(format!("system calls cannot be filtered (CONFIG_SECCOMP_FILTER): {error}"));
    }
    Ok(lacks)
}

fn limit(limits: &Limits) -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, limits.memory),
        (Resource::Cpu, limits.processor.as_secs().max(1)),
        (Resource::Fsize, limits.file),
        (Resource::Nproc, PROCESSES),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// From root, without a way back: the capabilities go with the last of the three.
fn leave_root(user: u32) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// From now on files can be opened only where programs are, to read and to run them; and `target`, to write it.
fn fence(target: Option<BorrowedFd<'_>>) -> Result<RulesetStatus, landlock::RulesetError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        PROGRAMS.map(PathBuf::from).into_iter().chain(std::env::split_paths(&path)).collect();
    let written = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(folders, AccessFs::from_read(RULES)))?;
    if let Ok(null) = PathFd::new(NULL) {
        rules = rules.add_rule(PathBeneath::new(null, AccessFs::ReadFile | AccessFs::WriteFile))?;
    }
    if let Some(target) = target {
        rules = rules.add_rule(PathBeneath::new(target, written))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}
