//! What the VGA shows, by way of `/dev/mem` and `/dev/port`: a VESA mode's frame buffer, or else registers and planes.

use crate::screen::vga::{Memory, Registers, decode, text_planes};
use crate::screen::{Screen, frame_buffer};
use crate::sys::display;
use crate::sys::video_memory::{CHUNK, Vga};

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
        planes(vga)?
    };
    Ok(registers.snapshot(&Memory { planes, window }))
}

fn registers(vga: &Vga) -> anyhow::Result<Registers> {
    Ok(Registers {
        misc_output: vga.misc_output()?,
        sequencer: vga.sequencer()?,
        crtc: vga.crtc()?,
        graphics: vga.graphics()?,
        attribute: vga.attributes()?,
        dac_mask: vga.dac_mask()?,
        dac: vga.dac()?,
    })
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

fn planes(vga: &Vga) -> anyhow::Result<[Vec<u8>; 4]> {
    let mut planes: [Vec<u8>; 4] = Default::default();
    for start in (0..Memory::PLANE).step_by(CHUNK) {
        let chunks = vga.chunk(start, [0, 1, 2, 3])?;
        planes.iter_mut().zip(chunks).for_each(|(plane, chunk)| plane.extend(chunk));
    }
    Ok(planes)
}
