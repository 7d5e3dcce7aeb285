//! Reads a file that a person has named, and removes one of ours. Only a regular file is opened: a FIFO without a writer would be
//! waited for without end, and to open a device can start a watchdog or rewind a tape.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use ghost_imaging::sys::file::reopened;
use rustix::fs::{FileType, Mode, OFlags, fstat};

/// All bytes of a regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A regular file, to be read as far as it is needed.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    opened(&handle)
}

/// Opens what a handle (`O_PATH`) stands for, if that is a regular file. Nothing else is opened, not even for a moment.
pub(crate) fn opened(handle: &OwnedFd) -> io::Result<File> {
    match FileType::from_raw_mode(fstat(handle)?.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(io::ErrorKind::IsADirectory.into()),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
    reopened(handle)
}

/// Removes a file; one that is not there is as good.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifo_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("dhcpd.conf");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(read(&fifo).unwrap_err().to_string(), "it is not a regular file");
    }

    #[test]
    fn the_driver_of_a_device_is_not_called() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, device) in crate::sys::folder::made_devices(folder.path()) {
            let error = read(&folder.path().join(&name)).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{device:?}");
        }
    }

    #[test]
    fn a_folder_is_refused_and_a_file_is_read_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&link).unwrap(), b"text");
        assert_eq!(read(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
