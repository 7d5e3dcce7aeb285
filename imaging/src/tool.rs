//! What the tools say, as values. Pure: their output in, our words out.

pub(crate) mod blkid;
pub(crate) mod boot_sector;
pub(crate) mod btrfs;
pub(crate) mod claims;
pub(crate) mod f2fs;
pub(crate) mod hits;
pub(crate) mod luks;
pub(crate) mod lvm;
pub(crate) mod ntfs;
pub(crate) mod opinion;
pub mod parsers;
pub(crate) mod partclone;
pub(crate) mod resizing;
pub(crate) mod sfdisk;
pub(crate) mod superblock;
pub(crate) mod xfs;

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::image::FileSystem;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_damaged_btrfs_breaks_nothing(bytes in proptest::collection::vec(any::<u8>(), 4096), level in 0_u8..2) {
            let read = |at: u64, length: usize| {
                let mut part = if at < 64 << 10 { vec![7; length] } else { bytes.clone() };
                if at == 64 << 10 {
                    part[0xA0..0xA4].copy_from_slice(&97_u32.to_le_bytes());
                    part[0xC6..0xC8].copy_from_slice(&[level, level]);
                }
                part.resize(length, 0);
                Ok(part)
            };
            let _claim = opinion::claim(FileSystem::Btrfs, &read);
        }

        #[test]
        fn bytes_of_a_damaged_disk_break_no_parser(bytes in proptest::collection::vec(any::<u8>(), 0..1200), magic in 0..3) {
            let beginning: &[u8] = match magic {
                0 => b"XFSB",
                1 => b"partclone-image\0",
                _ => b"\xFE\xED\xBA\xBE",
            };
            let bytes = [beginning, &bytes].concat();
            let text = String::from_utf8_lossy(&bytes);
            let _table = sfdisk::parse(&bytes, "a");
            let _found = blkid::parse(&text);
            let _place = partclone::unreadable(&text);
            let _minimum = (resizing::ntfs_minimum(&text), resizing::ext_minimum(&text));
            let _block = superblock::ext_block(&bytes);
            for file_system in [FileSystem::Ntfs, FileSystem::Fat] {
                let _hidden = boot_sector::hidden(file_system, &bytes);
                let copies = boot_sector::copies(file_system, &bytes, 1 << 20);
                prop_assert!(copies.iter().all(|at| (1..=(1 << 20) - 512).contains(at)));
            }
            if let Some(log) = xfs::log(&bytes) {
                prop_assert!(log.start < log.end);
            }
            let last = xfs::Last::with(None, &bytes, 0);
            let _unmounted = last.map(|last| (last.first_operation(7), last.is_unmount(&bytes)));
            for file_system in [FileSystem::Ext, FileSystem::Btrfs, FileSystem::Exfat] {
                let _state = superblock::state(file_system, &bytes);
            }
            let read = |at: u64, length: usize| {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let part = bytes.get(at..at.saturating_add(length)).map(<[u8]>::to_vec);
                part.ok_or_else(|| claims::strange("it ends there"))
            };
            for file_system in [FileSystem::Ntfs, FileSystem::Fat, FileSystem::Exfat, FileSystem::Ext, FileSystem::Xfs, FileSystem::F2fs] {
                let _claim = opinion::claim(file_system, &read);
            }
            if let Some(Ok(head)) = bytes.first_chunk().map(partclone::Head::parse) {
                prop_assert!(head.used <= head.total);
            }
        }
    }
}
