//! The client's disk as DOSEmu is given it: behind a header that says a geometry of whole cylinders.
//!
//! ```text
//! /dev/mapper/ghost-disk:  | header, 4 KiB (a loop device) | every sector of the disk |
//! ```
//!
//! Given a disk as it is, 1.4 takes a geometry from the driver (which differs between SATA and NVMe) or from the partition
//! table, ends with SIGFPE if a partition ends in cylinder 0, and does not reach the sectors behind the last whole cylinder:
//! a backup lacks them and nothing says so. Of an image with DOSEmu's own header it takes the geometry from there, so every
//! sector is reached, and a backup and a restore see the same. dosemu2 reads the same header.
//!
//! dosemu2 since July 2024 takes every block device that its settings name for a floppy drive, whatever they say of it, and
//! every regular file for an image. It asks what a path is when it reads the settings, and opens it when it has read them
//! all. So the settings name an empty file, and a command at their end puts a link to the device in its place. If that
//! did not happen, dosemu2 would end at the empty file.

use anyhow::{Context as _, ensure};

use super::super::dos::{Commission, inside, plain};
use super::super::{Files, LaunchFile, writes_to_the_disk};
use super::installed::Flavour;

/// The mapped device, which DOSEmu opens.
pub(super) const DEVICE: &str = "/dev/mapper/ghost-disk";
/// Drivers of what it is made of.
pub(super) const DRIVERS: &[&str] = &["loop", "dm_mod"];
const NAME: &str = "ghost-disk";
/// What dosemu2's settings name: a regular file that becomes a link to the device.
const IMAGE: &str = "disk";
/// The device of the header. A job with a DOS program has no other loop device.
const LOOP: &str = "/dev/loop0";
/// A multiple of what disks write at a time.
const HEADER_SECTORS: u64 = 8;
const SECTOR: u64 = 512;
/// DOSEmu 1.4 uses the lower 32 bits of a sector's number (INT 13h, AH=42h and 43h), and partition tables have no more.
const MOST_SECTORS: u64 = 1 << 32;
/// INT 13h, AH=08h has eight bits for the last head's number, and six for a sector's, from 1.
const MOST_HEADS: u64 = 255;
const MOST_PER_TRACK: u64 = 63;
/// Heads, and sectors of a track, in the order in which they are tried.
const USUAL: [(u64, u64); 7] = [(255, 63), (240, 63), (128, 63), (64, 63), (32, 63), (16, 63), (64, 32)];

/// What has to be there before DOSEmu starts.
pub(super) struct WholeDisk {
    pub(super) files: Vec<LaunchFile>,
    /// Run in this order.
    pub(super) commands: Vec<Vec<String>>,
    /// The settings that name it.
    pub(super) settings: String,
}

/// How the disk of a job is given to DOSEmu. A mode that has no business to write to the disk cannot.
pub(super) fn of(
    commission: &Commission<'_>,
    flavour: Flavour,
    files: &dyn Files,
) -> anyhow::Result<WholeDisk> {
    let disk = plain(commission.disk)?;
    let sectors = sectors(disk, commission.disk_size, files)?;
    let readonly = !writes_to_the_disk(commission.mode);
    let header = LaunchFile { path: inside("header"), content: Geometry::of(sectors).header()? };
    let table = format!("0 {HEADER_SECTORS} linear {LOOP} 0\n{HEADER_SECTORS} {sectors} linear {disk} 0\n");
    let table = LaunchFile { path: inside("table"), content: table.into_bytes() };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let attach = words(&["losetup", LOOP, plain(&header.path)?]);
    // There is no udev to make the device's node.
    let mut map = words(&["env", "DM_DISABLE_UDEV=1", "dmsetup", "create", NAME, plain(&table.path)?]);
    map.extend(readonly.then(|| "--readonly".to_owned()));
    let flag = if readonly { " readonly" } else { "" };
    let image = |path: &str| format!("disk {{ image \"{path}\"{flag} }}\n");
    let mut files = vec![header, table];
    let settings = match flavour {
        Flavour::Dosemu1 => image(DEVICE),
        Flavour::Dosemu2 => {
            let file = LaunchFile { path: inside(IMAGE), content: Vec::new() };
            let path = plain(&file.path)?;
            let settings = format!("{}shell(\"ln -sf {DEVICE} {path}\")\n", image(path));
            files.push(file);
            settings
        }
    };
    Ok(WholeDisk { files, commands: vec![attach, map], settings })
}

/// How many sectors the disk has, if a DOS program reaches them all.
fn sectors(disk: &str, size: u64, files: &dyn Files) -> anyhow::Result<u64> {
    let name = disk.trim_start_matches("/dev/");
    let path = format!("/sys/class/block/{name}/queue/logical_block_size");
    let found = files.read(path.as_ref())?.with_context(|| format!("{path} is missing"))?;
    let found = String::from_utf8_lossy(&found).trim().to_owned();
    ensure!(
        found == SECTOR.to_string(),
        "{disk} has sectors of {found} bytes, and a DOS program counts in {SECTOR}: use the linux imager (IMAGER=linux)"
    );
    let sectors = size / SECTOR;
    ensure!(
        sectors <= MOST_SECTORS,
        "{disk} has {sectors} sectors, and a DOS program reaches the first {MOST_SECTORS} (2 TiB): use the linux imager \
         (IMAGER=linux)"
    );
    Ok(sectors)
}

/// A geometry whose whole cylinders are all of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    heads: u64,
    per_track: u64,
    cylinders: u64,
}

impl Geometry {
    /// One that BIOSes use, whatever stands on the disk, or else the one with the largest cylinders. A disk has a multiple of
    /// 16 heads of 63 sectors or of 64 heads of 32; an odd number of sectors may make every sector a cylinder.
    fn of(sectors: u64) -> Self {
        let divides = |(heads, per_track): &(u64, u64)| sectors.is_multiple_of(heads * per_track);
        let largest = || {
            let all =
                (1..=MOST_PER_TRACK).flat_map(|track| (1..=MOST_HEADS).map(move |heads| (heads, track)));
            all.filter(divides).max_by_key(|(heads, per_track)| heads * per_track)
        };
        let (heads, per_track) = USUAL.into_iter().find(divides).or_else(largest).unwrap_or((1, 1));
        Self { heads, per_track, cylinders: sectors / (heads * per_track) }
    }

    /// DOSEmu's header of an image: a name, four numbers, and zeros.
    fn header(self) -> anyhow::Result<Vec<u8>> {
        let mut header = b"DOSEMU\0".to_vec();
        for number in [self.heads, self.per_track, self.cylinders, HEADER_SECTORS * SECTOR] {
            let number = i32::try_from(number)
                .context("the disk's number of sectors has no divisor that DOSEmu could use")?;
            header.extend_from_slice(&number.to_le_bytes());
        }
        header.resize(usize::try_from(HEADER_SECTORS * SECTOR)?, 0);
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ghost_contract::Mode;

    use super::*;
    use crate::imager::FoundFile;

    /// A machine whose disks have sectors of so many bytes.
    struct Sectors(&'static str);

    impl Files for Sectors {
        fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
            let is_sda = path == Path::new("/sys/class/block/sda/queue/logical_block_size");
            Ok(is_sda.then(|| format!("{}\n", self.0).into_bytes()))
        }

        fn list(&self, _folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
            Ok(Vec::new())
        }

        fn free_space(&self, _folder: &Path) -> anyhow::Result<u64> {
            Ok(0)
        }
    }

    fn given_to(
        flavour: Flavour,
        mode: Mode,
        disk_size: u64,
        sectors: &'static str,
    ) -> anyhow::Result<WholeDisk> {
        of(
            &Commission { mode, command: "", disk: Path::new("/dev/sda"), disk_size },
            flavour,
            &Sectors(sectors),
        )
    }

    fn given(mode: Mode, disk_size: u64, sectors: &'static str) -> anyhow::Result<WholeDisk> {
        given_to(Flavour::Dosemu1, mode, disk_size, sectors)
    }

    /// 1.4 leaves out the sectors behind the last whole cylinder: 2,552 of 64 MiB, 8,103 of 500 GB.
    #[test]
    fn every_sector_of_any_disk_is_in_a_whole_cylinder() {
        for (sectors, heads, per_track) in [
            (131_072, 64, 32),
            (976_773_168, 16, 63),
            (1_953_525_168, 16, 63),
            (1 << 32, 64, 32),
            (16_065 * 1000, 255, 63),
            (125_048, 196, 58),
            (131_073, 1, 3),
            (131_071, 1, 1),
        ] {
            let geometry = Geometry::of(sectors);
            let whole = geometry.heads * geometry.per_track * geometry.cylinders;
            assert_eq!(whole, sectors, "{geometry:?}");
            assert!(geometry.heads <= 255 && geometry.per_track <= 63, "{geometry:?}");
            assert_eq!((geometry.heads, geometry.per_track), (heads, per_track), "{sectors}");
        }
    }

    #[test]
    fn the_header_is_dosemus_own() {
        let header = Geometry { heads: 64, per_track: 32, cylinders: 64 }.header().unwrap();
        let numbers = [&b"DOSEMU\0"[..], &[64, 0, 0, 0], &[32, 0, 0, 0], &[64, 0, 0, 0], &[0, 16, 0, 0]];
        assert_eq!(header[..23], numbers.concat());
        assert_eq!(header.len(), 4096);
    }

    #[test]
    fn the_disk_stands_whole_behind_its_header() {
        let given = given(Mode::Restore, 64 << 20, "512").unwrap();
        let table = String::from_utf8(given.files[1].content.clone()).unwrap();
        assert_eq!(table, "0 8 linear /dev/loop0 0\n8 131072 linear /dev/sda 0\n");
        let commands: Vec<String> = given.commands.iter().map(|words| words.join(" ")).collect();
        assert_eq!(
            commands,
            [
                "losetup /dev/loop0 /run/ghost/dos/header",
                "env DM_DISABLE_UDEV=1 dmsetup create ghost-disk /run/ghost/dos/table"
            ]
        );
        assert_eq!(given.settings, "disk { image \"/dev/mapper/ghost-disk\" }\n");
    }

    /// It would take a block device for a floppy drive. The file is empty, so that dosemu2 ends at it if no device is put in
    /// its place.
    #[test]
    fn dosemu2_is_told_of_a_file_that_becomes_the_device_before_it_is_opened() {
        let two = given_to(Flavour::Dosemu2, Mode::Restore, 64 << 20, "512").unwrap();
        assert_eq!(
            two.settings,
            "disk { image \"/run/ghost/dos/disk\" }\n\
             shell(\"ln -sf /dev/mapper/ghost-disk /run/ghost/dos/disk\")\n"
        );
        let one = given(Mode::Restore, 64 << 20, "512").unwrap();
        let file = LaunchFile { path: inside("disk"), content: Vec::new() };
        assert_eq!(two.files, [&one.files[..], &[file]].concat());
        assert_eq!(two.commands, one.commands, "the device is the same");
    }

    #[test]
    fn a_mode_that_has_no_business_to_write_to_the_disk_cannot() {
        for (mode, readonly) in
            [(Mode::Backup, true), (Mode::Verify, true), (Mode::Restore, false), (Mode::Ghost, false)]
        {
            for flavour in [Flavour::Dosemu1, Flavour::Dosemu2] {
                let given = given_to(flavour, mode, 64 << 20, "512").unwrap();
                assert_eq!(given.settings.contains("readonly"), readonly, "{mode}");
                assert_eq!(given.commands[1].contains(&"--readonly".to_owned()), readonly, "{mode}");
            }
        }
    }

    #[test]
    fn a_disk_that_a_dos_program_would_not_see_whole_is_refused_with_the_numbers() {
        let refusal = |size, sectors| given(Mode::Backup, size, sectors).map(drop).unwrap_err().to_string();
        assert_eq!(
            refusal((1 << 41) + 512, "512"),
            "/dev/sda has 4294967297 sectors, and a DOS program reaches the first 4294967296 (2 TiB): use the linux imager \
             (IMAGER=linux)"
        );
        assert!(given(Mode::Backup, 1 << 41, "512").is_ok());
        assert_eq!(
            refusal(1 << 40, "4096"),
            "/dev/sda has sectors of 4096 bytes, and a DOS program counts in 512: use the linux imager (IMAGER=linux)"
        );
    }
}
