//! Starts a process in name spaces: in new ones for a supervisor, in the lab's for everything else.
//!
//! A process never changes its own process name space; setns(2) and unshare(2) choose the one of its children. So a
//! thread does that, starts the process, and ends.
#![allow(unsafe_code, reason = "what is done between fork and exec needs CommandExt::pre_exec")]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::setsid;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Starts `command` as the first process of new name spaces for processes, mounts and the network, and in a
/// session of its own, so that a Ctrl-C for us is none for it.
pub(crate) fn spawn_in_new(command: &mut Command) -> io::Result<Child> {
    let prepare = || -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
        setsid()?;
        Ok(())
    };
    // SAFETY: between fork and exec only the system calls unshare(2) and setsid(2) are made; nothing is
    // allocated and no lock is taken.
    unsafe { command.pre_exec(prepare) };
    in_thread(|| {
        unshare(CloneFlags::CLONE_NEWPID)?;
        command.spawn()
    })
}

/// Starts `command` in the name spaces of a process. It begins in the folder `/`: a folder of outside means
/// nothing there.
pub(crate) fn spawn_in_those_of(process: Pid, command: &mut Command) -> io::Result<Child> {
    let process: OwnedFd = pidfd_open(process, PidfdFlags::empty())?;
    let children = process.try_clone()?;
    let prepare = move || -> io::Result<()> {
        setns(&process, CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
        Ok(())
    };
    // SAFETY: between fork and exec only the system call setns(2) is made, on a descriptor that the closure
    // owns; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(prepare) };
    in_thread(|| {
        setns(&children, CloneFlags::CLONE_NEWPID)?;
        command.spawn()
    })
}

/// Runs `work` where the network is that of a process.
pub(crate) fn in_network_of<T: Send>(
    process: Pid,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let process = pidfd_open(process, PidfdFlags::empty())?;
    in_thread(|| {
        setns(&process, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

/// Runs `work` on a thread that ends with it.
fn in_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(work);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}
