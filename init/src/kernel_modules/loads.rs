//! Which drivers are to be loaded for the devices of a machine, and when: one after the other, as disks and network cards get their
//! names in this order. One that waits for its hardware is overtaken.
//!
//! Pure: it starts nothing and reads nothing. Whoever loads the drivers tells it which loading has ended.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::{alias, matches, with_underscores};

/// A driver that has been loading for so long waits for its hardware, and holds up no other any more.
const LASTS: Duration = Duration::from_secs(10);
/// The same for those behind it. Linux ends the loading of none before all devices that it is just looking for are there
/// (kernel/module/main.c: `async_synchronize_full`), so that behind one that lasts all do.
const LASTS_BEHIND: Duration = Duration::from_secs(2);
/// How often PID 1 asks for a driver that waits behind another one. Each try loads one more of the modules that the driver needs, and
/// then waits as well (`ahci` needs four modules). A try ends at once when the driver itself is there.
const TRIES: u32 = 6;
/// So many are loaded at the same time.
const AT_ONCE: usize = 32;

/// A driver, and those of its devices for which it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    pub driver: String,
    /// By their aliases.
    pub devices: Vec<String>,
}

/// The drivers that were asked for, in the order in which they are.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    devices: BTreeSet<String>,
    drivers: BTreeSet<String>,
    queue: VecDeque<Load>,
    running: Vec<Running>,
}

/// A driver that is being loaded.
#[derive(Debug)]
struct Running {
    load: Load,
    /// When it was asked for last, and how often it was.
    since: Duration,
    tries: u32,
}

impl Loads {
    /// Those of the devices for which nothing was asked for yet.
    pub(crate) fn new_of(&self, devices: Vec<String>) -> Vec<String> {
        devices.into_iter().filter(|device| !self.devices.contains(device)).collect()
    }

    /// Whether new devices are of interest: those that are known come first.
    pub(crate) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Asks for the drivers of these devices. The table is `modules.alias`.
    pub(crate) fn want(&mut self, devices: Vec<String>, table: &str) {
        for load in drivers_of(&devices, table) {
            let running = self.running.iter_mut().map(|running| &mut running.load);
            match running.chain(&mut self.queue).find(|other| other.driver == load.driver) {
                Some(other) => other.devices.extend(load.devices),
                None if self.drivers.insert(load.driver.clone()) => self.queue.push_back(load),
                // It is there, and the kernel gives it its new device by itself.
                None => {}
            }
        }
        self.devices.extend(devices);
    }

    /// The driver that is to be loaded now, if one is. It counts as being loaded until it has [`Loads::ended`].
    pub(crate) fn next(&mut self, now: Duration) -> Option<String> {
        let is_behind = self.running.len() > 1;
        let patience = if is_behind { LASTS_BEHIND } else { LASTS };
        if let Some(youngest) = self.running.last_mut() {
            if now.saturating_sub(youngest.since) < patience {
                return None;
            }
            if is_behind && youngest.tries < TRIES {
                youngest.tries += 1;
                youngest.since = now;
                return Some(youngest.load.driver.clone());
            }
        }
        if self.running.len() >= AT_ONCE {
            return None;
        }
        let load = self.queue.pop_front()?;
        let driver = load.driver.clone();
        self.running.push(Running { load, since: now, tries: 1 });
        Some(driver)
    }

    /// A driver is there, or cannot be loaded.
    pub(crate) fn ended(&mut self, driver: &str) {
        self.running.retain(|running| running.load.driver != driver);
    }

    /// Whoever was to load this driver came to no end: it is asked for again.
    pub(crate) fn failed(&mut self, driver: &str) {
        let found = self.running.iter().find(|running| running.load.driver == driver);
        let load = found.map(|running| running.load.clone());
        self.ended(driver);
        self.queue.extend(load);
    }

    /// Whether another driver may be there soon, besides those that last.
    pub(crate) fn is_busy(&self, now: Duration) -> bool {
        !self.queue.is_empty() || self.running.iter().any(|running| now.saturating_sub(running.since) < LASTS)
    }

    /// What is not loaded yet, that which has been loading for the longest time first.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Load> {
        self.running.iter().map(|running| &running.load).chain(&self.queue)
    }

    /// The driver that the others wait for, once it lasts.
    pub(crate) fn lasting(&self, now: Duration) -> Option<&str> {
        let first = self.running.first()?;
        (now.saturating_sub(first.since) >= LASTS).then_some(first.load.driver.as_str())
    }
}

/// The drivers of these devices, in the devices' order.
fn drivers_of(devices: &[String], table: &str) -> Vec<Load> {
    let names: Vec<_> = devices.iter().map(|device| with_underscores(device)).collect();
    let buses: BTreeSet<_> = devices.iter().map(|device| bus_of(device)).collect();
    let mut found = Vec::new();
    let of_bus = |line: &&str| line.strip_prefix("alias ").is_some_and(|alias| buses.contains(bus_of(alias)));
    for (pattern, driver) in table.lines().filter(of_bus).filter_map(alias) {
        let of_this = names.iter().enumerate().filter(|(_, name)| matches(&pattern, name));
        found.extend(of_this.map(|(number, _)| (number, driver)));
    }
    // Drivers of one device stay in the table's order.
    found.sort_by_key(|(number, _)| *number);
    let mut loads: Vec<Load> = Vec::new();
    for (device, driver) in
        found.into_iter().filter_map(|(number, driver)| Some((devices.get(number)?, driver)))
    {
        match loads.iter_mut().find(|load| load.driver == driver) {
            Some(load) if load.devices.contains(device) => {}
            Some(load) => load.devices.push(device.clone()),
            None => loads.push(Load { driver: driver.to_owned(), devices: vec![device.clone()] }),
        }
    }
    loads
}

/// What stands before the first colon: aliases of other buses never match.
fn bus_of(alias: &str) -> &str {
    alias.split(':').next().unwrap_or(alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "alias pci:v00008086d0000A282sv*sd*bc*sc*i* ahci\n\
        alias pci:v*d*sv*sd*bc01sc06i01* ahci\nalias pci:v*d*sv*sd*bc01sc06i01* ata_generic\n\
        alias pci:v00001000d0000005Dsv*sd*bc*sc*i* megaraid_sas\n\
        alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb-storage\nalias scsi:t-0x00* sd_mod\n";
    const SATA: &str = "pci:v00008086d0000A282sv00001043sd00008694bc01sc06i01";
    const OTHER_SATA: &str = "pci:v00001B21d00000612sv00001043sd00008694bc01sc06i01";
    const RAID: &str = "pci:v00001000d0000005Dsv00001000sd00009363bc01sc04i00";
    const DISK: &str = "scsi:t-0x00";

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn own(devices: &[&str]) -> Vec<String> {
        devices.iter().map(|device| (*device).to_owned()).collect()
    }

    fn wanted(devices: &[&str]) -> Loads {
        let mut loads = Loads::default();
        loads.want(own(devices), TABLE);
        loads
    }

    #[test]
    fn each_driver_is_loaded_once_in_the_order_of_its_devices() {
        let mut loads = wanted(&[RAID, SATA, OTHER_SATA, "acpi:PNP0C0C:"]);
        let left: Vec<_> = loads.left().cloned().collect();
        let load = |driver: &str, devices: &[&str]| Load { driver: driver.to_owned(), devices: own(devices) };
        let sata = [SATA, OTHER_SATA];
        assert_eq!(left, [load("megaraid_sas", &[RAID]), load("ahci", &sata), load("ata_generic", &sata)]);
        for driver in ["megaraid_sas", "ahci", "ata_generic"] {
            assert_eq!(loads.next(at(1)).as_deref(), Some(driver));
            assert_eq!(loads.next(at(1)), None, "one after the other");
            loads.ended(driver);
        }
        assert_eq!(loads.new_of(own(&[SATA, DISK])), [DISK]);
        loads.want(own(&[DISK]), TABLE);
        assert_eq!(loads.next(at(2)).as_deref(), Some("sd_mod"));
    }

    #[test]
    fn a_driver_that_hangs_is_overtaken_and_named() {
        let mut loads = wanted(&[RAID, SATA, DISK]);
        assert_eq!(loads.next(at(1)).as_deref(), Some("megaraid_sas"));
        assert_eq!((loads.next(at(10)), loads.lasting(at(10))), (None, None));
        assert_eq!(loads.next(at(11)).as_deref(), Some("ahci"));
        assert_eq!(loads.lasting(at(11)), Some("megaraid_sas"));
        assert_eq!(loads.next(at(12)), None, "it may still end soon");
        assert_eq!(loads.next(at(13)).as_deref(), Some("ahci"), "what it needs waits for the first as well");
        loads.ended("ahci");
        assert_eq!(loads.next(at(14)).as_deref(), Some("ata_generic"));
        loads.ended("ata_generic");
        assert_eq!(loads.next(at(15)).as_deref(), Some("sd_mod"));
        loads.ended("sd_mod");
        assert!(!loads.is_busy(at(14)));
        assert_eq!(loads.lasting(at(1000)), Some("megaraid_sas"));
        assert_eq!(loads.left().count(), 1);
    }

    #[test]
    fn one_that_hangs_behind_another_is_asked_for_as_often_as_it_may_need_modules_and_then_overtaken() {
        let mut loads = wanted(&[RAID, SATA]);
        loads.next(at(1)).unwrap();
        for number in 0..TRIES {
            let now = at(11 + u64::from(number) * 2);
            assert_eq!(loads.next(now).as_deref(), Some("ahci"), "at {now:?}");
            assert_eq!(loads.next(now), None);
        }
        assert_eq!(loads.next(at(23)).as_deref(), Some("ata_generic"));
        assert_eq!(loads.lasting(at(23)), Some("megaraid_sas"));
        assert_eq!(loads.left().count(), 3);
    }

    #[test]
    fn what_was_asked_for_to_no_end_is_asked_for_again() {
        let mut loads = wanted(&[RAID]);
        loads.next(at(1)).unwrap();
        loads.failed("megaraid_sas");
        assert!(loads.is_busy(at(1)));
        assert_eq!(loads.next(at(1)).as_deref(), Some("megaraid_sas"));
    }

    #[test]
    fn so_many_hang_at_the_same_time_and_no_more() {
        let table: String = (0..100).map(|number| format!("alias pci:{number} driver{number}\n")).collect();
        let mut loads = Loads::default();
        loads.want((0..100).map(|number| format!("pci:{number}")).collect(), &table);
        let started: BTreeSet<_> = (0..1000).filter_map(|now| loads.next(at(now))).collect();
        assert_eq!(started.len(), AT_ONCE);
    }
}
