//! Which disks a job is about.
//!
//! The first disk is the built-in one in the first place of the machine, by PCI address, then port, then unit. Firmware
//! numbers disks in the same order unless it was set up otherwise. Disks on USB, removable drives, memory cards in a
//! slot, and devices that are not disks (loop, RAM, optical, mapped or array devices) never count as built in. An
//! administrator who names a disk or its serial number may mean one that is not built in. If no disk fits, or several
//! do where one is meant, the job fails: nothing is guessed.
//!
//! Does not look at the machine: [`crate::sys::disks`] does.

pub(crate) mod hidden;
mod settling;

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use ghost_contract::DiskChoice;

pub(crate) use hidden::RaidController;
pub(crate) use settling::{Settling, Writes};

/// A size that is meant differs by less than this part of it: labels say 500 GB of 500,107,862,016 bytes.
const SIZE_TOLERANCE: u64 = 20;

/// A block device as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockDevice {
    pub name: String,
    /// Where it is in the tree of devices, `/sys/devices/pci0000:00/…/block/sda`.
    pub place: PathBuf,
    /// Whether its drive says that media can be taken out.
    pub removable: bool,
    /// What one on the bus of memory cards says that it is: `MMC` is soldered (eMMC), `SD` is a card in a slot, which
    /// the kernel does not call removable (Linux, `drivers/mmc/core/block.c`).
    pub memory_card: Option<String>,
    /// Its size in bytes; 0 is a drive without a medium.
    pub size: u64,
    /// The serial number that it says it has.
    pub serial: Option<String>,
}

/// Whether a driver for this device, which is named by its alias, may bring built-in disks: one of PCI by its base class, that
/// of storage, of system peripherals (which readers of eMMC are) or of bridges (PCI Code and ID Assignment Specification), and
/// any of another bus that is not known to have none.
pub(crate) fn may_bring_disks(alias: &str) -> bool {
    const WITHOUT: [&str; 9] = ["usb", "hid", "input", "serio", "i2c", "cpu", "hdaudio", "snd", "dmi"];
    match alias.split_once(':') {
        Some(("pci", device)) => ["bc01", "bc08", "bc06"].iter().any(|class| device.contains(class)),
        Some((bus, _)) => !WITHOUT.contains(&bus),
        None => true,
    }
}

/// The disks that are meant, in the order of their places; at least one.
pub(crate) fn choose<'a>(
    devices: &'a [BlockDevice],
    choice: &DiskChoice,
) -> anyhow::Result<Vec<&'a BlockDevice>> {
    let mut fitting: Vec<&BlockDevice> = devices.iter().filter(|device| device.fits(choice)).collect();
    fitting.sort_by(|a, b| by_place(&a.place, &b.place));
    match (fitting.len(), choice) {
        (0, DiskChoice::First | DiskChoice::All) => {
            bail!("this machine has no built-in disk; what it has: {}", in_words(devices))
        }
        (0, _) => bail!("this machine has no disk {choice}; what it has: {}", in_words(devices)),
        (_, DiskChoice::All) => Ok(fitting),
        (_, DiskChoice::First) => Ok(fitting.drain(..1).collect()),
        (1, _) => Ok(fitting),
        (_, _) => bail!("{choice} is more than one disk of this machine: {}", in_words(fitting)),
    }
}

fn in_words<'a>(devices: impl IntoIterator<Item = &'a BlockDevice>) -> String {
    let words: Vec<String> = devices.into_iter().map(ToString::to_string).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

impl BlockDevice {
    pub(crate) fn device(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    fn fits(&self, choice: &DiskChoice) -> bool {
        match choice {
            DiskChoice::First | DiskChoice::All => self.is_built_in(),
            DiskChoice::Name(name) => self.is_disk() && self.name == *name,
            DiskChoice::Serial(number) => self.is_disk() && self.serial.as_ref() == Some(number),
            DiskChoice::Size(size) => self.is_built_in() && self.size.abs_diff(*size) < size / SIZE_TOLERANCE,
        }
    }

    fn is_built_in(&self) -> bool {
        let on_usb = self.parts().any(|part| part.starts_with("usb"));
        let in_slot = self.memory_card.as_deref().is_some_and(|kind| kind != "MMC");
        self.is_disk() && !on_usb && !in_slot && !self.removable
    }

    fn is_disk(&self) -> bool {
        let real = !self.parts().any(|part| part == "virtual");
        // mmcblk0boot0 and its like are parts of an eMMC that hold firmware.
        let emmc_firmware = self.name.starts_with("mmcblk") && self.name.contains("boot");
        let optical = self.name.starts_with("sr") || self.name.starts_with("fd");
        real && !emmc_firmware && !optical && self.size > 0
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.place.iter().filter_map(|part| part.to_str())
    }
}

impl fmt::Display for BlockDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes", self.name, self.size)?;
        self.serial.as_ref().map_or(Ok(()), |serial| write!(f, ", serial number {serial}"))?;
        f.write_str(")")
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

    pub(super) fn device(place: &str) -> BlockDevice {
        let place = PathBuf::from(place);
        let name = place.file_name().unwrap().to_str().unwrap().to_owned();
        BlockDevice { name, place, removable: false, memory_card: None, size: 1 << 30, serial: None }
    }

    /// The names of the chosen ones, or why there are none.
    fn chosen(devices: &[BlockDevice], choice: &str) -> String {
        let names = |disks: Vec<&BlockDevice>| {
            disks.into_iter().map(|disk| disk.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        choose(devices, &choice.parse().unwrap()).map_or_else(|error| error.to_string(), names)
    }

    #[test]
    fn only_drivers_that_may_bring_disks_are_waited_for() {
        let with = [
            "pci:v00001000d0000005Dsv00001000sd00009363bc01sc04i00",
            "pci:v00008086d00000F14sv00008086sd00007270bc08sc05i01",
            "virtio:d00000002v00001AF4",
            "scsi:t-0x00",
            "acpi:80860F14:",
        ];
        let without = [
            "pci:v00008086d00002723sv00008086sd00000084bc02sc80i00",
            "pci:v00008086d0000A170sv00001043sd00008694bc04sc03i00",
            "usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00",
        ];
        for (aliases, expected) in [(&with[..], true), (&without[..], false)] {
            for alias in aliases {
                assert_eq!(may_bring_disks(alias), expected, "{alias}");
            }
        }
    }

    fn first_of(places: &[&str]) -> String {
        let devices: Vec<_> = places.iter().map(|place| device(place)).collect();
        chosen(&devices, "first")
    }

    pub(super) const SDA: &str =
        "/sys/devices/pci0000:00/0000:00:01.1/ata1/host0/target0:0:0/0:0:0:0/block/sda";
    pub(super) const SDB: &str =
        "/sys/devices/pci0000:00/0000:00:01.1/ata2/host1/target1:0:0/1:0:0:0/block/sdb";

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
        assert_eq!(
            first_of(&[stick]),
            "this machine has no built-in disk; what it has: sda (1073741824 bytes)"
        );
    }

    #[test]
    fn what_is_no_disk_or_has_no_medium_is_passed_over() {
        let mut cards = device("/sys/devices/pci0000:00/0000:00:01.0/ata1/block/sdx");
        cards.removable = true;
        let mut empty = device("/sys/devices/pci0000:00/0000:00:01.0/ata2/block/sdy");
        empty.size = 0;
        let mut card = device("/sys/devices/pci0000:00/0000:00:01.0/mmc_host/mmc1/mmc1:4567/block/mmcblk1");
        card.memory_card = Some("SD".to_owned());
        let mut soldered =
            device("/sys/devices/pci0000:00/0000:00:02.0/mmc_host/mmc0/mmc0:0001/block/mmcblk0");
        soldered.memory_card = Some("MMC".to_owned());
        let devices = [
            cards,
            empty,
            card.clone(),
            device("/sys/devices/virtual/block/loop0"),
            device("/sys/devices/pci0000:00/0000:00:01.1/ata1/block/sr0"),
            device("/sys/devices/pci0000:00/0000:00:02.0/mmc_host/mmc0/mmc0:0001/block/mmcblk0boot0"),
            soldered,
        ];
        assert_eq!(chosen(&devices, "all"), "mmcblk0");
        assert_eq!(chosen(&[card], "/dev/mmcblk1"), "mmcblk1");
        assert_eq!(first_of(&[]), "this machine has no built-in disk; what it has: nothing");
    }

    #[test]
    fn a_disk_can_be_chosen_otherwise() {
        const STICK: &str = "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/host6/block/sdc";
        let mut devices = [device(SDB), device(SDA), device(STICK)];
        (devices[0].size, devices[1].size, devices[2].size) = (500_107_862_016, 256_060_514_304, 500 << 30);
        devices[1].serial = Some("S3Z 1".to_owned());
        let cases = [
            ("first", "sda"),
            ("all", "sda sdb"),
            ("/dev/sdb", "sdb"),
            ("/dev/sdc", "sdc"),
            ("serial:S3Z 1", "sda"),
            ("size:500G", "sdb"),
            ("size:256G", "sda"),
        ];
        for (choice, expected) in cases {
            assert_eq!(chosen(&devices, choice), expected, "{choice}");
        }
        let all = "sdb (500107862016 bytes), sda (256060514304 bytes, serial number S3Z 1), sdc (536870912000 bytes)";
        for choice in ["/dev/sdd", "serial:S3Z", "size:1000000000000"] {
            let expected = format!("this machine has no disk {choice}; what it has: {all}");
            assert_eq!(chosen(&devices, choice), expected);
        }
    }

    #[test]
    fn two_disks_of_the_same_size_are_not_told_apart_by_it() {
        let devices = [device(SDB), device(SDA)];
        let expected = "size:1073741824 is more than one disk of this machine: \
                        sda (1073741824 bytes), sdb (1073741824 bytes)";
        assert_eq!(chosen(&devices, "size:1Gi"), expected);
    }
}
