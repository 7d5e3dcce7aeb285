//! Whether a program has a file open for writing, by asking the kernel for a lease (fcntl(2)).
#![allow(unsafe_code, reason = "no crate asks for a lease")]

use std::fs::File;
use std::os::fd::AsRawFd;

/// Which signal tells that another program wants to open the file (include/uapi/asm-generic/fcntl.h); the crate does not name it.
const F_SETSIG: libc::c_int = 10;

/// Whether any program can write to this file, which must be open for reading only. False where the file system has no leases,
/// such as NFS.
pub(crate) fn is_open_for_writing(file: &File) -> bool {
    let descriptor = file.as_raw_fd();
    // One who opens it meanwhile makes the kernel send a signal: one that is ignored unless it is asked for.
    // SAFETY: these requests take a number, and the descriptor is open while `file` is borrowed.
    let asked = unsafe {
        libc::fcntl(descriptor, F_SETSIG, libc::SIGURG);
        libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK)
    };
    if asked != 0 {
        return std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
    }
    // SAFETY: as above.
    unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK) };
    false
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
