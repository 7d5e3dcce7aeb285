//! The pipes between us and Debian's tools.

use std::os::fd::AsFd;

use rustix::pipe::fcntl_setpipe_size;

/// As large as a pipe may be without privilege (`/proc/sys/fs/pipe-max-size`).
const PIPE: usize = 1 << 20;

/// Makes a pipe as large as it may be, so that both ends change turns less often. A refusal changes nothing.
pub(crate) fn widen(pipe: impl AsFd) {
    // A kernel that has no more memory for pipes leaves it as it is, which is only slower.
    let _as_it_is = fcntl_setpipe_size(pipe, PIPE);
}
