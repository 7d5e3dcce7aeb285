//! Reads and claims the order in this client's tree, and looks for the server's stop file.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use anyhow::Context as _;
use ghost_contract::{JobId, layout};
use nix::errno::Errno;

use super::file;
use crate::task::Finding;

/// The order below this `/etc`; none if there is no such file.
pub(crate) fn read(etc: &Path) -> anyhow::Result<Finding> {
    file::read(&etc.join(layout::ORDER)).map(Finding::Order)
}

/// Claims the order of a job below this `/var`: only the client that creates the file obeys. NFS version 3 and later
/// create exclusively (RFC 1813, 3.3.8).
pub(crate) fn claim(var: &Path, job: &JobId) -> anyhow::Result<Finding> {
    file::make_folder(&var.join(layout::CLAIMS))?;
    let path = var.join(layout::claim(job));
    let written = || format!("cannot write {}", path.display());
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(claim) => {
            claim.sync_all().with_context(written)?;
            Ok(Finding::Claimed)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Finding::AlreadyClaimed),
        Err(error) => Err(error).with_context(written),
    }
}

/// Whether the server has made the stop file below this `/etc`, or else its request to see the screen.
///
/// That there is no such file is remembered by an NFS client for up to 30 s (nfs(5), `acdirmin`). To open the
/// folder makes it ask the server whether the folder has changed (nfs(5), close-to-open cache consistency; Linux
/// does so for folders, `nfs_lookup_verify_inode` in fs/nfs/dir.c), and then it forgets what it remembered.
pub(crate) fn look_for_stop(etc: &Path) -> anyhow::Result<Finding> {
    let path = etc.join(layout::STOP);
    let folder = path.parent().unwrap_or(etc);
    let found = File::open(folder).and_then(|_asked_anew| path.try_exists());
    match found {
        Ok(true) => Ok(Finding::StopAsked),
        Ok(false) => look_for_screen_request(etc),
        Err(error) if error.raw_os_error() == Some(Errno::ESTALE as i32) => Ok(Finding::TreeGone),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn look_for_screen_request(etc: &Path) -> anyhow::Result<Finding> {
    let request = file::read(&etc.join(layout::SCREEN_REQUEST))?;
    Ok(request
        .map_or(Finding::Done, |word| Finding::ScreenAsked(String::from_utf8_lossy(&word).into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_claimed_once() {
        let var = tempfile::tempdir().unwrap();
        let job = "20260123-142501-4f3a".parse().unwrap();
        assert_eq!(claim(var.path(), &job).unwrap(), Finding::Claimed);
        assert_eq!(claim(var.path(), &job).unwrap(), Finding::AlreadyClaimed);
        let another = "20260123-142501-4f3b".parse().unwrap();
        assert_eq!(claim(var.path(), &another).unwrap(), Finding::Claimed);
    }

    #[test]
    fn no_order_is_something_else_than_one_that_cannot_be_read() {
        let etc = tempfile::tempdir().unwrap();
        assert_eq!(read(etc.path()).unwrap(), Finding::Order(None));
        let path = etc.path().join(layout::ORDER);
        std::fs::create_dir_all(&path).unwrap();
        assert!(read(etc.path()).is_err());
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(read(etc.path()).unwrap(), Finding::Order(Some(b"{}".to_vec())));
    }

    #[test]
    fn a_stop_file_is_found_when_it_is_there() {
        let etc = tempfile::tempdir().unwrap();
        assert!(look_for_stop(etc.path()).is_err(), "without the folder nobody can tell");
        let path = etc.path().join(layout::STOP);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(look_for_stop(etc.path()).unwrap(), Finding::Done);
        std::fs::write(&path, "").unwrap();
        assert_eq!(look_for_stop(etc.path()).unwrap(), Finding::StopAsked);
    }
}
