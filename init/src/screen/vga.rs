//! A VGA's registers and planes, as `/dev/ghostvga` gives them or `registers` puts them together, become the picture on the monitor.
//!
//! ```text
//! bytes ──▶ Snapshot ──▶ Display (what is shown where) ──▶ dots and colours ──▶ Picture
//!                    └─▶ Addressing (how planes are wired) ┘
//! ```
//!
//! Works as the hardware does, from registers alone, and so in any mode that a program made up for itself. The
//! picture has the monitor's dots: 320 pixels a line are 640 dots, 200 lines 400. Fonts, split screens, panning and a
//! palette out of two are followed. Left out: the underline of monochrome text, and blinking, which is shown as on.
//! A screen that is switched off is shown as if it were on: its content is what one asks for.
//!
//! Does not know of modes that are not a VGA's own (VESA), nor where the bytes come from.

mod addressing;
mod display;
mod graphics;
mod palette;
mod registers;
mod snapshot;
mod text;

pub use registers::{Memory, Registers, Window, text_planes};

use super::Picture;
pub(crate) use snapshot::offset::WINDOW_LENGTH;
pub(crate) use snapshot::{HEADER_LENGTH, LENGTH};
use snapshot::{Mode, Snapshot};

/// The picture, with its text in a text mode.
pub fn decode(bytes: &[u8]) -> anyhow::Result<Picture> {
    let snapshot = Snapshot::read(bytes)?;
    let screen = display::Display::of(&snapshot);
    let text = (snapshot.mode == Mode::Text).then(|| text::read(&snapshot, &screen));
    let dots = match &snapshot.mode {
        Mode::Text => text::draw(&snapshot, &screen),
        mode => graphics::draw(&snapshot, &screen, *mode),
    };
    Ok(Picture { width: screen.width(), colours: palette::colours(&snapshot), dots, text })
}

/// How many dots the picture would have.
pub(crate) fn dots(bytes: &[u8]) -> anyhow::Result<usize> {
    let snapshot = Snapshot::read(bytes)?;
    let screen = display::Display::of(&snapshot);
    Ok(screen.width() * screen.height)
}

#[cfg(test)]
mod tests;
/// A recorded screen, for the tests of others.
#[cfg(test)]
pub(super) use tests::recorded;
