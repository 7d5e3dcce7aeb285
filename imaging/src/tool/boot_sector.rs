//! What the boot sector of an NTFS or FAT says of the partition's place: the number of sectors in front of it, by which
//! its boot code finds the rest (Microsoft's FAT specification 1.03: `BPB_HiddSec`; NTFS has the same fields).

use ghost_contract::image::FileSystem;

use super::superblock;

/// As much of it is looked at, bytes, whatever the disk's sectors are.
pub(crate) const LENGTH: usize = 512;
/// Where the number is, and its length.
pub(crate) const HIDDEN: (usize, usize) = (0x1C, 4);
/// The last bytes of every boot sector.
const SIGNATURE: (usize, [u8; 2]) = (510, [0x55, 0xAA]);
/// What an NTFS's has for the maker's name.
const NTFS: (usize, &[u8]) = (3, b"NTFS    ");
/// Where an NTFS has how many sectors it spans. Its second boot sector is behind the last of them.
const NTFS_SECTORS: (usize, usize) = (0x28, 8);
/// In a FAT: the size of its sectors; how many there are in front of its tables; how long a table is, which is zero in a
/// FAT32; and there the number of its second boot sector, none if it is 0 or `0xFFFF`.
const FAT_SECTOR: (usize, usize) = (11, 2);
const FAT_RESERVED: (usize, usize) = (14, 2);
const FAT_LENGTH: (usize, usize) = (22, 2);
const FAT32_COPY: (usize, usize) = (50, 2);

/// How many sectors it says are in front of the partition; none if this is no boot sector of such a file system.
pub(crate) fn hidden(file_system: FileSystem, sector: &[u8]) -> Option<u32> {
    let is = |at: usize, bytes: &[u8]| sector.get(at..at + bytes.len()) == Some(bytes);
    let is_own = match file_system {
        FileSystem::Ntfs => is(NTFS.0, NTFS.1),
        // A BitLocker or NTFS that somebody calls a FAT has no sectors in front of its tables.
        FileSystem::Fat => number(sector, FAT_RESERVED)? > 0,
        _ => false,
    };
    (is_own && is(SIGNATURE.0, &SIGNATURE.1)).then(|| number(sector, HIDDEN))?.and_then(|n| n.try_into().ok())
}

/// Where its copies may be in a partition of this length, bytes from its beginning. What is there may be anything.
pub(crate) fn copies(file_system: FileSystem, sector: &[u8], length: u64) -> Vec<u64> {
    let mut places = match file_system {
        FileSystem::Ntfs => {
            let own = superblock::ntfs_sector(sector) as u64;
            let counted = number(sector, NTFS_SECTORS).and_then(|sectors| sectors.checked_mul(own));
            [counted, length.checked_sub(own)].into_iter().flatten().collect()
        }
        FileSystem::Fat => fat32_copy(sector).into_iter().collect(),
        _ => Vec::new(),
    };
    places.sort_unstable();
    places.dedup();
    places.retain(|&at| at > 0 && at.checked_add(LENGTH as u64).is_some_and(|end| end <= length));
    places
}

fn fat32_copy(sector: &[u8]) -> Option<u64> {
    let (copy, reserved) = (number(sector, FAT32_COPY)?, number(sector, FAT_RESERVED)?);
    let is_there = number(sector, FAT_LENGTH)? == 0 && 0 < copy && copy < reserved;
    is_there.then_some(copy * number(sector, FAT_SECTOR)?)
}

fn number(sector: &[u8], (at, length): (usize, usize)) -> Option<u64> {
    let field = sector.get(at..at + length)?;
    Some(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: u64 = 40 << 20;

    fn with(fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut sector = vec![0; LENGTH];
        for (at, bytes) in fields.iter().chain(&[(510, &[0x55, 0xAA][..])]) {
            sector[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        sector
    }

    fn ntfs(sector: u16, sectors: u64) -> Vec<u8> {
        let (sector, sectors) = (sector.to_le_bytes(), sectors.to_le_bytes());
        with(&[NTFS, (11, &sector), (0x28, &sectors), (0x1C, &[0, 8, 1, 0])])
    }

    fn fat(copy: u16, reserved: u8, table: u8) -> Vec<u8> {
        with(&[(11, &[0, 2]), (14, &[reserved]), (22, &[table]), (50, &copy.to_le_bytes()), (0x1C, &[63])])
    }

    #[test]
    fn the_sectors_in_front_are_read_of_its_own_kind_only() {
        assert_eq!(hidden(FileSystem::Ntfs, &ntfs(512, 100)), Some(0x1_0800));
        assert_eq!(hidden(FileSystem::Fat, &fat(6, 32, 0)), Some(63));
        assert_eq!(hidden(FileSystem::Ntfs, &fat(6, 32, 0)), None);
        assert_eq!(hidden(FileSystem::Fat, &ntfs(512, 100)), None);
        assert_eq!(hidden(FileSystem::Exfat, &fat(6, 32, 0)), None);
        let mut unsigned = ntfs(512, 100);
        unsigned[511] = 0;
        assert_eq!(hidden(FileSystem::Ntfs, &unsigned), None);
        assert_eq!(hidden(FileSystem::Ntfs, &ntfs(512, 100)[..511]), None);
    }

    #[test]
    fn an_ntfs_has_its_copy_behind_it_or_at_the_partition_s_end() {
        let copies = |sector, sectors| copies(FileSystem::Ntfs, &ntfs(sector, sectors), PART);
        assert_eq!(copies(512, PART / 512 - 1), [PART - 512]);
        assert_eq!(copies(4096, PART / 4096 - 1), [PART - 4096]);
        assert_eq!(copies(512, PART / 512 - 100), [PART - 51_200, PART - 512]);
        // Never beyond the partition, nor the boot sector itself.
        assert_eq!(copies(512, PART / 512), [PART - 512]);
        assert_eq!(copies(512, u64::MAX), [PART - 512]);
        assert_eq!(copies(512, 0), [PART - 512]);
    }

    #[test]
    fn a_fat32_has_its_copy_in_front_of_its_tables_and_the_smaller_ones_have_none() {
        let copies = |copy, reserved, table| copies(FileSystem::Fat, &fat(copy, reserved, table), PART);
        assert_eq!(copies(6, 32, 0), [6 * 512]);
        for none in [copies(0, 32, 0), copies(0xFFFF, 32, 0), copies(32, 32, 0), copies(6, 32, 9)] {
            assert_eq!(none, [0_u64; 0]);
        }
    }
}
