//! Copies a folder with all that is in it, as `cp -a --reflink=auto` does: owners, modes, times, extended
//! attributes, links and devices are kept, and blocks are shared where the file system can.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};

/// Copies `from` to `to`, which must not be there yet. What `leave_out` says of a path below `from` stays away;
/// folders that it leaves out are made empty, since programs expect them.
pub(crate) fn folder(from: &Path, to: &Path, leave_out: &dyn Fn(&Path) -> bool) -> anyhow::Result<()> {
    let mut copy = Copy { root: from, leave_out, links: HashMap::new() };
    copy.entry(from, to)
}

struct Copy<'a> {
    root: &'a Path,
    leave_out: &'a dyn Fn(&Path) -> bool,
    /// Where the first copy of a file with several names went, by device and inode.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copy<'_> {
    fn entry(&mut self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let copying = || cannot_copy(from, to);
        let metadata = fs::symlink_metadata(from).with_context(copying)?;
        if metadata.is_dir() {
            fs::create_dir(to).with_context(copying)?;
            self.children(from, to)?;
        } else if !self.linked(&metadata, to).with_context(copying)? {
            single(from, to, &metadata).with_context(copying)?;
        } else {
            return Ok(());
        }
        attributes(from, to, &metadata).with_context(copying)
    }

    fn children(&mut self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let below = from.strip_prefix(self.root).unwrap_or(from);
        if (self.leave_out)(below) {
            return Ok(());
        }
        let copying = || cannot_copy(from, to);
        for child in fs::read_dir(from).with_context(copying)? {
            let name = child.with_context(copying)?.file_name();
            if !(self.leave_out)(&below.join(&name)) || from.join(&name).is_dir() {
                self.entry(&from.join(&name), &to.join(&name))?;
            }
        }
        Ok(())
    }

    /// True: it is a further name of a file that was copied before, and so it is in the copy.
    fn linked(&mut self, metadata: &Metadata, to: &Path) -> io::Result<bool> {
        if metadata.nlink() < 2 {
            return Ok(false);
        }
        match self.links.entry((metadata.dev(), metadata.ino())) {
            std::collections::hash_map::Entry::Occupied(first) => {
                fs::hard_link(first.get(), to)?;
                Ok(true)
            }
            std::collections::hash_map::Entry::Vacant(unseen) => {
                unseen.insert(to.to_owned());
                Ok(false)
            }
        }
    }
}

fn cannot_copy(from: &Path, to: &Path) -> String {
    format!("cannot copy {} to {}", from.display(), to.display())
}

/// Copies anything but a folder, without its attributes.
fn single(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if kind.is_file() {
        let source = File::open(from)?;
        let target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        return content(&source, &target);
    }
    let kind = if kind.is_fifo() {
        FileType::Fifo
    } else if kind.is_socket() {
        FileType::Socket
    } else if kind.is_block_device() {
        FileType::BlockDevice
    } else {
        FileType::CharacterDevice
    };
    Ok(mknodat(CWD, to, kind, Mode::from_raw_mode(0o600), metadata.rdev())?)
}

/// Shares the blocks, or copies them where the file system cannot share.
fn content(mut source: &File, mut target: &File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    io::copy(&mut source, &mut target)?;
    Ok(())
}

/// Owner before mode, since changing the owner drops set-user-id; times last.
fn attributes(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_symlink() {
        lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    } else if metadata.is_file() || metadata.is_dir() {
        let target = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(to)?;
        fchown(&target, Some(metadata.uid()), Some(metadata.gid()))?;
        target.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    } else {
        lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
        fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    }
    extended_attributes(from, to)?;
    let time = |tv_sec, nsec: i64| Timespec { tv_sec, tv_nsec: nsec };
    let times = Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec()),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec()),
    };
    Ok(utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn extended_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = [0_u8; 4_096];
    let length = match rustix::fs::llistxattr(from, &mut names) {
        Ok(length) => length,
        // The file system has none.
        Err(rustix::io::Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = CString::new(name)?;
        let mut value = vec![0_u8; 65_536];
        let length = rustix::fs::lgetxattr(from, &name, &mut value[..])?;
        rustix::fs::lsetxattr(to, &name, &value[..length], rustix::fs::XattrFlags::empty())?;
    }
    Ok(())
}

/// Puts a whole folder where another may be, in one step where the file system can, and gives back where the
/// other is now.
pub(crate) fn put_in_place(new: &Path, place: &Path) -> io::Result<Option<PathBuf>> {
    use rustix::fs::{RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => return Ok(Some(new.to_owned())),
        Err(rustix::io::Errno::NOENT) => {
            fs::rename(new, place)?;
            return Ok(None);
        }
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let mut name = new.file_name().unwrap_or(OsStr::from_bytes(b"tree")).to_owned();
    name.push(".old");
    let old = new.with_file_name(name);
    fs::rename(place, &old)?;
    fs::rename(new, place)?;
    Ok(Some(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_kept_but_what_is_left_out() {
        let folder_of_test = tempfile::tempdir().unwrap();
        let from = folder_of_test.path().join("from");
        let to = folder_of_test.path().join("to");
        fs::create_dir_all(from.join("cache/apt/lists")).unwrap();
        fs::write(from.join("cache/apt/lists/big"), "x").unwrap();
        fs::write(from.join("file"), "content").unwrap();
        fs::set_permissions(from.join("file"), fs::Permissions::from_mode(0o4751)).unwrap();
        fs::hard_link(from.join("file"), from.join("name2")).unwrap();
        symlink("/nowhere", from.join("link")).unwrap();
        nix::unistd::mkfifo(&from.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        folder(&from, &to, &|path| path == Path::new("cache/apt")).unwrap();

        let (old, new) = (fs::metadata(from.join("file")).unwrap(), fs::metadata(to.join("file")).unwrap());
        assert_eq!(fs::read(to.join("name2")).unwrap(), b"content");
        assert_eq!((old.mode(), old.mtime(), old.mtime_nsec()), (new.mode(), new.mtime(), new.mtime_nsec()));
        assert_eq!(new.ino(), fs::metadata(to.join("name2")).unwrap().ino());
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nowhere"));
        assert!(fs::symlink_metadata(to.join("fifo")).unwrap().file_type().is_fifo());
        assert!(to.join("cache/apt").is_dir());
        assert_eq!(fs::read_dir(to.join("cache/apt")).unwrap().count(), 0);
    }

    #[test]
    fn a_new_folder_takes_the_place_of_an_old_one() {
        let folder_of_test = tempfile::tempdir().unwrap();
        let (new, place) = (folder_of_test.path().join("new"), folder_of_test.path().join("place"));
        fs::create_dir(&new).unwrap();
        fs::write(new.join("a"), "").unwrap();
        assert_eq!(put_in_place(&new, &place).unwrap(), None);
        fs::create_dir(&new).unwrap();
        fs::write(new.join("b"), "").unwrap();
        let old = put_in_place(&new, &place).unwrap().unwrap();
        assert!(place.join("b").exists() && old.join("a").exists());
    }
}
