//! The first virtual terminal's screen, read from the kernel.

use std::path::Path;

use super::file::{self, FileError};
use crate::screen::TextScreen;
use crate::screen::vt::{self, VtError};

/// Glyphs and attributes (vcs(4)).
pub const CELLS: &str = "/dev/vcsa1";
/// Unicode characters; kernels before 4.19 do not have it.
const UNICODE: &str = "/dev/vcsu1";

/// Why the screen cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// The device.
    #[error(transparent)]
    File(#[from] FileError),
    /// What it gave.
    #[error(transparent)]
    Screen(#[from] VtError),
}

/// What stands on the first virtual terminal.
///
/// # Errors
/// When the kernel has no such device, or gives no screen.
pub fn screen() -> Result<TextScreen, TerminalError> {
    let cells = file::bytes(Path::new(CELLS))?;
    let unicode = file::read(Path::new(UNICODE))?;
    Ok(vt::decode(&cells, unicode.as_deref())?)
}
