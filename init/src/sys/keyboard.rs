//! A virtual keyboard (uinput): what is typed on it arrives like the keys of a person.
//!
//! It must be there before the program that shall see it is started. Typing waits until the keyboard has been
//! noticed, and between the keys, as a person does.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use evdev::uinput::VirtualDevice;
use evdev::{AttributeSet, EventType, InputEvent, KeyCode};

/// Between a key going down and coming up, and before the next one: emulators poll the keyboard, and lose
/// what is faster.
const PACE: Duration = Duration::from_millis(40);
/// From the making of a keyboard until the terminals and who reads keyboards by himself have noticed it: keys that
/// come earlier are lost (seen on a client's console).
const NOTICED: Duration = Duration::from_millis(1500);
/// The highest code of a key that keyboards have (linux/input-event-codes.h: `KEY_MICMUTE`); what follows
/// are buttons, which would make it a mouse or a joystick.
const LAST_KEY: u16 = 248;

/// Its name, as the kernel lists it.
pub(super) const NAME: &str = "Ghost4Linux keyboard";

/// A keyboard that exists as long as this value.
pub(crate) struct Keyboard {
    device: VirtualDevice,
    made: Instant,
}

impl Keyboard {
    pub(crate) fn plug_in() -> anyhow::Result<Self> {
        let keys: AttributeSet<KeyCode> = (1..=LAST_KEY).map(KeyCode::new).collect();
        VirtualDevice::builder()
            .and_then(|builder| builder.name(NAME).with_keys(&keys))
            .and_then(evdev::uinput::VirtualDeviceBuilder::build)
            .map(|device| Self { device, made: Instant::now() })
            .context("cannot make a virtual keyboard with /dev/uinput")
    }

    /// Types these keys, one after the other.
    pub(crate) fn type_keys(&mut self, keys: &[KeyCode]) -> anyhow::Result<()> {
        keys.iter().try_for_each(|key| self.press(&[*key]))
    }

    /// Presses keys together: down in this order, up in the opposite one.
    pub(crate) fn press(&mut self, chord: &[KeyCode]) -> anyhow::Result<()> {
        std::thread::sleep(NOTICED.saturating_sub(self.made.elapsed()));
        chord.iter().try_for_each(|key| self.emit(*key, 1))?;
        chord.iter().rev().try_for_each(|key| self.emit(*key, 0))
    }

    /// The value is that of an `EV_KEY` event: 1 is down, 0 is up.
    fn emit(&mut self, key: KeyCode, value: i32) -> anyhow::Result<()> {
        let event = InputEvent::new(EventType::KEY.0, key.code(), value);
        self.device.emit(&[event]).with_context(|| format!("cannot type {key:?}"))?;
        std::thread::sleep(PACE);
        Ok(())
    }
}
