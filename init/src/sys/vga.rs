//! The picture on the monitor, by way of the kernel module ghostvga (`kmod/`).
//!
//! Opening its device takes the snapshot: some milliseconds, at most a few seconds while another program
//! draws without a pause. It waits for no file on a server.

use std::io;

use super::display;
use super::linear;
use crate::screen::Picture;
use crate::screen::vga::{self, SnapshotError};

/// The module's device, which is also its name as a source.
pub const DEVICE: &str = "/dev/ghostvga";
pub const MODULE: &str = "ghostvga";

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum VgaError {
    /// The device: the module is not loaded (ENOENT), there is no VGA or it is not what is displayed (ENODEV), or somebody
    /// else has it just now (EBUSY).
    #[error("cannot read {DEVICE}")]
    Read(#[source] io::Error),
    /// The planes are there and the monitor shows something else.
    #[error("a VESA mode is displayed, which has no planes")]
    Vesa,
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

pub fn picture() -> Result<Picture, VgaError> {
    let bytes = std::fs::read(DEVICE).map_err(VgaError::Read)?;
    if display::vga().is_ok_and(|vga| linear::is_displayed(&vga)) {
        return Err(VgaError::Vesa);
    }
    Ok(vga::decode(&bytes)?)
}
