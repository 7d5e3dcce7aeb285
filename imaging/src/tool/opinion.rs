//! Which reader of [`super`] tells what a file system says of itself: one line a file system.

use std::io;

use ghost_contract::image::FileSystem;

use super::claims::{self, Claim, Read};
use super::{btrfs, f2fs, ntfs};

/// What a file system of this kind says of itself.
pub(crate) fn claim(file_system: FileSystem, read: Read<'_>) -> io::Result<Claim> {
    match file_system {
        FileSystem::Ntfs => ntfs::claim(read),
        FileSystem::Fat => claims::fat(read),
        FileSystem::Exfat => claims::exfat(read),
        FileSystem::Ext => claims::ext(read),
        FileSystem::Btrfs => btrfs::claim(read),
        FileSystem::Xfs => claims::xfs(read),
        FileSystem::F2fs => f2fs::claim(read),
    }
}
