//! The last resort: when the loop of PID 1 stops turning, the machine is powered off all the same.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use ghost_contract::order::AtEnd;

use crate::failure::Failure;
use crate::sys::console::Console;
use crate::sys::power;

/// How long the loop may stand still. It never waits longer than half a minute, so this is ten times too long.
const LIMIT: Duration = Duration::from_secs(300);

/// Waits for signs of life of the loop.
#[derive(Debug)]
pub(super) struct LastResort {
    signs_of_life: Sender<()>,
}

impl LastResort {
    /// Begins to wait for signs of life.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start() -> Result<Self, Failure> {
        let (signs_of_life, seen) = mpsc::channel();
        let watch = move || {
            while seen.recv_timeout(LIMIT).is_ok() {}
            let still_on = power::leave(AtEnd::PowerOff);
            Console::default().say(&Failure::from(still_on).to_string());
        };
        thread::Builder::new().name("last resort".to_owned()).spawn(watch)?;
        Ok(Self { signs_of_life })
    }

    /// The loop turns.
    pub(super) fn alive(&self) {
        // The other side ends by powering the machine off.
        let _ = self.signs_of_life.send(());
    }
}
