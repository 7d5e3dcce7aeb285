//! Leaves the initramfs for the root file system that was mounted in it.

use std::ffi::CStr;
use std::path::Path;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat, unlinkat};
use std::os::fd::{AsFd, BorrowedFd};

use crate::task::Root;

/// Says that this is an initramfs (systemd's convention, INITRD_RELEASE in os-release(5)).
const MARK: &str = "/etc/initrd-release";
/// What the kernel shows by file systems of its own, and goes on showing in the root.
const MOVED: [&str; 4] = ["dev", "proc", "sys", "run"];

/// What this program has for a root now.
pub(crate) fn kind() -> Root {
    if Path::new(MARK).exists() { Root::Initramfs } else { Root::Mounted }
}

/// Makes the file system on this folder the root, and frees the memory that the initramfs takes. This program goes on
/// running: nothing else does.
pub(crate) fn enter(root: &Path) -> anyhow::Result<()> {
    let old = openat(CWD, "/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .context("cannot open the initramfs")?;
    for name in MOVED {
        let (from, onto) = (Path::new("/").join(name), root.join(name));
        move_mount(&from, &onto)
            .with_context(|| format!("cannot move {} to {}", from.display(), onto.display()))?;
    }
    let fails = || format!("cannot make {} the root", root.display());
    chdir(root).with_context(fails)?;
    move_mount(Path::new("."), Path::new("/")).with_context(fails)?;
    chroot(".").with_context(fails)?;
    chdir("/").with_context(fails)?;
    empty(&old).context("cannot free the memory of the initramfs")
}

fn move_mount(from: &Path, onto: &Path) -> Result<(), Errno> {
    let nothing = None::<&str>;
    mount(Some(from), onto, nothing, MsFlags::MS_MOVE, nothing)
}

/// Removes all that is on the same file system as the folder itself.
fn empty(folder: &impl AsFd) -> anyhow::Result<()> {
    let device = fstat(folder)?.st_dev;
    let mut entries = Dir::read_from(folder)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            remove(folder.as_fd(), name, device)?;
        }
    }
    Ok(())
}

fn remove(folder: BorrowedFd<'_>, name: &CStr, device: u64) -> anyhow::Result<()> {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if found.st_dev != device {
        return Ok(());
    }
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return Ok(unlinkat(folder, name, AtFlags::empty())?);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    empty(&openat(folder, name, flags, Mode::empty())?)?;
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        // Something is mounted on it, or in it: the root itself is.
        Ok(()) | Err(rustix::io::Errno::BUSY | rustix::io::Errno::NOTEMPTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_is_emptied_and_what_its_links_point_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let (full, kept) = (place.path().join("full"), place.path().join("kept"));
        fs::create_dir_all(full.join("lib/modules")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        fs::write(full.join("lib/modules/a.ko"), "x").unwrap();
        symlink(&kept, full.join("link")).unwrap();
        empty(&fs::File::open(&full).unwrap()).unwrap();
        assert_eq!(fs::read_dir(&full).unwrap().count(), 0);
        assert!(kept.join("file").exists());
    }

    #[test]
    fn this_machines_root_is_no_initramfs() {
        assert_eq!(kind(), Root::Mounted);
    }
}
