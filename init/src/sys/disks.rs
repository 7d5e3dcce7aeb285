//! The block devices that the kernel shows in `/sys/block`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::BlockDevice;

/// The kernel gives sizes in sectors of this many bytes, whatever the disk's own are.
const SECTOR: u64 = 512;

/// What could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct DisksError {
    path: PathBuf,
    source: io::Error,
}

/// All block devices, partitions not among them.
///
/// # Errors
/// When the kernel's list cannot be read.
pub fn all() -> Result<Vec<BlockDevice>, DisksError> {
    below(Path::new("/sys/block"))
}

fn below(folder: &Path) -> Result<Vec<BlockDevice>, DisksError> {
    let entries = fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    entries.map(|entry| device(&entry.map_err(|source| unreadable(folder, source))?.path())).collect()
}

fn device(link: &Path) -> Result<BlockDevice, DisksError> {
    let place = fs::canonicalize(link).map_err(|source| unreadable(link, source))?;
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let removable = number(&place.join("removable"))? != 0;
    let size = number(&place.join("size"))?.saturating_mul(SECTOR);
    Ok(BlockDevice { name, place, removable, size })
}

fn number(path: &Path) -> Result<u64, DisksError> {
    let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    text.trim().parse().map_err(|error| unreadable(path, io::Error::new(io::ErrorKind::InvalidData, error)))
}

fn unreadable(path: &Path, source: io::Error) -> DisksError {
    DisksError { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_where_its_link_leads() {
        let sys = tempfile::tempdir().unwrap();
        let place = sys.path().join("devices/pci0/block/sda");
        fs::create_dir_all(&place).unwrap();
        fs::create_dir(sys.path().join("block")).unwrap();
        fs::write(place.join("removable"), "0\n").unwrap();
        fs::write(place.join("size"), "2048\n").unwrap();
        std::os::unix::fs::symlink(&place, sys.path().join("block/sda")).unwrap();
        let devices = below(&sys.path().join("block")).unwrap();
        let place = fs::canonicalize(place).unwrap();
        assert_eq!(devices, [BlockDevice { name: "sda".to_owned(), place, removable: false, size: 1 << 20 }]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = below(Path::new("/no/such/folder")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /no/such/folder");
    }
}
