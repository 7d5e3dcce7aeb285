//! Whether a file system was closed, read from its superblock. If it was not, what it says of used blocks may
//! be behind its journal, and saving only those would lose some.

use ghost_contract::image::FileSystem;

/// As many bytes of the file system's beginning as [`state`] looks at.
pub(crate) const NEEDED: usize = (64 << 10) + 4096;

const EXT: usize = 1024;
const EXT_LOG_BLOCK: usize = EXT + 0x18;
const EXT_INCOMPATIBLE: usize = EXT + 0x60;
const EXT_NEEDS_RECOVERY: u32 = 0x4;
/// Where an NTFS's boot sector has the size of its sectors (ntfs-3g, layout.h: `BIOS_PARAMETER_BLOCK`).
const NTFS_SECTOR: usize = 11;
/// Btrfs's superblock and in it the tree of what was synced since the last commit (fs/btrfs, `btrfs_super_block`).
const BTRFS: usize = 64 << 10;
const BTRFS_LOG_ROOT: usize = BTRFS + 0x60;
/// The flags of an exFAT volume (Microsoft's specification, 3.1.13), of which one says that it is dirty.
const EXFAT_FLAGS: usize = 106;
const EXFAT_DIRTY: u8 = 2;

/// Why it does not count as closed, in words; none if it is closed, or this cannot be told from here.
pub(crate) fn state(file_system: FileSystem, beginning: &[u8]) -> Option<String> {
    match file_system {
        FileSystem::Ext => {
            let features = beginning.get(EXT_INCOMPATIBLE..EXT_INCOMPATIBLE + 4)?;
            let features = u32::from_le_bytes(features.try_into().ok()?);
            let open = features & EXT_NEEDS_RECOVERY != 0;
            open.then(|| "its journal needs recovery: it was not unmounted".to_owned())
        }
        FileSystem::Btrfs => {
            let root = beginning.get(BTRFS_LOG_ROOT..BTRFS_LOG_ROOT + 8)?;
            let open = root.iter().any(|&byte| byte != 0);
            open.then(|| "it has a log to replay: it was not unmounted".to_owned())
        }
        FileSystem::Exfat => {
            let open = beginning.get(EXFAT_FLAGS)? & EXFAT_DIRTY != 0;
            open.then(|| "it is marked dirty: it was not unmounted".to_owned())
        }
        // FAT has no journal, and its table is what it says. The others have looks of their own.
        FileSystem::Ntfs | FileSystem::Fat | FileSystem::Xfs | FileSystem::F2fs => None,
    }
}

/// The size of an ext's blocks, bytes; none if this cannot be the beginning of one.
pub(crate) fn ext_block(beginning: &[u8]) -> Option<u64> {
    let log = beginning.get(EXT_LOG_BLOCK..EXT_LOG_BLOCK + 4)?;
    // mke2fs(8): 1 KiB to 64 KiB.
    let log = Some(u32::from_le_bytes(log.try_into().ok()?)).filter(|log| *log <= 6)?;
    Some(1024 << log)
}

/// The size of the sectors that an NTFS counts, bytes.
pub(crate) fn ntfs_sector(beginning: &[u8]) -> usize {
    let said = beginning.get(NTFS_SECTOR..NTFS_SECTOR + 2).and_then(|field| field.try_into().ok());
    said.map(u16::from_le_bytes).filter(|sector| matches!(sector, 1024 | 2048 | 4096)).unwrap_or(512).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_sectors_is_read() {
        let mut ntfs = vec![0; NEEDED];
        assert_eq!(ntfs_sector(&ntfs), 512);
        ntfs[NTFS_SECTOR + 1] = 0x10;
        assert_eq!(ntfs_sector(&ntfs), 4096);
    }

    #[test]
    fn the_size_of_blocks_is_read() {
        let mut ext = vec![0; NEEDED];
        ext[EXT_LOG_BLOCK] = 2;
        assert_eq!(ext_block(&ext), Some(4096));
        ext[EXT_LOG_BLOCK + 3] = 1;
        assert_eq!(ext_block(&ext), None);
    }

    #[test]
    fn a_journal_that_needs_recovery_is_seen() {
        let mut ext = vec![0; NEEDED];
        ext[EXT_INCOMPATIBLE] = 0x42;
        assert_eq!(state(FileSystem::Ext, &ext), None);
        ext[EXT_INCOMPATIBLE] = 0x46;
        assert!(state(FileSystem::Ext, &ext).unwrap().contains("needs recovery"));
    }

    #[test]
    fn a_dirty_exfat_is_seen() {
        let mut exfat = vec![0; NEEDED];
        assert_eq!(state(FileSystem::Exfat, &exfat), None);
        exfat[EXFAT_FLAGS] = 2;
        assert!(state(FileSystem::Exfat, &exfat).unwrap().contains("dirty"));
    }

    #[test]
    fn a_log_to_replay_is_seen() {
        let mut btrfs = vec![0; NEEDED];
        assert_eq!(state(FileSystem::Btrfs, &btrfs), None);
        btrfs[BTRFS_LOG_ROOT + 2] = 1;
        assert!(state(FileSystem::Btrfs, &btrfs).unwrap().contains("replay"));
    }
}
