//! What a person at the machine sees, from the first source that can say.

use crate::screen::frame_buffer::{self as linear, Layout};
use crate::screen::source::{Found, Source, first};
use crate::screen::{Screen, vga as planes, vt};
use crate::sys::terminal::{self, Cells};
use crate::sys::video_memory::{self, Displayed};
use crate::sys::{frame_buffer, kms, vga};

pub fn look() -> anyhow::Result<Found<Screen>> {
    first(&Source::ALL, look_at)
}

/// The same for somebody who wants to read and needs no colours: the console's cells first, where it is in text mode.
pub fn look_for_text() -> anyhow::Result<Found<Screen>> {
    let others = Source::ALL.into_iter().filter(|source| *source != Source::Console);
    let sources: Vec<Source> = [Source::Console].into_iter().chain(others).collect();
    first(&sources, look_at)
}

pub fn look_at(source: Source) -> anyhow::Result<Screen> {
    Ok(match source {
        Source::Ghostvga => Screen::Picture(planes::decode(&vga::snapshot()?)?),
        Source::VideoMemory => match video_memory::read()? {
            Displayed::Planes(snapshot) => Screen::Picture(planes::decode(&snapshot)?),
            Displayed::Linear(layout, bytes) => linear::decode(&layout, &bytes)?,
        },
        Source::Console => {
            let Cells { cells, unicode } = terminal::cells()?;
            Screen::Text(vt::decode(&cells, unicode.as_deref())?)
        }
        Source::Kms => decoded(kms::dots()?)?,
        Source::FrameBuffer => decoded(frame_buffer::dots()?)?,
    })
}

fn decoded((layout, bytes): (Layout, Vec<u8>)) -> anyhow::Result<Screen> {
    linear::decode(&layout, &bytes)
}
