//! What the VGA shows, by way of `/dev/mem` and `/dev/port`: a VESA mode's frame buffer, or else registers and planes.

use crate::screen::vga::{Memory, Registers, decode, text_planes};
use crate::screen::{Screen, frame_buffer};
use crate::sys::display;
use crate::sys::video_memory::{self, CHUNK, Vga};

pub(super) fn look() -> anyhow::Result<Screen> {
    if let Some((layout, bytes)) = super::vesa::dots(&display::vga()?)? {
        return frame_buffer::decode(&layout, &bytes);
    }
    Ok(Screen::Picture(decode(&snapshot(&Vga::open()?)?)?))
}

/// The same bytes as the kernel module's snapshot has.
fn snapshot(vga: &Vga) -> anyhow::Result<Vec<u8>> {
    let registers = registers(vga)?;
    let window = registers.window();
    let window = vga.bytes(window.address, window.length)?;
    let planes = if registers.is_text() {
        let [characters, attributes] = text_planes(&window);
        [characters, attributes, fonts(vga, &registers)?, Vec::new()]
    } else {
        vga.planes([0, 1, 2, 3])?
    };
    Ok(registers.snapshot(&Memory { planes, window }))
}

fn registers(vga: &Vga) -> anyhow::Result<Registers> {
    let video_memory::Registers { misc_output, sequencer, crtc, graphics, attribute, dac_mask, dac } =
        vga.registers()?;
    Ok(Registers { misc_output, sequencer, crtc, graphics, attribute, dac, dac_mask })
}

/// Plane 2 with the fonts that are in use, and nothing else.
fn fonts(vga: &Vga, registers: &Registers) -> anyhow::Result<Vec<u8>> {
    let mut plane = vec![0; Memory::PLANE];
    let [first, second] = registers.fonts();
    let fonts = if first == second { vec![first] } else { vec![first, second] };
    for start in fonts.into_iter().flat_map(|font| (font..font + Memory::FONT).step_by(CHUNK)) {
        let [chunk] = vga.chunk(start, [2])?;
        plane[start..start + CHUNK].copy_from_slice(&chunk);
    }
    Ok(plane)
}
