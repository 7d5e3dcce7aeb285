//! Looks for the interface that the client booted from, and loads drivers until it is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ghost_contract::MacAddress;

use super::child::Children;
use super::{clock, file, kernel_log, modules, network};
use crate::network::{Driverless, missing_firmware, why_no_card};

const PCI_DEVICES: &str = "/sys/bus/pci/devices";
/// Base class of network controllers (PCI Code and ID Assignment Specification).
const NETWORK_CONTROLLER: &str = "0x02";

/// How often the kernel's log is read again: all of it is copied each time.
const READ_AGAIN: Duration = Duration::from_secs(3);

/// What was found out until now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The devices for which a driver was asked for already: each new driver may show more of them.
    devices: BTreeSet<String>,
    complaints: Complaints,
}

/// What the kernel says of firmware that is missing.
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
        read: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<&[String]> {
        if self.read.is_none_or(|read| now.saturating_sub(read) >= READ_AGAIN) {
            self.lines = missing_firmware(&read()?);
            self.read = Some(now);
        }
        Ok(&self.lines)
    }
}

/// The name of the interface with this address, or of any where the boot loader gave none. Loads drivers for what has
/// shown itself since the last time; the error says all that is known of why it is not there.
pub(crate) fn find(bootif: Option<MacAddress>, asked: &Asked, children: &Children) -> anyhow::Result<String> {
    if let Some(name) = present(bootif)? {
        return Ok(name);
    }
    let mut known = asked.0.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = modules::load_for_new_devices(children, &mut known.devices);
    if let Some(name) = present(bootif)? {
        return Ok(name);
    }
    loaded?;
    let complaints = known.complaints.lately(clock::uptime(), kernel_log::read)?;
    bail!(why_no_card(bootif, &driverless(Path::new(PCI_DEVICES))?, complaints));
}

fn present(bootif: Option<MacAddress>) -> anyhow::Result<Option<String>> {
    let is_it = |mac: Option<MacAddress>| mac.is_some() && (bootif.is_none() || mac == bootif);
    Ok(network::interfaces()?
        .into_iter()
        .find(|interface| is_it(interface.mac))
        .map(|interface| interface.name))
}

fn driverless(devices: &Path) -> anyhow::Result<Vec<Driverless>> {
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
        if says("class")?.starts_with(NETWORK_CONTROLLER) && !device.join("driver").exists() {
            let number = |text: String| text.trim_start_matches("0x").to_owned();
            found.push(Driverless { id: format!("{}:{}", number(says("vendor")?), number(says("device")?)) });
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
                Ok("<3>[ 1.0] r8169: firmware: failed to load a.fw".to_owned())
            };
            let lines = complaints.lately(Duration::from_millis(tenth * 100), read).unwrap();
            assert_eq!(lines, ["r8169: firmware: failed to load a.fw"]);
        }
        assert_eq!(reads, 3);
    }

    #[test]
    fn network_cards_without_a_driver_are_told_by_their_numbers() {
        let devices = tempfile::tempdir().unwrap();
        for (name, class, device) in
            [("a", "0x020000", "0x15f3"), ("b", "0x028000", "0x2723"), ("c", "0x010601", "0xa282")]
        {
            let folder = devices.path().join(name);
            fs::create_dir(&folder).unwrap();
            for (file, text) in [("class", class), ("vendor", "0x8086"), ("device", device)] {
                fs::write(folder.join(file), format!("{text}\n")).unwrap();
            }
        }
        fs::create_dir(devices.path().join("b/driver")).unwrap();
        let found = driverless(devices.path()).unwrap();
        assert_eq!(found, [Driverless { id: "8086:15f3".to_owned() }]);
        assert_eq!(driverless(&devices.path().join("no PCI")).unwrap(), []);
    }
}
