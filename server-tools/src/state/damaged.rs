//! Files of the state folder that cannot be read: kept where nobody takes them for what they were.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::{HostName, MacAddress};

use super::paths;
use crate::sys::private;

/// Moves a file to those that are set aside; yields where it lies now.
pub(crate) fn set_aside(state_folder: &Path, file: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = paths::damaged(state_folder);
    private::folder(&folder)?;
    let free = (1..).map(|number: u32| folder.join(format!("{name}.{number}"))).find(|path| !path.exists());
    let kept = free.unwrap_or(folder);
    match fs::rename(file, &kept) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => move_across(file, &kept, error)?,
        renamed => renamed?,
    }
    Ok(kept)
}

/// A part of the state folder may have a file system of its own. What is no file stays where it is.
fn move_across(file: &Path, kept: &Path, error: io::Error) -> io::Result<()> {
    if !fs::symlink_metadata(file)?.is_file() {
        return Err(error);
    }
    let folder = kept.parent().unwrap_or(Path::new("/"));
    let copied = fs::copy(file, kept).and_then(|_| File::open(kept)?.sync_all());
    copied.and_then(|()| File::open(folder)?.sync_all()).inspect_err(|_| {
        // Half a copy is worth nothing beside the whole file.
        let _stays = fs::remove_file(kept);
    })?;
    fs::remove_file(file)
}

/// Beside a file that was set aside: whose entry it was.
const WHOSE: &str = "whose";

fn beside(kept: &Path) -> PathBuf {
    let mut name = kept.as_os_str().to_owned();
    name.push(format!(".{WHOSE}"));
    name.into()
}

/// Keeps whose entry a file is that was set aside: others may have the same address.
pub(crate) fn say_whose(kept: &Path, host: &HostName, mac: MacAddress) -> io::Result<()> {
    private::write(&beside(kept), format!("{host} {mac}\n").as_bytes())
}

/// Whose entry a file is that was set aside, if that is known.
pub(crate) fn whose(kept: &Path) -> Option<(HostName, MacAddress)> {
    let text = fs::read_to_string(beside(kept)).ok()?;
    let (host, mac) = text.trim_end().split_once(' ')?;
    Some((host.parse().ok()?, mac.parse().ok()?))
}

/// Every file that was set aside and is still there.
pub(crate) fn all(state_folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(paths::damaged(state_folder)).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| path.extension().is_none_or(|extension| extension != WHOSE);
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.path()).filter(is_one).collect();
    paths.sort();
    paths
}
