//! A file replaced in one piece: whoever reads it sees the old bytes or the new ones, after a power cut too.
//!
//! ```text
//! create beside ─▶ write ─▶ owner, mode, attributes ─▶ fsync ─▶ (check) ─▶ rename ─▶ fsync folder
//!                                                                       └─ EBUSY ─▶ keep the old bytes ─▶ overwrite
//! ```
//! A file that is a mount point, as in containers, cannot be replaced (rename(2), EBUSY). It is overwritten, with both
//! contents beside it until that is done: `mount_point` does that. A file that others edit too is replaced only if it still holds
//! what was read: `exchange` does that.
//!
//! Each system call goes through an [`Effects`], so that tests can fail or crash at every one of them.

mod exchange;
mod mount_point;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use self::exchange::{Earlier, Looked, Replaced, folder_of, kept_beside, kept_in};
pub use self::mount_point::mend;
use super::attributes;

/// One system call of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Create,
    Write,
    Own,
    Mode,
    /// The access control list and labels are set.
    Attributes,
    /// The bytes reach the disk.
    Sync,
    /// The file beside takes the place.
    Rename,
    /// What another program has saved at the last moment takes its place again.
    PutBack,
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
    pub fn write(target: &Path, bytes: &[u8], effects: &mut dyn Effects) -> anyhow::Result<Self> {
        let named = target.to_owned();
        // Through a symbolic link the file that it leads to is replaced, not the link.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let is_there = match fs::metadata(&target) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).with_context(|| cannot_read(&target)),
        };
        let path = beside_path(&target);
        let beside = Self { named, target, path, in_place: false };
        let like = is_there.then_some(beside.target.as_path());
        beside.fill(bytes, like, effects).with_context(|| cannot_write(&beside.path))?;
        Ok(beside)
    }

    /// The file that will be replaced, by the name that it was given.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// The file that will be replaced, without symbolic links.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The file beside, for a checker to read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in place. If that fails the old file is still there, unless the error says otherwise.
    pub fn replace(mut self, effects: &mut dyn Effects) -> anyhow::Result<()> {
        match effects.before(Effect::Rename).and_then(|()| fs::rename(&self.path, &self.target)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                return mount_point::overwrite(self, effects);
            }
            Err(error) => return Err(error).with_context(|| cannot_put_in_place(&self.target)),
        }
        self.in_place = true;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let synced = effects.before(Effect::SyncFolder).and_then(|()| File::open(folder)?.sync_all());
        synced.with_context(|| is_not_on_disk(&self.target))
    }

    fn fill(&self, bytes: &[u8], like: Option<&Path>, effects: &mut dyn Effects) -> io::Result<()> {
        // We hold the lock, so what lies beside was left by a crash.
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
            // A file that stays does no harm: no program reads its name, and the next writer removes it.
            let _already_gone = fs::remove_file(&self.path);
        }
    }
}

/// Replaces or makes a file without a check in between.
pub fn replace(target: &Path, bytes: &[u8], effects: &mut dyn Effects) -> anyhow::Result<()> {
    Beside::write(target, bytes, effects)?.replace(effects)
}

/// Looks first: on a read-only file system unlink(2) fails for what is not there too.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path).and_then(|_| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside_path(target: &Path) -> PathBuf {
    target.with_file_name(hidden(target, ".ghostctl-new"))
}

/// The name of a file beside: hidden, and with an ending that no `include` pattern of a person matches.
fn hidden(target: &Path, ending: &str) -> OsString {
    let mut beside = OsString::from(".");
    beside.push(target.file_name().unwrap_or_default());
    beside.push(ending);
    beside
}

fn is_not_on_disk(path: &Path) -> String {
    format!("{} is replaced, but its folder cannot be written to disk", path.display())
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn cannot_put_in_place(path: &Path) -> String {
    format!("cannot put {} in place", path.display())
}

#[cfg(test)]
mod tests;
