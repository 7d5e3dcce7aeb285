//! Ends a lab from inside: its processes, mounts and folder.

use std::fs;
use std::io;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::folder::LabFolder;
use crate::wait;

/// How long the folder may take to be emptied: what is being written to it has to die first.
const REMOVAL: Duration = Duration::from_secs(60);

/// Ends all processes of the lab and removes its folder.
pub(super) fn end(folder: &LabFolder) -> anyhow::Result<()> {
    let mut last = None;
    let removed = wait::until("the lab's processes to let its folder go", REMOVAL, || {
        end_all_processes();
        // An image store of its own file system; most labs have none.
        let _not_mounted = umount2(&folder.image_store(), MntFlags::MNT_DETACH);
        match fs::remove_dir_all(folder.path()) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(()),
            Err(error) => {
                last = Some(error);
                None
            }
        }
    });
    match (removed, last) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(error).context("cannot remove the lab's folder"),
        (Err(timed_out), None) => Err(timed_out).context("cannot remove the lab's folder"),
    }
}

/// Ends every process but this one, and waits until its children are gone.
fn end_all_processes() {
    // ESRCH: there is none.
    let _none_left = kill(Pid::from_raw(-1), Signal::SIGKILL);
    loop {
        match waitpid(None, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_no_child) => return,
        }
    }
}
