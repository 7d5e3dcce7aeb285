//! In which state a file system was left: what was not closed is not believed when it says what is used.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use ghost_contract::image::{FileSystem, Range};

use super::{bytes, part_of};
use crate::plan::backup::Stretch;
use crate::sys::program::{self, LOOKING};
use crate::tool::{f2fs, superblock, xfs};

/// What `ntfs-3g.probe` says of an NTFS that can be used (ntfs-3g.probe(8)).
const PROBE_CLEAN: i32 = 0;
/// … that Windows has hibernated on, also by fast start.
const PROBE_HIBERNATED: i32 = 14;
/// … that was not unmounted.
const PROBE_UNCLEAN: i32 = 15;
/// As much of an XFS's log is read at a time.
const LOG_PART: usize = 1 << 20;
/// The flag of a volume that has to be checked, in `$Volume` (ntfs-3g, layout.h: `VOLUME_IS_DIRTY`).
const VOLUME_IS_DIRTY: u32 = 1;

/// Why the file system of this stretch does not count as closed, in words; none if it is closed. `node` is the stretch by
/// itself.
pub(super) fn state(
    file_system: FileSystem,
    node: &Path,
    disk: &Path,
    stretch: Stretch,
) -> Result<Option<String>> {
    match file_system {
        FileSystem::Ntfs => ntfs(node),
        FileSystem::Xfs => xfs_log(disk, stretch),
        FileSystem::F2fs => {
            let place = Range { start: stretch.start, length: stretch.length };
            let state = f2fs::state(&|at, length| part_of(disk, place, at, length));
            Ok(state.unwrap_or_else(|error| Some(format!("it does not say whether it was closed: {error}"))))
        }
        _ => Ok(superblock::state(file_system, &bytes(disk, stretch.start, beginning(stretch))?)),
    }
}

/// Why an NTFS does not count as closed, in words.
fn ntfs(node: &Path) -> Result<Option<String>> {
    let probe = program::run(Command::new("ntfs-3g.probe").arg("--readwrite").arg(node), LOOKING)?;
    match probe.status.code() {
        Some(PROBE_CLEAN) => {}
        Some(PROBE_HIBERNATED) => {
            return Ok(Some("Windows is hibernated, or has used its fast start".to_owned()));
        }
        Some(PROBE_UNCLEAN) => return Ok(Some("it was not unmounted".to_owned())),
        _ => return Ok(Some(format!("ntfs-3g.probe says: {}", probe.errors))),
    }
    // Without --force it says nothing of a volume that is marked, which is what it is asked for.
    let said = program::must(Command::new("ntfsinfo").args(["--force", "--mft"]).arg(node), LOOKING)?;
    let dirty =
        volume_flags(&String::from_utf8_lossy(&said)).is_none_or(|flags| flags & VOLUME_IS_DIRTY != 0);
    Ok(dirty.then(|| "it is marked to be checked by chkdsk".to_owned()))
}

/// The line `Volume Flags: 0x0001` of `ntfsinfo --mft`, which may have the flags' names behind it.
fn volume_flags(said: &str) -> Option<u32> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Volume Flags:"))?;
    let digits = line.split_whitespace().next()?.strip_prefix("0x")?;
    u32::from_str_radix(digits, 16).ok()
}

/// Why an XFS does not count as closed, in words.
fn xfs_log(disk: &Path, stretch: Stretch) -> Result<Option<String>> {
    let Some(log) = xfs::log(&bytes(disk, stretch.start, xfs::SUPERBLOCK)?) else {
        return Ok(Some("its log is on another device".to_owned()));
    };
    if log.end > stretch.length {
        return Ok(Some("its log is beyond the partition".to_owned()));
    }
    let (mut last, mut at) = (None, log.start);
    while at < log.end {
        let length = usize::try_from(log.end - at).unwrap_or(LOG_PART).min(LOG_PART);
        last =
            xfs::Last::with(last, &bytes(disk, stretch.start + at, length)?, (at - log.start) / xfs::BLOCK);
        at += length as u64;
    }
    let unmounted = match last {
        Some(last) => {
            let block = last.first_operation((log.end - log.start) / xfs::BLOCK);
            last.is_unmount(&bytes(disk, stretch.start + log.start + block * xfs::BLOCK, xfs::SUPERBLOCK)?)
        }
        None => false,
    };
    Ok((!unmounted).then(|| "its log has to be replayed: it was not unmounted".to_owned()))
}

/// As much of a stretch's beginning as superblocks are in.
fn beginning(stretch: Stretch) -> usize {
    usize::try_from(stretch.length).unwrap_or(usize::MAX).min(superblock::NEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_a_volume_are_read() {
        assert_eq!(volume_flags("\tVolume State: 91\n\tVolume Flags: 0x0000\n"), Some(0));
        assert_eq!(volume_flags("\tVolume Flags: 0x0001 DIRTY\n"), Some(1));
        assert_eq!(volume_flags("something else"), None);
    }
}
