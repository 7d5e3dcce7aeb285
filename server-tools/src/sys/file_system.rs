//! On which file system a folder is, as an NFS server sees it.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxFlags, statvfs, statx};

/// The number by which the kernel knows a mounted file system. All subvolumes of one btrfs have the same one here, whatever stat(2) says of
/// their files: a file handle of one opens those of the others.
pub(crate) type FileSystem = (u32, u32);

/// The file system of a folder. Links are followed.
pub(crate) fn of(path: &Path) -> io::Result<FileSystem> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?;
    let knows_mount = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo");
    let of_mount = mounts.ok().filter(|_| knows_mount).and_then(|mounts| of_mount(&mounts, found.stx_mnt_id));
    Ok(of_mount.unwrap_or((found.stx_dev_major, found.stx_dev_minor)))
}

/// What the mount that a folder is on lacks, so that devices that are made there could be opened, and set-user-id bits have an effect.
pub(crate) fn lacks(path: &Path) -> io::Result<Vec<&'static str>> {
    let flags = statvfs(path)?.f_flag;
    let wanted = [("nodev", StatVfsMountFlags::NODEV), ("nosuid", StatVfsMountFlags::NOSUID)];
    Ok(wanted.into_iter().filter(|(_, flag)| !flags.contains(*flag)).map(|(name, _)| name).collect())
}

/// The third word of the mount's line (proc(5)).
fn of_mount(mounts: &str, id: u64) -> Option<FileSystem> {
    let lines = mounts.lines().map(|line| line.split(' '));
    let line = lines.filter_map(|mut words| Some((words.next()?.parse().ok()?, words.nth(1)?)));
    let (_, number) = line.into_iter().find(|(of, _): &(u64, &str)| *of == id)?;
    let (major, minor) = number.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn subvolumes_of_one_file_system_are_told_by_their_mounts() {
        let mounts = "22 1 0:25 /@root / rw - btrfs /dev/sda2 rw\n\
                      31 22 0:25 /@srv /srv rw - btrfs /dev/sda2 rw\n\
                      40 22 8:17 / /backup rw - ext4 /dev/sdb1 rw\nrubbish\n";
        assert_eq!(of_mount(mounts, 22), Some((0, 25)));
        assert_eq!(of_mount(mounts, 31), Some((0, 25)));
        assert_eq!(of_mount(mounts, 40), Some((8, 17)));
        assert_eq!(of_mount(mounts, 41), None);
    }

    #[test]
    fn what_a_mount_lacks_is_what_the_list_of_mounts_says() {
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let mut seen = std::collections::BTreeMap::new();
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            // A mount at the same point hides the one before.
            seen.insert(words[4], words[5]);
        }
        for point in ["/", "/proc", "/dev"].into_iter().filter(|point| seen.contains_key(point)) {
            let has = |name: &str| seen[point].split(',').any(|option| option == name);
            let expected: Vec<&str> = ["nodev", "nosuid"].into_iter().filter(|name| !has(name)).collect();
            assert_eq!(lacks(Path::new(point)).unwrap(), expected, "{point}: {}", seen[point]);
        }
    }

    #[test]
    fn a_folder_is_where_its_link_leads_and_proc_is_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/proc", &link).unwrap();
        assert_eq!(of(&link).unwrap(), of(Path::new("/proc")).unwrap());
        assert_ne!(of(&link).unwrap(), of(folder.path()).unwrap());
        assert!(of(Path::new("/nonexistent")).is_err());
    }
}
