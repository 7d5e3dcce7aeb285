//! Files of the image and of the report.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

/// Replaces or makes a file in one piece, on the disk when it is done.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

/// Replaces a file in one piece for those who read it now; it need not be there after a power cut.
pub(crate) fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

/// Writes a folder's entries to its disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Opens a file for reading, unless its last part is a link: a link of a client's is never followed. Nothing else is opened, not
/// even for a moment: a pipe would be waited for, and to open a device can start a watchdog or rewind a tape.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let handle = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&handle)?.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(Errno::LOOP.into()),
        _ => return Err(io::Error::other("it is not a plain file")),
    }
    reopened(&handle)
}

/// Opens for reading what a handle (`O_PATH`) stands for. Who calls this has seen that it is a regular file.
pub fn reopened(handle: &OwnedFd) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match open(format!("/proc/self/fd/{}", handle.as_raw_fd()), flags, Mode::empty()) {
        // That it is missing would be believed of the file.
        Err(Errno::NOENT) => Err(io::Error::other("/proc is not mounted")),
        opened => Ok(File::from(opened?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, makedev, mknodat};

    #[test]
    fn the_driver_of_a_device_is_not_called() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for kind in [FileType::CharacterDevice, FileType::BlockDevice] {
            let path = folder.path().join(format!("{kind:?}"));
            // It has no driver, and could not be opened: "no such device or address".
            mknodat(CWD, &path, kind, Mode::RUSR, makedev(4_000, 1_000_000)).unwrap();
            assert_eq!(open_plain(&path).unwrap_err().to_string(), "it is not a plain file");
        }
    }
}
