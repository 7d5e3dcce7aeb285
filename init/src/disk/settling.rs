//! Waits until all disks of the machine have appeared.
//!
//! Drivers show their disks one after the other, and the first to appear need not be the one in the first place. To
//! restore to the wrong disk is the worst that can happen.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::anyhow;
use ghost_contract::DiskChoice;

use super::{BlockDevice, RaidController, choose, in_words};

/// How long the same disks must have been the chosen ones. Disks of one machine show themselves within a second of
/// each other; one that spins up takes longer and holds up its whole controller.
const SETTLED: Duration = Duration::from_secs(3);
/// How long after the last driver was loaded a disk may show itself: adapters that start their disks one after the other,
/// so that not all draw their current at once, take a minute and more.
const SPIN_UP: Duration = Duration::from_secs(90);
/// When the wait is over, however many drivers are still being loaded. What is there by then is what there is.
const LAST_LOOK: Duration = Duration::from_secs(120);

/// The wait until it is certain which disks are meant.
#[derive(Debug)]
pub(crate) struct Settling {
    choice: DiskChoice,
    writes: Writes,
    /// The chosen ones so far, and since when they have been so.
    candidates: Option<(Vec<BlockDevice>, Duration)>,
    /// All that have been chosen at some time.
    seen: BTreeSet<String>,
    /// How many drivers were loaded, and when one was loaded last.
    drivers: (usize, Duration),
    /// What may still bring disks besides the drivers that are there, in words, and when there was something like it last.
    awaited: (Option<String>, Duration),
}

/// Whether the job may write to the disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Yes,
    No,
}

impl Settling {
    /// Begins to wait for these.
    pub(crate) const fn new(choice: DiskChoice, writes: Writes) -> Self {
        let (drivers, awaited) = ((0, Duration::ZERO), (None, Duration::ZERO));
        Self { choice, writes, candidates: None, seen: BTreeSet::new(), drivers, awaited }
    }

    /// Takes note of how many drivers are loaded.
    pub(crate) fn note_drivers(&mut self, loaded: usize, now: Duration) {
        if loaded > self.drivers.0 {
            self.drivers = (loaded, now);
        }
    }

    /// Takes note of what may still bring disks, such as a driver that is being loaded.
    pub(crate) fn note_awaited(&mut self, awaited: Option<String>, now: Duration) {
        let since = if awaited.is_none() { self.awaited.1 } else { now };
        self.awaited = (awaited, since);
    }

    /// Whether a disk that is not there yet could be the one that this job would overwrite. A serial number is that of one disk.
    const fn is_risky(&self) -> bool {
        let is_certain = matches!(self.choice, DiskChoice::Serial(_));
        self.awaited.0.is_some() && matches!(self.writes, Writes::Yes) && !is_certain
    }

    /// Whether to stop waiting for disks. A disk that is there now still gets the time to settle.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        let last_driver = self.drivers.1.max(self.awaited.1);
        match self.candidates {
            None => now >= LAST_LOOK || now.saturating_sub(last_driver) >= SPIN_UP,
            Some(_) => now >= LAST_LOOK.saturating_add(SETTLED * 2),
        }
    }

    /// Why the wait is over, for a person who has to do something about it.
    pub(crate) fn why(
        &self,
        devices: &[BlockDevice],
        raid: &[RaidController],
        now: Duration,
    ) -> anyhow::Error {
        let awaited = self.awaited.0.as_ref().map(|awaited| format!("; {awaited}")).unwrap_or_default();
        let waited = format!("looked for {} s{awaited}", now.as_secs());
        if self.candidates.is_some() && self.is_risky() {
            return anyhow!(
                "cannot tell whether another disk is {} ({waited}); name the disk by its serial number, or see to that device",
                self.choice
            );
        }
        if !self.seen.is_empty() {
            let seen: Vec<&str> = self.seen.iter().map(String::as_str).collect();
            let there = in_words(devices);
            return anyhow!(
                "cannot tell which disk is {}: disks come and go ({waited}, saw {}, and now there is {there}); check cables \
                 and the power supply",
                self.choice,
                seen.join(", ")
            );
        }
        match (choose(devices, &self.choice), raid) {
            (Ok(_), _) => anyhow!(
                "the disk {} appeared only at the last look ({waited}); start the job again",
                self.choice
            ),
            (Err(error), []) => anyhow!("{error} ({waited})"),
            (Err(error), [controller, ..]) => anyhow!("{error} ({waited}); {controller}"),
        }
    }

    /// Takes a look at what is there; gives the disks once they have been the same for [`SETTLED`].
    pub(crate) fn observe(&mut self, devices: &[BlockDevice], now: Duration) -> Option<Vec<BlockDevice>> {
        let Ok(found) = choose(devices, &self.choice) else {
            self.candidates = None;
            return None;
        };
        let found: Vec<BlockDevice> = found.into_iter().cloned().collect();
        self.seen.extend(found.iter().map(|disk| disk.name.clone()));
        match &self.candidates {
            Some((same, since)) if *same == found => {
                // A driver that is not there yet may bring a disk that comes before these.
                let is_over = now >= LAST_LOOK && !self.is_risky();
                let since = if is_over { *since } else { self.awaited.1.max(*since) };
                (now.saturating_sub(since) >= SETTLED).then_some(found)
            }
            _ => {
                self.candidates = Some((found, now));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SDA, SDB, device};
    use super::*;

    #[test]
    fn a_disk_that_shows_itself_late_can_still_be_the_first() {
        let (early, late) = ([device(SDB)], [device(SDB), device(SDA)]);
        let mut settling = Settling::new(DiskChoice::First, Writes::No);
        assert_eq!(settling.observe(&[], Duration::ZERO), None);
        assert_eq!(settling.observe(&early, Duration::from_secs(1)), None);
        assert_eq!(settling.observe(&early, Duration::from_secs(3)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(4)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(6)), None);
        assert_eq!(settling.observe(&late, Duration::from_secs(7)).unwrap()[0].name, "sda");
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_disk_may_come_a_minute_and_a_half_after_the_last_driver() {
        let mut settling = Settling::new(DiskChoice::First, Writes::No);
        settling.note_drivers(10, at(1));
        settling.note_drivers(11, at(12));
        settling.note_drivers(11, at(60));
        for now in [17, 20, 60, 101] {
            assert_eq!(settling.observe(&[], at(now)), None);
            assert!(!settling.is_over(at(now)), "at {now} s");
        }
        let disks = [device(SDA)];
        assert_eq!(settling.observe(&disks, at(101)), None);
        assert!(!settling.is_over(at(103)), "it has the time to settle");
        assert_eq!(settling.observe(&disks, at(104)).unwrap(), disks);
    }

    #[test]
    fn a_steady_disk_is_found_however_seldom_it_can_be_looked_at() {
        let mut settling = Settling::new(DiskChoice::First, Writes::No);
        let disks = [device(SDA)];
        settling.note_drivers(10, at(40));
        assert_eq!(settling.observe(&disks, at(40)), None);
        assert!(!settling.is_over(at(40)));
        assert_eq!(settling.observe(&disks, at(80)).unwrap(), disks);
    }

    fn awaited(driver: &str) -> Option<String> {
        Some(format!("the driver {driver} is still being loaded"))
    }

    #[test]
    fn a_disk_that_may_not_be_the_one_that_is_meant_is_not_written_to() {
        let disks = [device(SDB)];
        let mut settling = Settling::new(DiskChoice::First, Writes::Yes);
        for now in 0..126 {
            settling.note_awaited(awaited("ahci"), at(now));
            assert_eq!(settling.observe(&disks, at(now)), None, "at {now} s");
            assert!(!settling.is_over(at(now)), "at {now} s");
        }
        assert!(settling.is_over(at(126)));
        assert_eq!(
            settling.why(&disks, &[], at(126)).to_string(),
            "cannot tell whether another disk is first (looked for 126 s; the driver ahci is still being loaded); name the disk by \
             its serial number, or see to that device"
        );

        let named = BlockDevice { serial: Some("S1".to_owned()), ..device(SDB) };
        let mut settling = Settling::new(DiskChoice::Serial("S1".to_owned()), Writes::Yes);
        settling.note_awaited(awaited("ahci"), at(117));
        assert_eq!(settling.observe(std::slice::from_ref(&named), at(117)), None);
        settling.note_awaited(awaited("ahci"), at(120));
        assert_eq!(settling.observe(std::slice::from_ref(&named), at(120)), Some(vec![named]));
    }

    #[test]
    fn while_a_driver_may_bring_another_disk_none_is_chosen_until_the_last_look() {
        let disks = [device(SDB)];
        let mut settling = Settling::new(DiskChoice::First, Writes::No);
        for now in 0..120 {
            settling.note_awaited(awaited("ahci"), at(now));
            assert_eq!(settling.observe(&disks, at(now)), None, "at {now} s");
            assert!(!settling.is_over(at(now)), "at {now} s");
        }
        assert_eq!(settling.observe(&disks, at(120)).unwrap(), disks);

        let mut ends = Settling::new(DiskChoice::First, Writes::No);
        for now in [0, 30, 60] {
            ends.note_awaited(awaited("ahci"), at(now));
            assert_eq!(ends.observe(&disks, at(now)), None);
        }
        ends.note_awaited(None, at(61));
        let both = [device(SDB), device(SDA)];
        assert_eq!(ends.observe(&both, at(61)), None, "it has brought the first one");
        assert_eq!(ends.observe(&both, at(64)).unwrap()[0].name, "sda");
    }

    #[test]
    fn a_driver_that_is_still_being_loaded_is_named_where_there_is_no_disk() {
        let mut settling = Settling::new(DiskChoice::First, Writes::No);
        settling.note_drivers(10, at(1));
        settling.note_awaited(awaited("megaraid_sas"), at(100));
        assert_eq!(settling.observe(&[], at(100)), None);
        assert!(!settling.is_over(at(100)), "it may still bring one");
        settling.note_awaited(awaited("megaraid_sas"), at(120));
        assert!(settling.is_over(at(120)));
        assert_eq!(
            settling.why(&[], &[], at(120)).to_string(),
            "this machine has no built-in disk; what it has: nothing (looked for 120 s; the driver megaraid_sas is still being \
             loaded)"
        );
    }

    #[test]
    fn when_the_wait_is_over_what_is_said_is_true() {
        let mut nothing = Settling::new(DiskChoice::First, Writes::No);
        nothing.note_drivers(10, at(5));
        assert_eq!(nothing.observe(&[], at(95)), None);
        assert!(nothing.is_over(at(95)));
        assert_eq!(
            nothing.why(&[], &[], at(95)).to_string(),
            "this machine has no built-in disk; what it has: nothing (looked for 95 s)"
        );
        let raid = [RaidController { id: "8086:a282".to_owned(), remapped: 0 }];
        assert_eq!(
            nothing.why(&[], &raid, at(95)).to_string(),
            "this machine has no built-in disk; what it has: nothing (looked for 95 s); disks may be hidden behind its \
             RAID controller 8086:a282: switch SATA or NVMe from RAID (RST, VMD, Optane) to AHCI in the firmware's setup"
        );

        let mut comes_and_goes = Settling::new(DiskChoice::First, Writes::No);
        for now in 0..=121 {
            let there = [device(SDA)];
            let devices = if now % 3 == 0 { &there[..] } else { &[] };
            comes_and_goes.note_drivers(10, at(0));
            assert_eq!(comes_and_goes.observe(devices, at(now)), None);
        }
        assert!(comes_and_goes.is_over(at(121)));
        let why = comes_and_goes.why(&[], &raid, at(121)).to_string();
        assert!(
            why.contains("disks come and go (looked for 121 s, saw sda, and now there is nothing)"),
            "{why}"
        );
    }

    #[test]
    fn a_disk_that_goes_has_to_settle_anew() {
        let disks = [device(SDA)];
        let mut settling = Settling::new(DiskChoice::First, Writes::No);
        assert_eq!(settling.observe(&disks, Duration::ZERO), None);
        assert_eq!(settling.observe(&[], Duration::from_secs(2)), None);
        assert_eq!(settling.observe(&disks, Duration::from_secs(4)), None);
        assert!(settling.observe(&disks, Duration::from_secs(7)).is_some());
    }
}
