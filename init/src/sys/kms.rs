//! The frame buffer that a display driver of the kernel (DRM) shows: that of the first CRT controller which is lit.
//!
//! Gives the kernel's numbers and the buffer's bytes. What they mean is decided by the caller.
#![allow(unsafe_code, reason = "ioctl(2) of DRM takes pointers, and a buffer is read through a mapping")]

use std::fs::{self, File, OpenOptions};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::ioctl::{self, size};

/// The folder of the devices, which is also the source's name.
pub(crate) const DEVICES: &str = "/dev/dri";
/// How many CRT controllers are looked at; no card has more.
const CRTCS: usize = 32;

#[repr(C)]
#[derive(Default)]
struct Resources {
    frame_buffers: u64,
    crtcs: u64,
    connectors: u64,
    encoders: u64,
    frame_buffer_count: u32,
    crtc_count: u32,
    connector_count: u32,
    encoder_count: u32,
    sizes: [u32; 4],
}

/// `struct drm_mode_crtc`, the mode as the words that it consists of.
#[repr(C)]
#[derive(Default)]
struct Crtc {
    connectors: u64,
    connector_count: u32,
    id: u32,
    frame_buffer: u32,
    x: u32,
    y: u32,
    gamma_size: u32,
    mode_valid: u32,
    mode: Mode,
}

#[repr(C)]
#[derive(Default)]
struct Mode {
    clock: u32,
    width: u16,
    horizontal: [u16; 4],
    height: u16,
    vertical: [u16; 4],
    refresh: u32,
    flags: [u32; 2],
    name: [u32; 8],
}

#[repr(C)]
#[derive(Default)]
struct FrameBuffer {
    id: u32,
    width: u32,
    height: u32,
    format: u32,
    flags: u32,
    handles: [u32; 4],
    pitches: [u32; 4],
    offsets: [u32; 4],
    modifiers: [u64; 4],
}

#[repr(C)]
#[derive(Default)]
struct MapDumb {
    handle: u32,
    pad: u32,
    offset: u64,
}

#[repr(C)]
struct Close {
    handle: u32,
    pad: u32,
}

mod request {
    use nix::libc::Ioctl;

    nix::ioctl_none!(drop_master, b'd', 0x1F);
    pub(super) const GEM_CLOSE: Ioctl = nix::request_code_write!(b'd', 0x09, size_of::<super::Close>());
    pub(super) const GETRESOURCES: Ioctl =
        nix::request_code_readwrite!(b'd', 0xA0, size_of::<super::Resources>());
    pub(super) const GETCRTC: Ioctl = nix::request_code_readwrite!(b'd', 0xA1, size_of::<super::Crtc>());
    pub(super) const MAP_DUMB: Ioctl = nix::request_code_readwrite!(b'd', 0xB3, size_of::<super::MapDumb>());
    pub(super) const GETFB2: Ioctl =
        nix::request_code_readwrite!(b'd', 0xCE, size_of::<super::FrameBuffer>());
}

/// A buffer on a screen, as the kernel describes it. Lengths are in pixels, except where it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    /// The size of the mode, and so of the part of the buffer that is visible.
    pub mode: [u16; 2],
    /// Where in the buffer that part begins.
    pub x: u32,
    pub y: u32,
    pub buffer_width: u32,
    pub buffer_height: u32,
    /// Bytes from one line to the next.
    pub pitch: u32,
    /// Where the buffer begins in its memory, in bytes.
    pub offset: u32,
    /// One of the numbers of drm/drm_fourcc.h, as is the modifier.
    pub format: u32,
    pub modifier: u64,
}

/// The buffer that the first lit screen shows. Dropping it lets go of the buffer.
pub(crate) struct Displayed {
    card: Card,
    handle: u32,
    pub shown: Shown,
}

/// Looks at one card after the other until one shows something.
pub(crate) fn displayed() -> anyhow::Result<Displayed> {
    let mut dark = None;
    for path in cards() {
        match Card::open(&path)?.displayed()? {
            None => dark = Some(path),
            Some(displayed) => return Ok(displayed),
        }
    }
    match dark {
        Some(path) => bail!("{} displays nothing", path.display()),
        None => bail!("there is no card in {DEVICES}"),
    }
}

fn cards() -> Vec<PathBuf> {
    let is_card =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card"));
    let entries = fs::read_dir(Path::new(DEVICES)).into_iter().flatten().flatten();
    let mut cards: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_card).collect();
    cards.sort();
    cards
}

struct Card(File);

impl Card {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
        // Who opens a card first is its master, and the console could not draw any more.
        // SAFETY: the descriptor is open, and the request takes nothing.
        let _was_none = unsafe { request::drop_master(file.as_raw_fd()) };
        Ok(Self(file))
    }

    fn displayed(self) -> anyhow::Result<Option<Displayed>> {
        let Some(crtc) = self.lit_crtc()? else { return Ok(None) };
        let mut buffer = FrameBuffer { id: crtc.frame_buffer, ..FrameBuffer::default() };
        // SAFETY: the request reads and fills a struct drm_mode_fb_cmd2, which this is.
        unsafe { self.ask(request::GETFB2, &raw mut buffer, "get the buffer that is displayed") }?;
        let shown = Shown {
            mode: [crtc.mode.width, crtc.mode.height],
            x: crtc.x,
            y: crtc.y,
            buffer_width: buffer.width,
            buffer_height: buffer.height,
            pitch: buffer.pitches[0],
            offset: buffer.offsets[0],
            format: buffer.format,
            modifier: buffer.modifiers[0],
        };
        Ok(Some(Displayed { card: self, handle: buffer.handles[0], shown }))
    }

    /// The first CRT controller that shows something.
    fn lit_crtc(&self) -> anyhow::Result<Option<Crtc>> {
        let mut ids = [0_u32; CRTCS];
        let mut resources = Resources { crtcs: ids.as_mut_ptr() as u64, ..Resources::default() };
        resources.crtc_count = u32::try_from(CRTCS).unwrap_or(u32::MAX);
        // SAFETY: the request reads and fills a struct drm_mode_card_res, which this is, and writes at most as many
        // numbers as it says, for which there is room.
        unsafe { self.ask(request::GETRESOURCES, &raw mut resources, "list what the card has") }?;
        for id in ids.into_iter().take(size(resources.crtc_count)) {
            let mut crtc = Crtc { id, ..Crtc::default() };
            // SAFETY: the request reads and fills a struct drm_mode_crtc, which this is; it has no connectors to fill.
            unsafe { self.ask(request::GETCRTC, &raw mut crtc, "ask for what is displayed") }?;
            if crtc.mode_valid != 0 && crtc.frame_buffer != 0 {
                return Ok(Some(crtc));
            }
        }
        Ok(None)
    }

    /// # Safety
    /// The request must take a pointer to what `with` points to.
    unsafe fn ask<T>(&self, request: libc::Ioctl, with: *mut T, what: &'static str) -> anyhow::Result<()> {
        // SAFETY: the caller has seen to the pointer.
        unsafe { ioctl::ask(&self.0, request, with) }.with_context(|| format!("cannot {what}"))
    }
}

impl Displayed {
    /// Part of the memory that the buffer is in.
    pub(crate) fn bytes(&self, start: usize, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut place = MapDumb { handle: self.handle, ..MapDumb::default() };
        // SAFETY: the request reads and fills a struct drm_mode_map_dumb, which this is.
        unsafe { self.card.ask(request::MAP_DUMB, &raw mut place, "map the buffer that is displayed") }?;
        let fails = "cannot map the buffer that is displayed";
        let whole = NonZeroUsize::new(start + length).context(fails)?;
        let offset = place.offset.try_into().context(fails)?;
        // SAFETY: the kernel chooses a place where nothing else is, and refuses more than the buffer has.
        let mapping =
            unsafe { mmap(None, whole, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &self.card.0, offset) };
        let mapping = mapping.context(fails)?;
        let byte = |index: usize| {
            // SAFETY: the index is inside the mapping, which lives until after this loop; others may write there.
            unsafe { mapping.cast::<u8>().as_ptr().add(index).read_volatile() }
        };
        let bytes = (start..start + length).map(byte).collect();
        // SAFETY: it was mapped with this length, and nobody has a reference into it.
        unsafe { munmap(mapping, whole.get()) }.context(fails)?;
        Ok(bytes)
    }
}

impl Drop for Displayed {
    fn drop(&mut self) {
        let mut close = Close { handle: self.handle, pad: 0 };
        // SAFETY: the request reads a struct drm_gem_close, which this is. Closing the card would do the same.
        let _closed_with_the_card =
            unsafe { self.card.ask(request::GEM_CLOSE, &raw mut close, "let go of the buffer") };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_as_long_as_the_kernels() {
        assert_eq!((size_of::<Resources>(), size_of::<Crtc>(), size_of::<Mode>()), (64, 104, 68));
        assert_eq!((size_of::<FrameBuffer>(), size_of::<MapDumb>(), size_of::<Close>()), (104, 16, 8));
    }
}
