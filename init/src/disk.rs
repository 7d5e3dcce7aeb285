//! Which disk is the first: the one that a job is about.
//!
//! The rule: of the disks that are built in, the first in the order of their places in the machine (PCI
//! address, then port, then unit), which is the order in which firmwares number them unless somebody has
//! changed it. Never one on USB or in a removable drive, never one that is not a disk at all (a loop, a RAM
//! disk, an optical drive, a mapped or an array device). No disk is an error, and nothing is guessed.
//!
//! Does not look at the machine: [`crate::sys::disks`] does.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the same disk must have been the first. Disks of one machine show themselves within a second of
/// each other; one that spins up takes longer and holds up its whole controller.
pub const SETTLED: Duration = Duration::from_secs(3);

/// A block device as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDevice {
    /// Its name, `sda`.
    pub name: String,
    /// Where it is in the tree of devices, `/sys/devices/pci0000:00/…/block/sda`.
    pub place: PathBuf,
    /// Whether its drive says that media can be taken out.
    pub removable: bool,
    /// Its size in bytes; 0 is a drive without a medium.
    pub size: u64,
}

/// There is no disk for a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this machine has no built-in disk; what it has: {0}")]
pub struct NoDisk(String);

/// The first disk.
///
/// # Errors
/// When no device is one, with the names of what is there.
pub fn first(devices: &[BlockDevice]) -> Result<&BlockDevice, NoDisk> {
    let built_in = devices.iter().filter(|device| device.is_built_in());
    built_in.min_by(|a, b| by_place(&a.place, &b.place)).ok_or_else(|| {
        let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        NoDisk(if names.is_empty() { "nothing".to_owned() } else { names.join(", ") })
    })
}

/// Waits until it is certain which disk is the first: drivers show their disks one after the other, and the one
/// that shows itself first need not be the one in the first place. A restore to the wrong one is the worst
/// that can happen.
#[derive(Debug, Default)]
pub struct Settling {
    /// The first disk so far, and since when it has been so.
    candidate: Option<(BlockDevice, Duration)>,
}

impl Settling {
    /// Takes a look at what is there; gives the first disk once it has been the same one for [`SETTLED`].
    pub fn observe(&mut self, devices: &[BlockDevice], now: Duration) -> Option<BlockDevice> {
        let Ok(found) = first(devices) else {
            self.candidate = None;
            return None;
        };
        match &self.candidate {
            Some((same, since)) if same == found => {
                (now.saturating_sub(*since) >= SETTLED).then(|| found.clone())
            }
            _ => {
                self.candidate = Some((found.clone(), now));
                None
            }
        }
    }
}

impl BlockDevice {
    fn is_built_in(&self) -> bool {
        let parts = || self.place.iter().filter_map(|part| part.to_str());
        let real = !parts().any(|part| part == "virtual");
        let on_usb = parts().any(|part| part.starts_with("usb"));
        // mmcblk0boot0 and its like are parts of an eMMC that hold firmware.
        let emmc_firmware = self.name.starts_with("mmcblk") && self.name.contains("boot");
        let optical = self.name.starts_with("sr") || self.name.starts_with("fd");
        real && !on_usb && !emmc_firmware && !optical && !self.removable && self.size > 0
    }
}

/// Part by part; numbers by value, so that port 2 comes before port 10.
fn by_place(a: &Path, b: &Path) -> Ordering {
    let pieces = |path: &Path| -> Vec<(u64, String)> {
        let text = path.to_string_lossy().into_owned();
        text.split_inclusive(|c: char| !c.is_ascii_hexdigit())
            .map(|piece| {
                let number = piece.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
                (u64::from_str_radix(number, 16).unwrap_or(u64::MAX), piece.to_owned())
            })
            .collect()
    };
    pieces(a).cmp(&pieces(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(place: &str) -> BlockDevice {
        let place = PathBuf::from(place);
        let name = place.file_name().unwrap().to_str().unwrap().to_owned();
        BlockDevice { name, place, removable: false, size: 1 << 30 }
    }

    fn first_of(places: &[&str]) -> String {
        let devices: Vec<_> = places.iter().map(|place| device(place)).collect();
        first(&devices).map_or_else(|error| error.to_string(), |disk| disk.name.clone())
    }

    const SDA: &str = "/sys/devices/pci0000:00/0000:00:01.1/ata1/host0/target0:0:0/0:0:0:0/block/sda";
    const SDB: &str = "/sys/devices/pci0000:00/0000:00:01.1/ata2/host1/target1:0:0/1:0:0:0/block/sdb";

    #[test]
    fn it_is_the_one_in_the_first_place_whatever_it_is_called() {
        assert_eq!(first_of(&[SDB, SDA]), "sda");
        let swapped = SDB.replace("sdb", "sda");
        assert_eq!(first_of(&[&swapped, &SDA.replace("sda", "sdb")]), "sdb");
    }

    #[test]
    fn places_are_compared_as_numbers() {
        let port = |port: u32, name: &str| {
            format!("/sys/devices/pci0000:00/0000:00:1f.2/ata{port}/host{port}/block/{name}")
        };
        assert_eq!(first_of(&[&port(10, "sda"), &port(9, "sdb")]), "sdb");
        let slot = |slot: &str, name: &str| format!("/sys/devices/pci0000:00/0000:00:{slot}.0/nvme/{name}");
        assert_eq!(first_of(&[&slot("1f", "nvme1n1"), &slot("0a", "nvme0n1")]), "nvme0n1");
    }

    #[test]
    fn a_usb_stick_is_never_the_one() {
        let stick = "/sys/devices/pci0000:00/0000:00:01.0/usb1/1-1/1-1:1.0/host6/block/sda";
        assert_eq!(first_of(&[stick, &SDB.replace("sdb", "sdc")]), "sdc");
        assert_eq!(first_of(&[stick]), "this machine has no built-in disk; what it has: sda");
    }

    #[test]
    fn what_is_no_disk_or_has_no_medium_is_passed_over() {
        let mut cards = device("/sys/devices/pci0000:00/0000:00:01.0/ata1/block/sdx");
        cards.removable = true;
        let mut empty = device("/sys/devices/pci0000:00/0000:00:01.0/ata2/block/sdy");
        empty.size = 0;
        let devices = [
            cards,
            empty,
            device("/sys/devices/virtual/block/loop0"),
            device("/sys/devices/pci0000:00/0000:00:01.1/ata1/block/sr0"),
            device("/sys/devices/pci0000:00/0000:00:02.0/mmc_host/mmc0/block/mmcblk0boot0"),
            device("/sys/devices/pci0000:00/0000:00:02.0/mmc_host/mmc0/block/mmcblk0"),
        ];
        assert_eq!(first(&devices).unwrap().name, "mmcblk0");
        assert_eq!(first_of(&[]), "this machine has no built-in disk; what it has: nothing");
    }

    #[test]
    fn a_disk_that_shows_itself_late_can_still_be_the_first() {
        let (early, late) = ([device(SDB)], [device(SDB), device(SDA)]);
        let mut settling = Settling::default();
        assert_eq!(settling.observe(&[], Duration::ZERO), None);
        assert_eq!(settling.observe(&early, Duration::from_secs(1)), None);
        assert_eq!(settling.observe(&early, Duration::from_secs(3)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(4)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(6)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(7)).unwrap().name, "sda");
    }

    #[test]
    fn a_disk_that_goes_has_to_settle_anew() {
        let disks = [device(SDA)];
        let mut settling = Settling::default();
        assert_eq!(settling.observe(&disks, Duration::ZERO), None);
        assert_eq!(settling.observe(&[], Duration::from_secs(2)), None);
        assert_eq!(settling.observe(&disks, Duration::from_secs(4)), None);
        assert!(settling.observe(&disks, Duration::from_secs(7)).is_some());
    }
}
