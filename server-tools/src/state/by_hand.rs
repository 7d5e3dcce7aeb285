//! What is kept of the swaps that people have made by hand, and of swaps that people have given up.
//!
//! ```text
//! (no record) ──keep──▶ begun ──write──▶ swapped ──remove──▶ (no record)
//!                         │ crash            └──give_up──▶ given up: kept for the case that the host comes back
//!                         └──recover──▶ put back
//! ```
//! A record has a checksum and a copy: nothing else tells of such a swap. Whoever swaps or reverts a host by hand holds its lock, so
//! that the kernel tells a swap that was interrupted from one that is being made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::{HostName, MacAddress, UnixTime};
use serde::{Deserialize, Serialize};

use super::{damaged, paths, summed};
use crate::dhcp::Swap;
use crate::sys::atomic::{self, Real};
use crate::sys::lock::{Lock, LockError, Sharing};
use crate::sys::{clock, private, regular};

/// What the name of a record that was set aside ends with, before its number.
const SET_ASIDE: &str = ".by-hand.json";

/// What the name of a host's lock ends with. The file stays when the swap is reverted. Until then it holds the boot file.
const LOCK: &str = ".lock";

/// How far a swap has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It is about to be made.
    Begun,
    /// The server has taken it up.
    #[default]
    Swapped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    pub swap: Swap,
    /// When it was made. Records of before do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixTime>,
    #[serde(default)]
    pub stage: Stage,
}

/// What is found of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub host: HostName,
    /// None if neither the record nor its copy can be read.
    pub record: Option<Record>,
    /// Why the record itself cannot be read, if so.
    pub damage: Option<String>,
}

impl Kept {
    /// Whether a person has swapped this host, or one with its hardware address, and is to revert it.
    pub(crate) fn is_responsible_for(&self, host: &str, mac: Option<MacAddress>) -> bool {
        let Some(Record { swap, .. }) = self.record.as_ref().filter(|_| self.damage.is_none()) else {
            return false;
        };
        self.host.as_str() == host || (mac.is_some() && swap.mac == mac)
    }
}

/// Keeps what was swapped of a host that a person has deleted on purpose, and nothing else of it.
pub(crate) fn give_up(state_folder: &Path, host: &HostName, swap: &Swap) -> anyhow::Result<()> {
    let record = Record { swap: swap.clone(), at: Some(clock::now()), stage: Stage::Swapped };
    write_to(&paths::given_up(state_folder, host), &record)?;
    remove_both(&paths::by_hand(state_folder, host))
}

/// What was given up.
pub(crate) fn given_up(state_folder: &Path) -> Vec<Kept> {
    let of_host = |host: HostName| {
        let (record, damage) = match read(&paths::given_up(state_folder, &host)) {
            Ok(record) => (Some(record?), None),
            Err(why) => (None, Some(why)),
        };
        Some(Kept { host, record, damage })
    };
    hosts(&paths::all_given_up(state_folder)).into_iter().filter_map(of_host).collect()
}

/// Writes down that a host is about to be swapped. The lock's file tells the boot file, should the record and its copy be lost.
pub(crate) fn keep(state_folder: &Path, host: &HostName, swap: &Swap) -> anyhow::Result<()> {
    // Only a trace: nothing but a warning comes of it.
    let _not_kept = private::write(&lock_path(state_folder, host), swap.boot_file.as_bytes());
    write(state_folder, host, &Record { swap: swap.clone(), at: Some(clock::now()), stage: Stage::Begun })
}

/// Writes down how far a swap has come.
pub(crate) fn write(state_folder: &Path, host: &HostName, record: &Record) -> anyhow::Result<()> {
    write_to(&paths::by_hand(state_folder, host), record)
}

fn write_to(path: &Path, record: &Record) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    private::folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let text = summed::line(&serde_json::to_string(record)?);
    atomic::replace(path, text.as_bytes(), &mut Real)?;
    atomic::replace(&copy_of(path), text.as_bytes(), &mut Real)
}

/// What is found of a host; none if nothing is.
pub(crate) fn look(state_folder: &Path, host: &HostName) -> Option<Kept> {
    let path = paths::by_hand(state_folder, host);
    let (own, copy) = (read(&path), read(&copy_of(&path)));
    let (record, damage) = match (own, copy) {
        (Ok(None), Ok(None)) => return None,
        (Ok(Some(own)), _) => (Some(own), None),
        (Ok(None), Ok(copy)) => (copy, Some("it is not there any more".to_owned())),
        (Ok(None), Err(_)) => {
            (None, Some("it is not there any more, and its copy cannot be read".to_owned()))
        }
        (Err(why), copy) => (copy.ok().flatten(), Some(why)),
    };
    Some(Kept { host: host.clone(), record, damage })
}

/// What is found of all hosts.
pub(crate) fn all(state_folder: &Path) -> Vec<Kept> {
    let hosts = hosts(&paths::by_hands(state_folder));
    hosts.iter().filter_map(|host| look(state_folder, host)).collect()
}

fn hosts(folder: &Path) -> Vec<HostName> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    let host = |entry: fs::DirEntry| -> Option<HostName> {
        let name = entry.file_name();
        let name = name.to_str()?;
        name.strip_suffix(".json").or_else(|| name.strip_suffix(".json.copy"))?.parse().ok()
    };
    let mut hosts: Vec<HostName> = listed.filter_map(host).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The swap is undone: what was kept of it, and of earlier ones of this host, goes.
pub(crate) fn remove(state_folder: &Path, host: &HostName) -> anyhow::Result<()> {
    remove_both(&paths::by_hand(state_folder, host))?;
    remove_both(&paths::given_up(state_folder, host))?;
    let trace = lock_path(state_folder, host);
    if fs::metadata(&trace).is_ok_and(|metadata| metadata.len() > 0) {
        // Only a trace: it counts only where the host is still offered the boot file.
        let _stays = private::write(&trace, b"");
    }
    Ok(())
}

/// The copy first: where it is alone, the record was lost.
fn remove_both(path: &Path) -> anyhow::Result<()> {
    for path in [&copy_of(path), path] {
        let removed = fs::remove_file(path);
        removed
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Moves what cannot be read to where nobody takes it for a record; yields where.
pub(crate) fn set_aside(state_folder: &Path, host: &HostName) -> io::Result<PathBuf> {
    move_away(state_folder, host, &paths::by_hand(state_folder, host))
}

/// The same for one that was given up.
pub(crate) fn set_given_up_aside(state_folder: &Path, host: &HostName) -> io::Result<PathBuf> {
    move_away(state_folder, host, &paths::given_up(state_folder, host))
}

fn move_away(state_folder: &Path, host: &HostName, path: &Path) -> io::Result<PathBuf> {
    let (name, copy) = (format!("{host}{SET_ASIDE}"), copy_of(path));
    let there = [path, &copy].into_iter().filter(|path| path.symlink_metadata().is_ok());
    let kept: Vec<PathBuf> =
        there.map(|path| damaged::set_aside(state_folder, path, &name)).collect::<io::Result<_>>()?;
    kept.into_iter().next().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whose record a file is that was set aside.
pub(crate) fn host_of(set_aside: &Path) -> Option<HostName> {
    set_aside.file_name()?.to_str()?.rsplit_once(SET_ASIDE)?.0.parse().ok()
}

/// Keeps others from swapping and reverting this host by hand, until the result is dropped.
pub(crate) fn lock(state_folder: &Path, host: &HostName, timeout: Duration) -> Result<Lock, LockError> {
    Lock::take_quietly(&lock_path(state_folder, host), Sharing::Alone, timeout)
}

/// The same for putting an entry back, which needs no lock where none can be had: on a file system that takes no lock file nobody
/// swaps by hand.
pub(crate) fn lock_to_undo(
    state_folder: &Path,
    host: &HostName,
    timeout: Duration,
) -> Result<Option<Lock>, LockError> {
    match lock(state_folder, host, timeout) {
        Err(busy @ LockError::Busy { .. }) => Err(busy),
        lock => Ok(lock.ok()),
    }
}

/// The hosts that were swapped by hand and not reverted since, each with the boot file of that, whatever became of their records.
pub(crate) fn traces(state_folder: &Path) -> Vec<(HostName, String)> {
    let listed = fs::read_dir(paths::by_hands(state_folder)).into_iter().flatten().flatten();
    let trace = |entry: fs::DirEntry| {
        let host = entry.file_name().to_str()?.strip_suffix(LOCK)?.parse().ok()?;
        let boot_file = fs::read_to_string(entry.path()).ok().filter(|text| !text.is_empty())?;
        Some((host, boot_file))
    };
    listed.filter_map(trace).collect()
}

fn lock_path(state_folder: &Path, host: &HostName) -> PathBuf {
    paths::by_hands(state_folder).join(format!("{host}{LOCK}"))
}

/// Whether any host was ever swapped or reverted by hand.
pub(crate) fn was_used(state_folder: &Path) -> bool {
    fs::read_dir(paths::by_hands(state_folder)).is_ok_and(|mut listed| listed.next().is_some())
}

fn copy_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".copy");
    name.into()
}

/// None if there is no such file; an error in words if it says nothing that can be used.
fn read(path: &Path) -> Result<Option<Record>, String> {
    let bytes = match regular::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is no text")?;
    let (json, _) = summed::read(text.trim_end_matches('\n')).ok_or("it does not fit its checksum")?;
    serde_json::from_str(json).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::{Kind, Original};

    fn swap() -> Swap {
        Swap {
            server: Kind::Isc,
            file: "/etc/dhcpd.conf".into(),
            original: Original::new(b"\"nobackup\""),
            boot_file: "pxelinux.0".to_owned(),
            mac: None,
            ip: None,
            real: None,
            before: None,
        }
    }

    #[test]
    fn a_record_that_is_damaged_or_lost_is_told_of_and_its_copy_tells_the_original() {
        let host: HostName = "pc2".parse().unwrap();
        type Damage = fn(&Path);
        let cases: [(Damage, &str); 5] = [
            (|path| fs::write(path, "").unwrap(), "it is empty"),
            (|path| fs::write(path, [0; 40]).unwrap(), "expected value"),
            (|path| fs::remove_file(path).unwrap(), "not there any more"),
            (
                |path| {
                    let text = fs::read_to_string(path).unwrap();
                    fs::write(path, text.replace("nobackup", "nobacktp")).unwrap();
                },
                "does not fit its checksum",
            ),
            (
                |path| {
                    fs::remove_file(path).unwrap();
                    fs::create_dir(path).unwrap();
                },
                "directory",
            ),
        ];
        for (damage, why) in cases {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(look(folder.path(), &host), None);
            keep(folder.path(), &host, &swap()).unwrap();
            let whole = look(folder.path(), &host).unwrap();
            assert!(whole.damage.is_none() && whole.is_responsible_for("pc2", None));
            let path = paths::by_hand(folder.path(), &host);
            damage(&path);
            let [kept] = &all(folder.path())[..] else { panic!("{why}") };
            assert!(kept.damage.as_ref().unwrap().contains(why), "{kept:?}");
            assert_eq!(kept.record.as_ref().unwrap().swap, swap(), "{why}");
            assert!(!kept.is_responsible_for("pc2", None), "{why}");
            damage(&copy_of(&path));
            let lost = look(folder.path(), &host);
            assert!(lost.is_none_or(|lost| lost.record.is_none()), "{why}");
        }
    }

    #[test]
    fn what_an_earlier_version_has_written_is_a_swap() {
        let folder = tempfile::tempdir().unwrap();
        let path = paths::by_hand(folder.path(), &"pc2".parse().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, serde_json::to_vec(&swap()).unwrap()).unwrap();
        let [kept] = &all(folder.path())[..] else { panic!() };
        assert_eq!(kept.record, Some(Record { swap: swap(), at: None, stage: Stage::Swapped }));
    }

    #[test]
    fn what_is_set_aside_tells_whose_it_was() {
        let (folder, host) = (tempfile::tempdir().unwrap(), "pc2".parse().unwrap());
        keep(folder.path(), &host, &swap()).unwrap();
        let kept = set_aside(folder.path(), &host).unwrap();
        assert_eq!((host_of(&kept), look(folder.path(), &host)), (Some(host), None));
        assert_eq!(host_of(Path::new("/damaged/192.168.7.2.jsonl.1")), None);
    }
}
