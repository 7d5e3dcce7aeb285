//! Whether a program has a file open for writing, by asking the kernel for a lease (fcntl(2)).
#![allow(unsafe_code, reason = "no crate asks for a lease")]

use std::fs::File;
use std::os::fd::AsRawFd;

/// Which signal tells that another program wants to open the file (include/uapi/asm-generic/fcntl.h); the crate does not name it.
const F_SETSIG: libc::c_int = 10;

/// Whether any program can write to this file, which must be open for reading only. False where the file system has no leases,
/// such as NFS.
pub(crate) fn is_open_for_writing(file: &File) -> bool {
    if let Err(error) = ask(file, libc::F_RDLCK) {
        return error.raw_os_error() == Some(libc::EAGAIN);
    }
    // SAFETY: the request takes a number, and the descriptor is open while `file` is borrowed.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    false
}

/// Has a file for oneself, as a client of Linux' NFS server has one that is delegated to it, until it is closed.
#[cfg(test)]
pub(crate) fn alone(path: &std::path::Path) -> std::io::Result<File> {
    let file = File::options().read(true).write(true).open(path)?;
    ask(&file, libc::F_WRLCK)?;
    Ok(file)
}

/// Asks for a lease of this kind. One who opens the file meanwhile makes the kernel send a signal: one that is ignored unless it is asked for.
fn ask(file: &File, kind: libc::c_int) -> std::io::Result<()> {
    let descriptor = file.as_raw_fd();
    // SAFETY: these requests take a number, and the descriptor is open while `file` is borrowed.
    let asked = unsafe {
        libc::fcntl(descriptor, F_SETSIG, libc::SIGURG);
        libc::fcntl(descriptor, libc::F_SETLEASE, kind)
    };
    if asked == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_open_for_writing_is_told_from_one_that_is_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert!(is_open_for_writing(&reader));
        drop(writer);
        let _another_reader = File::open(&path).unwrap();
        assert!(!is_open_for_writing(&reader));
        assert!(File::options().append(true).open(&path).is_ok(), "the lease is given back");
    }
}
