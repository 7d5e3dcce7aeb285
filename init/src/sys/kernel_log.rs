//! What the kernel has logged and still keeps.
#![allow(unsafe_code, reason = "klogctl(3) takes a pointer")]

use anyhow::Context as _;
use nix::errno::Errno;
use nix::libc;

/// A read that leaves the log as it is (`SYSLOG_ACTION_READ_ALL`, syslog(2)).
const READ_ALL: libc::c_int = 3;
/// More than what Debian's kernel keeps (`CONFIG_LOG_BUF_SHIFT`).
const ROOM: usize = 256 << 10;

pub(crate) fn read() -> anyhow::Result<String> {
    let mut bytes = vec![0_u8; ROOM];
    let room = libc::c_int::try_from(bytes.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel writes at most `room` bytes to where the pointer shows, where there are so many.
    let length = unsafe { libc::klogctl(READ_ALL, bytes.as_mut_ptr().cast(), room) };
    let length = Errno::result(length).context("cannot read the kernel's log")?;
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
