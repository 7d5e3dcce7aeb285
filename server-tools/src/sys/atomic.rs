//! A file replaced in one piece: whoever reads it sees the old bytes or the new ones, after a power cut too.
//!
//! ```text
//! create beside ─▶ write ─▶ owner, mode, attributes ─▶ fsync ─▶ (check) ─▶ rename ─▶ fsync folder
//!                                                                       └─ EBUSY ─▶ keep the old bytes ─▶ overwrite
//! ```
//! A file that is a mount point, as in containers, cannot be replaced (rename(2), EBUSY). It is overwritten, with both
//! contents beside it until that is done: [`mend`] puts the old bytes back after a crash in the middle.
//!
//! Each system call goes through an [`Effects`], so that tests can fail or crash at every one of them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{attributes, regular};

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
    /// The access control list and labels are set.
    Attributes,
    /// The bytes reach the disk.
    Sync,
    /// The file beside takes the place.
    Rename,
    /// The old bytes of a mount point are kept.
    Keep,
    /// A mount point is overwritten.
    Overwrite,
    /// The folder's entry reaches the disk.
    SyncFolder,
}

impl Effect {
    /// All of a file that can be replaced, in the order in which they happen.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::Write,
        Self::Own,
        Self::Mode,
        Self::Attributes,
        Self::Sync,
        Self::Rename,
        Self::SyncFolder,
    ];
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
    /// What was kept of a mount point lies there still.
    #[error("cannot remove {}, which is of no use any more", .0.display())]
    Kept(PathBuf, #[source] io::Error),
    /// A mount point is neither the old nor the new file.
    #[error("{} is half written, and putting it back failed too ({undoing}); its old contents are in {}", .file.display(), .kept.display())]
    Torn { file: PathBuf, kept: PathBuf, undoing: io::Error, source: io::Error },
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
        let is_there = match fs::metadata(&target) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(AtomicError::Look(target, error)),
        };
        let path = beside_path(&target);
        let beside = Self { named, target, path, in_place: false };
        let write_error = |error| AtomicError::Write(beside.path.clone(), error);
        beside.fill(bytes, is_there.then_some(beside.target.as_path()), effects).map_err(write_error)?;
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
        match effects.before(Effect::Rename).and_then(|()| fs::rename(&self.path, &self.target)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return self.overwrite(effects),
            Err(error) => return Err(AtomicError::Rename(self.target.clone(), error)),
        }
        self.in_place = true;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        effects
            .before(Effect::SyncFolder)
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|error| AtomicError::SyncFolder(self.target.clone(), error))
    }

    /// Overwrites what cannot be replaced. Both contents lie beside it until it is whole.
    fn overwrite(mut self, effects: &mut dyn Effects) -> Result<(), AtomicError> {
        let kept = kept_path(&self.target);
        let old =
            regular::read(&self.target).map_err(|error| AtomicError::Look(self.target.clone(), error))?;
        effects
            .before(Effect::Keep)
            .and_then(|()| keep(&kept, &old))
            .map_err(|error| AtomicError::Write(kept.clone(), error))?;
        // From here on a crash must find both.
        self.in_place = true;
        let new = regular::read(&self.path);
        let written = new
            .and_then(|new| effects.before(Effect::Overwrite).and_then(|()| overwrite(&self.target, &new)));
        let undone = if written.is_ok() { Ok(()) } else { overwrite(&self.target, &old) };
        match (written, undone) {
            (Ok(()), _) => remove_kept(&kept, &self.path).map_err(|error| AtomicError::Kept(kept, error)),
            (Err(error), Ok(())) => {
                remove_kept(&kept, &self.path).map_err(|error| AtomicError::Kept(kept, error))?;
                Err(AtomicError::Rename(self.target.clone(), error))
            }
            (Err(error), Err(undoing)) => {
                Err(AtomicError::Torn { file: self.target.clone(), kept, undoing, source: error })
            }
        }
    }

    fn fill(&self, bytes: &[u8], like: Option<&Path>, effects: &mut dyn Effects) -> io::Result<()> {
        // What a crash left beside is nobody's: the lock is held by us.
        remove_if_there(&self.path)?;
        effects.before(Effect::Create)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?;
        effects.before(Effect::Write)?;
        file.write_all(bytes)?;
        effects.before(Effect::Own)?;
        like.map_or(Ok(()), |like| attributes::copy_owner(like, &file))?;
        effects.before(Effect::Mode)?;
        let by_default = || file.set_permissions(fs::Permissions::from_mode(0o644));
        like.map_or_else(by_default, |like| attributes::copy_mode(like, &file))?;
        effects.before(Effect::Attributes)?;
        like.map_or(Ok(()), |like| attributes::copy_extended(like, &file))?;
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

/// Puts the old bytes back where a crash has left a mount point half written; true if it had. To be called by the holder of
/// the lock. What another person has written meanwhile stays.
pub fn mend(target: &Path) -> Result<bool, AtomicError> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let (kept, beside) = (kept_path(&target), beside_path(&target));
    let (Ok(old), Ok(new)) = (regular::read(&kept), regular::read(&beside)) else {
        // Without both of them nothing was overwritten yet, or all of it.
        return remove_kept(&kept, &beside).map(|()| false).map_err(|error| AtomicError::Kept(kept, error));
    };
    let now = regular::read(&target).map_err(|error| AtomicError::Look(target.clone(), error))?;
    let is_torn = now != old && now != new && is_mixture(&now, &old, &new);
    if is_torn {
        overwrite(&target, &old).map_err(|error| AtomicError::Rename(target.clone(), error))?;
    }
    remove_kept(&kept, &beside).map(|()| is_torn).map_err(|error| AtomicError::Kept(kept, error))
}

/// Whether it can have come from one by writing part of the other over it: each byte is from one of them.
fn is_mixture(now: &[u8], old: &[u8], new: &[u8]) -> bool {
    let lengths = old.len().min(new.len())..=old.len().max(new.len());
    let from_one = |(at, byte): (usize, &u8)| old.get(at) == Some(byte) || new.get(at) == Some(byte);
    lengths.contains(&now.len()) && now.iter().enumerate().all(from_one)
}

fn overwrite(target: &Path, bytes: &[u8]) -> io::Result<()> {
    // Not truncated first: a full disk must not take what there is.
    let mut file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(target)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len().try_into().map_err(|_| io::ErrorKind::FileTooLarge)?)?;
    file.sync_all()
}

/// Whole or not at all: what is kept may be put back.
fn keep(kept: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(kept);
    remove_if_there(&unfinished)?;
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, kept)?;
        File::open(kept.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    written().inspect_err(|_| {
        // Nothing was overwritten yet, so that what is left would mislead nobody; the next edit removes it.
        let _already_gone = remove_if_there(&unfinished).and_then(|()| remove_if_there(kept));
    })
}

/// The old contents first: where they are alone, the new ones are in place.
fn remove_kept(kept: &Path, beside: &Path) -> io::Result<()> {
    remove_if_there(kept)?;
    remove_if_there(&unfinished(kept))?;
    remove_if_there(beside)
}

/// Looks first: on a read-only file system unlink(2) fails for what is not there too.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path).and_then(|_| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unfinished(kept: &Path) -> PathBuf {
    kept.with_extension("ghostctl-old-unfinished")
}

fn beside_path(target: &Path) -> PathBuf {
    target.with_file_name(hidden(target, ".ghostctl-new"))
}

fn kept_path(target: &Path) -> PathBuf {
    target.with_file_name(hidden(target, ".ghostctl-old"))
}

/// The name of a file beside: hidden, and with an ending that no `include` pattern of a person matches.
fn hidden(target: &Path, ending: &str) -> OsString {
    let mut beside = OsString::from(".");
    beside.push(target.file_name().unwrap_or_default());
    beside.push(ending);
    beside
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

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

    /// A file that is a mount point, as in a container.
    struct Mounted {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Mounted {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (outside, path) = (folder.path().join("outside"), folder.path().join("dhcpd.conf"));
            fs::write(&outside, "old").unwrap();
            fs::write(&path, "").unwrap();
            nix::mount::mount(
                Some(&outside),
                &path,
                None::<&str>,
                nix::mount::MsFlags::MS_BIND,
                None::<&str>,
            )
            .unwrap();
            Self { folder, path }
        }

        fn names(&self) -> Vec<OsString> {
            let mut names = names(self.folder.path());
            names.sort();
            names
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            nix::mount::umount2(&self.path, nix::mount::MntFlags::MNT_DETACH).unwrap();
        }
    }

    #[test]
    fn a_mount_point_is_overwritten() {
        let mounted = Mounted::new();
        replace(&mounted.path, b"newer", &mut Real).unwrap();
        assert_eq!(fs::read(mounted.folder.path().join("outside")).unwrap(), b"newer");
        assert_eq!(mounted.names(), ["dhcpd.conf", "outside"]);
    }

    #[test]
    fn whichever_call_fails_a_mount_point_is_whole_and_nothing_lies_beside() {
        for effect in [Effect::Create, Effect::Write, Effect::Sync, Effect::Keep, Effect::Overwrite] {
            let mounted = Mounted::new();
            assert!(replace(&mounted.path, b"newer", &mut FailAt(effect)).is_err(), "{effect:?}");
            assert_eq!(fs::read(&mounted.path).unwrap(), b"old", "{effect:?}");
            assert_eq!(mounted.names(), ["dhcpd.conf", "outside"], "{effect:?}");
        }
    }

    #[test]
    fn a_crash_while_a_file_is_overwritten_is_mended_wherever_it_was() {
        let (old, new) = (b"filename \"nobackup\"; } # x", b"filename \"pxelinux.0\"; } # x");
        for written in 0..=new.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("dhcpd.conf");
            let mut torn = new[..written].to_vec();
            torn.extend_from_slice(old.get(written..).unwrap_or_default());
            fs::write(&path, &torn).unwrap();
            fs::write(kept_path(&path), old).unwrap();
            fs::write(beside_path(&path), new).unwrap();
            mend(&path).unwrap();
            let now = fs::read(&path).unwrap();
            assert!(now == old || now == new, "{written}: {}", String::from_utf8_lossy(&now));
            assert_eq!(names(folder.path()), ["dhcpd.conf"], "{written}");
        }
    }

    #[test]
    fn what_another_person_has_written_after_a_crash_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dhcpd.conf");
        fs::write(&path, "theirs").unwrap();
        fs::write(kept_path(&path), "old").unwrap();
        fs::write(beside_path(&path), "newer").unwrap();
        assert!(!mend(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["dhcpd.conf"]);
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
