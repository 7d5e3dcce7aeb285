//! Loads drivers with a stand-in for modprobe(8). A test program of its own, because it reaps every child of its process.
#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

mod reaped;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ghost_init::sys::drivers::{Drivers, Places};
use reaped::CHILDREN;

/// Notes which driver it is asked for. One of them hangs, as in the kernel.
const MODPROBE: &str = "#!/bin/sh
for driver; do :; done
echo \"$driver\" >>\"${0%/*}/asked\"
if [ \"$driver\" = hangs ]; then exec sleep 60; fi
";

/// A machine with these devices and their drivers, and its drivers.
fn machine(folder: &Path, devices: &[(&str, &str)]) -> Drivers {
    let (modprobe, table) = (folder.join("modprobe"), folder.join("modules.alias"));
    fs::write(&modprobe, MODPROBE).unwrap();
    fs::set_permissions(&modprobe, fs::Permissions::from_mode(0o755)).unwrap();
    let buses = folder.join("bus");
    for (device, _) in devices {
        show(&buses, device);
    }
    let alias = |(device, driver): &(&str, &str)| format!("alias pci:{device} {driver}\n");
    fs::write(&table, devices.iter().map(alias).collect::<String>()).unwrap();
    Drivers::of(Places { modprobe, buses, table: Some(table) })
}

fn show(buses: &Path, device: &str) {
    let device = buses.join("pci/devices").join(device);
    fs::create_dir_all(&device).unwrap();
    fs::write(device.join("modalias"), format!("pci:{}\n", device.file_name().unwrap().display())).unwrap();
}

fn asked(folder: &Path) -> Vec<String> {
    let mut asked: Vec<_> =
        fs::read_to_string(folder.join("asked")).unwrap_or_default().lines().map(str::to_owned).collect();
    asked.sort();
    asked
}

/// Until none is loaded any more but those that last; gives the time that it took.
fn load(drivers: &mut Drivers) -> Duration {
    let started = Instant::now();
    loop {
        drivers.load_new(&CHILDREN).unwrap();
        if !drivers.is_busy() {
            return started.elapsed();
        }
        assert!(started.elapsed() < Duration::from_secs(40), "it waits for one that hangs");
        drivers.wait(Duration::from_millis(100));
    }
}

#[test]
fn one_driver_that_hangs_holds_up_no_other_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let devices = [("a", "before"), ("b", "hangs"), ("c", "behind"), ("d", "last")];
    let mut drivers = machine(folder.path(), &devices);
    let took = load(&mut drivers);
    assert_eq!(asked(folder.path()), ["before", "behind", "hangs", "last"]);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(drivers.lasting(), Some("hangs"));
}

#[test]
fn a_device_that_shows_itself_later_gets_its_driver_and_the_others_are_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut drivers = machine(folder.path(), &[("a", "first"), ("b", "second")]);
    load(&mut drivers);
    fs::write(folder.path().join("modules.alias"), "alias pci:a first\nalias pci:c third\n").unwrap();
    show(&folder.path().join("bus"), "c");
    load(&mut drivers);
    assert_eq!(asked(folder.path()), ["first", "second", "third"]);
    assert_eq!(drivers.lasting(), None);
}
