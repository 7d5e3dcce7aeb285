//! Removes a folder with all that is in it, and nothing that is only mounted there.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::mount;

/// A folder that is not there is removed already.
pub(crate) fn remove(folder: &Path) -> anyhow::Result<()> {
    let real = match fs::canonicalize(folder) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot look at {}", folder.display())),
    };
    if let Some(mounted) = mount::mounted_in(&real)? {
        let mounted = mounted.display();
        bail!("{mounted} is mounted in {}: unmount it, then give the command again", folder.display());
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_all_that_is_in_it() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("base");
        fs::create_dir_all(folder.join("usr/lib")).unwrap();
        fs::write(folder.join("usr/lib/file"), "x").unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
        remove(&folder).unwrap();
    }
}
