//! Whether the kernel lets a server of this machine be an IO flusher, which needs the capability CAP_SYS_RESOURCE (PR_SET_IO_FLUSHER in
//! prctl(2)). Containers seldom have it.

use rustix::io::Errno;
use rustix::process;

/// Only a plain refusal counts: a kernel without the call has nothing to refuse. To ask needs the same capability as to become one.
pub(crate) fn is_refused() -> bool {
    process::is_io_flusher() == Err(Errno::PERM)
}
