//! Where the FAT file system is in an image, and access to it.
//!
//! Fields and offsets are those of the BIOS parameter block and of the MBR's partition table, as in
//! Microsoft's "FAT: General Overview of On-Disk Format", version 1.03.

use std::io::Cursor;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};

use anyhow::{Context as _, anyhow, bail, ensure};
use fatfs::{FileSystem, FsOptions};

use super::{DAMAGED, UNREADABLE};

const NO_FAT: &str = "the boot floppy image holds no FAT file system that DOS can read";
const SECTOR: usize = 512;
/// Both a FAT volume's first sector and an MBR end so.
const SIGNATURE: [u8; 2] = [0x55, 0xAA];
/// The partition table's four entries of 16 bytes each.
const PARTITION_TABLE: Range<usize> = 446..510;
const PARTITION_ENTRY: usize = 16;
/// FAT12, FAT16 below 32 MB, FAT16, FAT16 by LBA: what a DOS of the time boots from.
const FAT_TYPES: [u8; 4] = [0x01, 0x04, 0x06, 0x0E];

/// An image with the place of its file system.
pub(super) struct Volume {
    image: Vec<u8>,
    place: Range<usize>,
}

/// A mounted file system in memory.
pub(super) type Files<'a> = FileSystem<Cursor<&'a mut [u8]>>;

impl Volume {
    /// Finds the file system: the whole image, or the first FAT partition of a disk.
    pub(super) fn open(image: Vec<u8>) -> anyhow::Result<Self> {
        let place = locate(&image)?;
        Ok(Self { image, place })
    }

    /// Works on the files; the changes stay.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&Files<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        mounted(&mut self.image[self.place.clone()], work)
    }

    /// Looks at the files without changing a byte, the mark of an unclean unmount included.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Files<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        mounted(&mut self.image[self.place.clone()].to_vec(), look)
    }

    /// How many bytes the file system has.
    pub(super) fn length(&self) -> u64 {
        self.place.len() as u64
    }

    /// The image as it is now.
    pub(super) fn into_image(self) -> Vec<u8> {
        self.image
    }
}

/// The library panics at clusters that no volume has: its sums are checked for overflow in all profiles (Cargo.toml), since one that wraps
/// would lead it to another file's place.
fn mounted<T>(bytes: &mut [u8], work: impl FnOnce(&Files<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let act = AssertUnwindSafe(|| {
        let files = FileSystem::new(Cursor::new(bytes), FsOptions::new()).context(UNREADABLE)?;
        let result = work(&files)?;
        files.unmount().context(UNREADABLE)?;
        Ok(result)
    });
    // What has been changed by then is not used.
    panic::catch_unwind(act).unwrap_or_else(|_told_by_the_hook| Err(anyhow!(DAMAGED)))
}

fn locate(image: &[u8]) -> anyhow::Result<Range<usize>> {
    let first = image.get(..SECTOR).context(NO_FAT)?;
    ensure!(first[SECTOR - 2..] == SIGNATURE, NO_FAT);
    if let Some(length) = volume_length(first) {
        return whole(image, 0, length);
    }
    let start = first[PARTITION_TABLE]
        .chunks_exact(PARTITION_ENTRY)
        .find(|entry| FAT_TYPES.contains(&entry[4]))
        .map(|entry| u64::from(u32_at(entry, 8)) * SECTOR as u64)
        .context(NO_FAT)?;
    let offset = usize::try_from(start).ok().context(NO_FAT)?;
    let boot_sector =
        image.get(offset..).and_then(|rest| rest.get(..SECTOR)).with_context(|| cut_off(image, start))?;
    let length = volume_length(boot_sector).context(NO_FAT)?;
    whole(image, offset, length)
}

fn cut_off(image: &[u8], expected: u64) -> String {
    let found = image.len();
    format!("the boot floppy image is cut off: its file system has {expected} bytes, the file has {found}")
}

/// The range of the volume, all of which must be there.
fn whole(image: &[u8], start: usize, length: u64) -> anyhow::Result<Range<usize>> {
    let expected = start as u64 + length;
    match usize::try_from(expected) {
        Ok(end) if end <= image.len() => Ok(start..end),
        _ => bail!(cut_off(image, expected)),
    }
}

/// How many bytes the volume has that begins with this sector, if it is a FAT12 or FAT16 volume.
fn volume_length(boot_sector: &[u8]) -> Option<u64> {
    let starts_with_jump = matches!(boot_sector[0], 0xEB | 0xE9);
    let bytes_per_sector = u16_at(boot_sector, 11);
    let sectors_per_cluster = boot_sector[13];
    let fats = boot_sector[16];
    let root_entries = u16_at(boot_sector, 17);
    let sane = starts_with_jump
        && matches!(bytes_per_sector, 512 | 1024 | 2048 | 4096)
        && sectors_per_cluster.is_power_of_two()
        && matches!(fats, 1 | 2)
        && root_entries != 0
        && u16_at(boot_sector, 22) != 0;
    let sectors = match u16_at(boot_sector, 19) {
        0 => u32_at(boot_sector, 32),
        small => u32::from(small),
    };
    (sane && sectors != 0).then(|| u64::from(sectors) * u64::from(bytes_per_sector))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
