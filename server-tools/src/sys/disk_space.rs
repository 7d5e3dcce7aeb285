//! How much room a file system has left (statvfs(3)).

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::StatVfs;

/// What is left of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskSpace {
    /// What may still be written, bytes.
    pub free: u64,
    /// What it holds altogether, bytes.
    pub total: u64,
    /// Whether files can still be made. File systems that do not count them always can.
    pub has_inodes: bool,
}

/// The room on the file system that holds this path.
pub(crate) fn of(path: &Path) -> io::Result<DiskSpace> {
    Ok(counted(&rustix::fs::statvfs(path)?))
}

/// The room on the file system that holds this file.
pub(crate) fn of_file(file: &File) -> io::Result<DiskSpace> {
    Ok(counted(&rustix::fs::fstatvfs(file)?))
}

fn counted(found: &StatVfs) -> DiskSpace {
    DiskSpace {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
        has_inodes: found.f_files == 0 || found.f_favail > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_has_room() {
        let space = of(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(space.free > 0 && space.free <= space.total && space.has_inodes, "{space:?}");
        assert!(of(Path::new("/nonexistent")).is_err());
    }
}
