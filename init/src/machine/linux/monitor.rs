//! What a person at the machine sees, from the first source that can say.
//!
//! ```text
//! sys: numbers and bytes ──▶ here: which bytes, in which layout ──▶ screen: text and picture
//! ```

mod frame_buffer;
mod kms;
mod vesa;
mod vga;

use anyhow::ensure;

use crate::screen::source::{Found, Source, first};
use crate::screen::{Screen, vga as planes, vt};
use crate::sys::terminal::{self, Cells};
use crate::sys::{display, vga as module};

pub fn look() -> anyhow::Result<Found<Screen>> {
    first(&Source::ALL, look_at)
}

/// The same for a caller who only reads and needs no colours: the console's cells first, where it is in text mode.
pub(crate) fn look_for_text() -> anyhow::Result<Found<Screen>> {
    let others = Source::ALL.into_iter().filter(|source| *source != Source::Console);
    let sources: Vec<Source> = [Source::Console].into_iter().chain(others).collect();
    first(&sources, look_at)
}

pub fn look_at(source: Source) -> anyhow::Result<Screen> {
    match source {
        Source::Ghostvga => look_through_module(),
        Source::VideoMemory => vga::look(),
        Source::Console => {
            let Cells { cells, unicode } = terminal::cells()?;
            Ok(Screen::Text(vt::decode(&cells, unicode.as_deref())?))
        }
        Source::Kms => kms::look(),
        Source::FrameBuffer => frame_buffer::look(),
    }
}

fn look_through_module() -> anyhow::Result<Screen> {
    let snapshot = module::snapshot()?;
    // The module reads the planes in any mode, but in a VESA mode the monitor shows something else.
    let is_vesa = display::vga().is_ok_and(|vga| vesa::is_displayed(&vga));
    ensure!(!is_vesa, "a VESA mode is displayed, which has no planes");
    Ok(Screen::Picture(planes::decode(&snapshot)?))
}
