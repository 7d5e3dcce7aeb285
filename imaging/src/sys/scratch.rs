//! A file that is needed for a while, with holes where nothing is. Gone when dropped.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    file: File,
    removed: bool,
}

impl Scratch {
    /// Makes it, with so many bytes of nothing.
    pub(crate) fn make(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let scratch = Self { path: path.to_owned(), file, removed: false };
        scratch.file.set_len(length)?;
        Ok(scratch)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn remove(mut self) -> io::Result<()> {
        self.removed = true;
        fs::remove_file(&self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.removed {
            // Something else has failed, which is what is told; the boot server removes what stays.
            let _stays = fs::remove_file(&self.path);
        }
    }
}

/// What is free for files in this folder, bytes.
pub(crate) fn free_space(folder: &Path) -> io::Result<u64> {
    let said = statvfs(folder)?;
    Ok(said.f_bavail.saturating_mul(said.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_gone_however_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scratch");
        let scratch = Scratch::make(&path, 1 << 40).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 40);
        assert!(Scratch::make(&path, 1).is_err(), "what is there is never run over");
        assert!(path.exists(), "and stays");
        drop(scratch);
        assert!(!path.exists());
        Scratch::make(&path, 1).unwrap().remove().unwrap();
        assert!(!path.exists());
        let gone = Scratch::make(&path, 1).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(gone.remove().is_err());
    }

    #[test]
    fn what_is_free_is_said() {
        assert!(free_space(Path::new("/")).unwrap() > 0);
    }
}
