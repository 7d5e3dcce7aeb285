//! A file replaced in one piece: whoever reads it sees the old bytes or the new ones, after a power cut too.
//!
//! ```text
//! create beside ─▶ write ─▶ owner, mode ─▶ fsync ─▶ (check) ─▶ rename ─▶ fsync folder
//! ```
//! Each system call goes through an [`Effects`], so that tests can fail or crash at every one of them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// One system call of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The file beside is made.
    Create,
    /// The bytes are written.
    Write,
    /// Owner and group are set.
    Own,
    Mode,
    /// The bytes reach the disk.
    Sync,
    /// The file beside takes the place.
    Rename,
    /// The folder's entry reaches the disk.
    SyncFolder,
}

impl Effect {
    /// All of them, in the order in which they happen.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Write, Self::Own, Self::Mode, Self::Sync, Self::Rename, Self::SyncFolder];
}

/// Asked before each system call.
pub trait Effects {
    /// May refuse with the error that the call shall have.
    fn before(&mut self, effect: Effect) -> io::Result<()>;
}

/// The real ones: every call goes ahead.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

impl Effects for Real {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        super::crash::point(&format!("effect-{effect:?}"));
        Ok(())
    }
}

/// Why a file was not replaced. The old one is still there, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum AtomicError {
    /// The file that is to be replaced cannot be looked at.
    #[error("cannot read {}", .0.display())]
    Look(PathBuf, #[source] io::Error),
    /// The file beside cannot be made whole.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// The file beside cannot take the place.
    #[error("cannot put {} in place", .0.display())]
    Rename(PathBuf, #[source] io::Error),
    /// The new file is in place, and may be gone after a power cut.
    #[error("{} is replaced, but its folder cannot be written to disk", .0.display())]
    SyncFolder(PathBuf, #[source] io::Error),
}

/// A whole new file beside the one that it will replace. Removed again when dropped before [`Beside::replace`].
#[derive(Debug)]
pub struct Beside {
    named: PathBuf,
    /// The same without symbolic links.
    target: PathBuf,
    path: PathBuf,
    in_place: bool,
}

impl Beside {
    /// Writes the bytes beside `target`, with its owner and mode, or root's and 0644 if there is none yet.
    pub fn write(target: &Path, bytes: &[u8], effects: &mut dyn Effects) -> Result<Self, AtomicError> {
        let named = target.to_owned();
        // Through a symbolic link the file that it leads to is replaced, not the link.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let like = match fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(AtomicError::Look(target, error)),
        };
        let path = target.with_file_name(beside_name(target.file_name().unwrap_or_default()));
        let beside = Self { named, target, path, in_place: false };
        let write_error = |error| AtomicError::Write(beside.path.clone(), error);
        beside.fill(bytes, like.as_ref(), effects).map_err(write_error)?;
        Ok(beside)
    }

    /// The file that will be replaced, by the name that it was given.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// The file beside, for a checker to read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn replace(mut self, effects: &mut dyn Effects) -> Result<(), AtomicError> {
        effects
            .before(Effect::Rename)
            .and_then(|()| fs::rename(&self.path, &self.target))
            .map_err(|error| AtomicError::Rename(self.target.clone(), error))?;
        self.in_place = true;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        effects
            .before(Effect::SyncFolder)
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|error| AtomicError::SyncFolder(self.target.clone(), error))
    }

    fn fill(&self, bytes: &[u8], like: Option<&Metadata>, effects: &mut dyn Effects) -> io::Result<()> {
        // What a crash left beside is nobody's: the lock is held by us.
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        effects.before(Effect::Create)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?;
        effects.before(Effect::Write)?;
        file.write_all(bytes)?;
        effects.before(Effect::Own)?;
        if let Some(like) = like {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        effects.before(Effect::Mode)?;
        file.set_permissions(fs::Permissions::from_mode(like.map_or(0o644, |like| like.mode() & 0o7777)))?;
        effects.before(Effect::Sync)?;
        file.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.in_place {
            // Nothing to say: the file beside has a name that nobody reads, and the next writer removes it.
            let _already_gone = fs::remove_file(&self.path);
        }
    }
}

/// Replaces or makes a file without a check in between.
pub fn replace(target: &Path, bytes: &[u8], effects: &mut dyn Effects) -> Result<(), AtomicError> {
    Beside::write(target, bytes, effects)?.replace(effects)
}

/// The name of the file beside: hidden, and with an ending that no `include` pattern of a person matches.
fn beside_name(name: &OsStr) -> OsString {
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".ghostctl-new");
    beside
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails one kind of call as a full disk would.
    struct FailAt(Effect);

    impl Effects for FailAt {
        fn before(&mut self, effect: Effect) -> io::Result<()> {
            if effect == self.0 { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
        }
    }

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn owner_and_mode_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dhcpd.conf");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(7), Some(9)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        replace(&path, b"new", &mut Real).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
    }

    #[test]
    fn whichever_call_fails_the_file_is_whole_and_nothing_lies_beside() {
        for effect in Effect::ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("dhcpd.conf");
            fs::write(&path, "old").unwrap();
            assert!(replace(&path, b"new", &mut FailAt(effect)).is_err(), "{effect:?}");
            let expected: &[u8] = if effect == Effect::SyncFolder { b"new" } else { b"old" };
            assert_eq!(fs::read(&path).unwrap(), expected, "{effect:?}");
            assert_eq!(names(folder.path()), ["dhcpd.conf"], "{effect:?}");
        }
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (link, real) = (folder.path().join("link"), folder.path().join("real"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new", &mut Real).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }
}
