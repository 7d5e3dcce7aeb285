//! A disk: a block device, or a plain file that holds one.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use ghost_contract::image::DiskFacts;
use rustix::fs::{Advice, Mode, OFlags, fadvise, major, minor, open};
use rustix::io::Errno;

use super::program::{self, LOOKING};

/// The sector of a plain file, which has none of its own.
const FILE_SECTOR: u32 = 512;

/// Whether this is a block device.
pub fn is_block_device(path: &Path) -> Result<bool> {
    let kind = fs::metadata(path).with_context(|| cannot_look_at(path))?.file_type();
    if kind.is_block_device() || kind.is_file() {
        return Ok(kind.is_block_device());
    }
    bail!("{}: it is neither a block device nor a file", cannot_look_at(path))
}

fn cannot_look_at(path: &Path) -> String {
    format!("cannot look at {}", path.display())
}

/// What is known of this disk.
pub fn facts(path: &Path) -> Result<DiskFacts> {
    let mut file = File::open(path).with_context(|| cannot_open(path))?;
    let size = file.seek(SeekFrom::End(0)).with_context(|| cannot_look_at(path))?;
    let folder = if is_block_device(path)? { Some(sys_folder(path)?) } else { None };
    let sector = |name: &str| folder.as_deref().and_then(|folder| number(&folder.join("queue").join(name)));
    Ok(DiskFacts {
        path: path.display().to_string(),
        model: folder.as_deref().and_then(|folder| text(&folder.join("device/model"))),
        serial: folder.as_deref().and_then(serial),
        size,
        logical_sector: sector("logical_block_size").unwrap_or(FILE_SECTOR),
        physical_sector: sector("physical_block_size").unwrap_or(FILE_SECTOR),
    })
}

/// The folder of a block device in sysfs.
pub(super) fn sys_folder(path: &Path) -> Result<PathBuf> {
    let folder = || {
        let device = fs::metadata(path)?.rdev();
        fs::canonicalize(format!("/sys/dev/block/{}:{}", major(device), minor(device)))
    };
    folder().with_context(|| cannot_look_at(path))
}

/// Whether this is a block device that rotates, as far as it says so.
pub fn rotates(path: &Path) -> bool {
    let is_device = is_block_device(path).unwrap_or(false);
    is_device
        && sys_folder(path).is_ok_and(|folder| number::<u8>(&folder.join("queue/rotational")) != Some(0))
}

/// The disks of this machine besides this one that are built in and tell their serial number: path and number.
pub fn others(than: &Path) -> Vec<(String, String)> {
    let own = sys_folder(than).ok();
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let folders = entries.filter_map(|entry| fs::canonicalize(entry.path()).ok());
    let built_in = folders.filter(|folder| {
        let parts = || folder.iter().filter_map(|part| part.to_str());
        !parts().any(|part| part == "virtual" || part.starts_with("usb")) && own.as_ref() != Some(folder)
    });
    let named = built_in.filter_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        Some((format!("/dev/{name}"), serial(&folder)?))
    });
    named.collect()
}

/// NVMe and eMMC have it below `device`, virtio beside; SCSI and SATA in the vital product data, page 80h
/// (SPC-4, 7.8.15: four bytes of head, then text).
fn serial(folder: &Path) -> Option<String> {
    let page = || {
        let bytes = fs::read(folder.join("device/vpd_pg80")).ok()?;
        let text = String::from_utf8_lossy(bytes.get(4..)?).trim_matches(['\0', ' ']).to_owned();
        (!text.is_empty()).then_some(text)
    };
    text(&folder.join("device/serial")).or_else(|| text(&folder.join("serial"))).or_else(page)
}

fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn number<N: std::str::FromStr>(path: &Path) -> Option<N> {
    text(path)?.parse().ok()
}

/// Makes sure that nobody uses this disk. If somebody does, the kernel refuses to open it exclusively.
pub fn assert_unused(path: &Path) -> Result<()> {
    if !is_block_device(path)? {
        return Ok(());
    }
    match open(path, OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_unused) => Ok(()),
        Err(Errno::BUSY) => bail!(
            "{} is in use: a file system on it is mounted, or another device is built on it",
            path.display()
        ),
        Err(error) => Err(error).with_context(|| cannot_open(path)),
    }
}

fn cannot_open(path: &Path) -> String {
    format!("cannot open {}", path.display())
}

/// Opens it for writing. A file is neither created nor truncated.
pub fn open_to_write(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path).with_context(|| cannot_open(path))
}

/// Keeps a block device read-only as long as this lives. A plain file stays as it is.
#[derive(Debug)]
pub struct ReadOnly(Option<PathBuf>);

impl ReadOnly {
    /// Makes it so, its partitions included.
    pub fn make(disk: &Path) -> Result<Self> {
        if !is_block_device(disk)? || blockdev(&["--getro"], disk)?.starts_with(b"1") {
            return Ok(Self(None));
        }
        blockdev(&["--setro"], disk)?;
        Ok(Self(Some(disk.to_owned())))
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        if let Some(disk) = &self.0 {
            // A disk that stays read-only is safe; the next boot ends it.
            let _stays = blockdev(&["--setrw"], disk);
        }
    }
}

/// Switches the kernel's read-ahead of a block device off as long as this lives, since a sector that cannot be read
/// fails everything that is read together with it. A plain file stays as it is.
#[derive(Debug)]
pub struct NoReadAhead(Option<(PathBuf, String)>);

impl NoReadAhead {
    pub fn make(device: &Path) -> Result<Self> {
        if !is_block_device(device)? {
            return Ok(Self(None));
        }
        let before = blockdev(&["--getra"], device)?;
        blockdev(&["--setra", "0"], device)?;
        // The page cache remembers which sectors failed together.
        blockdev(&["--flushbufs"], device)?;
        Ok(Self(Some((device.to_owned(), String::from_utf8_lossy(&before).trim().to_owned()))))
    }
}

impl Drop for NoReadAhead {
    fn drop(&mut self) {
        if let Some((device, before)) = &self.0 {
            // Without it everything is only slower.
            let _slower = blockdev(&["--setra", before], device);
        }
    }
}

/// Has the kernel read the partition table again.
pub fn reread_table(disk: &Path) -> Result<()> {
    if is_block_device(disk)? {
        blockdev(&["--rereadpt"], disk)?;
    }
    Ok(())
}

fn blockdev(arguments: &[&str], disk: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new("blockdev");
    program::must(command.args(arguments).arg(disk), LOOKING).with_context(|| disk.display().to_string())
}

/// Drops what the page cache holds of a file, so that it is read from its disk. It must be synced before.
pub fn forget(file: &File) {
    // Only advice: if it is not taken, the reader sees the same bytes, from memory.
    let _as_it_is = fadvise(file, 0, None, Advice::DontNeed);
}

/// The same for its first bytes, so many, while somebody writes behind them.
pub fn forget_beginning(file: &File, length: u64) {
    // None would be all of it.
    if let Some(length) = NonZeroU64::new(length) {
        let _as_it_is = fadvise(file, 0, Some(length), Advice::DontNeed);
    }
}
