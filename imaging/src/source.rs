//! Where the files of an image are taken from: a folder, or files that were opened before.
//!
//! A process that parses a client's bytes without any rights cannot open files by path. It is given them open.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::sys::file;

/// Where the files of one disk's image are.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    Folder(&'a Path),
    Opened(&'a Opened),
}

/// The plain files of a folder, open for reading. One reader at a time: all who open a file share its place in it.
#[derive(Debug)]
pub struct Opened {
    /// What the folder is called in messages.
    called: PathBuf,
    files: BTreeMap<OsString, io::Result<File>>,
}

impl Opened {
    /// Opens all files in this folder. One that cannot be opened is reported by whoever asks for it.
    pub fn all(folder: &Path, called: &Path) -> Result<Self> {
        let cannot_list = || format!("cannot list {}", called.display());
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).with_context(cannot_list)? {
            let entry = entry.with_context(cannot_list)?;
            files.insert(entry.file_name(), file::open_plain(&entry.path()));
        }
        Ok(Self { called: called.to_owned(), files })
    }
}

impl Source<'_> {
    /// Opens a file at its beginning.
    pub(crate) fn open(&self, name: &str) -> io::Result<File> {
        let opened = match self {
            Self::Folder(folder) => return file::open_plain(&folder.join(name)),
            Self::Opened(opened) => opened,
        };
        match opened.files.get(OsString::from(name).as_os_str()) {
            None => Err(io::Error::from_raw_os_error(NOT_THERE)),
            Some(Err(error)) => Err(again(error)),
            Some(Ok(file)) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Ok(file)
            }
        }
    }

    /// What a file is called in messages.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(name),
            Self::Opened(opened) => opened.called.join(name),
        }
    }
}

impl<'a> From<&'a Path> for Source<'a> {
    fn from(folder: &'a Path) -> Self {
        Self::Folder(folder)
    }
}

impl<'a> From<&'a PathBuf> for Source<'a> {
    fn from(folder: &'a PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl<'a> From<&'a Opened> for Source<'a> {
    fn from(opened: &'a Opened) -> Self {
        Self::Opened(opened)
    }
}

/// ENOENT, so that a missing file is reported in the same words wherever files are taken from.
const NOT_THERE: i32 = rustix::io::Errno::NOENT.raw_os_error();

/// An error that was kept, once more.
fn again(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn files_that_are_open_are_read_from_their_beginning_and_without_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.000"), "bytes").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let opened = Opened::all(folder.path(), Path::new("/store/john")).unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        let source = Source::from(&opened);
        for _ in 0..2 {
            let mut text = String::new();
            source.open("a.000").unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "bytes");
        }
        assert_eq!(source.open("b").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(source.open("link").unwrap_err().raw_os_error(), Some(40), "links are not followed");
        assert_eq!(source.path("a.000"), Path::new("/store/john/a.000"));
    }
}
