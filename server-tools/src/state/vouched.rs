//! Which generations this boot server vouches for: the checksum of each manifest that it wrote, or that a person had it take
//! over. And what it has found when it checked them: the checksum of each record of that. The image store is where clients write, so
//! a generation is believed by what stands here and not by what stands there.
//!
//! One file a host, to which lines are only ever added.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ghost_contract::checksum::Sha256;
use ghost_contract::{Generation, HostName, UnixTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::paths;
use crate::sys::private;

/// A line takes some 200 bytes, so this is more generations than a host can have had.
const LARGEST: u64 = 64 << 20;

/// How a generation has come to be vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// A job of this boot server has made it.
    Made,
    /// A person has had it read back and taken over.
    Adopted,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vouched {
    pub at: UnixTime,
    /// Its name is that of the job that made it.
    pub generation: Generation,
    /// The checksum of its manifest, in which those of all its pieces stand.
    pub manifest: Sha256,
    pub how: How,
}

/// Another line of the file: what a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub at: UnixTime,
    pub generation: Generation,
    /// The checksum of the record in the generation's folder.
    pub check: Sha256,
    /// How many things were found to be wrong.
    pub damaged: usize,
}

/// Adds a line of a generation that is ours, and to the disk.
pub(crate) fn vouch(state_folder: &Path, host: &HostName, vouched: &Vouched) -> io::Result<()> {
    append(state_folder, host, serde_json::to_vec(vouched)?)
}

/// Adds a line of a check.
pub(crate) fn judge(state_folder: &Path, host: &HostName, verdict: &Verdict) -> io::Result<()> {
    append(state_folder, host, serde_json::to_vec(verdict)?)
}

fn append(state_folder: &Path, host: &HostName, mut line: Vec<u8>) -> io::Result<()> {
    let path = paths::vouched(state_folder, host);
    let folder = path.parent().unwrap_or(state_folder);
    private::folder(folder)?;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(&path)?;
    require_ours(&file)?;
    line.push(b'\n');
    // A line that a power cut has torn must not spoil this one.
    let (length, mut last) = (file.metadata()?.len(), [b'\n']);
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last != [b'\n'] {
        line.insert(0, b'\n');
    }
    (&file).write_all(&line)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// The checksums of a generation's manifest that this boot server vouches for; none if it knows nothing of it.
pub(crate) fn manifests(
    state_folder: &Path,
    host: &HostName,
    generation: &Generation,
) -> io::Result<Vec<Sha256>> {
    let bytes = read(&paths::vouched(state_folder, host))?;
    let vouched = parse(&bytes).filter(|line: &Vouched| line.generation == *generation);
    Ok(vouched.map(|line| line.manifest).collect())
}

/// What the last check of a generation has found; none if this boot server has not checked it since it was made.
pub(crate) fn verdict(
    state_folder: &Path,
    host: &HostName,
    generation: &Generation,
) -> io::Result<Option<Verdict>> {
    let bytes = read(&paths::vouched(state_folder, host))?;
    Ok(parse(&bytes).filter(|line: &Verdict| line.generation == *generation).last())
}

/// The lines of this kind in the file. A torn one says nothing.
pub(crate) fn parse<Line: DeserializeOwned>(bytes: &[u8]) -> impl Iterator<Item = Line> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

fn read(path: &PathBuf) -> io::Result<Vec<u8>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    require_ours(&file)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What somebody else wrote vouches for nothing.
fn require_ours(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    let is_ours = metadata.is_file()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && !private::is_open_to_others(&metadata);
    if is_ours { Ok(()) } else { Err(io::Error::other("it is no file that only root can write")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn john() -> HostName {
        "john".parse().unwrap()
    }

    fn of(generation: &str, sum: u8) -> Vouched {
        let generation = generation.parse().unwrap();
        let manifest = Sha256::new([sum; 32]);
        Vouched { at: UnixTime::from_millis(1), generation, manifest, how: How::Made }
    }

    fn known(state: &Path, generation: &str) -> Vec<Sha256> {
        manifests(state, &john(), &generation.parse().unwrap()).unwrap()
    }

    #[test]
    fn what_was_written_down_is_known_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(known(state.path(), "a"), []);
        for vouched in [of("a", 1), of("b", 2), of("a", 3)] {
            vouch(state.path(), &john(), &vouched).unwrap();
        }
        assert_eq!(known(state.path(), "a"), [Sha256::new([1; 32]), Sha256::new([3; 32])]);
        assert_eq!(known(state.path(), "c"), []);
        assert_eq!(manifests(state.path(), &"joe".parse().unwrap(), &"a".parse().unwrap()).unwrap(), []);
    }

    #[test]
    fn the_last_verdict_counts_and_is_no_manifest() {
        let state = tempfile::tempdir().unwrap();
        let judged = |generation: &str, damaged| Verdict {
            at: UnixTime::from_millis(1),
            generation: generation.parse().unwrap(),
            check: Sha256::new([9; 32]),
            damaged,
        };
        vouch(state.path(), &john(), &of("a", 1)).unwrap();
        for verdict in [judged("a", 0), judged("b", 7), judged("a", 2)] {
            judge(state.path(), &john(), &verdict).unwrap();
        }
        let found = |generation: &str| verdict(state.path(), &john(), &generation.parse().unwrap()).unwrap();
        assert_eq!(found("a"), Some(judged("a", 2)));
        assert_eq!(found("b"), Some(judged("b", 7)));
        assert_eq!(found("c"), None);
        assert_eq!((known(state.path(), "a").len(), known(state.path(), "b").len()), (1, 0));
    }

    #[test]
    fn a_torn_line_costs_only_itself() {
        let state = tempfile::tempdir().unwrap();
        vouch(state.path(), &john(), &of("a", 1)).unwrap();
        let path = paths::vouched(state.path(), &john());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], &whole[..40]].concat()).unwrap();
        vouch(state.path(), &john(), &of("b", 2)).unwrap();
        assert_eq!((known(state.path(), "a").len(), known(state.path(), "b").len()), (1, 1));
    }

    #[test]
    fn a_file_that_others_can_write_vouches_for_nothing() {
        let state = tempfile::tempdir().unwrap();
        vouch(state.path(), &john(), &of("a", 1)).unwrap();
        let path = paths::vouched(state.path(), &john());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(manifests(state.path(), &john(), &"a".parse().unwrap()).is_err());
        assert!(vouch(state.path(), &john(), &of("b", 2)).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(7), None).unwrap();
            assert!(manifests(state.path(), &john(), &"a".parse().unwrap()).is_err());
        }
    }
}
