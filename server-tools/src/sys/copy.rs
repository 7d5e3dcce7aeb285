//! Copies a folder with all that is in it, as `cp -a --reflink=auto` does: owners, modes, times, extended
//! attributes, links and devices are kept, and blocks are shared where the file system can.
//!
//! Clients can write where it copies from and to, while it does. So everything is reached from an open folder, no symbolic
//! link is followed, nothing is opened that could be waited for, and neither the number of files nor their sizes are believed.

use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ghost_contract::bounds;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, RenameFlags, Stat, Timespec, Timestamps, Uid, chownat, fstat, linkat,
    mknodat, readlinkat, renameat, renameat_with, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::folder::{Entry, Folder, Kind};

/// Copies the folder `from` in `base` to the name `to` in another folder, which must not be there yet. What `leave_out` says of a path below
/// `from` stays away; folders that it leaves out are made empty, since programs expect them.
pub(crate) fn folder(
    base: &Folder,
    from: &str,
    (target, to): (&Folder, &OsStr),
    leave_out: &dyn Fn(&Path) -> bool,
) -> anyhow::Result<()> {
    let begin = || -> io::Result<(Folder, Folder)> {
        let source = base.folder(from)?;
        target.make_folder(to, ROOT_ONLY)?;
        Ok((source, target.folder(to)?))
    };
    let (source, target) = begin().with_context(|| format!("cannot copy {from} to {}", to.display()))?;
    let mut copy = Copy { top: &target, leave_out, links: HashMap::new(), files: 0, bytes: 0 };
    copy.folder(&source, &target, Path::new(""))
}

/// Nobody but root looks into a folder that is not whole yet.
const ROOT_ONLY: u32 = 0o700;

struct Copy<'a> {
    /// Where the copy is.
    top: &'a Folder,
    leave_out: &'a dyn Fn(&Path) -> bool,
    /// Where the first copy of a file with several names went, by device and inode.
    links: HashMap<(u64, u64), PathBuf>,
    /// How much was copied so far.
    files: usize,
    bytes: u64,
}

impl Copy<'_> {
    /// What is in a folder, and then its own attributes.
    fn folder(&mut self, from: &Folder, to: &Folder, below: &Path) -> anyhow::Result<()> {
        let copying = || format!("cannot copy /{}", below.display());
        if !(self.leave_out)(below) {
            for Entry { path, kind } in from.entries().with_context(copying)? {
                let whole = below.join(&path);
                if kind == Kind::Folder || !(self.leave_out)(&whole) {
                    self.entry((from, to), &path, kind, &whole)?;
                }
            }
        }
        let stat = fstat(from).map_err(io::Error::from).with_context(copying)?;
        attributes(from.as_fd(), to.as_fd(), &stat).with_context(copying)
    }

    fn entry(
        &mut self,
        (from, to): (&Folder, &Folder),
        name: &Path,
        kind: Kind,
        whole: &Path,
    ) -> anyhow::Result<()> {
        let copying = || format!("cannot copy /{}", whole.display());
        self.count(whole).with_context(copying)?;
        if kind != Kind::Folder {
            return self.single((from, to), name, kind, whole).with_context(copying);
        }
        let opened = || -> io::Result<(Folder, Folder)> {
            let source = from.folder(name)?;
            to.make_folder(name, ROOT_ONLY)?;
            Ok((source, to.folder(name)?))
        };
        let (source, target) = opened().with_context(copying)?;
        self.folder(&source, &target, whole)
    }

    /// Refuses what no root file system has.
    fn count(&mut self, whole: &Path) -> io::Result<()> {
        self.files += 1;
        if self.files > bounds::TREE_FILES {
            return Err(io::Error::other(format!("there are more than {} files", bounds::TREE_FILES)));
        }
        if whole.components().count() > bounds::TREE_DEPTH {
            return Err(io::Error::other(format!(
                "folders are nested more than {} deep",
                bounds::TREE_DEPTH
            )));
        }
        Ok(())
    }

    /// Copies anything but a folder.
    fn single(
        &mut self,
        (from, to): (&Folder, &Folder),
        name: &Path,
        kind: Kind,
        whole: &Path,
    ) -> io::Result<()> {
        if kind == Kind::Other {
            return special(from, to, name);
        }
        let source = from.file(name)?;
        let stat = fstat(&source)?;
        if self.linked(&stat, to, name, whole)? {
            return Ok(());
        }
        let target = to.create(name)?;
        self.content(&source, &target, &stat)?;
        attributes(source.as_fd(), target.as_fd(), &stat)
    }

    /// True: it is a further name of a file that was copied before, and so it is in the copy.
    fn linked(&mut self, stat: &Stat, to: &Folder, name: &Path, whole: &Path) -> io::Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        match self.links.entry((stat.st_dev, stat.st_ino)) {
            std::collections::hash_map::Entry::Occupied(first) => {
                let first = first.get();
                let folder = first.parent().filter(|folder| !folder.as_os_str().is_empty());
                let opened = folder.map(|folder| self.top.folder(folder)).transpose()?;
                let first = first.file_name().unwrap_or_default();
                linkat(opened.as_ref().unwrap_or(self.top), first, to, name, AtFlags::empty())?;
                Ok(true)
            }
            std::collections::hash_map::Entry::Vacant(unseen) => {
                unseen.insert(whole.to_owned());
                Ok(false)
            }
        }
    }

    /// Shares the blocks, or copies them where the file system cannot share. No more bytes than a tree may have: a file can
    /// claim any size, and grow while it is read.
    fn content(&mut self, source: &File, mut target: &File, stat: &Stat) -> io::Result<()> {
        let left = bounds::TREE_BYTES.saturating_sub(self.bytes);
        let claimed = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if claimed <= left && rustix::fs::ioctl_ficlone(target, source).is_ok() {
            self.bytes = self.bytes.saturating_add(claimed);
            return Ok(());
        }
        let copied = match claimed {
            claimed if claimed > left => left.saturating_add(1),
            _ => io::copy(&mut io::Read::take(source, left.saturating_add(1)), &mut target)?,
        };
        self.bytes = self.bytes.saturating_add(copied);
        if copied > left {
            return Err(io::Error::other(format!("a tree has no more than {} bytes", bounds::TREE_BYTES)));
        }
        Ok(())
    }
}

/// Makes a link, device, pipe or socket like this one, without opening what it stands for.
fn special(from: &Folder, to: &Folder, name: &Path) -> io::Result<()> {
    let source = from.handle(name)?;
    let stat = fstat(&source)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => symlinkat(readlinkat(&source, "", Vec::new())?, to, name)?,
        FileType::RegularFile | FileType::Directory => {
            return Err(io::Error::other("it has become something else meanwhile"));
        }
        kind => mknodat(to, name, kind, Mode::from_raw_mode(0o600), stat.st_rdev)?,
    }
    attributes(source.as_fd(), to.handle(name)?.as_fd(), &stat)
}

/// Owner before mode, since changing the owner drops set-user-id; times last.
fn attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    let (owner, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(to, "", Some(owner), Some(group), AtFlags::EMPTY_PATH)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        rustix::fs::chmod(itself(to), Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    }
    extended_attributes(from, to)?;
    let time = |tv_sec, nsec| Timespec { tv_sec, tv_nsec: nsec };
    let times = Timestamps {
        last_access: time(stat.st_atime, i64::try_from(stat.st_atime_nsec).unwrap_or_default()),
        last_modification: time(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()),
    };
    Ok(utimensat(to, "", &times, AtFlags::EMPTY_PATH)?)
}

/// The name of what a descriptor stands for, also of one that is only a handle (`O_PATH`): some calls want a name.
fn itself(of: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", of.as_raw_fd())
}

fn extended_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let (from, to) = (itself(from), itself(to));
    let mut names = [0_u8; 65_536];
    let length = match rustix::fs::listxattr(&*from, &mut names) {
        Ok(length) => length,
        // The file system has none.
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = CString::new(name)?;
        let mut value = vec![0_u8; 65_536];
        let length = rustix::fs::getxattr(&*from, &name, &mut value[..])?;
        rustix::fs::setxattr(&*to, &name, &value[..length], rustix::fs::XattrFlags::empty())?;
    }
    Ok(())
}

/// Puts a whole folder where something else may be, in one step where the file system can, and gives back what the other is
/// called now.
pub(crate) fn put_in_place(base: &Folder, new: &OsStr, place: &OsStr) -> io::Result<Option<OsString>> {
    match renameat_with(base, new, base, place, RenameFlags::EXCHANGE) {
        Ok(()) => return Ok(Some(new.to_owned())),
        Err(Errno::NOENT) => {
            renameat(base, new, base, place)?;
            return Ok(None);
        }
        Err(Errno::INVAL | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let mut old = new.to_owned();
    old.push(OLD);
    base.remove(&old)?;
    renameat(base, place, base, &old)?;
    renameat(base, new, base, place)?;
    Ok(Some(old))
}

/// How the name ends of what was in the place, on a file system that cannot exchange two names.
pub(crate) const OLD: &str = ".old";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

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
        rustix::fs::setxattr(from.join("file"), "user.note", b"kept", rustix::fs::XattrFlags::empty())
            .unwrap();
        fs::set_permissions(from.join("cache"), fs::Permissions::from_mode(0o1750)).unwrap();
        let base = Folder::open(folder_of_test.path()).unwrap();
        folder(&base, "from", (&base, OsStr::new("to")), &|path| path == Path::new("cache/apt")).unwrap();

        let (old, new) = (fs::metadata(from.join("file")).unwrap(), fs::metadata(to.join("file")).unwrap());
        assert_eq!(fs::read(to.join("name2")).unwrap(), b"content");
        assert_eq!((old.mode(), old.mtime(), old.mtime_nsec()), (new.mode(), new.mtime(), new.mtime_nsec()));
        assert_eq!(new.ino(), fs::metadata(to.join("name2")).unwrap().ino());
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nowhere"));
        let mut note = [0; 4];
        rustix::fs::getxattr(to.join("file"), "user.note", &mut note).unwrap();
        assert_eq!(&note, b"kept");
        assert_eq!(fs::metadata(to.join("cache")).unwrap().mode() & 0o7777, 0o1750);
        let (old, new) = (
            fs::symlink_metadata(from.join("link")).unwrap(),
            fs::symlink_metadata(to.join("link")).unwrap(),
        );
        assert_eq!((old.mtime(), old.mtime_nsec()), (new.mtime(), new.mtime_nsec()));
        assert!(fs::symlink_metadata(to.join("fifo")).unwrap().file_type().is_fifo());
        assert!(to.join("cache/apt").is_dir());
        assert_eq!(fs::read_dir(to.join("cache/apt")).unwrap().count(), 0);
    }

    #[test]
    fn a_new_folder_takes_the_place_of_whatever_was_there() {
        let folder_of_test = tempfile::tempdir().unwrap();
        let (new, place) = (folder_of_test.path().join("new"), folder_of_test.path().join("place"));
        let base = Folder::open(folder_of_test.path()).unwrap();
        let put = || put_in_place(&base, OsStr::new("new"), OsStr::new("place")).unwrap();
        fs::create_dir(&new).unwrap();
        fs::write(new.join("a"), "").unwrap();
        assert_eq!(put(), None);
        fs::create_dir(&new).unwrap();
        fs::write(new.join("b"), "").unwrap();
        let old = folder_of_test.path().join(put().unwrap());
        assert!(place.join("b").exists() && old.join("a").exists());
        // A client has put a link in its place.
        fs::remove_dir_all(&place).unwrap();
        symlink("/etc", &place).unwrap();
        let old = folder_of_test.path().join(put().unwrap());
        assert!(place.join("a").exists() && old.is_symlink());
    }

    /// A root file system's etc, and a folder of the boot server's own beside it.
    fn planted() -> (tempfile::TempDir, Folder) {
        let inside = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::create_dir_all(inside.path().join("etc/own/deep")).unwrap();
        fs::create_dir_all(inside.path().join("server/deep")).unwrap();
        fs::write(inside.path().join("etc/own/deep/file"), "own").unwrap();
        fs::write(inside.path().join("server/deep/file"), "secret").unwrap();
        let base = Folder::open(inside.path()).unwrap();
        (inside, base)
    }

    fn copied(base: &Folder) -> anyhow::Result<()> {
        base.remove("to")?;
        folder(base, "etc", (base, OsStr::new("to")), &|_| false)
    }

    #[test]
    fn a_link_is_copied_as_one_and_never_followed_however_it_is_swapped_in() {
        for (one, other) in [
            ("etc/own", "etc/link"),
            ("etc/own/deep", "etc/own/link"),
            ("etc/own/deep/file", "etc/own/deep/link"),
        ] {
            let (inside, base) = planted();
            let (one, other) = (inside.path().join(one), inside.path().join(other));
            let below = one.strip_prefix(inside.path().join("etc/own")).unwrap();
            symlink(inside.path().join("server").join(below), &other).unwrap();
            let over = std::sync::atomic::AtomicBool::new(false);
            let (mut whole, mut leaked) = (0, false);
            std::thread::scope(|scope| {
                let swaps = scope.spawn(|| {
                    let mut swaps = 0_u32;
                    while !over.load(std::sync::atomic::Ordering::Relaxed) || swaps < 10_000 {
                        use rustix::fs::CWD;
                        renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                        swaps += 1;
                    }
                });
                for _ in 0..3_400 {
                    whole += u32::from(copied(&base).is_ok());
                    leaked |= has_something_of_the_server(&inside.path().join("to"));
                }
                over.store(true, std::sync::atomic::Ordering::Relaxed);
                swaps.join().unwrap();
            });
            assert!(!leaked, "of the server's there are links, and no bytes");
            assert!(whole > 0, "some copies are whole");
        }
    }

    fn has_something_of_the_server(folder: &Path) -> bool {
        fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => has_something_of_the_server(&entry.path()),
            kind => kind.is_file() && fs::read(entry.path()).unwrap() == b"secret",
        })
    }

    #[test]
    fn of_more_files_than_a_root_file_system_has_none_is_copied() {
        let (inside, base) = planted();
        let many = inside.path().join("etc/many");
        fs::create_dir(&many).unwrap();
        for file in 0..bounds::TREE_FILES {
            let folder = many.join((file / 1_000).to_string());
            let first = folder.join("0");
            // Links of one file are as many files to whoever copies them, and quicker made.
            match file % 1_000 {
                0 => fs::create_dir(&folder).and_then(|()| fs::write(first, "")).unwrap(),
                _ => fs::hard_link(first, folder.join(file.to_string())).unwrap(),
            }
        }
        let error = format!("{:#}", copied(&base).unwrap_err());
        assert!(error.ends_with(&format!("there are more than {} files", bounds::TREE_FILES)), "{error}");
    }

    #[test]
    fn what_would_never_end_is_refused() {
        let (inside, base) = planted();
        copied(&base).unwrap();
        let endless = fs::File::create(inside.path().join("etc/endless")).unwrap();
        endless.set_len(bounds::TREE_BYTES + 1).unwrap();
        let error = format!("{:#}", copied(&base).unwrap_err());
        assert_eq!(
            error,
            format!("cannot copy /endless: a tree has no more than {} bytes", bounds::TREE_BYTES)
        );
        fs::remove_file(inside.path().join("etc/endless")).unwrap();
        fs::create_dir_all(inside.path().join("etc").join(["d"; bounds::TREE_DEPTH].join("/"))).unwrap();
        copied(&base).unwrap();
        fs::create_dir_all(inside.path().join("etc").join(["d"; bounds::TREE_DEPTH + 1].join("/"))).unwrap();
        assert!(format!("{:#}", copied(&base).unwrap_err()).contains("nested more than"));
    }
}
