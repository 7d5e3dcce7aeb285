//! Writes the folder of screenshots. A picture that did not change is stored once, under several names (hard links).
//! Files are replaced by rename, so that a reader never sees half of one.

use std::fs;
use std::path::{Path, PathBuf};

use ghost_contract::layout::{LATEST_SCREEN, SCREENS_PAGE};

use anyhow::Context as _;

use super::file;

/// How many older files are compared before a new one is written.
const COMPARED: usize = 3;

/// Writes one file of a screenshot, or gives the name to an older file with the same content.
pub(crate) fn save(path: &Path, content: &[u8], alike: impl Iterator<Item = PathBuf>) -> anyhow::Result<()> {
    for older in alike.take(COMPARED) {
        let is_same = file::read(&older).is_ok_and(|old| old.as_deref() == Some(content));
        // Not every file system that is exported has links; then it is written like any other.
        if is_same && fs::hard_link(&older, path).is_ok() {
            return Ok(());
        }
    }
    file::write(path, content)
}

/// Lets this picture be the latest one.
pub(crate) fn make_latest(folder: &Path, picture: &Path) -> anyhow::Result<()> {
    let beside = beside(folder, LATEST_SCREEN);
    file::remove(&beside)?;
    if fs::hard_link(picture, &beside).is_err() {
        file::write(&beside, file::bytes(picture)?)?;
    }
    put_in_place(&beside, &folder.join(LATEST_SCREEN))?;
    // Renaming does nothing where both names are of the same file already (rename(2)).
    file::remove(&beside)
}

pub(crate) fn write_page(folder: &Path, page: &str) -> anyhow::Result<()> {
    let beside = beside(folder, SCREENS_PAGE);
    file::write(&beside, page)?;
    put_in_place(&beside, &folder.join(SCREENS_PAGE))
}

fn beside(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.new"))
}

fn put_in_place(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn the_same_picture_is_stored_once() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, other] = ["1.png", "2.png", "3.png"].map(|name| folder.path().join(name));
        save(&first, b"picture", std::iter::empty()).unwrap();
        save(&second, b"picture", [first.clone()].into_iter()).unwrap();
        save(&other, b"another", [second.clone(), first.clone()].into_iter()).unwrap();
        assert_eq!(inode(&first), inode(&second));
        assert_ne!(inode(&first), inode(&other));
        fs::remove_file(&first).unwrap();
        assert_eq!(fs::read(&second).unwrap(), b"picture", "each name stands for itself");
    }

    #[test]
    fn the_latest_picture_is_replaced_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("1.png", "a"), ("2.png", "b"), ("2.png", "b")] {
            let picture = folder.path().join(name);
            save(&picture, content.as_bytes(), std::iter::empty()).unwrap();
            make_latest(folder.path(), &picture).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join(LATEST_SCREEN)).unwrap(), content);
        }
        write_page(folder.path(), "page").unwrap();
        write_page(folder.path(), "page 2").unwrap();
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["1.png", "2.png", SCREENS_PAGE, LATEST_SCREEN]);
        assert_eq!(fs::read_to_string(folder.path().join(SCREENS_PAGE)).unwrap(), "page 2");
    }
}
