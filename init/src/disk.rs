//! Which disks a job is about.
//!
//! The rule for the first: of the disks that are built in, the first in the order of their places in the machine
//! (PCI address, then port, then unit), which is the order in which firmwares number them unless somebody has
//! changed it. Never one on USB, in a removable drive or in a slot for memory cards, never one that is not a disk at
//! all (a loop, a RAM disk, an optical drive, a mapped or an array device). Somebody who names a disk, or its serial
//! number, may mean one that is not built in. No disk is an error, more than one where one is meant is another, and
//! nothing is guessed.
//!
//! Does not look at the machine: [`crate::sys::disks`] does.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail};
use ghost_contract::DiskChoice;

/// How long the same disks must have been the chosen ones. Disks of one machine show themselves within a second of
/// each other; one that spins up takes longer and holds up its whole controller.
pub(crate) const SETTLED: Duration = Duration::from_secs(3);
/// How long after the last driver was loaded a disk may show itself: adapters that start their disks one after the other,
/// so that not all draw their current at once, take a minute and more.
const SPIN_UP: Duration = Duration::from_secs(90);
/// When the wait is over, however many drivers are still being loaded.
const LAST_LOOK: Duration = Duration::from_secs(120);
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

/// Waits until it is certain which disks are meant: drivers show their disks one after the other, and the one
/// that shows itself first need not be the one in the first place. A restore to the wrong one is the worst
/// that can happen.
#[derive(Debug)]
pub(crate) struct Settling {
    choice: DiskChoice,
    /// The chosen ones so far, and since when they have been so.
    candidates: Option<(Vec<BlockDevice>, Duration)>,
    /// All that have been chosen at some time.
    seen: BTreeSet<String>,
    /// How many drivers were loaded, and when one was loaded last.
    drivers: (usize, Duration),
}

/// A controller that may hide its disks until the firmware is told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RaidController {
    /// Vendor and device as `lspci -nn` shows them: `8086:a282`.
    pub id: String,
}

impl Settling {
    /// Begins to wait for these.
    pub(crate) const fn new(choice: DiskChoice) -> Self {
        Self { choice, candidates: None, seen: BTreeSet::new(), drivers: (0, Duration::ZERO) }
    }

    /// Takes note of how many drivers are loaded.
    pub(crate) fn note_drivers(&mut self, loaded: usize, now: Duration) {
        if loaded > self.drivers.0 {
            self.drivers = (loaded, now);
        }
    }

    /// Whether no disk is to be expected any more. One that is there now is given the time to settle.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        match self.candidates {
            None => now >= LAST_LOOK || now.saturating_sub(self.drivers.1) >= SPIN_UP,
            Some(_) => now >= LAST_LOOK.saturating_add(SETTLED * 2),
        }
    }

    /// Why the wait is over, for a person who has to do something about it.
    pub(crate) fn why(
        &self,
        devices: &[BlockDevice],
        raid: &[RaidController],
        now: Duration,
    ) -> anyhow::Error {
        let waited = format!("looked for {} s", now.as_secs());
        if !self.seen.is_empty() {
            let seen: Vec<&str> = self.seen.iter().map(String::as_str).collect();
            let there = in_words(devices);
            return anyhow!(
                "it cannot be said which disk is {}: they come and go ({waited}, seen were {}, and there is {there}); \
                 look at cables and power supply",
                self.choice,
                seen.join(", ")
            );
        }
        match (choose(devices, &self.choice), raid) {
            (Ok(_), _) => anyhow!("the disk {} was there only at the last look ({waited})", self.choice),
            (Err(error), []) => anyhow!("{error} ({waited})"),
            (Err(error), [controller, ..]) => anyhow!(
                "{error} ({waited}); disks may be hidden behind its RAID controller {}: switch SATA or NVMe from RAID \
                 (RST, VMD, Optane) to AHCI in the firmware's setup",
                controller.id
            ),
        }
    }

    /// Takes a look at what is there; gives the disks once they have been the same for [`SETTLED`].
    pub(crate) fn observe(&mut self, devices: &[BlockDevice], now: Duration) -> Option<Vec<BlockDevice>> {
        let Ok(found) = choose(devices, &self.choice) else {
            self.candidates = None;
            return None;
        };
        let found: Vec<BlockDevice> = found.into_iter().cloned().collect();
        self.seen.extend(found.iter().map(|disk| disk.name.clone()));
        match &self.candidates {
            Some((same, since)) if *same == found => (now.saturating_sub(*since) >= SETTLED).then_some(found),
            _ => {
                self.candidates = Some((found, now));
                None
            }
        }
    }
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

    fn device(place: &str) -> BlockDevice {
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

    fn first_of(places: &[&str]) -> String {
        let devices: Vec<_> = places.iter().map(|place| device(place)).collect();
        chosen(&devices, "first")
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

    #[test]
    fn a_disk_that_shows_itself_late_can_still_be_the_first() {
        let (early, late) = ([device(SDB)], [device(SDB), device(SDA)]);
        let mut settling = Settling::new(DiskChoice::First);
        assert_eq!(settling.observe(&[], Duration::ZERO), None);
        assert_eq!(settling.observe(&early, Duration::from_secs(1)), None);
        assert_eq!(settling.observe(&early, Duration::from_secs(3)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(4)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(6)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(7)).unwrap()[0].name, "sda");
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_disk_may_come_a_minute_and_a_half_after_the_last_driver() {
        let mut settling = Settling::new(DiskChoice::First);
        settling.note_drivers(10, at(1));
        settling.note_drivers(11, at(12));
        settling.note_drivers(11, at(60));
        for now in [17, 20, 60, 101] {
            assert_eq!(settling.observe(&[], at(now)), None);
            assert!(!settling.is_over(at(now)), "at {now} s");
        }
        let disks = [device(SDA)];
        assert_eq!(settling.observe(&disks, at(101)), None);
        assert!(!settling.is_over(at(103)), "it has the time to settle");
        assert_eq!(settling.observe(&disks, at(104)).unwrap(), disks);
    }

    #[test]
    fn a_steady_disk_is_found_however_seldom_it_can_be_looked_at() {
        let mut settling = Settling::new(DiskChoice::First);
        let disks = [device(SDA)];
        settling.note_drivers(10, at(40));
        assert_eq!(settling.observe(&disks, at(40)), None);
        assert!(!settling.is_over(at(40)));
        assert_eq!(settling.observe(&disks, at(80)).unwrap(), disks);
    }

    #[test]
    fn when_the_wait_is_over_what_is_said_is_true() {
        let mut nothing = Settling::new(DiskChoice::First);
        nothing.note_drivers(10, at(5));
        assert_eq!(nothing.observe(&[], at(95)), None);
        assert!(nothing.is_over(at(95)));
        assert_eq!(
            nothing.why(&[], &[], at(95)).to_string(),
            "this machine has no built-in disk; what it has: nothing (looked for 95 s)"
        );
        let raid = [RaidController { id: "8086:a282".to_owned() }];
        assert_eq!(
            nothing.why(&[], &raid, at(95)).to_string(),
            "this machine has no built-in disk; what it has: nothing (looked for 95 s); disks may be hidden behind its \
             RAID controller 8086:a282: switch SATA or NVMe from RAID (RST, VMD, Optane) to AHCI in the firmware's setup"
        );

        let mut comes_and_goes = Settling::new(DiskChoice::First);
        for now in 0..=121 {
            let there = [device(SDA)];
            let devices = if now % 3 == 0 { &there[..] } else { &[] };
            comes_and_goes.note_drivers(10, at(0));
            assert_eq!(comes_and_goes.observe(devices, at(now)), None);
        }
        assert!(comes_and_goes.is_over(at(121)));
        let why = comes_and_goes.why(&[], &raid, at(121)).to_string();
        assert!(
            why.contains("they come and go (looked for 121 s, seen were sda, and there is nothing)"),
            "{why}"
        );
    }

    #[test]
    fn a_disk_that_goes_has_to_settle_anew() {
        let disks = [device(SDA)];
        let mut settling = Settling::new(DiskChoice::First);
        assert_eq!(settling.observe(&disks, Duration::ZERO), None);
        assert_eq!(settling.observe(&[], Duration::from_secs(2)), None);
        assert_eq!(settling.observe(&disks, Duration::from_secs(4)), None);
        assert!(settling.observe(&disks, Duration::from_secs(7)).is_some());
    }
}
