//! The kernel's watchdogs, which reset a machine whose kernel hangs. Petting and disarming never wait.
//!
//! A device is opened once and never closed. So the magic character that allows closing is not needed; a watchdog is
//! stopped by a request (ioctl).
#![allow(unsafe_code, reason = "ioctl(2) of watchdogs takes pointers")]

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::child::Children;
use super::modules;
use crate::watchdog::{Kind, LEAST_PATIENCE, PATIENCE, WhenLeaving};

/// The folder of devices, and the name of watchdogs in it, which a number follows.
const DEVICES: &str = "/dev";
const NAME: &str = "watchdog";
/// The kernel's own watchdog, which needs no device.
const SOFTWARE: &str = "softdog";
/// Drivers of what PCs have for a watchdog, and of the devices behind which it is. Those that would try I/O ports at random
/// are not here.
pub(crate) const DRIVERS: [&str; 6] =
    ["lpc_ich", "i2c_i801", "iTCO_wdt", "sp5100_tco", "wdat_wdt", "i6300esb"];

/// `struct watchdog_info` of linux/watchdog.h: the features (`WDIOF_…`) and the driver's name for the device.
#[repr(C)]
#[derive(Default)]
struct WatchdogInfo {
    options: u32,
    firmware_version: u32,
    identity: [u8; 32],
}

nix::ioctl_read!(wdioc_getsupport, b'W', 0, WatchdogInfo);
nix::ioctl_read!(
    /// Start or stop it. Although its number says "read", the kernel reads from the pointer.
    wdioc_setoptions,
    b'W',
    4,
    libc::c_int
);
nix::ioctl_readwrite!(
    /// Sets the number of seconds that it waits; returns the number that it accepted.
    wdioc_settimeout,
    b'W',
    6,
    libc::c_int
);
nix::ioctl_read!(
    /// How many seconds it waits.
    wdioc_gettimeout,
    b'W',
    7,
    libc::c_int
);
const WDIOS_DISABLECARD: libc::c_int = 1;

#[derive(Debug)]
struct Watchdog {
    device: File,
    kind: Kind,
    /// The driver's name for it, and how long it waits.
    name: String,
}

/// All watchdogs of this machine; none before [`Watchdogs::start`].
#[derive(Debug, Clone, Default)]
pub struct Watchdogs(Arc<Kennel>);

#[derive(Debug, Default)]
struct Kennel {
    all: OnceLock<Vec<Watchdog>>,
    released: AtomicBool,
}

impl Watchdogs {
    /// Loads drivers, starts all watchdogs and returns their names. From now on they must be petted.
    /// Those that were started in the initramfs are found running.
    pub fn start(&self, children: &Children) -> anyhow::Result<Vec<String>> {
        if let Some(all) = self.0.all.get() {
            return Ok(all.iter().map(|watchdog| watchdog.name.clone()).collect());
        }
        // What cannot be loaded must not keep those from watching that are there.
        let loaded = load_drivers(children);
        self.begin_all(loaded, &devices(Path::new(DEVICES))?, begin)
    }

    /// Begins with each of these devices, and returns their names. An error tells of the first trouble, that of the drivers
    /// included; those that could be started watch all the same.
    fn begin_all(
        &self,
        loaded: anyhow::Result<()>,
        devices: &[PathBuf],
        begin: impl Fn(&Path) -> anyhow::Result<Watchdog>,
    ) -> anyhow::Result<Vec<String>> {
        let (mut started, mut outcome) = (Vec::new(), loaded);
        for path in devices {
            match begin(path) {
                Ok(watchdog) => started.push(watchdog),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        let names: Vec<_> = started.iter().map(|watchdog| watchdog.name.clone()).collect();
        if names.is_empty() {
            outcome?;
            bail!("the kernel has no watchdog");
        }
        // Nothing was set before, and no two starts run at a time, so that `set` cannot fail.
        let _ = self.0.all.set(started);
        outcome.with_context(|| format!("only {} watches", names.join(" and ")))?;
        Ok(names)
    }

    /// Pets all watchdogs, unless the machine is being left.
    pub fn pet(&self) {
        if self.0.released.load(Ordering::Acquire) {
            return;
        }
        for watchdog in self.all() {
            // A watchdog that cannot be petted will reset the machine; there is nothing to do about that.
            let _ = (&watchdog.device).write_all(b"\0");
        }
    }

    /// Prepares them for leaving the machine, without waiting. They are not petted any more.
    pub fn release(&self) {
        self.0.released.store(true, Ordering::Release);
        for watchdog in self.all() {
            if watchdog.kind.when_leaving() == WhenLeaving::Disarm {
                let mut stop = WDIOS_DISABLECARD;
                // SAFETY: the descriptor is open, and the kernel reads one int from where the pointer shows.
                // A watchdog that cannot be stopped must not keep the machine on.
                let _ = unsafe { wdioc_setoptions(watchdog.device.as_raw_fd(), &raw mut stop) };
            }
        }
    }
}

impl Watchdogs {
    fn all(&self) -> impl Iterator<Item = &Watchdog> {
        self.0.all.get().into_iter().flatten()
    }
}

/// Loads all drivers that it can; the error is the first one.
fn load_drivers(children: &Children) -> anyhow::Result<()> {
    // Drivers ask to be stopped when the machine is left; when that happens is decided here.
    let core = modules::load_with(children, "watchdog", "stop_on_reboot=0");
    let software = modules::load_if_useful(children, &[SOFTWARE]);
    core.and(software).and(load_for_hardware(children))
}

/// Loads the drivers of the watchdogs that are here. A driver may show a device that is another driver's.
fn load_for_hardware(children: &Children) -> anyhow::Result<()> {
    let mut left = DRIVERS.to_vec();
    loop {
        let here = modules::wanted_here(&left)?;
        if here.is_empty() {
            return Ok(());
        }
        modules::load_if_useful(children, &here)?;
        left.retain(|driver| !here.contains(driver));
    }
}

/// The devices of all watchdogs.
fn devices(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let fails = || format!("cannot list {DEVICES}");
    for entry in fs::read_dir(folder).with_context(fails)? {
        let entry = entry.with_context(fails)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(NAME));
        // The one without a number is the same as number 0.
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Opens a watchdog, which starts it, and sets the longest time that it can wait.
fn begin(path: &Path) -> anyhow::Result<Watchdog> {
    let open = OpenOptions::new().write(true).open(path);
    let device = open.with_context(|| format!("cannot open {}", path.display()))?;
    let unknown = || format!("{} does not say what it is and how long it waits", path.display());
    let mut info = WatchdogInfo::default();
    // SAFETY: the descriptor is open, and the structure is the one that linux/watchdog.h has for this request.
    unsafe { wdioc_getsupport(device.as_raw_fd(), &raw mut info) }.with_context(unknown)?;
    let mut seconds = libc::c_int::try_from(PATIENCE.as_secs()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the descriptor is open, and the pointer is to an int. Refused, it keeps the time that it has.
    let _ = unsafe { wdioc_settimeout(device.as_raw_fd(), &raw mut seconds) };
    // SAFETY: the descriptor is open, and the kernel writes one int to where the pointer shows.
    unsafe { wdioc_gettimeout(device.as_raw_fd(), &raw mut seconds) }.with_context(unknown)?;
    let (name, seconds) = (identity(&info), u64::try_from(seconds).unwrap_or(0));
    let kind = Kind::of(&name);
    let watchdog = Watchdog { device, kind, name: format!("{name} ({seconds} s)") };
    if Duration::from_secs(seconds) < LEAST_PATIENCE {
        let mut stop = WDIOS_DISABLECARD;
        // SAFETY: as above. If it cannot be stopped either, the error below still says what matters.
        let _ = unsafe { wdioc_setoptions(watchdog.device.as_raw_fd(), &raw mut stop) };
        bail!("{name} waits for {seconds} s at most, which is too short");
    }
    Ok(watchdog)
}

/// The driver's name for it: bytes up to the first zero.
fn identity(info: &WatchdogInfo) -> String {
    let length = info.identity.iter().position(|byte| *byte == 0).unwrap_or(info.identity.len());
    String::from_utf8_lossy(&info.identity[..length]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_watchdog_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["watchdog", "watchdog1", "watchdog0", "watchdogs", "tty1"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let expected = ["watchdog0", "watchdog1"].map(|name| folder.path().join(name));
        assert_eq!(devices(folder.path()).unwrap(), expected);
    }

    #[test]
    fn those_that_are_there_watch_whatever_cannot_be_loaded_or_opened() {
        let watchdogs = Watchdogs::default();
        let begin = |path: &Path| {
            anyhow::ensure!(path != Path::new("/dev/watchdog1"), "it waits too short");
            let device = File::options().write(true).open("/dev/null")?;
            Ok(Watchdog { device, kind: Kind::Software, name: "Software Watchdog (120 s)".to_owned() })
        };
        let devices = ["/dev/watchdog0", "/dev/watchdog1"].map(PathBuf::from);
        let unreadable = Err(anyhow::anyhow!("cannot read modules.alias"));
        let error = watchdogs.begin_all(unreadable, &devices, begin).unwrap_err();
        let words = "only Software Watchdog (120 s) watches: cannot read modules.alias";
        assert_eq!(format!("{error:#}"), words);
        assert_eq!(watchdogs.all().count(), 1);
    }

    #[test]
    fn where_nothing_watches_the_reason_is_told() {
        let begin_all = |loaded| Watchdogs::default().begin_all(loaded, &[], begin).unwrap_err().to_string();
        assert_eq!(begin_all(Ok(())), "the kernel has no watchdog");
        assert_eq!(begin_all(Err(anyhow::anyhow!("cannot read modules.alias"))), "cannot read modules.alias");
    }

    #[test]
    fn what_is_no_watchdog_is_told_of_by_its_path() {
        let error = begin(Path::new("/dev/null")).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("/dev/null does not say what it is"), "{error}");
    }

    #[test]
    fn a_name_ends_at_its_zero() {
        let mut info = WatchdogInfo::default();
        info.identity[..9].copy_from_slice(b"iTCO_wdt\0");
        assert_eq!(identity(&info), "iTCO_wdt");
        info.identity = [b'x'; 32];
        assert_eq!(identity(&info).len(), 32);
    }
}
