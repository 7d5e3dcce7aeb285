//! Which files were copied into the TFTP server's folder, so that one of these names that is somebody else's is not written over.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ghost_contract::checksum::Sha256;

use super::{paths, summed};
use crate::sys::atomic::{self, Real};
use crate::sys::{private, regular};

/// The checksums of what was copied under each name, or was about to be.
pub(crate) type Copied = BTreeMap<String, Vec<Sha256>>;

/// What was copied; nothing if nothing was written down yet.
pub(crate) fn read(state_folder: &Path) -> anyhow::Result<Copied> {
    let path = paths::boot_files(state_folder);
    let bytes = match regular::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Copied::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let text = String::from_utf8_lossy(&bytes);
    let known = summed::read(text.trim_end()).and_then(|(json, _)| serde_json::from_str(json).ok());
    known.ok_or_else(|| {
        anyhow!(
            "{} is damaged: it says which files of the TFTP server's folder were copied there from the base root's. Remove it, \
             and move those files away",
            path.display()
        )
    })
}

pub(crate) fn write(state_folder: &Path, copied: &Copied) -> anyhow::Result<()> {
    let path = paths::boot_files(state_folder);
    private::folder(state_folder).with_context(|| format!("cannot make {}", state_folder.display()))?;
    atomic::replace(&path, summed::line(&serde_json::to_string(copied)?).as_bytes(), &mut Real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_one_is_told_and_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), Copied::new());
        let copied = Copied::from([("vmlinuz".to_owned(), vec![Sha256::new([7; 32])])]);
        write(folder.path(), &copied).unwrap();
        assert_eq!(read(folder.path()).unwrap(), copied);
        let path = paths::boot_files(folder.path());
        let text = std::fs::read_to_string(&path).unwrap().replace("07", "08");
        std::fs::write(&path, text).unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("boot-files.json is damaged"));
    }
}
