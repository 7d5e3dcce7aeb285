//! Mounts a file system that a process of ours serves, read-only. Its programs cannot be run, its devices cannot be opened, its
//! set-user-id bits have no effect, its links lead nowhere, and no user but root looks into it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use anyhow::Context as _;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const DEVICE: &str = "/dev/fuse";
/// A link can be read and not followed: it would lead to files of this machine, by a path that a client has chosen. From Linux 5.10 on
/// (mount(2)).
const NO_SYMLINK_FOLLOW: MsFlags = MsFlags::from_bits_retain(256);
/// How it is called in the list of mounts.
const NAME: &str = "ghost4linux";

/// Mounts at a folder what is answered on the device that is given back. When the last who has it open closes it, the mount gives
/// errors only.
pub(crate) fn mount_at(folder: &Path) -> anyhow::Result<File> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE);
    let device = device.with_context(|| format!("cannot open {DEVICE} (modprobe fuse)"))?;
    let flags =
        MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | NO_SYMLINK_FOLLOW;
    // The first user is the only one who is let in.
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    mount(Some(NAME), folder, Some("fuse"), flags, Some(options.as_str()))
        .with_context(|| format!("cannot mount at {}", folder.display()))?;
    Ok(device)
}

/// Unmounts it without asking the process that serves it, which may be stuck.
pub(crate) fn unmount(folder: &Path) -> io::Result<()> {
    Ok(umount2(folder, MntFlags::UMOUNT_NOFOLLOW)?)
}
