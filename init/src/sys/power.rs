//! Powers off, and asks the kernel for what PID 1 needs. Only [`sync`] can wait; nothing here touches a file.
#![allow(unsafe_code, reason = "mallopt(3) is of the C library")]

use std::path::Path;

use anyhow::Context as _;
use ghost_contract::order::AtEnd;
use nix::libc;
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use rustix::mm::{MlockAllFlags, mlockall};

use super::file;
use crate::task::PowerSwitch;

/// Keeps the whole program in memory, so that it outlives the server that its file is on. What it takes later is kept as
/// soon as it is used, and no sooner: stacks and heaps are mostly reserved and never touched.
pub fn lock_in_memory() -> anyhow::Result<()> {
    one_heap();
    mlockall(MlockAllFlags::CURRENT).context("cannot lock the program in memory")?;
    mlockall(MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .context("cannot lock in memory what the program will need")
}

/// By default each thread has a heap of its own, for which 64 MiB are reserved (mallopt(3)). There is no hurry here.
fn one_heap() {
    // SAFETY: the call only sets a number of the C library's, before there are other threads that allocate. If it does not
    // take it, more memory is reserved, and nothing else is different.
    let _taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Of all processes, this one is never ended when memory runs out (Linux, Documentation/filesystems/proc.rst, 3.1). Those
/// that it starts inherit that, until [`super::child`] has said otherwise.
pub fn never_end_for_memory() -> anyhow::Result<()> {
    file::write(Path::new("/proc/self/oom_score_adj"), "-1000")
}

/// Makes Ctrl-Alt-Del a SIGINT to PID 1 (reboot(2), `LINUX_REBOOT_CMD_CAD_OFF`).
pub fn take_over_ctrl_alt_del() -> anyhow::Result<()> {
    set_cad_enabled(false).context("cannot take over Ctrl-Alt-Del")
}

/// Whether the kernel has ACPI, by which PCs go off.
pub fn switch() -> PowerSwitch {
    if Path::new("/sys/firmware/acpi").exists() { PowerSwitch::Acpi } else { PowerSwitch::Missing }
}

/// Writes all that is cached. May wait for ever when a server has died.
pub fn sync() {
    nix::unistd::sync();
}

/// Switches the machine off or boots it again, at once and without a sync. Comes back only with the reason why
/// the machine is still on.
pub fn leave(how: AtEnd) -> anyhow::Error {
    let mode = match how {
        AtEnd::PowerOff => RebootMode::RB_POWER_OFF,
        AtEnd::Reboot => RebootMode::RB_AUTOBOOT,
    };
    let Err(error) = reboot(mode);
    anyhow::Error::from(error).context("the kernel does not power off")
}
