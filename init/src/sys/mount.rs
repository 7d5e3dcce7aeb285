//! Mounts, binds and unmounts: mount(2) and umount(2).

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::{file, network};
use crate::fstab::{Mount, MountFlag};

/// What a mount may forbid, as statvfs(3) shows it and as mount(2) takes it.
const FORBIDDING: [(FsFlags, MsFlags); 3] = [
    (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
    (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
    (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
];

const fn flag(flag: MountFlag) -> MsFlags {
    match flag {
        MountFlag::ReadOnly => MsFlags::MS_RDONLY,
        MountFlag::NoSuid => MsFlags::MS_NOSUID,
        MountFlag::NoDev => MsFlags::MS_NODEV,
        MountFlag::NoExec => MsFlags::MS_NOEXEC,
        MountFlag::NoAtime => MsFlags::MS_NOATIME,
        MountFlag::Synchronous => MsFlags::MS_SYNCHRONOUS,
    }
}

/// Whether something is mounted on this folder. Device numbers do not tell: two exports of one server may have the same.
pub(crate) fn is_mounted(path: &Path) -> anyhow::Result<bool> {
    let seen = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS)
        .with_context(|| format!("cannot look at {}", path.display()))?;
    Ok(seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Mounts a file system, unless one is mounted there already.
pub(crate) fn mount_unless_mounted(wanted: &Mount) -> anyhow::Result<()> {
    // The kernel's own /dev has no folder for terminals. A folder that is there is not made: the shared root is read-only.
    if !wanted.target.exists() {
        file::make_folder(&wanted.target)?;
    }
    if is_mounted(&wanted.target)? {
        return Ok(());
    }
    let flags = wanted.flags.iter().copied().map(flag).collect();
    let Mount { source, target, kind, options, .. } = wanted;
    let mounted = mount(Some(source.as_str()), target, Some(kind.as_str()), flags, Some(options.as_str()));
    mounted.map_err(|error| cannot_mount(wanted, error, &own_addresses()))
}

/// A failed mount in words. NFS servers know a client by its address, so that stands there too.
fn cannot_mount(wanted: &Mount, error: Errno, own: &[Ipv4Addr]) -> anyhow::Error {
    let Mount { source, target, kind, options, .. } = wanted;
    let mut words = format!("cannot mount {kind} from {source} with '{options}' on {}", target.display());
    if kind.starts_with("nfs") && !own.is_empty() {
        let own: Vec<_> = own.iter().map(ToString::to_string).collect();
        words += &format!(" as {}", own.join(" and "));
        // With version 4 a folder that is not exported to this client is not there.
        if matches!(error, Errno::EACCES | Errno::EPERM | Errno::ENOENT) {
            words +=
                " (if that is not this client's address, another DHCP server than the boot server's gave it)";
        }
    }
    anyhow::Error::from(error).context(words)
}

/// The addresses by which a server may know this machine; none if they cannot be listed.
fn own_addresses() -> Vec<Ipv4Addr> {
    let interfaces = network::interfaces().unwrap_or_default();
    let addresses = interfaces.into_iter().flat_map(|interface| interface.addresses);
    addresses.filter(|address| !address.is_loopback()).collect()
}

/// Binds a client's own folder to a fixed place.
pub(crate) fn bind(from: &Path, onto: &Path) -> anyhow::Result<()> {
    ensure!(
        from.is_dir(),
        "there is no folder {}: this client has no tree on the boot server; ghostctl makes it at the client's first job, or another DHCP server than the boot \
         server's has given the client this address",
        from.display()
    );
    let nothing = None::<&str>;
    mount(Some(from), onto, nothing, MsFlags::MS_BIND, nothing)
        .with_context(|| format!("cannot bind {} on {}", from.display(), onto.display()))
}

/// Makes the root's file system writable, if it is not.
pub(crate) fn make_root_writable() -> anyhow::Result<()> {
    let root = Path::new("/");
    let state = statvfs(root).with_context(|| cannot_remount(root))?;
    if !state.flags().contains(FsFlags::ST_RDONLY) {
        return Ok(());
    }
    remount(root, MsFlags::MS_REMOUNT)
}

/// Makes this one mount read-only; what is bound elsewhere from the same file system stays writable. What it forbids
/// already it goes on forbidding: a remount sets all of a mount's flags anew (mount(2)).
pub(crate) fn protect(path: &Path) -> anyhow::Result<()> {
    let state = statvfs(path).with_context(|| cannot_remount(path))?.flags();
    let kept = FORBIDDING.into_iter().filter(|(seen, _)| state.contains(*seen));
    let kept: MsFlags = kept.map(|(_, flag)| flag).collect();
    remount(path, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | kept)
}

fn remount(path: &Path, flags: MsFlags) -> anyhow::Result<()> {
    let nothing = None::<&str>;
    mount(nothing, path, nothing, flags, nothing).with_context(|| cannot_remount(path))
}

fn cannot_remount(path: &Path) -> String {
    format!("cannot remount {}", path.display())
}

/// Unmounts what is mounted on this folder and on folders in it. A server that does not answer is not asked where that is.
pub(crate) fn unmount_all(path: &Path) -> anyhow::Result<()> {
    let mounts = file::text(Path::new("/proc/thread-self/mounts"))?;
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    let below: Vec<&Path> = places.filter(|place| place.starts_with(path)).collect();
    // Newer mounts are further down, and lie on the older ones.
    below.into_iter().rev().try_for_each(unmount)
}

/// Unmounts what is mounted on this folder, if anything is.
pub(crate) fn unmount(path: &Path) -> anyhow::Result<()> {
    match umount2(path, MntFlags::empty()) {
        // EINVAL: nothing is mounted there (umount(2)). ENOENT: the root with that folder was never reached.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot unmount {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn what_something_is_mounted_on_is_told_from_a_folder() {
        assert!(is_mounted(Path::new("/proc")).unwrap());
        assert!(!is_mounted(Path::new("/proc/self")).unwrap());
        assert!(!is_mounted(tempfile::tempdir().unwrap().path()).unwrap());
    }

    #[test]
    fn a_server_that_refuses_is_told_with_the_address_that_it_refuses() {
        let mut wanted = Mount {
            source: "192.168.7.1:/srv/root".to_owned(),
            target: "/root".into(),
            kind: "nfs".to_owned(),
            flags: Vec::new(),
            options: "vers=3".to_owned(),
        };
        let own = [Ipv4Addr::new(192, 168, 7, 66)];
        let words = |wanted: &Mount, error| format!("{:#}", cannot_mount(wanted, error, &own));
        let refused = "cannot mount nfs from 192.168.7.1:/srv/root with 'vers=3' on /root as 192.168.7.66 (if that is not \
            this client's address, another DHCP server than the boot server's gave it): EACCES: Permission denied";
        assert_eq!(words(&wanted, Errno::EACCES), refused);
        let away = words(&wanted, Errno::ETIMEDOUT);
        assert!(away.contains("on /root as 192.168.7.66: ETIMEDOUT"), "{away}");
        wanted.kind = "tmpfs".to_owned();
        assert!(!words(&wanted, Errno::EACCES).contains("192.168.7.66"));
    }

    #[test]
    fn what_is_mounted_in_a_folder_goes_with_what_is_mounted_on_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let done = std::thread::scope(|scope| {
            let own = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                let nothing = None::<&str>;
                mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
                let (store, beside) = (folder.path().join("backup"), folder.path().join("backup2"));
                for place in [&store, &store.join("john"), &beside] {
                    std::fs::create_dir(place).unwrap();
                    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), nothing).unwrap();
                }
                unmount_all(&store).unwrap();
                unmount_all(&store).unwrap();
                [is_mounted(&store).unwrap(), store.join("john").exists(), is_mounted(&beside).unwrap()]
            });
            own.join().unwrap()
        });
        assert_eq!(done, [false, false, true]);
    }

    #[test]
    fn what_a_mount_forbids_it_forbids_where_it_is_bound_and_when_it_is_read_only() {
        let folder = tempfile::tempdir().unwrap();
        let (store, images) = (folder.path().join("store"), folder.path().join("images"));
        std::fs::create_dir(&images).unwrap();
        let wanted = Mount {
            source: "store".to_owned(),
            target: store.clone(),
            kind: "tmpfs".to_owned(),
            flags: vec![MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec],
            options: String::new(),
        };
        // A thread with mounts of its own, which go with it.
        let in_own_mounts = std::thread::spawn(move || {
            if unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS) == Err(Errno::EPERM) {
                return None;
            }
            let nothing = None::<&str>;
            mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
            mount_unless_mounted(&wanted).unwrap();
            bind(&store, &images).unwrap();
            protect(&images).unwrap();
            Some([store, images].map(|path| statvfs(&path).unwrap().flags()))
        });
        // Without root's rights nothing can be mounted.
        let Some([store, images]) = in_own_mounts.join().unwrap() else { return };
        let forbids = FsFlags::ST_NOSUID | FsFlags::ST_NODEV | FsFlags::ST_NOEXEC;
        assert!(store.contains(forbids) && !store.contains(FsFlags::ST_RDONLY), "{store:?}");
        assert!(images.contains(forbids | FsFlags::ST_RDONLY), "{images:?}");
    }
}
