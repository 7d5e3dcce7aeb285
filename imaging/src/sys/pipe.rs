//! Moving bytes from one pipe to another without looking at them.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};

/// As large as a pipe may be without privilege (`/proc/sys/fs/pipe-max-size`).
const PIPE: usize = 1 << 20;

/// Makes a pipe as large as it may be, so that both ends change turns less often. A refusal changes nothing.
pub fn widen(pipe: impl AsFd) {
    // A kernel that has no more memory for pipes leaves it as it is, which is only slower.
    let _as_it_is = fcntl_setpipe_size(pipe, PIPE);
}

/// Moves what is there, waiting for something; how many bytes it was, 0 at the end.
///
/// # Errors
/// Such as a reader that is gone.
pub fn relay(from: impl AsFd, to: impl AsFd) -> io::Result<usize> {
    loop {
        match splice(from.as_fd(), None, to.as_fd(), None, PIPE, SpliceFlags::MOVE) {
            Err(Errno::INTR) => {}
            moved => return moved.map_err(io::Error::from),
        }
    }
}
