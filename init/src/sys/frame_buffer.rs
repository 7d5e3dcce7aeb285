//! The first frame buffer device: its layout, and its dots.
#![allow(unsafe_code, reason = "ioctl(2) of frame buffers takes pointers")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context as _, bail};
use nix::libc;

use super::ioctl::{ask, size};
use crate::screen::frame_buffer::{self, Channel, Layout, Pixels};

/// The device, which is also its name as a source.
pub const DEVICE: &str = "/dev/fb0";
const FBIOGET_VSCREENINFO: libc::Ioctl = 0x4600;
const FBIOGET_FSCREENINFO: libc::Ioctl = 0x4602;
const FBIOGETCMAP: libc::Ioctl = 0x4604;
const NO_LAYOUT: &str = "cannot ask /dev/fb0 for its layout";
/// Packed pixels, and of those with a palette or without (`FB_TYPE_PACKED_PIXELS`, `FB_VISUAL_*`).
const PACKED: u32 = 0;
const TRUE_COLOUR: u32 = 2;
const PSEUDO_COLOUR: u32 = 3;
const DIRECT_COLOUR: u32 = 4;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Bits {
    offset: u32,
    length: u32,
    msb_right: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Variable {
    width: u32,
    height: u32,
    virtual_width: u32,
    virtual_height: u32,
    x: u32,
    y: u32,
    bits_per_pixel: u32,
    grayscale: u32,
    red: Bits,
    green: Bits,
    blue: Bits,
    transparent: Bits,
    rest: [u32; 20],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Fixed {
    id: [u8; 16],
    memory: libc::c_ulong,
    memory_length: u32,
    kind: u32,
    auxiliary_kind: u32,
    visual: u32,
    steps: [u16; 3],
    line_length: u32,
    registers: libc::c_ulong,
    registers_length: u32,
    accelerator: u32,
    capabilities: u16,
    reserved: [u16; 2],
}

#[repr(C)]
struct Colours {
    start: u32,
    length: u32,
    red: *mut u16,
    green: *mut u16,
    blue: *mut u16,
    transparent: *mut u16,
}

/// Its layout and its bytes, from the first dot that is displayed on.
pub fn dots() -> anyhow::Result<(Layout, Vec<u8>)> {
    let device = File::open(DEVICE).with_context(|| format!("cannot open {DEVICE}"))?;
    let mut variable = Variable::default();
    // SAFETY: the request fills a struct fb_var_screeninfo, which this is.
    unsafe { ask(&device, FBIOGET_VSCREENINFO, &raw mut variable) }.context(NO_LAYOUT)?;
    let mut fixed = Fixed::default();
    // SAFETY: the request fills a struct fb_fix_screeninfo, which this is.
    unsafe { ask(&device, FBIOGET_FSCREENINFO, &raw mut fixed) }.context(NO_LAYOUT)?;
    let layout = layout(&variable, &fixed, || colours(&device))?;
    let pixel = u64::from(variable.bits_per_pixel.div_ceil(8));
    let start = u64::from(variable.y) * u64::from(fixed.line_length) + u64::from(variable.x) * pixel;
    let mut bytes = vec![0; frame_buffer::length(&layout)?];
    device.read_exact_at(&mut bytes, start).with_context(|| format!("cannot read {DEVICE}"))?;
    Ok((layout, bytes))
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

/// The palette of 256 colours.
fn colours(device: &File) -> anyhow::Result<Vec<[u8; 3]>> {
    let [mut red, mut green, mut blue] = [[0_u16; 256]; 3];
    let mut map = Colours {
        start: 0,
        length: 256,
        red: red.as_mut_ptr(),
        green: green.as_mut_ptr(),
        blue: blue.as_mut_ptr(),
        transparent: std::ptr::null_mut(),
    };
    // SAFETY: the request reads a struct fb_cmap, which this is, and writes as many components as it says into each of
    // the arrays, which are that long.
    unsafe { ask(device, FBIOGETCMAP, &raw mut map) }.context(NO_LAYOUT)?;
    let upper = |component: u16| component.to_be_bytes()[0];
    Ok((0..256).map(|number| [upper(red[number]), upper(green[number]), upper(blue[number])]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_as_long_as_the_kernels() {
        assert_eq!((size_of::<Variable>(), size_of::<Fixed>(), size_of::<Colours>()), (160, 80, 40));
    }

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
}
