//! What a person at the machine sees, from the first source that can say.

use crate::screen::Screen;
use crate::screen::source::{Found, NoSource, Source, first};
use crate::sys::{frame_buffer, kms, terminal, vga, video_memory};

pub fn look() -> Result<Found<Screen>, NoSource> {
    first(&Source::ALL, look_at)
}

/// The same for somebody who wants to read and needs no colours: the console's cells first, where it is in text mode.
pub fn look_for_text() -> Result<Found<Screen>, NoSource> {
    let others = Source::ALL.into_iter().filter(|source| *source != Source::Console);
    let sources: Vec<Source> = [Source::Console].into_iter().chain(others).collect();
    first(&sources, look_at)
}

pub fn look_at(source: Source) -> anyhow::Result<Screen> {
    Ok(match source {
        Source::Ghostvga => Screen::Picture(vga::picture()?),
        Source::VideoMemory => video_memory::screen()?,
        Source::Console => Screen::Text(terminal::screen()?),
        Source::Kms => kms::screen()?,
        Source::FrameBuffer => frame_buffer::screen()?,
    })
}
