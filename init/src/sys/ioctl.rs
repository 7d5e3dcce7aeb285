//! ioctl(2) with a pointer to a structure that the kernel reads or fills.
#![allow(unsafe_code, reason = "ioctl(2) takes pointers")]

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;

/// Asks the device.
///
/// # Safety
/// The request must take a pointer to what `with` points to, and whatever that points to in turn.
pub(super) unsafe fn ask<T>(device: &impl AsRawFd, request: libc::Ioctl, with: *mut T) -> Result<(), Errno> {
    // SAFETY: the descriptor is open as long as it is borrowed; the caller has seen to the pointer.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), request, with) };
    Errno::result(result).map(drop)
}

/// A number of the kernel's as one of ours.
pub(crate) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
