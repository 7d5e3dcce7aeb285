//! The last act: the machine goes off, or boots again. Taking the way out waits for nothing and touches no file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ghost_contract::order::AtEnd;

use super::power;
use super::watchdog::Watchdogs;
use crate::task::PowerSwitch;

/// The way out, shared by all who may have to take it.
#[derive(Debug, Clone, Default)]
pub struct WayOut {
    pub(crate) watchdogs: Watchdogs,
    /// Whether [`WayOut::look`] has seen that the kernel cannot switch the machine off. In the end the files that tell it may be
    /// out of reach.
    is_stuck_on: Arc<AtomicBool>,
}

impl WayOut {
    /// Looks whether the machine can switch itself off. Before this, it counts as one that can.
    pub(crate) fn look(&self) -> PowerSwitch {
        let switch = power::switch();
        self.is_stuck_on.store(switch == PowerSwitch::Missing, Ordering::Release);
        switch
    }

    /// How the machine will be left where this is wanted.
    pub(crate) fn how(&self, wanted: AtEnd) -> AtEnd {
        let is_stuck_on = self.is_stuck_on.load(Ordering::Acquire);
        if is_stuck_on { PowerSwitch::Missing.way_out(wanted) } else { wanted }
    }

    /// Leaves the machine at once. Comes back only with the reason why it is still on.
    pub fn take(&self, wanted: AtEnd) -> anyhow::Error {
        self.watchdogs.release();
        power::leave(self.how(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_goes_off_until_it_is_known_that_it_cannot() {
        let way_out = WayOut::default();
        assert_eq!(way_out.how(AtEnd::PowerOff), AtEnd::PowerOff);
        let switch = way_out.look();
        assert_eq!(way_out.clone().how(AtEnd::PowerOff), switch.way_out(AtEnd::PowerOff));
        way_out.is_stuck_on.store(true, Ordering::Release);
        assert_eq!(way_out.clone().how(AtEnd::PowerOff), AtEnd::Reboot);
    }
}
