//! The linear frame buffer of a VESA mode, where it can be found: on QEMU's and Bochs' card, which says so in registers of its
//! own. What other cards were told by their VESA BIOS cannot be read back from them.
#![allow(unsafe_code, reason = "a card's memory is read through a mapping")]

use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

use anyhow::Context as _;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::display::line;
use crate::screen::dispi;
use crate::screen::frame_buffer::{self, Layout};

/// Vendor and device of the card (QEMU, docs/specs/standard-vga.rst).
const STANDARD_VGA: [&str; 2] = ["0x1234", "0x1111"];
/// Its memory, its registers: the first and third window, as files of sysfs.
const MEMORY: &str = "resource0";
const REGISTERS: &str = "resource2";
/// In the third window, the VGA's ports 3C0h to 3DFh.
const PORTS: usize = 0x400;
/// Bytes of the third window.
const REGISTERS_LENGTH: usize = 4096;
const PORT_DAC_READ: usize = PORTS + 7;
const PORT_DAC_VALUE: usize = PORTS + 9;

/// Whether a VESA mode is displayed, so that planes tell nothing. Nobody knows where the kernel does not let one look.
pub fn is_displayed(vga: &Path) -> bool {
    is_known(vga)
        && Window::map(vga, REGISTERS, REGISTERS_LENGTH).is_ok_and(|registers| mode(&registers).is_some())
}

/// Layout and bytes of what the VGA in that folder of sysfs displays in a VESA mode; nothing if it has none, or nobody can
/// tell.
pub fn dots(vga: &Path) -> anyhow::Result<Option<(Layout, Vec<u8>)>> {
    if !is_known(vga) {
        return Ok(None);
    }
    let Some(mode) = mode(&Window::map(vga, REGISTERS, REGISTERS_LENGTH)?) else { return Ok(None) };
    let length = frame_buffer::length(&mode.layout)?;
    let memory = Window::map(vga, MEMORY, mode.start + length)?;
    let bytes = memory.bytes(mode.start, length);
    Ok(Some((mode.layout, bytes)))
}

fn is_known(vga: &Path) -> bool {
    [line(vga, "vendor"), line(vga, "device")] == STANDARD_VGA
}

fn mode(registers: &Window) -> Option<dispi::Mode> {
    let words = std::array::from_fn(|index| registers.word(dispi::OFFSET + index * 2));
    dispi::mode(&words, || {
        registers.set(PORT_DAC_READ, 0);
        (0..=u8::MAX).map(|_| std::array::from_fn(|_| registers.byte(PORT_DAC_VALUE) << 2)).collect()
    })
}

/// A part of a card's memory.
struct Window {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

impl Window {
    fn map(card: &Path, name: &str, length: usize) -> anyhow::Result<Self> {
        let path = card.join(name);
        Self::of_file(&path, length).with_context(|| format!("cannot map {}", path.display()))
    }

    fn of_file(path: &Path, length: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_SYNC).open(path)?;
        let length = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        let rights = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses a place where nothing else is. sysfs maps no further than the card's window is
        // long, and refuses a longer mapping.
        let start = unsafe { mmap(None, length, rights, MapFlags::MAP_SHARED, &file, 0) }?;
        Ok(Self { start: start.cast(), length })
    }

    fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.length.get(), "{offset:#x} is outside of the mapping");
        // SAFETY: the place is inside the mapping, as was just seen.
        unsafe { self.start.as_ptr().add(offset) }
    }

    fn byte(&self, offset: usize) -> u8 {
        // SAFETY: `at` gives a place inside the mapping, which lives as long as this; it may change at any time.
        unsafe { self.at(offset).read_volatile() }
    }

    fn set(&self, offset: usize, value: u8) {
        // SAFETY: as for `byte`; nothing of this program lives there.
        unsafe { self.at(offset).write_volatile(value) }
    }

    /// Two bytes at an even place, in one access.
    fn word(&self, offset: usize) -> u16 {
        assert!(offset.is_multiple_of(2) && offset + 1 < self.length.get(), "no word at {offset:#x}");
        // SAFETY: mappings begin at a page, so that an even offset is aligned, and both bytes are inside it.
        unsafe { self.at(offset).cast::<u16>().read_volatile() }
    }

    fn bytes(&self, start: usize, length: usize) -> Vec<u8> {
        (start..start + length).map(|offset| self.byte(offset)).collect()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody has a reference into it.
        let unmapped = unsafe { munmap(self.start.cast(), self.length.get()) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
