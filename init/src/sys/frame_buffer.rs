//! The first frame buffer device: what the kernel says of it, and its bytes.
//!
//! What the numbers mean is decided by the caller.
#![allow(unsafe_code, reason = "ioctl(2) of frame buffers takes pointers")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::Context as _;
use nix::libc;

use super::ioctl::ask;

/// The device, which is also its name as a source.
pub(crate) const DEVICE: &str = "/dev/fb0";
const FBIOGET_VSCREENINFO: libc::Ioctl = 0x4600;
const FBIOGET_FSCREENINFO: libc::Ioctl = 0x4602;
const FBIOGETCMAP: libc::Ioctl = 0x4604;
const NO_LAYOUT: &str = "cannot ask /dev/fb0 for its layout";

/// `struct fb_bitfield` of linux/fb.h, as the names below are those of its other structures.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Bits {
    pub offset: u32,
    pub length: u32,
    pub msb_right: u32,
}

/// `struct fb_var_screeninfo`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Variable {
    pub width: u32,
    pub height: u32,
    pub virtual_width: u32,
    pub virtual_height: u32,
    pub x: u32,
    pub y: u32,
    pub bits_per_pixel: u32,
    pub grayscale: u32,
    pub red: Bits,
    pub green: Bits,
    pub blue: Bits,
    pub transparent: Bits,
    pub rest: [u32; 20],
}

/// `struct fb_fix_screeninfo`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Fixed {
    pub id: [u8; 16],
    pub memory: libc::c_ulong,
    pub memory_length: u32,
    pub kind: u32,
    pub auxiliary_kind: u32,
    pub visual: u32,
    pub steps: [u16; 3],
    pub line_length: u32,
    pub registers: libc::c_ulong,
    pub registers_length: u32,
    pub accelerator: u32,
    pub capabilities: u16,
    pub reserved: [u16; 2],
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

pub(crate) struct FrameBuffer(File);

impl FrameBuffer {
    pub(crate) fn open() -> anyhow::Result<Self> {
        Ok(Self(File::open(DEVICE).with_context(|| format!("cannot open {DEVICE}"))?))
    }

    pub(crate) fn describe(&self) -> anyhow::Result<(Variable, Fixed)> {
        let mut variable = Variable::default();
        // SAFETY: the request fills a struct fb_var_screeninfo, which this is.
        unsafe { ask(&self.0, FBIOGET_VSCREENINFO, &raw mut variable) }.context(NO_LAYOUT)?;
        let mut fixed = Fixed::default();
        // SAFETY: the request fills a struct fb_fix_screeninfo, which this is.
        unsafe { ask(&self.0, FBIOGET_FSCREENINFO, &raw mut fixed) }.context(NO_LAYOUT)?;
        Ok((variable, fixed))
    }

    pub(crate) fn bytes(&self, start: u64, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, start).with_context(|| format!("cannot read {DEVICE}"))?;
        Ok(bytes)
    }

    /// The palette of 256 colours.
    pub(crate) fn colours(&self) -> anyhow::Result<Vec<[u8; 3]>> {
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
        unsafe { ask(&self.0, FBIOGETCMAP, &raw mut map) }.context(NO_LAYOUT)?;
        let upper = |component: u16| component.to_be_bytes()[0];
        Ok((0..256).map(|number| [upper(red[number]), upper(green[number]), upper(blue[number])]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_as_long_as_the_kernels() {
        assert_eq!((size_of::<Variable>(), size_of::<Fixed>(), size_of::<Colours>()), (160, 80, 40));
    }
}
