//! An open folder, and what is below it, reached in such a way that nothing that a client planted there leads
//! out: openat2(2) with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.
//!
//! Does not know what the files are for. Renaming and syncing are here because both belong to a folder.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use ghost_contract::UnixTime;
use ghost_contract::bounds::{STAGING_DEPTH as DEPTH, STAGING_FILES, STAGING_NAMES};
use rustix::fs::{
    Advice, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fadvise, fstat, fsync, mkdirat, openat2,
    renameat, statat, syncfs, unlinkat,
};
use rustix::io::Errno;

use super::regular;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// No folder that is listed as a whole has so many names in it, unless a client wants our memory. In tests it is fewer, since
/// making them takes long.
const MOST_NAMES: usize = if cfg!(test) { 10_000 } else { 1_000_000 };
/// So many names are held in memory when a folder is emptied.
const BATCH: usize = 1_024;
/// How often a folder is listed again that is being emptied. Who fills it all the time is not waited for.
const ROUNDS: usize = 100_000;
const FILLED: &str = "it is filled all the time";
/// What the name of a folder begins with that was nested too deep and is moved up to be removed.
const DEEP: &str = ".deep-";

/// What the name of a file begins with that is to replace another.
pub(crate) const BESIDE: &str = ".new-";

#[derive(Debug)]
pub struct Folder(OwnedFd);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// A symbolic link, device, pipe or socket.
    Other,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path below the folder that was listed.
    pub path: PathBuf,
    pub kind: Kind,
}

/// What a walk through a folder and those below it has met so far.
struct Walk {
    /// So many files are found at most.
    most: usize,
    names: usize,
    /// The lengths of the paths in `found`.
    bytes: usize,
    found: Vec<Entry>,
}

/// How large a file is, bytes: as it looks, and on its disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Takes {
    pub(crate) apparent: u64,
    pub(crate) stored: u64,
}

impl Folder {
    /// Opens a folder that the administrator named: symbolic links on the way are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, FOLDER, Mode::empty())?))
    }

    pub fn folder(&self, path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self(openat2(&self.0, path.as_ref(), FOLDER, Mode::empty(), RESOLVE)?))
    }

    /// Makes a folder with this mode, whatever the umask.
    pub fn make_folder(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode);
        mkdirat(&self.0, name.as_ref(), mode)?;
        Ok(rustix::fs::fchmod(&self.folder(name.as_ref())?.0, mode)?)
    }

    /// Opens a regular file below for reading. Nothing else is opened: no pipe is waited for, and no device's driver is called.
    pub fn file(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        regular::opened(&openat2(&self.0, path.as_ref(), flags, Mode::empty(), RESOLVE)?)
    }

    /// Something below, whatever it is, and not opened: of a link the link itself.
    pub(crate) fn handle(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat2(&self.0, path.as_ref(), flags, Mode::empty(), RESOLVE)?)
    }

    /// How many bytes a regular file below has, without opening it.
    pub fn size(&self, path: impl AsRef<Path>) -> io::Result<u64> {
        Ok(self.takes(path)?.apparent)
    }

    /// How large a regular file below is, without opening it.
    pub(crate) fn takes(&self, path: impl AsRef<Path>) -> io::Result<Takes> {
        let stat = fstat(self.handle(path)?)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is not a regular file"));
        }
        let bytes = |number: i64| u64::try_from(number).map_err(io::Error::other);
        Ok(Takes { apparent: bytes(stat.st_size)?, stored: bytes(stat.st_blocks)?.saturating_mul(512) })
    }

    /// The bytes of a regular file below.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
        fits.then_some(bytes).ok_or_else(|| io::Error::other(format!("it has more than {limit} bytes")))
    }

    /// Makes a file that only root can read, for writing.
    pub fn create(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(File::from(openat2(&self.0, name.as_ref(), flags, Mode::RUSR | Mode::WUSR, RESOLVE)?))
    }

    /// What is in it, by name, without what is in its folders.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = self.some_entries(MOST_NAMES + 1)?;
        if entries.len() > MOST_NAMES {
            return Err(io::Error::other(format!("there are more than {MOST_NAMES} names in it")));
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.some_entries(1)?.is_empty())
    }

    /// So many of its entries at most, as they come.
    fn some_entries(&self, most: usize) -> io::Result<Vec<Entry>> {
        self.wanted_entries(most, |_| true)
    }

    /// At most so many of its entries that are wanted, as they come. The others take no memory, however many there are.
    pub fn wanted_entries(
        &self,
        most: usize,
        mut is_wanted: impl FnMut(&Entry) -> bool,
    ) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in Dir::read_from(&self.0)? {
            let found = found?;
            let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(found.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if entries.len() >= most {
                break;
            }
            let entry = match self.kind(name, found.file_type()) {
                Ok(kind) => Entry { path: PathBuf::from(name), kind },
                // It has gone since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if is_wanted(&entry) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// What is in it and in its folders, the folders themselves not; by name. Nothing if it is more than a client may leave.
    pub fn tree(&self) -> io::Result<Vec<Entry>> {
        self.tree_of(STAGING_FILES)
    }

    fn tree_of(&self, most: usize) -> io::Result<Vec<Entry>> {
        let mut walk = Walk { most, names: 0, bytes: 0, found: Vec::new() };
        self.walk(Path::new(""), DEPTH, &mut walk)?;
        walk.found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk.found)
    }

    /// Whether something has this name, a dangling link too.
    pub fn has(&self, name: impl AsRef<OsStr>) -> io::Result<bool> {
        match statat(&self.0, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// An error unless it is this very folder.
    pub fn require(&self, same: &Self) -> io::Result<()> {
        let (ours, theirs) = (fstat(&self.0)?, fstat(&same.0)?);
        let is_same = (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino);
        is_same.then_some(()).ok_or_else(|| io::Error::other("another folder was put in its place meanwhile"))
    }

    /// When something was last made, renamed or removed in it, by the file system's clock.
    pub fn changed(&self) -> io::Result<UnixTime> {
        let seconds = u64::try_from(fstat(&self.0)?.st_mtime).unwrap_or_default();
        Ok(UnixTime::from_millis(seconds.saturating_mul(1_000)))
    }

    /// Gives something in it another name. A folder never takes the place of one that is not empty (rename(2)).
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(renameat(&self.0, from.as_ref(), &self.0, to.as_ref())?)
    }

    /// Moves something to another folder of the same file system, as [`Self::rename`] does.
    pub fn move_to(&self, from: impl AsRef<OsStr>, other: &Self, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(renameat(&self.0, from.as_ref(), &other.0, to.as_ref())?)
    }

    /// Writes a file where nothing has its name, in a folder that nobody uses yet, and to the disk.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.create(name)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Writes a file of ours anew, in one piece: whoever opens it sees the old bytes or the new ones. The name is
    /// safe after a power cut once the folder is synced.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace_once(name, bytes, File::sync_all)
    }

    /// As [`Self::replace`] in a folder that nobody uses yet: the bytes are safe after a power cut once
    /// [`Self::sync_file_system`] has returned.
    pub fn replace_unsynced(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace_once(name, bytes, |_| Ok(()))
    }

    fn replace_once(
        &self,
        name: &str,
        bytes: &[u8],
        ready: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let beside = format!("{BESIDE}{name}");
        self.remove_left_beside(name)?;
        let mut file = self.create(&beside)?;
        let replaced =
            file.write_all(bytes).and_then(|()| ready(&file)).and_then(|()| self.rename(&beside, name));
        if replaced.is_err() {
            // It may be in place already; if it is not and stays, the next writer removes it.
            let _stays = self.remove_file(&beside);
        }
        replaced
    }

    /// Removes what a crash in [`Self::replace`] has left beside this name, or whatever a client has put there.
    pub fn remove_left_beside(&self, name: &str) -> io::Result<()> {
        self.remove(format!("{BESIDE}{name}"))
    }

    /// Removes a file, or whatever else is no folder.
    pub fn remove_file(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(unlinkat(&self.0, name.as_ref(), AtFlags::empty())?)
    }

    /// Removes a folder with all that is in it, however much that is and however deep it is nested. Links in it are removed
    /// and not followed.
    pub fn remove_folder(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let top = self.folder(name.as_ref())?;
        top.clear(&top, 0, &mut 0)?;
        Ok(unlinkat(&self.0, name.as_ref(), AtFlags::REMOVEDIR)?)
    }

    /// Removes whatever has this name; nothing if nothing has it.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let removed = match self.remove_file(name.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => self.remove_folder(name.as_ref()),
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Removes all that is in it but these names. What can be removed goes, whatever else cannot.
    pub fn remove_all_but(&self, kept: &[&OsStr]) -> io::Result<()> {
        self.remove_wanted(|entry| !kept.contains(&entry.path.as_os_str())).map(drop)
    }

    /// Removes what is wanted of what is in it, and says how much that was. What can be removed goes, whatever else cannot.
    pub fn remove_wanted(&self, is_wanted: impl Fn(&Entry) -> bool) -> io::Result<u64> {
        let mut removed = 0;
        for _ in 0..ROUNDS {
            let some = self.wanted_entries(BATCH, &is_wanted)?;
            if some.is_empty() {
                return Ok(removed);
            }
            let mut all = Ok(());
            for Entry { path, .. } in some {
                match self.remove(&path) {
                    Ok(()) => removed += 1,
                    Err(error) if is_changed(&error) => {}
                    error => all = all.and(error),
                }
            }
            all?;
        }
        Err(io::Error::other(FILLED))
    }

    /// Returns once all names in it are on the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.0)?)
    }

    /// Returns once everything written to its file system so far is on the disk, by whomever. For very many files
    /// that is one wait, where syncing each would be as many.
    pub fn sync_file_system(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }

    /// Returns once the names in all folders below are on the disk, and its own.
    pub fn sync_tree(&self) -> io::Result<()> {
        self.sync_nested(DEPTH)
    }

    fn kind(&self, name: &OsStr, told: FileType) -> io::Result<Kind> {
        // Some file systems do not tell in the listing (readdir(3), `DT_UNKNOWN`).
        let kind = match told {
            FileType::Unknown => {
                FileType::from_raw_mode(statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            told => told,
        };
        Ok(match kind {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            _ => Kind::Other,
        })
    }

    /// Folders are as many as files at most, and no listing is cut short without a word.
    fn walk(&self, way: &Path, depth: usize, walk: &mut Walk) -> io::Result<()> {
        let most = walk.most;
        let some = self.some_entries(2 * most + 1)?;
        walk.names += some.len();
        if walk.names > 2 * most {
            return Err(io::Error::other(format!("there are more than {} files and folders", 2 * most)));
        }
        for Entry { path, kind } in some {
            let below = way.join(&path);
            if kind == Kind::Folder {
                self.nested(&path, depth)?.walk(&below, depth - 1, walk)?;
                continue;
            }
            if walk.found.len() >= most {
                return Err(io::Error::other(format!("there are more than {most} files")));
            }
            walk.bytes += below.as_os_str().len();
            if walk.bytes > STAGING_NAMES {
                let refused = format!("the names of its files have more than {STAGING_NAMES} bytes together");
                return Err(io::Error::other(refused));
            }
            walk.found.push(Entry { path: below, kind });
        }
        Ok(())
    }

    fn sync_nested(&self, depth: usize) -> io::Result<()> {
        for entry in self.entries()?.iter().filter(|entry| entry.kind == Kind::Folder) {
            self.nested(&entry.path, depth)?.sync_nested(depth - 1)?;
        }
        self.sync()
    }

    /// Removes all that is in it. A folder that is nested too deep is moved up into `top`, so that neither the stack nor the
    /// descriptors run out. What changes its kind meanwhile is met again in the next round.
    fn clear(&self, top: &Self, depth: usize, moved: &mut u64) -> io::Result<()> {
        for _ in 0..ROUNDS {
            let some = self.some_entries(BATCH)?;
            if some.is_empty() {
                return Ok(());
            }
            for Entry { path, kind } in some {
                let removed = match kind {
                    Kind::Folder if depth >= DEPTH => self.move_up(&path, top, moved),
                    Kind::Folder => self.clear_and_remove(&path, top, depth, moved),
                    Kind::File | Kind::Other => self.remove_file(&path),
                };
                match removed {
                    Err(error) if is_changed(&error) => {}
                    removed => removed?,
                }
            }
        }
        Err(io::Error::other(FILLED))
    }

    fn clear_and_remove(&self, name: &Path, top: &Self, depth: usize, moved: &mut u64) -> io::Result<()> {
        self.folder(name)?.clear(top, depth + 1, moved)?;
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    fn move_up(&self, name: &Path, top: &Self, moved: &mut u64) -> io::Result<()> {
        loop {
            *moved += 1;
            match renameat(&self.0, name, &top.0, format!("{DEEP}{moved}")) {
                // A client has used this name, too.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR)
                    if top.has(format!("{DEEP}{moved}"))? => {}
                renamed => return Ok(renamed?),
            }
        }
    }

    fn nested(&self, name: &Path, depth: usize) -> io::Result<Self> {
        if depth == 0 {
            return Err(io::Error::other(format!("folders are nested more than {DEPTH} deep")));
        }
        self.folder(name)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether what was listed is something else by now, or gone, or has been filled again.
fn is_changed(error: &io::Error) -> bool {
    use io::ErrorKind::{DirectoryNotEmpty, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), DirectoryNotEmpty | IsADirectory | NotADirectory | NotFound)
        || error.raw_os_error() == Some(libc::ELOOP)
}

/// Writes a file's bytes to the disk and forgets them in memory, so that reading them again shows what the disk
/// kept and not what was written.
pub(crate) fn settle(file: &File) -> io::Result<()> {
    file.sync_all()?;
    match fadvise(file, 0, None, Advice::DontNeed) {
        Ok(()) | Err(Errno::INVAL | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::{made_devices, with_one_that_stays};
