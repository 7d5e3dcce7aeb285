//! Power, and what PID 1 asks of the kernel for itself. Only [`sync`] can wait; nothing here touches a file.

use std::path::Path;

use anyhow::Context as _;
use ghost_contract::order::AtEnd;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};

use crate::task::PowerSwitch;

/// Keeps the whole program in memory, so that it outlives the server that its file is on.
pub fn lock_in_memory() -> anyhow::Result<()> {
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .context("cannot lock the program in memory")
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
