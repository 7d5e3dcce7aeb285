//! Looks for the interface that the client booted from, and loads drivers until it is there.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ghost_contract::MacAddress;

use super::child::Children;
use super::drivers::Drivers;
use super::{clock, file, kernel_log, modules, network};
use crate::kernel_modules::driver_of;
use crate::network::missing_card::{self, Driverless, complaints, missing_firmware, why_no_card};

const PCI_DEVICES: &str = "/sys/bus/pci/devices";
/// Class and subclass of Ethernet controllers (PCI Code and ID Assignment Specification). Those for Wi-Fi are 0280h, and nothing
/// boots from them.
const ETHERNET: &str = "0x0200";

/// Pause between two looks for the card while drivers are being loaded.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long drivers are waited for in one look: less than a task may take, since the next one needs what this one holds.
const LOOK_LIMIT: Duration = Duration::from_secs(40);
/// How often the kernel's log is read again: all of it is copied each time.
const READ_AGAIN: Duration = Duration::from_secs(3);

/// What was found out until now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Each of them may show more devices.
    drivers: Drivers,
    /// What the kernel says of a card that is not there, and of one that is.
    of_missing: Complaints,
    of_found: Complaints,
}

/// What the kernel says of firmware that is missing, and the like.
#[derive(Debug, Default)]
struct Complaints {
    lines: Vec<String>,
    read: Option<Duration>,
}

impl Complaints {
    /// The lines as they were a moment ago; the log is `read` only if that is long ago.
    fn lately(
        &mut self,
        now: Duration,
        read: impl FnOnce() -> anyhow::Result<Vec<String>>,
    ) -> anyhow::Result<&[String]> {
        if self.read.is_none_or(|read| now.saturating_sub(read) >= READ_AGAIN) {
            self.lines = read()?;
            self.read = Some(now);
        }
        Ok(&self.lines)
    }
}

/// The name of the interface with this address, or of any where the boot loader gave none. Loads drivers for what has
/// shown itself since the last time, and waits for none that lasts; the error says all that is known of why it is not there.
pub(crate) fn find(bootif: Option<MacAddress>, asked: &Asked, children: &Children) -> anyhow::Result<String> {
    if let Some(name) = present(bootif)? {
        return Ok(name);
    }
    let mut known = asked.known();
    let until = clock::uptime().saturating_add(LOOK_LIMIT);
    loop {
        let loaded = known.drivers.load_new(children);
        let is_busy = known.drivers.is_busy();
        // Where any card will do, which one it is must not depend on how fast each driver is.
        if let Some(name) = present(bootif)?.filter(|_| bootif.is_some() || !is_busy) {
            return Ok(name);
        }
        loaded?;
        if !is_busy || clock::uptime() >= until {
            break;
        }
        known.drivers.wait(LOOK_AGAIN);
    }
    let Known { drivers, of_missing, .. } = &mut *known;
    let mut driverless = driverless(Path::new(PCI_DEVICES), &modules::table_of_aliases()?)?;
    for card in &mut driverless {
        card.is_loading = drivers.left().any(|load| Some(&load.driver) == card.driver.as_ref());
    }
    let read = || Ok(complaints(&kernel_log::read()?, &driverless));
    let complaints = of_missing.lately(clock::uptime(), read)?;
    bail!(why_no_card(bootif, &driverless, drivers.lasting(), complaints));
}

impl Asked {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of a card's being used; an error with the firmware that is missing. Most drivers do not ask for any before that.
    pub(crate) fn explain(&self, used: anyhow::Result<()>) -> anyhow::Result<()> {
        let read = || Ok(missing_firmware(&kernel_log::read()?));
        used.map_err(|error| match self.known().of_found.lately(clock::uptime(), read) {
            Ok(complaints) => missing_card::explained(error, complaints),
            // A log that cannot be read explains nothing.
            Err(_) => error,
        })
    }
}

fn present(bootif: Option<MacAddress>) -> anyhow::Result<Option<String>> {
    let is_it = |mac: Option<MacAddress>| mac.is_some() && (bootif.is_none() || mac == bootif);
    Ok(network::interfaces()?
        .into_iter()
        .find(|interface| is_it(interface.mac))
        .map(|interface| interface.name))
}

fn driverless(devices: &Path, table: &str) -> anyhow::Result<Vec<Driverless>> {
    let listing = || format!("cannot list {}", devices.display());
    let listed = match fs::read_dir(devices) {
        // A machine without PCI.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.with_context(listing)?,
    };
    let mut found = Vec::new();
    for device in listed {
        let device = device.with_context(listing)?.path();
        let says = |name: &str| Ok::<_, anyhow::Error>(file::text(&device.join(name))?.trim().to_owned());
        if says("class")?.starts_with(ETHERNET) && !device.join("driver").exists() {
            let number = |text: String| text.trim_start_matches("0x").to_owned();
            found.push(Driverless {
                id: format!("{}:{}", number(says("vendor")?), number(says("device")?)),
                place: device.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                driver: driver_of(&says("modalias")?, table).map(str::to_owned),
                is_loading: false,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_no_card_and_another_address_is_not_ours() {
        let nobody = Some(MacAddress::new([2, 0, 0, 0, 0, 1]));
        assert_eq!(present(nobody).unwrap(), None);
        assert_ne!(present(None).unwrap().as_deref(), Some("lo"));
    }

    #[test]
    fn while_a_card_is_tried_again_and_again_the_kernels_log_is_read_now_and_then() {
        let mut complaints = Complaints::default();
        let mut reads = 0;
        for tenth in 0..=60 {
            let read = || {
                reads += 1;
                Ok(missing_firmware("<3>[ 1.0] r8169: firmware: failed to load a.fw"))
            };
            let lines = complaints.lately(Duration::from_millis(tenth * 100), read).unwrap();
            assert_eq!(lines, ["r8169: firmware: failed to load a.fw"]);
        }
        assert_eq!(reads, 3);
    }

    #[test]
    fn ethernet_cards_that_no_driver_works_for_are_told_and_no_others() {
        let devices = tempfile::tempdir().unwrap();
        for (place, class, device) in [
            ("0000:00:1f.6", "0x020000", "0x15bc"),
            ("0000:04:00.0", "0x020000", "0x15f3"),
            ("0000:05:00.0", "0x020000", "0x1533"),
            ("0000:06:00.0", "0x028000", "0x2723"),
            ("0000:00:17.0", "0x010601", "0xa282"),
        ] {
            let folder = devices.path().join(place);
            fs::create_dir(&folder).unwrap();
            let alias = format!("pci:v00008086d0000{}sv*", device.trim_start_matches("0x").to_uppercase());
            for (file, text) in
                [("class", class), ("vendor", "0x8086"), ("device", device), ("modalias", &alias)]
            {
                fs::write(folder.join(file), format!("{text}\n")).unwrap();
            }
        }
        fs::create_dir(devices.path().join("0000:05:00.0/driver")).unwrap();
        let table = "alias pci:v00008086d000015BCsv* e1000e\nalias pci:v00008086d00001533sv* igb\n";
        let mut found = driverless(devices.path(), table).unwrap();
        found.sort_by(|one, other| one.place.cmp(&other.place));
        let card = |id: &str, place: &str, driver: Option<&str>| Driverless {
            id: id.to_owned(),
            place: place.to_owned(),
            driver: driver.map(str::to_owned),
            is_loading: false,
        };
        let expected =
            [card("8086:15bc", "0000:00:1f.6", Some("e1000e")), card("8086:15f3", "0000:04:00.0", None)];
        assert_eq!(found, expected);
        assert_eq!(driverless(&devices.path().join("no PCI"), table).unwrap(), []);
    }
}
