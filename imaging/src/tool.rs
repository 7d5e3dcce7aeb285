//! What the tools say, as values. Pure: their output in, our words out.

pub mod blkid;
pub mod boot_sector;
pub mod partclone;
pub mod resizing;
pub mod sfdisk;
pub mod superblock;
pub mod xfs;

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::image::FileSystem;
    use proptest::prelude::*;

    proptest! {
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
            if let Some(Ok(head)) = bytes.first_chunk().map(partclone::Head::parse) {
                prop_assert!(head.used <= head.total);
            }
        }
    }
}
