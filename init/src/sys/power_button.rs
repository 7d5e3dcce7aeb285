//! Hears of presses of the power button: ACPI's, and the power key of keyboards (evdev). Of Ctrl-Alt-Del it hears as well, and
//! tells of it while the kernel does not.
//!
//! A thread of its own waits for them, and looks now and then for devices that have come. The way to their folder leads over
//! the server's root, which is asked once and not again: the button is most needed when there is no server any more.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context as _;
use evdev::raw_stream::RawDevice;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{CWD, Dir, Mode, OFlags, openat};

use super::{STACK, keyboard, terminal};
use crate::keys::{Held, KEYS, Press};

const DEVICES: &str = "/dev";
/// The folder of input devices in it, and how those are named that give events.
const INPUT: &str = "input";
const NAME: &str = "event";
/// Pause between two looks for devices that have come, ms.
const LOOK_AGAIN: u16 = 2000;

/// Who is told of a press, and whether anybody listens for one yet.
#[derive(Clone)]
pub(crate) struct PowerButton {
    tell: Arc<dyn Fn(Press) + Send + Sync>,
    is_watched: Arc<AtomicBool>,
}

impl PowerButton {
    pub(crate) fn new(tell: impl Fn(Press) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), is_watched: Arc::default() }
    }

    /// Listens from now on. The drivers need not be there yet.
    pub(crate) fn watch(&self) -> anyhow::Result<()> {
        let fails = "cannot watch the power button";
        if self.is_watched.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut inputs = Inputs::of(openat(CWD, DEVICES, flags, Mode::empty()).context(fails)?);
        let tell = Arc::clone(&self.tell);
        let listen = move || {
            loop {
                inputs.wait_for_presses().into_iter().for_each(|press| tell(press));
            }
        };
        thread::Builder::new()
            .name("power button".to_owned())
            .stack_size(STACK)
            .spawn(listen)
            .context(fails)?;
        Ok(())
    }
}

/// The input devices that were found.
struct Inputs {
    devices: OwnedFd,
    /// By name and number, which no other device has had: what has such keys, and what has none.
    found: BTreeMap<(String, u64), Option<Keys>>,
}

/// A device with keys that are looked for.
struct Keys {
    device: RawDevice,
    held: Held,
}

impl Keys {
    /// What its keys have asked for since the last time, while these are held down on other devices.
    fn hear(&mut self, elsewhere: Held) -> io::Result<Vec<Press>> {
        let Self { device, held } = self;
        Ok(device.fetch_events()?.filter_map(|event| held.hear(event, elsewhere)).collect())
    }
}

impl Inputs {
    const fn of(devices: OwnedFd) -> Self {
        Self { devices, found: BTreeMap::new() }
    }

    /// Waits until there are presses, or it is time to look again.
    fn wait_for_presses(&mut self) -> Vec<Press> {
        self.look();
        let mut with_keys: Vec<_> = self.found.values_mut().filter(|found| found.is_some()).collect();
        let waits = with_keys.iter().filter_map(|keys| keys.as_ref());
        let mut waits: Vec<_> =
            waits.map(|keys| PollFd::new(keys.device.as_fd(), PollFlags::POLLIN)).collect();
        let mut presses = Vec::new();
        if poll(&mut waits, PollTimeout::from(LOOK_AGAIN)).is_err() {
            // Nothing but a signal interrupts it.
            return presses;
        }
        let ready: Vec<bool> = waits.iter().map(|device| device.any() == Some(true)).collect();
        let mut held: Vec<Held> =
            with_keys.iter().filter_map(|keys| keys.as_ref()).map(|keys| keys.held).collect();
        for (number, slot) in with_keys.iter_mut().enumerate().filter(|(number, _)| ready[*number]) {
            let elsewhere = held.iter().enumerate().filter(|(other, _)| *other != number);
            let elsewhere = elsewhere.fold(Held::default(), |all, (_, held)| all.and(*held));
            match slot.as_mut().map(|keys| Ok::<_, io::Error>((keys.hear(elsewhere)?, keys.held))) {
                Some(Ok((more, now_held))) => {
                    presses.extend(more);
                    held[number] = now_held;
                }
                // It has gone, and what comes in its place has another number.
                _ => **slot = None,
            }
        }
        presses.retain(|press| *press != Press::CtrlAltDel || !terminal::kernel_acts_on_keys(&self.devices));
        presses
    }

    /// Opens what is new, and forgets what has gone.
    fn look(&mut self) {
        // Until the first driver is there, there is no such folder.
        let Ok(listed) = listed(&self.devices) else { return };
        self.found.retain(|device, _| listed.contains(device));
        for device in listed {
            self.found.entry(device).or_insert_with_key(|(name, _)| with_keys(&self.devices, name));
        }
    }
}

fn listed(devices: &OwnedFd) -> io::Result<Vec<(String, u64)>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut listed = Vec::new();
    for entry in Dir::new(openat(devices, INPUT, flags, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(NAME) {
            listed.push((name, entry.ino()));
        }
    }
    Ok(listed)
}

/// A device if it has such keys and is not what this program types on.
fn with_keys(devices: &OwnedFd, name: &str) -> Option<Keys> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(devices, format!("{INPUT}/{name}"), flags, Mode::empty()).ok()?;
    let device = RawDevice::from_fd(opened).ok()?;
    let has_one = device.supported_keys().is_some_and(|keys| KEYS.iter().any(|key| keys.contains(*key)));
    (has_one && device.name() != Some(keyboard::NAME)).then(|| Keys { device, held: Held::default() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn folder(path: &Path) -> OwnedFd {
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    #[test]
    fn what_comes_is_looked_at_once_and_what_goes_is_forgotten() {
        let devices = tempfile::tempdir().unwrap();
        let mut inputs = Inputs::of(folder(devices.path()));
        inputs.look();
        assert_eq!(inputs.found.len(), 0, "there is no folder of input devices yet");
        fs::create_dir(devices.path().join(INPUT)).unwrap();
        for name in ["event0", "event12", "mice"] {
            fs::write(devices.path().join(INPUT).join(name), "").unwrap();
        }
        inputs.look();
        let names = |inputs: &Inputs| inputs.found.keys().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&inputs), ["event0", "event12"]);
        fs::remove_file(devices.path().join(INPUT).join("event0")).unwrap();
        inputs.look();
        assert_eq!(names(&inputs), ["event12"]);
    }
}
