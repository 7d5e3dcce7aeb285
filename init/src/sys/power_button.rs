//! Hears of presses of the power button: ACPI's, and the power key of keyboards (evdev).
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
use evdev::{EventSummary, InputEvent, KeyCode};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{CWD, Dir, Mode, OFlags, openat};

use super::{STACK, keyboard};

const DEVICES: &str = "/dev";
/// The folder of input devices in it, and how those are named that give events.
const INPUT: &str = "input";
const NAME: &str = "event";
/// Pause between two looks for devices that have come, ms.
const LOOK_AGAIN: u16 = 2000;
/// The value of a key's event when it goes down (linux/input.h).
const DOWN: i32 = 1;

/// Who is told of a press, and whether anybody listens for one yet.
#[derive(Clone)]
pub(crate) struct PowerButton {
    tell: Arc<dyn Fn() + Send + Sync>,
    is_watched: Arc<AtomicBool>,
}

impl PowerButton {
    pub(crate) fn new(tell: impl Fn() + Send + Sync + 'static) -> Self {
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
                if inputs.wait_for_press() {
                    tell();
                }
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
    /// By name and number, which no other device has had: what has a power button, and what has none.
    found: BTreeMap<(String, u64), Option<RawDevice>>,
}

impl Inputs {
    const fn of(devices: OwnedFd) -> Self {
        Self { devices, found: BTreeMap::new() }
    }

    /// Waits until the button is pressed, or it is time to look again.
    fn wait_for_press(&mut self) -> bool {
        self.look();
        let mut with_button: Vec<_> = self.found.values_mut().filter(|found| found.is_some()).collect();
        let waits = with_button.iter().filter_map(|device| device.as_ref());
        let mut waits: Vec<_> = waits.map(|device| PollFd::new(device.as_fd(), PollFlags::POLLIN)).collect();
        if poll(&mut waits, PollTimeout::from(LOOK_AGAIN)).is_err() {
            // Nothing but a signal interrupts it.
            return false;
        }
        let ready: Vec<bool> = waits.iter().map(|device| device.any() == Some(true)).collect();
        let mut is_pressed = false;
        for (slot, _) in with_button.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            match slot.as_mut().map(|device| device.fetch_events().map(|mut events| events.any(is_press))) {
                Some(Ok(pressed)) => is_pressed |= pressed,
                // It has gone, and what comes in its place has another number.
                _ => **slot = None,
            }
        }
        is_pressed
    }

    /// Opens what is new, and forgets what has gone.
    fn look(&mut self) {
        // Until the first driver is there, there is no such folder.
        let Ok(listed) = listed(&self.devices) else { return };
        self.found.retain(|device, _| listed.contains(device));
        for device in listed {
            self.found.entry(device).or_insert_with_key(|(name, _)| with_button(&self.devices, name));
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

/// A device if it has a power button and is not what this program types on.
fn with_button(devices: &OwnedFd, name: &str) -> Option<RawDevice> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(devices, format!("{INPUT}/{name}"), flags, Mode::empty()).ok()?;
    let device = RawDevice::from_fd(opened).ok()?;
    let has_button = device.supported_keys().is_some_and(|keys| keys.contains(KeyCode::KEY_POWER));
    (has_button && device.name() != Some(keyboard::NAME)).then_some(device)
}

fn is_press(event: InputEvent) -> bool {
    matches!(event.destructure(), EventSummary::Key(_, KeyCode::KEY_POWER, DOWN))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use evdev::EventType;

    use super::*;

    fn folder(path: &Path) -> OwnedFd {
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    #[test]
    fn only_the_power_key_going_down_is_a_press() {
        let key = |code: KeyCode, value| InputEvent::new(EventType::KEY.0, code.code(), value);
        assert!(is_press(key(KeyCode::KEY_POWER, 1)));
        assert!(!is_press(key(KeyCode::KEY_POWER, 0)), "it comes up");
        assert!(!is_press(key(KeyCode::KEY_POWER, 2)), "it is held down");
        assert!(!is_press(key(KeyCode::KEY_A, 1)));
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
