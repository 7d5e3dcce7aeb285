//! Replaces a file only if it still holds what was read. What other programs save until the last moment stays.
//!
//! ```text
//!  beside: ours ◀─exchange─▶ file ──what came out is what was read──▶ replaced
//!                                └─another program's save──▶ exchanged back, until nothing newer comes out
//! ```
//! A program that had the file open for writing goes on writing to what came out. That is kept, and looked at later
//! ([`Earlier`]).

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::{Beside, Effect, Effects, cannot_put_in_place, hidden, is_not_on_disk};
use crate::sys::{lease, regular};

/// How often two files are exchanged back before that is given up.
const MOST_TURNS: u8 = 5;
/// A child of this process has all of our open files until it is executed, which takes milliseconds, and longer on a busy machine. It is
/// no other program, so that much is waited for.
const UNTIL_EXECUTED: Duration = Duration::from_secs(1);
const ASKED_EVERY: Duration = Duration::from_millis(10);
/// What the name of a kept file ends with, before its number.
const KEPT: &str = ".ghostctl-kept-";

/// What became of a file that was to be replaced if it still held what was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Replaced {
    Done {
        /// What was there, if another program has it open for writing.
        earlier: Option<Earlier>,
    },
    /// Another program has saved the file meanwhile. It is as that program has left it.
    SavedMeanwhile {
        /// Where one of several such saves is that is in place no more.
        kept: Option<PathBuf>,
    },
}

/// A file that another program had open for writing when it was replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The file that was replaced.
    pub file: PathBuf,
    /// Where the earlier one is.
    pub kept: PathBuf,
    read: [u8; 32],
}

/// What has become of an earlier file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It was written to, and stays for a person to look at.
    Written,
    /// Nobody has written to it yet, but a program still has it open for that.
    StillOpen,
    /// Nobody has written to it, and nobody can any more: it is removed.
    Gone,
}

impl Earlier {
    pub fn look(&self) -> io::Result<Looked> {
        // Asked first: what is written between the two questions is seen by the second one.
        let is_open = lease::is_open_for_writing(&regular::open(&self.kept)?);
        if sum(&regular::read(&self.kept)?) != self.read {
            return Ok(Looked::Written);
        }
        if is_open {
            return Ok(Looked::StillOpen);
        }
        fs::remove_file(&self.kept).map(|()| Looked::Gone)
    }
}

/// What lies under a name, to be known again.
#[derive(PartialEq, Eq)]
enum Lies<'a> {
    File(Cow<'a, [u8]>),
    /// Another program has put a link or the like there.
    Other {
        device: u64,
        inode: u64,
    },
}

impl Lies<'_> {
    fn at(path: &Path) -> io::Result<Lies<'static>> {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.is_file() {
            return Ok(Lies::Other { device: metadata.dev(), inode: metadata.ino() });
        }
        regular::read(path).map(|bytes| Lies::File(bytes.into()))
    }
}

impl Beside {
    /// Puts it in place, if what is there still holds these bytes. `new` is what it was written with.
    pub fn replace_if(
        mut self,
        read: &[u8],
        new: &[u8],
        effects: &mut dyn Effects,
    ) -> anyhow::Result<Replaced> {
        match effects.before(Effect::Rename).and_then(|()| self.exchange()) {
            Ok(()) => {}
            // Not every file system can exchange two files.
            Err(error) if !is_exchange_unknown(&error) && error.kind() != io::ErrorKind::ResourceBusy => {
                return Err(error).with_context(|| cannot_put_in_place(&self.target));
            }
            Err(_) if regular::read(&self.target).is_ok_and(|now| now == read) => {
                return self.replace(&mut Asked(effects)).map(|()| Replaced::Done { earlier: None });
            }
            Err(_) => return Ok(Replaced::SavedMeanwhile { kept: None }),
        }
        // From here on what lies beside is not ours.
        self.in_place = true;
        if !Lies::at(&self.path).is_ok_and(|came_out| came_out == Lies::File(read.into())) {
            return self.put_back(new, effects);
        }
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let earlier = self.keep_or_remove(read);
        let synced = effects.before(Effect::SyncFolder).and_then(|()| File::open(folder)?.sync_all());
        let earlier = synced.and(earlier).with_context(|| is_not_on_disk(&self.target))?;
        Ok(Replaced::Done { earlier })
    }

    /// Exchanges until what comes out is what was put in last, so that what is in place then was saved last.
    fn put_back(self, new: &[u8], effects: &mut dyn Effects) -> anyhow::Result<Replaced> {
        let mut put_in = Lies::File(new.into());
        for turn in 0..MOST_TURNS {
            let theirs = Lies::at(&self.path);
            let exchanged = effects.before(Effect::PutBack).and_then(|()| self.exchange());
            exchanged.with_context(|| {
                let (file, kept) = (self.target.display(), self.keep().unwrap_or_else(|_| self.path.clone()));
                format!(
                    "another program has saved {file} meanwhile; what it has saved is in {} and could not be put back",
                    kept.display()
                )
            })?;
            let came_out = Lies::at(&self.path).with_context(|| cannot_put_in_place(&self.target))?;
            if came_out == put_in && turn == 0 {
                // Ours. The next writer removes it otherwise.
                let _stays = fs::remove_file(&self.path);
                return Ok(Replaced::SavedMeanwhile { kept: None });
            }
            if came_out == put_in {
                break;
            }
            put_in = theirs.with_context(|| cannot_put_in_place(&self.target))?;
        }
        let kept = self.keep().with_context(|| {
            format!(
                "{} was saved several times at once, and what one program has saved is in {} and cannot be kept",
                self.target.display(),
                self.path.display()
            )
        })?;
        Ok(Replaced::SavedMeanwhile { kept: Some(kept) })
    }

    fn exchange(&self) -> io::Result<()> {
        Ok(renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::EXCHANGE)?)
    }

    /// What came out goes, unless another program can still write to it.
    fn keep_or_remove(&self, read: &[u8]) -> io::Result<Option<Earlier>> {
        if !stays_open_for_writing(&regular::open(&self.path)?) {
            return fs::remove_file(&self.path).map(|()| None);
        }
        let (file, kept) = (self.target.clone(), self.keep()?);
        Ok(Some(Earlier { file, kept, read: sum(read) }))
    }

    /// Gives what lies beside a name that no writer takes for its own.
    fn keep(&self) -> io::Result<PathBuf> {
        let name = |number: u32| self.target.with_file_name(hidden(&self.target, &format!("{KEPT}{number}")));
        let free = (1..).map(name).find(|path| path.symlink_metadata().is_err());
        let kept = free.ok_or(io::ErrorKind::StorageFull)?;
        fs::rename(&self.path, &kept).map(|()| kept)
    }
}

fn stays_open_for_writing(file: &File) -> bool {
    let until = Instant::now() + UNTIL_EXECUTED;
    while lease::is_open_for_writing(file) {
        if Instant::now() >= until {
            return true;
        }
        thread::sleep(ASKED_EVERY);
    }
    false
}

/// All that is kept in the folder that holds a file, of files that are not there any more too.
pub fn kept_beside(file: &Path) -> Vec<PathBuf> {
    kept_in(&folder_of(file))
}

/// The folder that really holds a file, wherever its name leads.
pub fn folder_of(file: &Path) -> PathBuf {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

/// All that is kept in a folder.
pub fn kept_in(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix('.').and_then(|name| name.rsplit_once(KEPT)).map(|(_, number)| number);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut kept: Vec<PathBuf> = listed.map(|entry| entry.path()).filter(is_kept).collect();
    kept.sort();
    kept
}

/// The rename was asked about already.
struct Asked<'a>(&'a mut dyn Effects);

impl Effects for Asked<'_> {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        if effect == Effect::Rename { Ok(()) } else { self.0.before(effect) }
    }
}

fn is_exchange_unknown(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}

fn sum(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
