//! Whole small files.

use std::io;
use std::path::{Path, PathBuf};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot remove {path}")]
    Remove { path: PathBuf, source: io::Error },
    /// A folder could not be made.
    #[error("cannot make the folder {path}")]
    Folder { path: PathBuf, source: io::Error },
}

/// The bytes of a file; none if there is no such file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match bytes(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes of a file that must be there.
pub fn bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|source| FileError::Read { path: path.to_owned(), source })
}

/// The text of a file; what is not UTF-8 in it is replaced.
pub fn text(path: &Path) -> Result<String, FileError> {
    bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), FileError> {
    std::fs::write(path, content).map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Makes a folder and those above it, unless they are there.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(|source| FileError::Folder { path: path.to_owned(), source })
}

/// Removes a file; one that is not there is no error.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FileError::Remove { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
