//! What keys ask for that a person presses at the machine: the power key, and Ctrl, Alt and Del together.

use evdev::{EventSummary, InputEvent, KeyCode, SynchronizationCode};

/// A wish that the machine go off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Press {
    PowerButton,
    CtrlAltDel,
}

/// The keys that are looked for. Ctrl and Alt may be held on another keyboard than Del.
pub(crate) const KEYS: [KeyCode; 7] = [
    KeyCode::KEY_POWER,
    KeyCode::KEY_DELETE,
    KeyCode::KEY_KPDOT,
    KeyCode::KEY_LEFTCTRL,
    KeyCode::KEY_RIGHTCTRL,
    KeyCode::KEY_LEFTALT,
    KeyCode::KEY_RIGHTALT,
];

/// Values of a key's event (linux/input.h). A third one is a key that is held down for long.
const UP: i32 = 0;
const DOWN: i32 = 1;

const CTRL: u8 = 0b0011;
const ALT: u8 = 0b1100;

/// Which of Ctrl and Alt are held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held(u8);

impl Held {
    /// Hears of an event of one device, while these are held down on others.
    pub(crate) fn hear(&mut self, event: InputEvent, elsewhere: Self) -> Option<Press> {
        match event.destructure() {
            EventSummary::Key(_, KeyCode::KEY_POWER, DOWN) => Some(Press::PowerButton),
            EventSummary::Key(_, KeyCode::KEY_DELETE | KeyCode::KEY_KPDOT, DOWN) => {
                self.and(elsewhere).is_ctrl_alt().then_some(Press::CtrlAltDel)
            }
            EventSummary::Key(_, key, value) => {
                let bit = bit_of(key);
                self.0 = if value == UP { self.0 & !bit } else { self.0 | bit };
                None
            }
            // Some events were lost, of keys that come up perhaps.
            EventSummary::Synchronization(_, SynchronizationCode::SYN_DROPPED, _) => {
                *self = Self::default();
                None
            }
            _ => None,
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn is_ctrl_alt(self) -> bool {
        self.0 & CTRL != 0 && self.0 & ALT != 0
    }
}

const fn bit_of(key: KeyCode) -> u8 {
    match key {
        KeyCode::KEY_LEFTCTRL => 0b0001,
        KeyCode::KEY_RIGHTCTRL => 0b0010,
        KeyCode::KEY_LEFTALT => 0b0100,
        KeyCode::KEY_RIGHTALT => 0b1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use evdev::EventType;

    use super::*;

    const HELD: i32 = 2;

    fn key(code: KeyCode, value: i32) -> InputEvent {
        InputEvent::new(EventType::KEY.0, code.code(), value)
    }

    /// What one keyboard asks for by these events.
    fn pressed(events: &[(KeyCode, i32)]) -> Vec<Press> {
        let mut held = Held::default();
        let asked = |(code, value): &(KeyCode, i32)| held.hear(key(*code, *value), Held::default());
        events.iter().filter_map(asked).collect()
    }

    #[test]
    fn only_the_power_key_going_down_is_a_press() {
        assert_eq!(pressed(&[(KeyCode::KEY_POWER, DOWN)]), [Press::PowerButton]);
        assert_eq!(
            pressed(&[(KeyCode::KEY_POWER, UP), (KeyCode::KEY_POWER, HELD), (KeyCode::KEY_A, DOWN)]),
            []
        );
    }

    #[test]
    fn ctrl_alt_and_del_are_one_press_by_whichever_ctrl_and_alt() {
        for ctrl in [KeyCode::KEY_LEFTCTRL, KeyCode::KEY_RIGHTCTRL] {
            for alt in [KeyCode::KEY_LEFTALT, KeyCode::KEY_RIGHTALT] {
                for del in [KeyCode::KEY_DELETE, KeyCode::KEY_KPDOT] {
                    let events =
                        [(alt, DOWN), (ctrl, DOWN), (ctrl, HELD), (del, DOWN), (del, HELD), (del, UP)];
                    assert_eq!(pressed(&events), [Press::CtrlAltDel]);
                }
            }
        }
    }

    #[test]
    fn del_without_both_of_the_others_is_no_press() {
        let [ctrl, alt, del] = [KeyCode::KEY_LEFTCTRL, KeyCode::KEY_RIGHTALT, KeyCode::KEY_DELETE];
        assert_eq!(pressed(&[(ctrl, DOWN), (del, DOWN)]), []);
        assert_eq!(pressed(&[(alt, DOWN), (del, DOWN)]), []);
        assert_eq!(pressed(&[(ctrl, DOWN), (alt, DOWN), (ctrl, UP), (del, DOWN)]), []);
        assert_eq!(pressed(&[(del, DOWN), (ctrl, DOWN), (alt, DOWN)]), []);
    }

    #[test]
    fn ctrl_and_alt_may_be_of_another_keyboard_and_are_forgotten_where_events_were_lost() {
        let mut held = Held::default();
        held.hear(key(KeyCode::KEY_LEFTCTRL, DOWN), Held::default());
        held.hear(key(KeyCode::KEY_LEFTALT, DOWN), Held::default());
        let del = key(KeyCode::KEY_DELETE, DOWN);
        assert_eq!(Held::default().hear(del, held), Some(Press::CtrlAltDel));
        let lost = InputEvent::new(EventType::SYNCHRONIZATION.0, SynchronizationCode::SYN_DROPPED.0, 0);
        held.hear(lost, Held::default());
        assert_eq!(held.hear(del, Held::default()), None);
    }
}
