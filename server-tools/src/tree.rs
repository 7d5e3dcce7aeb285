//! A client's tree: its own `/etc` and `/var`, made anew for every job from those of the base root.
//!
//! Trees lie in the base root, or each in a folder of its client's own, which is exported to that client alone and is never
//! replaced itself.
//!
//! A tree is made beside its place, written to the disk, and then renamed into place, so a client never boots a half-made
//! tree, not even after a power cut. Whatever is written into a tree goes through `sys::folder`, since clients can plant links in theirs.
//!
//! ```text
//! copy var and etc beside ─▶ write order, host table, fstab ─▶ sync once ─▶ rename both in ─▶ remove the old
//! ```

use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ghost_contract::order::ImageStore;
use ghost_contract::{JobId, Order, UnixTime, bounds, layout};

use crate::sys::copy;
use crate::sys::folder::Folder;

mod home;

/// What a client has no use for: package caches and lists, logs of the build. Below `/var`.
const LEFT_OUT: [&str; 8] = [
    "cache/apt",
    "cache/debconf",
    "cache/ldconfig",
    "cache/man",
    "lib/apt/lists",
    "lib/dpkg/info",
    "backups",
    "log/apt",
];
/// Orders, reports and claims are root's on both sides, and nobody else looks into the folder of a client.
const ROOT_ONLY: u32 = 0o700;
const LARGEST_ORDER: u64 = 1 << 20;
const LARGEST_FSTAB: u64 = 1 << 20;

/// Where a client's tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// What it is made from.
    base_root: PathBuf,
    /// The folder that it lies in.
    home: PathBuf,
    ip: Ipv4Addr,
}

/// What a job writes into a new tree.
#[derive(Debug)]
pub struct Contents<'a> {
    pub order: &'a Order,
    /// The key of encrypted partitions that comes with the order.
    pub luks_key: Option<&'a [u8]>,
    /// All clients, as [`ghost_contract::ethers`] writes them.
    pub host_table: &'a str,
}

/// What has come to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    /// Which byte of the report is the first of these. Not the one that was asked for: what is between them was passed over.
    pub from: u64,
    pub bytes: Vec<u8>,
}

impl Tree {
    /// The tree of the client with this address, in the base root.
    pub fn of(base_root: &Path, ip: Ipv4Addr) -> Self {
        Self { base_root: base_root.to_owned(), home: base_root.to_owned(), ip }
    }

    /// The tree of the client with this address, in a folder of its own beside the base root.
    pub fn in_own_folder(base_root: &Path, ip: Ipv4Addr) -> Self {
        let home = layout::own_folder(&layout::trees(base_root), ip);
        Self { base_root: base_root.to_owned(), home, ip }
    }

    /// The folder that it lies in.
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn etc(&self) -> PathBuf {
        self.home.join(layout::tree_etc(self.ip))
    }

    pub fn var(&self) -> PathBuf {
        self.home.join(layout::tree_var(self.ip))
    }

    /// The folder that the report will be in, as it is now.
    pub(crate) fn report_folder(&self) -> io::Result<Folder> {
        self.inside(&layout::tree_var(self.ip))?.folder(folder_and_name(layout::REPORT).0)
    }

    /// Makes it anew for a job.
    pub fn make(&self, contents: &Contents<'_>) -> anyhow::Result<()> {
        let base = Folder::open(&self.base_root).with_context(|| cannot("open", &self.base_root))?;
        self.make_home()?;
        let home = Folder::open(&self.home).with_context(|| cannot("open", &self.home))?;
        self.remove_others(&home).with_context(|| cannot("remove what is beside the tree in", &self.home))?;
        let new_var = self.new_var(&base, &home)?;
        let new_etc = self.new_etc(&base, &home, contents)?;
        self.synced(&home, Folder::sync_file_system)?;
        let old = [place(&home, &new_var, &self.var())?, place(&home, &new_etc, &self.etc())?];
        self.synced(&home, Folder::sync)?;
        old.iter().flatten().try_for_each(|old| self.remove(&home, old))?;
        self.remove_from_base_root(&base)
    }

    /// What the client has written of its report from `offset` on, at most `limit` bytes; nothing if there is none.
    pub fn report(&self, offset: u64, limit: u64) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.inside(&layout::tree_var(self.ip)).and_then(|var| {
            let mut file = var.file(layout::REPORT)?;
            file.seek(SeekFrom::Start(offset))?;
            file.take(limit).read_to_end(&mut bytes)
        });
        match read {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| cannot("read", &self.var().join(layout::REPORT)))
            }
            _ => Ok(bytes),
        }
    }

    /// What the client has written of its report behind `offset`, at most `limit` bytes. Of a report that has grown too far
    /// ahead only the end is read.
    pub fn more_of_report(&self, offset: u64, limit: u64) -> anyhow::Result<More> {
        let mut more = More { from: offset, bytes: Vec::new() };
        let read = self.inside(&layout::tree_var(self.ip)).and_then(|var| {
            let mut file = var.file(layout::REPORT)?;
            let end = file.metadata()?.len();
            more.from = match end.checked_sub(offset) {
                Some(ahead) if ahead <= bounds::REPORT_BACKLOG => offset,
                Some(_) => end.saturating_sub(limit),
                // The client has cut it, which ours never does: it is followed from here on.
                None => end,
            };
            file.seek(SeekFrom::Start(more.from))?;
            file.take(limit).read_to_end(&mut more.bytes)
        });
        match read {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| cannot("read", &self.var().join(layout::REPORT)))
            }
            _ => Ok(more),
        }
    }

    /// When the client has last written to its report, by the file system's clock.
    pub(crate) fn report_changed(&self) -> io::Result<UnixTime> {
        let written =
            self.inside(&layout::tree_var(self.ip))?.file(layout::REPORT)?.metadata()?.modified()?;
        let since_1970 = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(UnixTime::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The whole report, for the record; empty if there is none.
    pub fn whole_report(&self) -> anyhow::Result<Vec<u8>> {
        self.report(0, bounds::REPORT_KEPT)
    }

    /// The order in it. `None`: there is none, or it cannot be read.
    pub fn order(&self) -> anyhow::Result<Option<Order>> {
        let read =
            self.inside(&layout::tree_etc(self.ip)).and_then(|etc| etc.read(layout::ORDER, LARGEST_ORDER));
        match read {
            Ok(bytes) => Ok(Order::parse(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| cannot("read", &self.etc().join(layout::ORDER))),
        }
    }

    /// Makes the order void if it is this job's, or if it cannot be read. The key that came with it goes as well, and so does
    /// what an interrupted [`Self::make`] has left.
    pub fn withdraw(&self, job: &JobId) -> anyhow::Result<()> {
        let removed = Folder::open(&self.home).and_then(|home| {
            let etc = layout::tree_etc(self.ip);
            let withdrawn = match home.folder(&etc) {
                Err(error) if is_link(&error) => home.remove(&etc),
                etc => etc.and_then(|etc| withdraw_from(&etc, job)),
            };
            let withdrawn = match withdrawn {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                withdrawn => withdrawn,
            };
            // What a client may be filling all the time comes last.
            withdrawn.and(self.remove_others(&home))
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.with_context(|| cannot("remove", &self.etc().join(layout::ORDER))),
        }
    }

    /// Removes what an interrupted [`Self::make`] has left. In a folder of the client's own that is all but the tree: the client may
    /// have given a tree with an order in it another name.
    fn remove_others(&self, home: &Folder) -> io::Result<()> {
        let places = [self.etc(), self.var()];
        if self.home != self.base_root {
            return home
                .remove_all_but(&places.each_ref().map(|place| place.file_name().unwrap_or_default()));
        }
        let mut all = Ok(());
        for name in places.iter().flat_map(|place| [beside(place), old(&beside(place))]) {
            // What can be removed goes, whatever else cannot.
            all = all.and(home.remove(name));
        }
        all
    }

    /// Asks the client to stop. One that does not look there is ended by its own deadlines.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        self.write(layout::STOP, b"")
    }

    /// Asks the client to take a screenshot; the word must not have been used before.
    pub fn ask_for_screen(&self, word: &str) -> anyhow::Result<()> {
        self.write(layout::SCREEN_REQUEST, word.as_bytes())
    }

    /// The folder of screenshots of a job that writes no generation; nothing if it has taken none.
    pub fn screens(&self) -> io::Result<Option<(PathBuf, Folder)>> {
        match self.inside(&layout::tree_var(self.ip)).and_then(|var| var.folder(layout::OWN_SCREENS)) {
            Ok(folder) => Ok(Some((self.var().join(layout::OWN_SCREENS), folder))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn inside(&self, name: &str) -> io::Result<Folder> {
        Folder::open(&self.home)?.folder(name)
    }

    /// Replaces a file in the client's `/etc`.
    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let (folder, name) = folder_and_name(path);
        let etc = self.inside(&layout::tree_etc(self.ip));
        let written = etc.and_then(|etc| etc.folder(folder)?.replace(name, content));
        written.with_context(|| cannot("write", &self.etc().join(path)))
    }

    fn synced(&self, home: &Folder, sync: impl FnOnce(&Folder) -> io::Result<()>) -> anyhow::Result<()> {
        sync(home).with_context(|| format!("cannot write what is new in {} to the disk", self.home.display()))
    }

    fn new_var(&self, base: &Folder, home: &Folder) -> anyhow::Result<OsString> {
        let leave_out = |below: &Path| LEFT_OUT.iter().any(|out| below == Path::new(out));
        let new = self.copied((base, home), "var", &self.var(), &leave_out)?;
        let made = home.folder(&new).and_then(|var| make_folders(&var, layout::CLAIMS));
        made.with_context(|| cannot("make", &self.home.join(&new).join(layout::CLAIMS)))?;
        Ok(new)
    }

    fn new_etc(&self, base: &Folder, home: &Folder, contents: &Contents<'_>) -> anyhow::Result<OsString> {
        let new = self.copied((base, home), "etc", &self.etc(), &|_| false)?;
        let order = contents.order.to_json().context("cannot write the order")?;
        let fstab = match &contents.order.store {
            Some(store) => fstab(&self.base_fstab(base)?, store),
            None => self.base_fstab(base)?,
        };
        let written = home.folder(&new).and_then(|etc| {
            make_folders(&etc, folder_and_name(layout::ORDER).0)?;
            let files = [
                ("fstab", fstab.as_bytes()),
                (layout::HOST_TABLE, contents.host_table.as_bytes()),
                (layout::ORDER, order.as_bytes()),
            ];
            let key = contents.luks_key.map(|key| (layout::LUKS_KEY, key));
            files.into_iter().chain(key).try_for_each(|(path, bytes)| {
                let (folder, name) = folder_and_name(path);
                etc.folder(folder)?.replace_unsynced(name, bytes)
            })
        });
        written.with_context(|| cannot("write into", &self.home.join(&new)))?;
        Ok(new)
    }

    /// A fresh copy of the base root's folder beside the place where it belongs.
    fn copied(
        &self,
        (base, home): (&Folder, &Folder),
        name: &str,
        place: &Path,
        leave_out: &dyn Fn(&Path) -> bool,
    ) -> anyhow::Result<OsString> {
        let new = beside(place);
        self.remove(home, &new)?;
        copy::folder(base, name, (home, &new), leave_out).with_context(|| cannot("make the tree", place))?;
        Ok(new)
    }

    fn base_fstab(&self, base: &Folder) -> anyhow::Result<String> {
        match base.read("etc/fstab", LARGEST_FSTAB) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| cannot("read", &self.base_root.join("etc/fstab"))),
        }
    }

    fn remove(&self, home: &Folder, name: &OsString) -> anyhow::Result<()> {
        home.remove(name).with_context(|| cannot("remove the old tree", &self.home.join(name)))
    }
}

/// What a tree is called that is not in its place yet.
fn beside(place: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".new");
    name
}

/// What one is called that was in the place, where names cannot be exchanged.
fn old(beside: &OsString) -> OsString {
    let mut name = beside.clone();
    name.push(copy::OLD);
    name
}

/// Whether a client has put a link, or a file, where a folder of ours was.
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP) || error.kind() == io::ErrorKind::NotADirectory
}

fn withdraw_from(etc: &Folder, job: &JobId) -> io::Result<()> {
    let (folder, name) = folder_and_name(layout::ORDER);
    let folder = match etc.folder(folder) {
        // Our folder is gone, and what stands for it leads elsewhere: it goes, so that no order is found by this name.
        Err(error) if is_link(&error) => return etc.remove(folder),
        opened => opened?,
    };
    // What cannot be read, or is not there, is no order of anybody.
    let bytes = folder.read(name, LARGEST_ORDER).unwrap_or_default();
    if Order::parse(&bytes).is_ok_and(|order| order.job != *job) {
        return Ok(());
    }
    // The order goes first, as a client would obey it. A key that is there without its order goes as well.
    let names = [name, folder_and_name(layout::LUKS_KEY).1];
    // What has become of them otherwise may take long to remove.
    names.iter().for_each(|name| drop(folder.remove_file(name)));
    let removed = names.map(|name| folder.remove(name).and(folder.remove_left_beside(name)));
    // The first error is enough: the others are met again next time.
    removed.into_iter().collect()
}

/// The folder of a path of the layout, and the name in it.
fn folder_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

/// Makes each folder of a path that is not there yet.
fn make_folders(folder: &Folder, path: &str) -> io::Result<()> {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match folder.make_folder(first, ROOT_ONLY) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    rest.map_or(Ok(()), |rest| make_folders(&folder.folder(first)?, rest))
}

/// What could not be done, in words. The cause is the kernel's; for a symbolic link that a client planted it is ELOOP.
fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

/// Puts a new folder in place and says what the old one is called now, if there was one.
fn place(home: &Folder, new: &OsString, place: &Path) -> anyhow::Result<Option<OsString>> {
    copy::put_in_place(home, new, place.file_name().unwrap_or_default())
        .with_context(|| format!("cannot put the tree {} in place", place.display()))
}

/// The base root's fstab with the image store in it, and nothing else at its place (fstab(5)).
pub fn fstab(base: &str, store: &ImageStore) -> String {
    let other = |line: &&str| {
        // As the client splits and compares them: `/backup/` is the same place.
        let mut words = line.split_ascii_whitespace();
        words.next().is_none_or(|first| first.starts_with('#'))
            || words.next().map(Path::new) != Some(Path::new(layout::STORE_MOUNT_POINT))
    };
    let mut text: String = base.lines().filter(other).map(|line| format!("{line}\n")).collect();
    // A blank in a path is written as its octal code (fstab(5)).
    let path = store.exported().display().to_string().replace('\\', "\\134").replace(' ', "\\040");
    if store.only.is_some() {
        // The folder that the client mounts its own on: the root is read-only.
        text.push_str(&format!(
            "tmpfs {} tmpfs size=64k,mode=755,nosuid,nodev,noexec 0 0\n",
            layout::STORE_MOUNT_POINT
        ));
    }
    text.push_str(&format!(
        "{}:{path} {} nfs {},nosuid,nodev,noexec 0 0\n",
        store.server,
        store.mount_point().display(),
        store.mount_options()
    ));
    text
}

#[cfg(test)]
mod tests;
