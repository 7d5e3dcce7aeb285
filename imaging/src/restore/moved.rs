//! A partition that stands elsewhere than it did, and its boot sectors that say where it stands.
//!
//! Only what said the old place is changed: mkfs and others leave the field empty. partclone's own program for that
//! (`partclone.ntfsfixboot`) overwrites whatever the field was and the second boot sector with the first one, and knows
//! neither FAT nor sectors of 4096 bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};

use crate::plan::moves::{Move, Moves};
use crate::sys::disk;
use crate::tool::boot_sector::{self, HIDDEN, LENGTH};

/// Sets where the moved partitions of this disk begin in their boot sectors, for sectors of this size.
pub(super) fn set_boot_sectors(disk: &File, moves: &Moves, sector: u32) -> Result<()> {
    for moved in &moves.partitions {
        let number = moved.partition;
        let fails = || format!("the boot sector of partition {number}, which was moved, cannot be set");
        for at in set(disk, moved, sector).with_context(fails)? {
            let mut there = [0; HIDDEN.1];
            disk.read_exact_at(&mut there, at).with_context(fails)?;
            if Some(there) != place(moved.to, sector) {
                bail!("the disk gives back another boot sector of partition {number} than was written");
            }
        }
    }
    Ok(())
}

fn set(disk: &File, moved: &Move, sector: u32) -> io::Result<Vec<u64>> {
    let (Some(file_system), Some(is)) = (moved.boot, place(moved.to, sector)) else {
        return Ok(Vec::new());
    };
    let was = place(moved.from, sector).map(u32::from_le_bytes);
    let mut first = [0; LENGTH];
    disk.read_exact_at(&mut first, moved.to)?;
    let mut changed = Vec::new();
    for at in std::iter::once(0).chain(boot_sector::copies(file_system, &first, moved.length)) {
        let mut found = [0; LENGTH];
        disk.read_exact_at(&mut found, moved.to + at)?;
        if was.is_some() && boot_sector::hidden(file_system, &found) == was {
            let field = moved.to + at + HIDDEN.0 as u64;
            disk.write_all_at(&is, field)?;
            changed.push(field);
        }
    }
    if !changed.is_empty() {
        disk.sync_all()?;
        disk::forget(disk);
    }
    Ok(changed)
}

/// A place as a boot sector has it; none where its field does not reach.
fn place(bytes: u64, sector: u32) -> Option<[u8; HIDDEN.1]> {
    u32::try_from(bytes / u64::from(sector.max(1))).ok().map(u32::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use ghost_contract::image::FileSystem;

    use super::*;

    const MIB: u64 = 1 << 20;
    const OLD: u32 = 9 * 2048;
    const NEW: u32 = 3 * 2048;

    /// A disk with a partition of 2 MiB that was moved from 9 to 3 MiB: returns what its boot sectors say after the move.
    /// It is an NTFS of 4000 sectors; `said` is what its two boot sectors and the partition's last sector said before.
    fn after(boot: Option<FileSystem>, said: [u32; 3]) -> [u32; 3] {
        let disk = tempfile::tempfile().unwrap();
        disk.set_len(6 * MIB).unwrap();
        let places = [0, 4000 * 512, 2 * MIB - 512].map(|at| 3 * MIB + at);
        for (at, hidden) in places.into_iter().zip(said) {
            let mut sector = [0xA5; LENGTH];
            sector[3..11].copy_from_slice(b"NTFS    ");
            sector[11..13].copy_from_slice(&[0, 2]);
            sector[0x1C..0x20].copy_from_slice(&hidden.to_le_bytes());
            sector[0x28..0x30].copy_from_slice(&4000_u64.to_le_bytes());
            sector[510..].copy_from_slice(&[0x55, 0xAA]);
            disk.write_all_at(&sector, at).unwrap();
        }
        let moved = Move { partition: 3, from: 9 * MIB, to: 3 * MIB, length: 2 * MIB, boot };
        set_boot_sectors(&disk, &Moves { distance: 6 * MIB, partitions: vec![moved] }, 512).unwrap();
        places.map(|at| {
            let mut sector = [0; LENGTH];
            disk.read_exact_at(&mut sector, at).unwrap();
            assert_eq!((sector[0x1B], sector[0x20], sector[509]), (0xA5, 0xA5, 0xA5), "around it");
            u32::from_le_bytes(sector[0x1C..0x20].try_into().unwrap())
        })
    }

    #[test]
    fn each_boot_sector_that_said_the_old_place_says_the_new_one() {
        let ntfs = Some(FileSystem::Ntfs);
        assert_eq!(after(ntfs, [OLD, OLD, OLD]), [NEW, NEW, NEW]);
        assert_eq!(after(ntfs, [OLD, 0, OLD]), [NEW, 0, NEW]);
        assert_eq!(after(ntfs, [63, OLD, 63]), [63, NEW, 63]);
    }

    #[test]
    fn what_is_no_such_file_system_is_left_alone() {
        for other in [None, Some(FileSystem::Ext), Some(FileSystem::Exfat)] {
            assert_eq!(after(other, [OLD, OLD, OLD]), [OLD, OLD, OLD], "{other:?}");
        }
    }

    #[test]
    fn a_place_that_the_field_does_not_reach_is_none() {
        assert_eq!(place(u64::from(u32::MAX) * 512, 512), Some([0xFF; 4]));
        assert_eq!(place((u64::from(u32::MAX) + 1) * 512, 512), None);
        assert_eq!(place(41 * MIB, 4096), Some([0, 0x29, 0, 0]));
    }
}
