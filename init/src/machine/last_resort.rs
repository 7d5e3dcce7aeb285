//! Powers the machine off when the loop of PID 1 no longer turns.
//!
//! Where that does not help, a hardware watchdog resets the machine: watchdogs are petted here, and only while the loop
//! turns.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use ghost_contract::order::AtEnd;

use crate::failure::Failure;
use crate::sys::console::Console;
use crate::sys::way_out::WayOut;
use crate::sys::{STACK, clock};
use crate::watchdog::{Duty, PET_EVERY, Vigil};

/// Waits for signs of life of the loop.
#[derive(Debug)]
pub(super) struct LastResort {
    signs_of_life: Sender<()>,
}

impl LastResort {
    /// Begins to wait for signs of life.
    pub(super) fn start(way_out: WayOut) -> anyhow::Result<Self> {
        let (signs_of_life, seen) = mpsc::channel();
        let mut vigil = Vigil::new(clock::uptime());
        let watch = move || loop {
            match seen.recv_timeout(PET_EVERY) {
                Ok(()) => vigil.sign_of_life(clock::uptime()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break leave_at_once(&way_out),
            }
            match vigil.duty(clock::uptime()) {
                Duty::Wait => {}
                Duty::Pet => way_out.watchdogs.pet(),
                Duty::PowerOff => break leave_at_once(&way_out),
            }
        };
        thread::Builder::new().name("last resort".to_owned()).stack_size(STACK).spawn(watch)?;
        Ok(Self { signs_of_life })
    }

    pub(super) fn alive(&self) {
        // The receiver ends only to power the machine off; ignore the failed send.
        let _ = self.signs_of_life.send(());
    }
}

fn leave_at_once(way_out: &WayOut) {
    let still_on = way_out.take(AtEnd::PowerOff);
    Console::default().say(&Failure::of(still_on).to_string());
}
