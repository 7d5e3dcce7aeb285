//! Reads the VGA's registers and memory through the kernel module ghostvga (`kmod/`).
//!
//! Opening its device takes the snapshot. That takes some milliseconds, or a few seconds if another program draws
//! without a pause. It waits for no file on a server.

use anyhow::Context as _;

/// The module's device, which is also its name as a source. ENOENT: the module is not loaded. ENODEV: there is no VGA, or
/// it is not what is displayed. EBUSY: another program has it just now.
pub(crate) const DEVICE: &str = "/dev/ghostvga";
pub(crate) const MODULE: &str = "ghostvga";

/// The snapshot, in the module's format.
pub(crate) fn snapshot() -> anyhow::Result<Vec<u8>> {
    std::fs::read(DEVICE).with_context(|| format!("cannot read {DEVICE}"))
}
