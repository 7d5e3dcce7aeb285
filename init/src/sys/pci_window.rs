//! A window into a PCI device's memory, by way of its files in sysfs.
#![allow(unsafe_code, reason = "a card's memory is read through a mapping")]

use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

use anyhow::Context as _;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A part of a card's memory. All offsets must be inside it.
pub(crate) struct Window {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

impl Window {
    /// `device` is the device's folder in sysfs, `name` that of the window: `resource0`.
    pub(crate) fn map(device: &Path, name: &str, length: usize) -> anyhow::Result<Self> {
        let path = device.join(name);
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

    pub(crate) fn byte(&self, offset: usize) -> u8 {
        // SAFETY: `at` gives a place inside the mapping, which lives as long as this; it may change at any time.
        unsafe { self.at(offset).read_volatile() }
    }

    pub(crate) fn set(&self, offset: usize, value: u8) {
        // SAFETY: as for `byte`; nothing of this program lives there.
        unsafe { self.at(offset).write_volatile(value) }
    }

    /// Two bytes at an even place, in one access.
    pub(crate) fn word(&self, offset: usize) -> u16 {
        assert!(offset.is_multiple_of(2) && offset + 1 < self.length.get(), "no word at {offset:#x}");
        // SAFETY: mappings begin at a page, so that an even offset is aligned, and both bytes are inside it.
        unsafe { self.at(offset).cast::<u16>().read_volatile() }
    }

    pub(crate) fn bytes(&self, start: usize, length: usize) -> Vec<u8> {
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
