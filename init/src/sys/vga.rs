//! The picture on the monitor, by way of the kernel module ghostvga (`kmod/`).
//!
//! Opening its device takes the snapshot: some milliseconds, at most a few seconds while another program
//! draws without a pause. It waits for no file on a server.

use std::io;

use nix::libc;

use crate::screen::Picture;
use crate::screen::vga::{self, SnapshotError};

/// The module's device, which is also its name as a source.
pub const DEVICE: &str = "/dev/ghostvga";
/// The module.
pub const MODULE: &str = "ghostvga";
/// The module is not loaded; there is no VGA or it is not what is displayed; somebody else has it just now.
const NOT_NOW: [i32; 4] = [libc::ENOENT, libc::ENODEV, libc::ENXIO, libc::EBUSY];

/// Why there is no picture although there should be one.
#[derive(Debug, thiserror::Error)]
pub enum VgaError {
    /// The device.
    #[error("cannot read {DEVICE}")]
    Read(#[source] io::Error),
    /// What it gave.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// What the monitor shows, or nothing where that must be asked elsewhere.
///
/// # Errors
/// When the device fails, or gives what cannot be understood.
pub fn picture() -> Result<Option<Picture>, VgaError> {
    match std::fs::read(DEVICE) {
        Ok(bytes) => Ok(Some(vga::decode(&bytes)?)),
        Err(error) if error.raw_os_error().is_some_and(|code| NOT_NOW.contains(&code)) => Ok(None),
        Err(error) => Err(VgaError::Read(error)),
    }
}
