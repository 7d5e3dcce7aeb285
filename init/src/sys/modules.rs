//! Kernel modules, by way of modprobe(8) from the base root: without udev, nothing else loads them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;

use super::child::{ChildError, Children, Departure};
use super::{clock, file, modprobe};
use crate::kernel_modules;

/// Where the kernel lists the devices of each bus.
pub(super) const BUSES: &str = "/sys/bus";
/// The drivers of the power button and of a keyboard at its own port, and what lets programs hear of keys.
const KEYS: [&str; 4] = ["button", "evdev", "i8042", "atkbd"];
/// The drivers of USB ports. EHCI comes before those of the old, slow ports, which otherwise have to hand fast devices over.
const USB_PORTS: [&str; 4] = ["xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd"];
/// The drivers of USB keyboards: of those too that are plugged in later, so they do not wait for a device.
const USB_KEYBOARDS: [&str; 2] = ["usbhid", "hid_generic"];
/// How long modprobe may take, module files coming from the server.
const LIMIT: Duration = Duration::from_secs(60);
/// How long until another one is started beside it. One that a hanging driver holds up (sys/modprobe.rs) has loaded one module more,
/// and the next one goes on from there.
const HELD_UP: Duration = Duration::from_secs(3);

/// Loads these modules by name, and what they need.
pub(crate) fn load(children: &Children, names: &[&str]) -> anyhow::Result<()> {
    Ok(run(children, &[&["-a"], names].concat())?)
}

/// Loads one module with a parameter of its own, `NAME=VALUE`.
pub(crate) fn load_with(children: &Children, name: &str, parameter: &str) -> anyhow::Result<()> {
    Ok(run(children, &[name, parameter])?)
}

/// Loads modules that the job can do without.
pub(crate) fn load_if_useful(children: &Children, names: &[&str]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    come_to_its_end(run(children, &[&["-a", "-b", "-q"], names].concat()))
}

/// Whether modprobe has asked for all names. Status 1: some name has no module, which for aliases of devices is so on every
/// machine.
fn come_to_its_end(run: Result<(), ChildError>) -> anyhow::Result<()> {
    match run {
        Err(ChildError::Failed { departure: Departure::Exited(_), .. }) => Ok(()),
        run => Ok(run?),
    }
}

/// Loads the drivers of the power button and of keyboards.
pub(crate) fn load_for_keyboards(children: &Children) -> anyhow::Result<()> {
    let ports = wanted_here(&USB_PORTS)?;
    let usb = if ports.is_empty() { Vec::new() } else { [ports, USB_KEYBOARDS.to_vec()].concat() };
    load_if_useful(children, &[KEYS.to_vec(), usb].concat())
}

/// Those of the modules whose device this machine has. Loading a module costs a slow machine a tenth of a second.
pub(crate) fn wanted_here<'a>(names: &[&'a str]) -> anyhow::Result<Vec<&'a str>> {
    Ok(kernel_modules::with_device(names, &aliases(Path::new(BUSES))?, &table_of_aliases()?))
}

/// Which module is for which devices: modules.alias, as depmod(8) writes it.
pub(super) fn table_of_aliases() -> anyhow::Result<String> {
    file::text(&modprobe::folder()?.join("modules.alias"))
}

/// How many modules are loaded.
pub(crate) fn loaded() -> anyhow::Result<usize> {
    Ok(file::text(Path::new("/proc/modules"))?.lines().count())
}

fn run(children: &Children, arguments: &[&str]) -> Result<(), ChildError> {
    let program = modprobe::NAME.to_owned();
    let (tell, told) = mpsc::channel();
    let started = clock::uptime();
    while clock::uptime().saturating_sub(started) < LIMIT {
        let mut modprobe = Command::new(modprobe::NAME);
        modprobe.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let tell = tell.clone();
        children.spawn(&mut modprobe, move |departure| {
            // When one of them has ended nobody hears of the others; ignore the failed send.
            let _ = tell.send(departure);
        })?;
        match told.recv_timeout(HELD_UP) {
            Ok(Departure::Exited(0)) => return Ok(()),
            Ok(departure) => return Err(ChildError::Failed { program, departure }),
            Err(_) => {}
        }
    }
    Err(ChildError::TooLong { program, limit: LIMIT })
}

/// The aliases of all devices but displays, in the form of modules.alias(5).
pub(super) fn aliases(buses: &Path) -> anyhow::Result<Vec<String>> {
    let mut aliases = Vec::new();
    for bus in entries(buses)? {
        for device in entries(&bus.join("devices"))? {
            let alias = if bus.ends_with("mmc") { of_memory_card(&device) } else { of_device(&device) };
            let alias = alias.with_context(|| unreadable(&device))?;
            aliases.extend(alias.filter(|alias| !is_display(alias)));
        }
    }
    Ok(aliases)
}

fn of_device(device: &Path) -> io::Result<Option<String>> {
    let alias = if_there(fs::read_to_string(device.join("modalias")))?;
    Ok(alias.map(|alias| alias.trim().to_owned()))
}

/// A memory card or eMMC has no such file; only its uevent says it (Linux, `drivers/mmc/core/bus.c`).
fn of_memory_card(device: &Path) -> io::Result<Option<String>> {
    let told = if_there(fs::read_to_string(device.join("uevent")))?.unwrap_or_default();
    Ok(told.lines().find_map(|line| line.strip_prefix("MODALIAS=")).map(str::to_owned))
}

/// Not every device has one, and a device may disappear meanwhile.
fn if_there(read: io::Result<String>) -> io::Result<Option<String>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    read().with_context(|| unreadable(folder))
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// Whether an alias is that of a PCI device of base class 03h, display controller (PCI Code and ID
/// Assignment Specification): `pci:v…d…sv…sd…bc03sc00i00`.
fn is_display(alias: &str) -> bool {
    alias.starts_with("pci:") && alias.contains("bc03")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::Signal;

    #[test]
    fn the_display_keeps_its_text_console() {
        assert!(is_display("pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00"));
        assert!(!is_display("pci:v00008086d00007010sv00001AF4sd00001100bc01sc01i80"));
        assert!(!is_display("acpi:PNP0303:"));
    }

    /// Those that are missing there would be passed over in the initramfs without a word.
    #[test]
    fn the_initramfs_has_the_drivers_that_are_asked_for_by_name() {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs/initramfs-modules");
        let list = fs::read_to_string(list).unwrap();
        let watchdogs = &crate::sys::watchdog::DRIVERS;
        for driver in KEYS.iter().chain(&USB_PORTS).chain(&USB_KEYBOARDS).chain(watchdogs).chain(&["softdog"])
        {
            assert!(list.lines().any(|line| line == *driver), "{driver}");
        }
    }

    #[test]
    fn modprobe_may_miss_modules_and_may_not_be_killed() {
        let ended = |departure| Err(ChildError::Failed { program: "modprobe".to_owned(), departure });
        assert!(come_to_its_end(ended(Departure::Exited(1))).is_ok());
        let killed = come_to_its_end(ended(Departure::Killed(Signal::SIGKILL))).unwrap_err();
        assert_eq!(killed.to_string(), "modprobe killed by SIGKILL");
    }

    #[test]
    fn every_bus_is_asked_for_its_devices() {
        let buses = tempfile::tempdir().unwrap();
        for (device, alias) in
            [("pci/devices/a", "pci:x\n"), ("usb/devices/b", "usb:y\n"), ("pci/devices/c", "pci:zbc03\n")]
        {
            let device = buses.path().join(device);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("modalias"), alias).unwrap();
        }
        fs::create_dir_all(buses.path().join("usb/devices/without")).unwrap();
        let card = buses.path().join("mmc/devices/mmc0:4567");
        fs::create_dir_all(&card).unwrap();
        fs::write(card.join("uevent"), "MMC_TYPE=SD\nMMC_NAME=QEMU!\nMODALIAS=mmc:block\n").unwrap();
        let mut found = aliases(buses.path()).unwrap();
        found.sort();
        assert_eq!(found, ["mmc:block", "pci:x", "usb:y"]);
    }
}
