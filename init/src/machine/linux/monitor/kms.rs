//! What a display driver of the kernel (DRM) shows, as a picture.

use anyhow::Context as _;

use crate::screen::Screen;
use crate::screen::frame_buffer::{self, Channel, Layout, Pixels};
use crate::sys::ioctl::size;
use crate::sys::kms::{self, Shown};

/// A buffer that is not tiled (drm/drm_fourcc.h).
const LINEAR: u64 = 0;
/// Names of pixel formats, as drm/drm_fourcc.h makes numbers of them: of 32 bits, blue lowest, and of 32, red lowest.
const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
const ARGB8888: u32 = u32::from_le_bytes(*b"AR24");
const XBGR8888: u32 = u32::from_le_bytes(*b"XB24");
const ABGR8888: u32 = u32::from_le_bytes(*b"AB24");
const RGB888: u32 = u32::from_le_bytes(*b"RG24");
const RGB565: u32 = u32::from_le_bytes(*b"RG16");
const XRGB1555: u32 = u32::from_le_bytes(*b"XR15");

pub(super) fn look() -> anyhow::Result<Screen> {
    let displayed = kms::displayed()?;
    let layout = layout(&displayed.shown)?;
    let length = frame_buffer::length(&layout)?;
    let bytes = displayed.bytes(start(&displayed.shown, &layout), length)?;
    frame_buffer::decode(&layout, &bytes)
}

/// Where the first visible dot is in the buffer's memory.
fn start(shown: &Shown, layout: &Layout) -> usize {
    let pixel = (layout.pitch / size(shown.buffer_width).max(1)).min(4);
    size(shown.offset) + size(shown.y) * layout.pitch + size(shown.x) * pixel
}

fn layout(shown: &Shown) -> anyhow::Result<Layout> {
    let red_lowest = || {
        let channels = [0, 8, 16].map(|offset| Channel { offset, length: 8 });
        Some(Pixels::Packed { bytes: 4, channels })
    };
    let pixels = match shown.format {
        XRGB8888 | ARGB8888 => Pixels::usual(32),
        XBGR8888 | ABGR8888 => red_lowest(),
        RGB888 => Pixels::usual(24),
        RGB565 => Pixels::usual(16),
        XRGB1555 => Pixels::usual(15),
        _ => None,
    };
    let Shown { format, modifier, mode: [width, height], .. } = *shown;
    // Tiled, compressed, or of a format that is not known here.
    let pixels = pixels.filter(|_| modifier == LINEAR).with_context(|| {
        format!("the buffer on the screen has the format {format:#010x}, modifier {modifier:#x}")
    })?;
    Ok(Layout {
        width: usize::from(width).min(size(shown.buffer_width)),
        height: usize::from(height).min(size(shown.buffer_height)),
        pitch: size(shown.pitch),
        pixels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLE: Shown = Shown {
        mode: [1280, 800],
        x: 0,
        y: 800,
        buffer_width: 1280,
        buffer_height: 1600,
        pitch: 5120,
        offset: 0,
        format: XRGB8888,
        modifier: LINEAR,
    };

    #[test]
    fn the_part_that_is_displayed_is_read_and_tiles_are_refused() {
        let found = layout(&DOUBLE).unwrap();
        assert_eq!((found.width, found.height, found.pitch), (1280, 800, 5120));
        assert_eq!(start(&DOUBLE, &found), 800 * 5120);
        assert_eq!(start(&Shown { x: 3, y: 0, offset: 64, ..DOUBLE }, &found), 64 + 3 * 4);
        let error = layout(&Shown { modifier: 1 << 56, ..DOUBLE }).unwrap_err().to_string();
        assert!(error.starts_with("the buffer on the screen has the format "), "{error}");
    }
}
