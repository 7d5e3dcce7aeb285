//! Files of the state folder that cannot be read: kept where nobody takes them for what they were.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::paths;

/// Moves a file to those that are set aside; yields where it lies now.
pub(crate) fn set_aside(state_folder: &Path, file: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = paths::damaged(state_folder);
    fs::create_dir_all(&folder)?;
    let free = (1..).map(|number: u32| folder.join(format!("{name}.{number}"))).find(|path| !path.exists());
    let kept = free.unwrap_or(folder);
    fs::rename(file, &kept)?;
    Ok(kept)
}

/// Every file that was set aside and is still there.
pub(crate) fn all(state_folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(paths::damaged(state_folder)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
