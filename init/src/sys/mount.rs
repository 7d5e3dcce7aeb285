//! mount(2) and umount(2).

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::fstab::{Mount, MountFlag};

/// What could not be mounted, or unmounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("cannot mount {kind} from {origin} with '{options}' on {target}")]
    Mount {
        kind: String,
        origin: String,
        options: String,
        /// Where it should be seen.
        target: PathBuf,
        source: Errno,
    },
    #[error("cannot bind {from} on {onto}")]
    Bind {
        /// What should be seen …
        from: PathBuf,
        onto: PathBuf,
        source: Errno,
    },
    /// This client has no tree.
    #[error("there is no folder {0}: this client has no tree on the boot server, ghostctl makes it")]
    NoTree(PathBuf),
    /// A mount whose flags cannot be changed.
    #[error("cannot remount {path}")]
    Remount { path: PathBuf, source: Errno },
    /// A folder on which something may be mounted.
    #[error("cannot look at {path}")]
    Look { path: PathBuf, source: io::Error },
    #[error("cannot unmount {path}")]
    Unmount { path: PathBuf, source: Errno },
}

const fn flag(flag: MountFlag) -> MsFlags {
    match flag {
        MountFlag::ReadOnly => MsFlags::MS_RDONLY,
        MountFlag::NoSuid => MsFlags::MS_NOSUID,
        MountFlag::NoDev => MsFlags::MS_NODEV,
        MountFlag::NoExec => MsFlags::MS_NOEXEC,
        MountFlag::NoAtime => MsFlags::MS_NOATIME,
        MountFlag::Synchronous => MsFlags::MS_SYNCHRONOUS,
    }
}

/// Whether a file system of its own is mounted on this folder.
pub fn is_mounted(path: &Path) -> Result<bool, MountError> {
    let look = |path: &Path| {
        std::fs::metadata(path).map_err(|source| MountError::Look { path: path.to_owned(), source })
    };
    Ok(look(path)?.dev() != look(&path.join(".."))?.dev())
}

/// Mounts a file system, unless one is mounted there already.
pub fn mount_unless_mounted(wanted: &Mount) -> Result<(), MountError> {
    if is_mounted(&wanted.target)? {
        return Ok(());
    }
    let flags = wanted.flags.iter().copied().map(flag).collect();
    let (source, kind) = (Some(wanted.source.as_str()), Some(wanted.kind.as_str()));
    mount(source, &wanted.target, kind, flags, Some(wanted.options.as_str())).map_err(|source| {
        MountError::Mount {
            kind: wanted.kind.clone(),
            origin: wanted.source.clone(),
            options: wanted.options.clone(),
            target: wanted.target.clone(),
            source,
        }
    })
}

/// Makes a client's own folder seen at a fixed place.
pub fn bind(from: &Path, onto: &Path) -> Result<(), MountError> {
    if !from.is_dir() {
        return Err(MountError::NoTree(from.to_owned()));
    }
    let nothing = None::<&str>;
    mount(Some(from), onto, nothing, MsFlags::MS_BIND, nothing).map_err(|source| MountError::Bind {
        from: from.to_owned(),
        onto: onto.to_owned(),
        source,
    })
}

/// Makes the root's file system writable, if it is not.
pub fn make_root_writable() -> Result<(), MountError> {
    let root = Path::new("/");
    let state = statvfs(root).map_err(|source| cannot_remount(root, source))?;
    if !state.flags().contains(FsFlags::ST_RDONLY) {
        return Ok(());
    }
    remount(root, MsFlags::MS_REMOUNT)
}

/// Makes a mount read-only by itself: what is bound from the same file system elsewhere stays writable.
pub fn protect(path: &Path) -> Result<(), MountError> {
    remount(path, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY)
}

fn remount(path: &Path, flags: MsFlags) -> Result<(), MountError> {
    let nothing = None::<&str>;
    mount(nothing, path, nothing, flags, nothing).map_err(|source| cannot_remount(path, source))
}

fn cannot_remount(path: &Path, source: Errno) -> MountError {
    MountError::Remount { path: path.to_owned(), source }
}

/// Unmounts what is mounted on this folder, if anything is.
pub fn unmount(path: &Path) -> Result<(), MountError> {
    match umount2(path, MntFlags::empty()) {
        // EINVAL: nothing is mounted there (umount(2)).
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(source) => Err(MountError::Unmount { path: path.to_owned(), source }),
    }
}
