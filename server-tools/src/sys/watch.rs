//! Tells when something in watched folders was written or removed, without asking again and again (inotify(7)).
//!
//! The kernel sees writes of an NFS server on this machine, but not of one on another machine, so a caller must also look by
//! itself now and then.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// What becomes readable when something was written.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: Inotify,
}

/// One folder that is watched.
pub(crate) type Watched = WatchDescriptor;

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { inotify: Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)? })
    }

    /// Watches the files of a folder as well.
    pub(crate) fn add(&self, folder: &Path) -> io::Result<Watched> {
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        Ok(self.inotify.add_watch(folder, flags)?)
    }

    /// The same of an open folder, whatever its path leads to by now.
    pub(crate) fn add_open(&self, folder: &impl AsFd) -> io::Result<Watched> {
        self.add(Path::new(&format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd())))
    }

    /// The folders in which something was written since the last call.
    pub(crate) fn take(&self) -> io::Result<Vec<Watched>> {
        match self.inotify.read_events() {
            Ok(events) => Ok(events.into_iter().map(|event| event.wd).collect()),
            Err(nix::Error::EAGAIN) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
