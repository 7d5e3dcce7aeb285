//! When a file was last changed, by the clock of the file system it lies in.

use std::fs::File;
use std::io;

use ghost_contract::UnixTime;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, fstat, futimens};

/// Has the file system say that the file was changed now. A server of NFS does that by its own clock.
pub(crate) fn now(file: &File) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

/// Has the file system say that the file was changed at this time, by its own clock.
pub(crate) fn at(file: &File, time: UnixTime) -> io::Result<()> {
    let milliseconds = time.as_millis();
    let tv_sec = i64::try_from(milliseconds / 1_000).map_err(|_| io::ErrorKind::InvalidInput)?;
    let tv_nsec = i64::try_from(milliseconds % 1_000).map_err(|_| io::ErrorKind::InvalidInput)? * 1_000_000;
    let time = Timespec { tv_sec, tv_nsec };
    Ok(futimens(file, &Timestamps { last_access: time, last_modification: time })?)
}

/// When the file was changed, as known when it was opened.
pub(crate) fn changed(file: &File) -> io::Result<UnixTime> {
    let stat = fstat(file)?;
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
    let milliseconds = stat.st_mtime_nsec / 1_000_000;
    Ok(UnixTime::from_millis(seconds.saturating_mul(1_000).saturating_add(milliseconds)))
}
