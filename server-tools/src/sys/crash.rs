//! Places at which a test build kills itself without warning, so that tests see how the next start recovers, or panics, so that
//! they see how the program itself does.
//!
//! Without the feature `crash-points`, which only tests switch on, nothing of this is in the program.

/// A place with this name is reached.
#[cfg(not(feature = "crash-points"))]
pub(crate) const fn point(_name: &str) {}

/// A place with this name is reached. `GHOSTCTL_CRASH_AT=NAME:N` kills the process with SIGKILL the Nth time;
/// `GHOSTCTL_PANIC_AT=NAME` panics there once; `GHOSTCTL_CRASH_LOG=FILE` collects the names of all places that were passed.
#[cfg(feature = "crash-points")]
pub(crate) fn point(name: &str) {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    static PANICKED: AtomicBool = AtomicBool::new(false);
    static PASSED: AtomicU32 = AtomicU32::new(0);

    if let Some(log) = std::env::var_os("GHOSTCTL_CRASH_LOG") {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(log);
        let _lost = opened.and_then(|mut file| writeln!(file, "{name}"));
    }
    if std::env::var("GHOSTCTL_PANIC_AT").as_deref() == Ok(name) {
        assert!(PANICKED.swap(true, Ordering::Relaxed), "made to panic at {name}");
    }
    let Ok(at) = std::env::var("GHOSTCTL_CRASH_AT") else { return };
    let (wanted, count) = at.split_once(':').unwrap_or((&at, "1"));
    if wanted == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == count.parse().unwrap_or(1) {
        let _never = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
