//! What the first frame buffer device shows, as a picture.

use anyhow::bail;

use crate::screen::Screen;
use crate::screen::frame_buffer::{self, Channel, Layout, Pixels};
use crate::sys::frame_buffer::{Bits, Fixed, FrameBuffer, Variable};
use crate::sys::ioctl::size;

/// Packed pixels, and of those with a palette or without (`FB_TYPE_PACKED_PIXELS`, `FB_VISUAL_*` of linux/fb.h).
const PACKED: u32 = 0;
const TRUE_COLOUR: u32 = 2;
const PSEUDO_COLOUR: u32 = 3;
const DIRECT_COLOUR: u32 = 4;

pub(super) fn look() -> anyhow::Result<Screen> {
    let device = FrameBuffer::open()?;
    let (variable, fixed) = device.describe()?;
    let layout = layout(&variable, &fixed, || device.colours())?;
    let bytes = device.bytes(start(&variable, &fixed), frame_buffer::length(&layout)?)?;
    frame_buffer::decode(&layout, &bytes)
}

/// Where the first visible dot is, in bytes.
fn start(variable: &Variable, fixed: &Fixed) -> u64 {
    let pixel = u64::from(variable.bits_per_pixel.div_ceil(8));
    u64::from(variable.y) * u64::from(fixed.line_length) + u64::from(variable.x) * pixel
}

fn layout(
    variable: &Variable,
    fixed: &Fixed,
    colours: impl FnOnce() -> anyhow::Result<Vec<[u8; 3]>>,
) -> anyhow::Result<Layout> {
    let channel = |bits: Bits| Channel { offset: bits.offset, length: bits.length };
    let pixels = match (fixed.kind, fixed.visual, variable.bits_per_pixel) {
        (PACKED, PSEUDO_COLOUR, 8) => Pixels::Indexed(colours()?),
        (PACKED, TRUE_COLOUR | DIRECT_COLOUR, bits @ (15 | 16 | 24 | 32)) => Pixels::Packed {
            bytes: size(bits.div_ceil(8)),
            channels: [variable.red, variable.green, variable.blue].map(channel),
        },
        (kind, visual, bits) => {
            bail!("the frame buffer has pixels of {bits} bits, type {kind}, visual {visual}")
        }
    };
    Ok(Layout {
        width: size(variable.width),
        height: size(variable.height),
        pitch: size(fixed.line_length),
        pixels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_refused_and_packed_pixels_are_not() {
        let mut variable = Variable { width: 2, height: 1, bits_per_pixel: 32, ..Variable::default() };
        variable.red = Bits { offset: 16, length: 8, msb_right: 0 };
        let fixed = Fixed { line_length: 8, visual: TRUE_COLOUR, ..Fixed::default() };
        let found = layout(&variable, &fixed, || Ok(Vec::new())).unwrap();
        assert!(matches!(found.pixels, Pixels::Packed { bytes: 4, channels: [red, ..] } if red.offset == 16));
        let planes = Fixed { kind: 1, ..fixed };
        let refused = layout(&variable, &planes, || Ok(Vec::new()));
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!("the frame buffer has pixels of 32 bits, type 1, visual {TRUE_COLOUR}")
        );
    }

    #[test]
    fn a_screen_that_was_scrolled_begins_where_the_device_says() {
        let variable = Variable { x: 3, y: 2, bits_per_pixel: 15, ..Variable::default() };
        let fixed = Fixed { line_length: 1600, ..Fixed::default() };
        assert_eq!(start(&variable, &fixed), 2 * 1600 + 3 * 2);
    }
}
