//! Folders and files that only root may look into, whatever the umask is and whatever an earlier version left.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// What others than the owner may do.
const OF_OTHERS: u32 = 0o077;
const OF_OTHERS_WRITING: u32 = 0o022;
/// Only who owns something in such a folder may rename it.
const STICKY: u32 = 0o1000;

/// Makes a folder and those above it that are missing. One that is there already is closed to others. The one above it may
/// be an administrator's, so others may look into it, but not put another folder in the place of this one. A link that an
/// administrator put there is followed.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    make(path)?;
    let folder = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
    if let Some(above) = path.parent() {
        keep_in_place(&File::open(above)?)?;
    }
    if !is_ours(&folder.metadata()?) {
        return Err(io::Error::other("it belongs to another user"));
    }
    close(&folder, FOLDER)
}

/// Takes from others the right to rename what is in a folder of ours. Where only owners may rename (`/tmp`), nothing is to be
/// done.
fn keep_in_place(above: &File) -> io::Result<()> {
    let metadata = above.metadata()?;
    let mode = metadata.mode() & 0o7777;
    if is_ours(&metadata) && is_open_to_others(&metadata) && !only_owners_rename(&metadata) {
        above.set_permissions(Permissions::from_mode(mode & !OF_OTHERS_WRITING))?;
    }
    Ok(())
}

/// Makes a folder and those above it that are missing, and leaves alone what is there.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER).create(path)
}

/// Writes a file that is not worth being written in one piece.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE)
        .custom_flags(flags)
        .open(path)?;
    close_file(&file)?;
    file.write_all(bytes)
}

/// Takes from an open file what others may do with it.
pub(crate) fn close_file(file: &File) -> io::Result<()> {
    close(file, FILE)
}

/// What belongs to somebody else is left to that user.
fn close(file: &File, mode: u32) -> io::Result<()> {
    let metadata = file.metadata()?;
    if is_ours(&metadata) && metadata.mode() & OF_OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// Whether only who owns something in this folder may rename it, as in `/tmp`.
pub(crate) fn only_owners_rename(folder: &fs::Metadata) -> bool {
    folder.mode() & STICKY != 0
}

/// Whether others than its owner may write to it.
pub(crate) fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    metadata.mode() & OF_OTHERS_WRITING != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_others_might_look_into_is_closed_and_what_is_above_it_only_for_writing() {
        let above = tempfile::tempdir().unwrap();
        fs::set_permissions(above.path(), Permissions::from_mode(0o755)).unwrap();
        let old = above.path().join("state/journal");
        fs::create_dir_all(&old).unwrap();
        for path in [&above.path().join("state"), &old] {
            fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        }
        folder(&old).unwrap();
        assert_eq!(
            (mode(above.path()), mode(&above.path().join("state")), mode(&old)),
            (0o755, 0o755, 0o700)
        );
        fs::set_permissions(above.path().join("state"), Permissions::from_mode(0o1777)).unwrap();
        folder(&old).unwrap();
        assert_eq!(mode(&above.path().join("state")), 0o1777, "as /tmp is");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&old, Some(7), None).unwrap();
            assert_eq!(folder(&old).unwrap_err().to_string(), "it belongs to another user");
        }
        let new = above.path().join("new/journal");
        folder(&new).unwrap();
        assert_eq!((mode(&above.path().join("new")), mode(&new)), (0o700, 0o700));
    }

    #[test]
    fn a_file_that_others_might_read_is_closed_before_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old and long").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o600, b"new".to_vec()));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(write(&link, b"through a link").is_err());
    }
}
