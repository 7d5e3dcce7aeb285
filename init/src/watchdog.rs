//! The watch over the loop of PID 1: signs of life → whether the kernel's watchdogs are petted, or the machine goes
//! off.
//!
//! Knows no device and no clock. Why a machine that hangs is reset and not powered off, and what that leaves, is in
//! `docs/adr/0003-watchdogs-reset.md`.
//!
//! ```text
//!            signs of life                none for LOOP_LIMIT
//!   ┌─────────────────────────┐ ──────────────────────────────▶ ┌────────────────┐
//!   │ watched: pet now and    │                                 │ power off, and │
//!   │ then                    │                                 │ pet no more    │
//!   └─────────────────────────┘                                 └────────────────┘
//! ```

use std::time::Duration;

/// How long the loop may stand still. It never waits longer than half a minute, so this is ten times too long.
pub(crate) const LOOP_LIMIT: Duration = Duration::from_secs(300);
/// Pause between two pettings: well below the shortest time that any hardware waits (iTCO version 1:
/// 39 s).
pub(crate) const PET_EVERY: Duration = Duration::from_secs(10);
/// How long a watchdog waits to be petted, if it can wait that long. A machine that is too busy to pet it
/// for two minutes has stopped.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// A watchdog that cannot wait this long would reset machines that are only busy.
pub(crate) const LEAST_PATIENCE: Duration = Duration::from_secs(20);

/// What makes a watchdog work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A timer of the kernel.
    Software,
    /// A device of the machine.
    Hardware,
}

impl Kind {
    /// Tells by the driver's name: softdog is the only one without hardware.
    pub(crate) fn of(identity: &str) -> Self {
        if identity == "Software Watchdog" { Self::Software } else { Self::Hardware }
    }

    /// What becomes of it when the machine is left. Hardware may outlive the power, and a reset of a machine that
    /// is off may switch it on; a timer of the kernel cannot, and so it watches over the way out too.
    pub(crate) const fn when_leaving(self) -> WhenLeaving {
        match self {
            Self::Software => WhenLeaving::KeepRunning,
            Self::Hardware => WhenLeaving::Disarm,
        }
    }
}

/// What becomes of a watchdog when the machine goes off or boots again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenLeaving {
    /// It is stopped just before.
    Disarm,
    /// It is not petted any more, and resets a machine that does not manage to leave.
    KeepRunning,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    Wait,
    Pet,
    /// Power off: the loop has stopped.
    PowerOff,
}

/// The watch. Times are since the kernel's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vigil {
    last_sign: Duration,
    last_pet: Option<Duration>,
}

impl Vigil {
    /// A watch that begins now, with a loop that is alive.
    pub(crate) const fn new(now: Duration) -> Self {
        Self { last_sign: now, last_pet: None }
    }

    /// The loop has given a sign of life.
    pub(crate) fn sign_of_life(&mut self, now: Duration) {
        self.last_sign = now;
    }

    /// What is to be done.
    pub(crate) fn duty(&mut self, now: Duration) -> Duty {
        if now.saturating_sub(self.last_sign) >= LOOP_LIMIT {
            return Duty::PowerOff;
        }
        if self.last_pet.is_some_and(|last| now.saturating_sub(last) < PET_EVERY) {
            return Duty::Wait;
        }
        self.last_pet = Some(now);
        Duty::Pet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_loop_that_lives_has_the_watchdogs_petted_at_their_pace_and_not_at_its_own() {
        let mut vigil = Vigil::new(at(20));
        let mut pets = Vec::new();
        for second in 20..60 {
            vigil.sign_of_life(at(second));
            match vigil.duty(at(second)) {
                Duty::Pet => pets.push(second),
                Duty::Wait => {}
                Duty::PowerOff => panic!("at {second} s"),
            }
        }
        assert_eq!(pets, [20, 30, 40, 50]);
    }

    #[test]
    fn a_loop_that_waits_as_long_as_it_may_is_alive() {
        let mut vigil = Vigil::new(at(0));
        assert_eq!(vigil.duty(at(299)), Duty::Pet);
        vigil.sign_of_life(at(299));
        assert_eq!(vigil.duty(at(598)), Duty::Pet);
    }

    #[test]
    fn a_loop_that_stands_still_has_the_machine_powered_off_and_nothing_petted_again() {
        let mut vigil = Vigil::new(at(0));
        assert_eq!(vigil.duty(at(300)), Duty::PowerOff);
        assert_eq!(vigil.duty(at(310)), Duty::PowerOff);
    }

    #[test]
    fn only_what_outlives_the_power_is_disarmed() {
        assert_eq!(Kind::of("Software Watchdog").when_leaving(), WhenLeaving::KeepRunning);
        for hardware in ["i6300ESB timer", "iTCO_wdt", "SP5100 TCO timer", ""] {
            assert_eq!(Kind::of(hardware).when_leaving(), WhenLeaving::Disarm, "{hardware}");
        }
    }

    #[test]
    fn a_watchdog_that_is_used_outlasts_two_pettings() {
        assert!(LEAST_PATIENCE >= PET_EVERY * 2 && PATIENCE >= LEAST_PATIENCE);
    }
}
