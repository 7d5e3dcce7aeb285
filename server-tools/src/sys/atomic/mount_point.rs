//! Overwrites a file that is a mount point, with both contents beside it until that is done, and puts the old bytes back
//! after a crash in the middle.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{
    Beside, Effect, Effects, beside_path, cannot_put_in_place, cannot_read, cannot_write, hidden,
    remove_if_there,
};
use crate::sys::regular;

/// Overwrites the file that `beside` was to replace.
pub(super) fn overwrite(mut beside: Beside, effects: &mut dyn Effects) -> anyhow::Result<()> {
    let target = beside.target.clone();
    let kept = kept_path(&target);
    let old = regular::read(&target).with_context(|| cannot_read(&target))?;
    effects.before(Effect::Keep).and_then(|()| keep(&kept, &old)).with_context(|| cannot_write(&kept))?;
    // From here on a crash must find both.
    beside.in_place = true;
    let new = regular::read(&beside.path);
    let written = new.and_then(|new| effects.before(Effect::Overwrite).and_then(|()| put(&target, &new)));
    let Err(error) = written else { return remove_kept(&kept, &beside.path) };
    if let Err(undoing) = put(&target, &old) {
        let (file, kept) = (target.display(), kept.display());
        return Err(error).with_context(|| {
            format!(
                "{file} is half written, and putting it back failed too ({undoing}); its old contents are in {kept}"
            )
        });
    }
    remove_kept(&kept, &beside.path)?;
    Err(error).with_context(|| cannot_put_in_place(&target))
}

/// Puts the old bytes back where a crash has left a mount point half written; true if it had. To be called by the holder of
/// the lock. What another person has written meanwhile stays.
pub fn mend(target: &Path) -> anyhow::Result<bool> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let (kept, beside) = (kept_path(&target), beside_path(&target));
    let (Ok(old), Ok(new)) = (regular::read(&kept), regular::read(&beside)) else {
        // Without both of them nothing was overwritten yet, or all of it.
        return remove_kept(&kept, &beside).map(|()| false);
    };
    let now = regular::read(&target).with_context(|| cannot_read(&target))?;
    let is_torn = now != old && now != new && is_mixture(&now, &old, &new);
    if is_torn {
        put(&target, &old).with_context(|| cannot_put_in_place(&target))?;
    }
    remove_kept(&kept, &beside).map(|()| is_torn)
}

/// Whether it can have come from one by writing part of the other over it: each byte is from one of them.
fn is_mixture(now: &[u8], old: &[u8], new: &[u8]) -> bool {
    let lengths = old.len().min(new.len())..=old.len().max(new.len());
    let from_one = |(at, byte): (usize, &u8)| old.get(at) == Some(byte) || new.get(at) == Some(byte);
    lengths.contains(&now.len()) && now.iter().enumerate().all(from_one)
}

fn put(target: &Path, bytes: &[u8]) -> io::Result<()> {
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
        // Nothing was overwritten yet, so what is left does no harm, and the next edit removes it.
        let _already_gone = remove_if_there(&unfinished).and_then(|()| remove_if_there(kept));
    })
}

/// The old contents first: where they are alone, the new ones are in place.
fn remove_kept(kept: &Path, beside: &Path) -> anyhow::Result<()> {
    [kept, &unfinished(kept), beside].into_iter().try_for_each(|path| {
        remove_if_there(path)
            .with_context(|| format!("cannot remove {}, which is of no use any more", path.display()))
    })
}

fn unfinished(kept: &Path) -> PathBuf {
    kept.with_extension("ghostctl-old-unfinished")
}

pub(super) fn kept_path(target: &Path) -> PathBuf {
    target.with_file_name(hidden(target, ".ghostctl-old"))
}
