//! Where the program of a command line is, as execvp(3) would find it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The program's file; a name without a slash is looked for in `path`, folders between colons.
pub(crate) fn find(program: &str, path: &OsStr) -> io::Result<PathBuf> {
    if program.contains('/') {
        let file = PathBuf::from(program);
        return executable(&file).map(|()| file);
    }
    let files = std::env::split_paths(path).map(|folder| folder.join(program));
    let found = files.into_iter().find(|file| executable(file).is_ok());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is in no folder of PATH"))
}

fn executable(file: &Path) -> io::Result<()> {
    let metadata = std::fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let may = metadata.permissions().mode() & 0o111 != 0;
    may.then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::PermissionDenied, "it is not executable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_and_a_path_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("restart-dhcpd");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        let path = folder.path().as_os_str();
        assert_eq!(find("restart-dhcpd", path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let whole = script.to_str().unwrap();
        assert_eq!(find(whole, OsStr::new("")).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("restart-dhcpd", path).unwrap(), script);
        assert_eq!(find(whole, OsStr::new("")).unwrap(), script);
        assert!(find(folder.path().to_str().unwrap(), path).is_err(), "a folder is no program");
    }
}
