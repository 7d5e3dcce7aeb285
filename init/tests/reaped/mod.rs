//! The children of a test program, which reaps all of them.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use ghost_init::sys::child::Children;

/// The one who starts and reaps, as in PID 1. There is no SIGCHLD here: it is looked often instead.
pub(crate) static CHILDREN: LazyLock<Children> = LazyLock::new(|| {
    thread::spawn(|| {
        loop {
            CHILDREN.reap();
            thread::park_timeout(Duration::from_millis(5));
        }
    });
    Children::new(|| {})
});
