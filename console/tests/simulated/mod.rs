//! A boot server in the middle of a night, and the real `ghost-console` beside it: for tests in a browser, and for benches.

pub(crate) mod night;
pub(crate) mod program;
pub(crate) mod screens;

/// A folder in memory: the library writes everything through to the disk, which takes minutes for a night.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
