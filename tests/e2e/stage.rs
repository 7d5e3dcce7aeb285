//! What all scenarios use: a lab of their own, and how long things may take.

use std::fs;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghost_contract::report::{self, Event};
use ghost_contract::{HostName, layout};
use ghost_lab::config::target_folder;
use ghost_lab::lab::Pc;
use ghost_lab::places::{Place, Places};
use ghost_lab::{Firmware, Lab, LabConfig, wait};

/// From the power button until PID 1 has said that it is up: a minute on two idle emulated cores.
pub(crate) const BOOT: Duration = Duration::from_secs(420);
/// From the power button until the PC has tried the network and booted its own disk. A firmware that nobody answers waits by its own
/// clock: UEFI a minute for PXE, and as long for HTTP.
pub(crate) const OWN_DISK: Duration = Duration::from_secs(420);
/// From the end of a job on the client until it is off, by the product's promise.
pub(crate) const OFF: Duration = Duration::from_secs(20);
/// What a program on an idle boot server may take.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long a scenario waits until others leave it room.
const ROOM: Duration = Duration::from_secs(7200);
/// How many labs are up at the same time, unless `LAB_PARALLEL` says otherwise.
const PARALLEL: u32 = 3;

pub(crate) const LAB_PROGRAM: &str = env!("CARGO_BIN_EXE_lab");

/// A lab for one scenario, and its place among those that are up at the same time.
pub(crate) struct Stage {
    lab: Lab,
    _place: Place,
}

impl Deref for Stage {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Stage {
    /// A lab of this name, as the HOWTO has it.
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// A lab of this name, with something changed.
    pub(crate) fn with(name: &str, change: impl FnOnce(&mut LabConfig)) -> Self {
        let mut config = LabConfig::new(name.parse().unwrap());
        change(&mut config);
        let place = place();
        let lab = Lab::up(config, Path::new(LAB_PROGRAM)).unwrap_or_else(|error| panic!("{error:#}"));
        Self { lab, _place: place }
    }

    /// What the client at this address has reported so far.
    pub(crate) fn report(&self, ip: Ipv4Addr) -> Vec<Event> {
        let own = layout::own_folder(&layout::trees(&self.folder().base_root()), ip);
        let home = if own.exists() { own } else { self.folder().base_root() };
        let path = home.join(layout::tree_var(ip)).join(layout::REPORT);
        let read = report::read(&fs::read(path).unwrap_or_default());
        assert_eq!(read.unknown, Vec::<String>::new(), "lines in the report that are no events");
        read.entries.into_iter().map(|entry| entry.event).collect()
    }

    /// Waits until the client has reported an event for which `wanted` has an answer.
    pub(crate) fn wait_report<T>(
        &self,
        pc: &Pc<'_>,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> T {
        let ip = pc.config().ip;
        wait::until(&format!("the report of {what}"), deadline, || self.report(ip).iter().find_map(&wanted))
            .unwrap_or_else(|error| panic!("{error}; reported so far: {:#?}", self.report(ip)))
    }

    /// Waits until the DHCP configuration is this.
    pub(crate) fn wait_dhcpd_conf(&self, what: &str, wanted: &[u8], deadline: Duration) {
        wait::until(what, deadline, || (self.dhcpd_conf().unwrap() == wanted).then_some(())).unwrap();
    }

    /// Asserts that the DHCP configuration is this, byte for byte.
    pub(crate) fn assert_dhcpd_conf(&self, wanted: &[u8]) {
        let now = self.dhcpd_conf().unwrap();
        assert_eq!(String::from_utf8_lossy(&now), String::from_utf8_lossy(wanted));
        assert!(now == wanted);
    }
}

/// The file that is offered for a job.
pub(crate) const fn boot_file(firmware: Firmware) -> &'static str {
    if firmware.is_uefi() { "shimx64.efi" } else { "pxelinux.0" }
}

/// The configuration in which this host, and no other, is offered `file` instead of "nobackup".
pub(crate) fn swapped(conf: &[u8], host: &HostName, file: &str) -> Vec<u8> {
    let text = String::from_utf8(conf.to_vec()).unwrap();
    let entry = text.find(&format!("host {host} ")).unwrap();
    let (before, after) = text.split_at(entry);
    let swapped = after.replacen("\"nobackup\"", &format!("\"{file}\""), 1);
    format!("{before}{swapped}").into_bytes()
}

/// All files of this name below a folder.
pub(crate) fn files_called(name: &str, below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_called(name, &path));
        } else if entry.file_name() == name {
            found.push(path);
        }
    }
    found
}

/// Waits for one of the places for labs, in the order of arrival.
fn place() -> Place {
    let count = std::env::var("LAB_PARALLEL").ok().and_then(|text| text.parse().ok()).unwrap_or(PARALLEL);
    let places = Places::new(target_folder().join("lab-places"), count).unwrap();
    let waiting = places.wait().unwrap();
    wait::until("room for a lab", ROOM, || waiting.place().unwrap()).unwrap()
}
