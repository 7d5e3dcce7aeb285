//! The memory and registers of the VGA, by way of the kernel module ghostvga (`kmod/`).
//!
//! Opening its device takes the snapshot: some milliseconds, at most a few seconds while another program
//! draws without a pause. It waits for no file on a server.

use anyhow::{Context as _, ensure};

use super::display;
use super::linear;

/// The module's device, which is also its name as a source. ENOENT: the module is not loaded. ENODEV: there is no VGA, or
/// it is not what is displayed. EBUSY: another program has it just now.
pub const DEVICE: &str = "/dev/ghostvga";
pub const MODULE: &str = "ghostvga";

/// The snapshot, in the module's format.
pub fn snapshot() -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(DEVICE).with_context(|| format!("cannot read {DEVICE}"))?;
    // The planes are there, and the monitor shows something else.
    let is_vesa = display::vga().is_ok_and(|vga| linear::is_displayed(&vga));
    ensure!(!is_vesa, "a VESA mode is displayed, which has no planes");
    Ok(bytes)
}
