//! A client's tree: its own `/etc` and `/var`, made anew for every job from those of the base root.
//!
//! A tree is made beside its place, written to the disk, and then renamed into place, so a client never boots a half-made
//! tree, not even after a power cut. Whatever is written into a tree goes through `sys::folder`, since clients can plant links in theirs.
//!
//! ```text
//! copy var and etc beside ─▶ write order, host table, fstab ─▶ sync once ─▶ rename both in ─▶ remove the old
//! ```

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ghost_contract::order::ImageStore;
use ghost_contract::{JobId, Order, bounds, layout};

use crate::sys::copy;
use crate::sys::folder::Folder;

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
const LARGEST_ORDER: u64 = 1 << 20;

/// Where a client's tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    base_root: PathBuf,
    ip: Ipv4Addr,
}

/// What a job writes into a new tree.
#[derive(Debug)]
pub struct Contents<'a> {
    pub order: &'a Order,
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
    /// The tree of the client with this address.
    pub fn of(base_root: &Path, ip: Ipv4Addr) -> Self {
        Self { base_root: base_root.to_owned(), ip }
    }

    pub fn etc(&self) -> PathBuf {
        self.base_root.join(layout::tree_etc(self.ip))
    }

    pub fn var(&self) -> PathBuf {
        self.base_root.join(layout::tree_var(self.ip))
    }

    /// The folder that the report will be in.
    pub fn report_folder(&self) -> PathBuf {
        self.var().join("ghost")
    }

    /// Makes it anew for a job.
    pub fn make(&self, contents: &Contents<'_>) -> anyhow::Result<()> {
        let new_var = self.new_var()?;
        let new_etc = self.new_etc(contents)?;
        self.synced(Folder::sync_file_system)?;
        let old = [place(&new_var, &self.var())?, place(&new_etc, &self.etc())?];
        self.synced(Folder::sync)?;
        old.iter().flatten().try_for_each(|old| remove(old))
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

    /// Makes the order void if it is this job's, or if it cannot be read.
    pub fn withdraw(&self, job: &JobId) -> anyhow::Result<()> {
        let removed = self.inside(&layout::tree_etc(self.ip)).and_then(|etc| {
            let bytes = etc.read(layout::ORDER, LARGEST_ORDER)?;
            if Order::parse(&bytes).is_ok_and(|order| order.job != *job) {
                return Ok(());
            }
            let (folder, name) = folder_and_name(layout::ORDER);
            etc.folder(folder)?.remove_file(name)
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.with_context(|| cannot("remove", &self.etc().join(layout::ORDER))),
        }
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
        Folder::open(&self.base_root)?.folder(name)
    }

    /// Replaces a file in the client's `/etc`.
    fn write(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let (folder, name) = folder_and_name(path);
        let etc = self.inside(&layout::tree_etc(self.ip));
        let written = etc.and_then(|etc| etc.folder(folder)?.replace(name, content));
        written.with_context(|| cannot("write", &self.etc().join(path)))
    }

    fn synced(&self, sync: impl FnOnce(&Folder) -> io::Result<()>) -> anyhow::Result<()> {
        let synced = Folder::open(&self.base_root).and_then(|base| sync(&base));
        synced
            .with_context(|| format!("cannot write what is new in {} to the disk", self.base_root.display()))
    }

    fn new_var(&self) -> anyhow::Result<PathBuf> {
        let new =
            self.copied("var", &self.var(), &|below| LEFT_OUT.iter().any(|out| below == Path::new(out)))?;
        let made = Folder::open(&new).and_then(|var| make_folders(&var, layout::CLAIMS));
        made.with_context(|| cannot("make", &new.join(layout::CLAIMS)))?;
        Ok(new)
    }

    fn new_etc(&self, contents: &Contents<'_>) -> anyhow::Result<PathBuf> {
        let new = self.copied("etc", &self.etc(), &|_| false)?;
        let order = contents.order.to_json().context("cannot write the order")?;
        let fstab = match &contents.order.store {
            Some(store) => fstab(&self.base_fstab()?, store),
            None => self.base_fstab()?,
        };
        let written = Folder::open(&new).and_then(|etc| {
            make_folders(&etc, folder_and_name(layout::ORDER).0)?;
            let files = [
                ("fstab", fstab.as_bytes()),
                (layout::HOST_TABLE, contents.host_table.as_bytes()),
                (layout::ORDER, order.as_bytes()),
            ];
            files.into_iter().try_for_each(|(path, bytes)| {
                let (folder, name) = folder_and_name(path);
                etc.folder(folder)?.replace_unsynced(name, bytes)
            })
        });
        written.with_context(|| cannot("write into", &new))?;
        Ok(new)
    }

    /// A fresh copy of the base root's folder beside the place where it belongs.
    fn copied(&self, name: &str, place: &Path, leave_out: &dyn Fn(&Path) -> bool) -> anyhow::Result<PathBuf> {
        let mut new_name = std::ffi::OsString::from(".");
        new_name.push(place.file_name().unwrap_or_default());
        new_name.push(".new");
        let new = self.base_root.join(new_name);
        remove(&new)?;
        copy::folder(&self.base_root.join(name), &new, leave_out)
            .with_context(|| cannot("make the tree", place))?;
        Ok(new)
    }

    fn base_fstab(&self) -> anyhow::Result<String> {
        let path = self.base_root.join("etc/fstab");
        match fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| cannot("read", &path)),
        }
    }
}

/// The folder of a path of the layout, and the name in it.
fn folder_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

/// Makes each folder of a path that is not there yet.
fn make_folders(folder: &Folder, path: &str) -> io::Result<()> {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match folder.make_folder(first, 0o755) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    rest.map_or(Ok(()), |rest| make_folders(&folder.folder(first)?, rest))
}

/// What could not be done, in words. The cause is the kernel's; for a symbolic link that a client planted it is ELOOP.
fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

/// Puts a new folder in place and says where the old one is now, if there was one.
fn place(new: &Path, place: &Path) -> anyhow::Result<Option<PathBuf>> {
    copy::put_in_place(new, place)
        .with_context(|| format!("cannot put the tree {} in place", place.display()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| cannot("remove the old tree", folder)),
    }
}

/// The base root's fstab with the image store in it, and nothing else at its place (fstab(5)).
pub fn fstab(base: &str, store: &ImageStore) -> String {
    let other = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.first().is_none_or(|first| first.starts_with('#'))
            || words.get(1) != Some(&layout::STORE_MOUNT_POINT)
    };
    let mut text: String = base.lines().filter(other).map(|line| format!("{line}\n")).collect();
    // A blank in a path is written as its octal code (fstab(5)).
    let path = store.path.display().to_string().replace('\\', "\\134").replace(' ', "\\040");
    text.push_str(&format!(
        "{}:{path} {} nfs vers=3,tcp,nolock 0 0\n",
        store.server,
        layout::STORE_MOUNT_POINT
    ));
    text
}

#[cfg(test)]
mod tests;
