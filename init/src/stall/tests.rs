//! Time is invented: a table of readings, and the verdict after each.

use super::*;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn watch() -> Watch {
    Watch {
        minimum_rate: 1000,
        window: seconds(300),
        grace: seconds(60),
        sample_every: seconds(10),
        screenshot_every: seconds(60),
        screenshots_kept: 10,
    }
}

/// A job whose counters can be moved by hand.
struct Job {
    watch: StallWatch,
    at: Duration,
    counters: Counters,
}

impl Job {
    fn new(mode: Mode) -> Self {
        Self::starting_at(mode, Counters::default())
    }

    fn starting_at(mode: Mode, counters: Counters) -> Self {
        Self { watch: StallWatch::new(mode, &watch(), counters), at: Duration::ZERO, counters }
    }

    /// The next reading, so many seconds later, after the counters were moved.
    fn after(&mut self, gap: u64, change: impl FnOnce(&mut Counters)) -> Verdict {
        self.at += seconds(gap);
        change(&mut self.counters);
        self.watch.observe(Sample { at: self.at, counters: self.counters }, 0)
    }

    /// Readings every ten seconds until the time since the start, without any movement.
    fn quiet_until(&mut self, until: u64) -> Verdict {
        self.repeat_until(until, |_| ())
    }

    fn repeat_until(&mut self, until: u64, change: impl Fn(&mut Counters)) -> Verdict {
        let mut verdict = Verdict::Live;
        while self.at < seconds(until) {
            verdict = self.after(10, &change);
        }
        verdict
    }
}

#[test]
fn a_backup_and_a_restore_live_as_long_as_either_side_moves() {
    for mode in [Mode::Backup, Mode::Restore] {
        for change in [
            |counters: &mut Counters| counters.disk_read += MIB,
            |counters: &mut Counters| counters.disk_written += MIB,
            |counters: &mut Counters| counters.received += MIB,
            |counters: &mut Counters| counters.sent += MIB,
        ] {
            assert_eq!(Job::new(mode).repeat_until(3600, change), Verdict::Live);
        }
    }
}

#[test]
fn a_verify_needs_the_network_and_not_the_disk() {
    let mut job = Job::new(Mode::Verify);
    assert_eq!(job.repeat_until(3600, |counters| counters.received += MIB), Verdict::Live);
    let mut job = Job::new(Mode::Verify);
    let verdict = job.repeat_until(3600, |counters| counters.disk_read += MIB);
    assert!(matches!(verdict, Verdict::Stalled { .. }), "{verdict:?}");
}

#[test]
fn test_and_ghost_are_never_stalled() {
    for mode in [Mode::Test, Mode::Ghost] {
        assert_eq!(Job::new(mode).quiet_until(100_000), Verdict::Live);
    }
}

#[test]
fn nothing_moving_is_idle_first_and_stalled_after_the_window() {
    let mut job = Job::new(Mode::Backup);
    job.repeat_until(100, |counters| counters.sent += MIB);
    assert_eq!(job.after(10, |_| ()), Verdict::Idle { since: seconds(100) });
    assert_eq!(job.quiet_until(390), Verdict::Idle { since: seconds(100) });
    assert_eq!(job.after(10, |_| ()), Verdict::Stalled { idle: seconds(300) });
    assert_eq!(job.after(10, |_| ()), Verdict::Stalled { idle: seconds(310) });
}

#[test]
fn a_program_that_only_burns_cpu_is_stalled() {
    // The emulator works at 100 % and no counter changes but for the keep-alives of NFS.
    let mut job = Job::new(Mode::Restore);
    let verdict = job.repeat_until(360, |counters| {
        counters.received += 300;
        counters.sent += 300;
    });
    assert_eq!(verdict, Verdict::Stalled { idle: seconds(310) });
}

#[test]
fn movement_ends_idleness_and_the_window_starts_anew() {
    let mut job = Job::new(Mode::Backup);
    assert_eq!(job.quiet_until(340), Verdict::Idle { since: seconds(50) });
    assert_eq!(job.after(10, |counters| counters.disk_read += MIB), Verdict::Live);
    assert_eq!(job.quiet_until(640), Verdict::Idle { since: seconds(350) });
}

#[test]
fn nothing_needs_to_move_in_the_grace() {
    let mut job = Job::new(Mode::Backup);
    assert_eq!(job.quiet_until(50), Verdict::Live);
    assert_eq!(job.after(10, |_| ()), Verdict::Idle { since: seconds(50) });
}

#[test]
fn the_threshold_is_met_by_exactly_the_minimum_rate() {
    let mut job = Job::new(Mode::Backup);
    job.quiet_until(60);
    assert_eq!(job.after(10, |counters| counters.disk_read += 10_000), Verdict::Live);
    let verdict = job.after(10, |counters| counters.disk_read += 9_999);
    assert_eq!(verdict, Verdict::Idle { since: seconds(70) });
}

#[test]
fn disk_and_network_are_not_added_up_to_reach_the_threshold() {
    let mut job = Job::new(Mode::Backup);
    job.quiet_until(60);
    let verdict = job.after(10, |counters| {
        counters.disk_read += 6_000;
        counters.sent += 6_000;
    });
    assert!(matches!(verdict, Verdict::Idle { .. }));
}

#[test]
fn a_threshold_of_nothing_still_asks_for_one_byte() {
    let still = StallWatch::new(Mode::Backup, &Watch { minimum_rate: 0, ..watch() }, Counters::default());
    let at = seconds(100);
    assert!(matches!(
        still.clone().observe(Sample { at, counters: Counters::default() }, 0),
        Verdict::Idle { .. }
    ));
    let counters = Counters { sent: 1, ..Counters::default() };
    assert_eq!(still.clone().observe(Sample { at, counters }, 0), Verdict::Live);
}

#[test]
fn a_counter_that_wraps_goes_on() {
    for (before, after, moved) in [
        (u64::from(u32::MAX) - 99, 900, 1_000),
        (u64::MAX - 99, 900, 1_000),
        (u64::from(u32::MAX), u64::from(u32::MAX) + 1_000, 1_000),
        (u64::from(u32::MAX), 0, 1),
    ] {
        assert_eq!(growth(before, after), moved, "{before} to {after}");
    }
    let mut job =
        Job::starting_at(Mode::Backup, Counters { sent: u64::from(u32::MAX) - 50, ..Counters::default() });
    assert_eq!(job.after(100, |counters| counters.sent = 50_000), Verdict::Live);
    assert_eq!(job.watch.moved().sent, 50_051);
}

#[test]
fn a_reset_interface_counts_from_zero_and_not_from_the_end_of_the_counter() {
    for (before, after) in [(5_000, 0), (5_000, 200), (1_000 * MIB, 70), (70_000 * MIB, 1_000)] {
        assert_eq!(growth(before, after), after, "{before} to {after}");
    }
    let mut job = Job::starting_at(Mode::Verify, Counters { received: 900 * MIB, ..Counters::default() });
    job.quiet_until(60);
    let verdict = job.after(10, |counters| counters.received = 0);
    assert_eq!((verdict, job.watch.moved().received), (Verdict::Idle { since: seconds(50) }, 0));
}

#[test]
fn a_suspended_machine_was_not_idle_all_that_time() {
    let mut job = Job::new(Mode::Backup);
    job.repeat_until(100, |counters| counters.sent += MIB);
    // An hour passes between two readings: it counts as three intervals.
    assert_eq!(job.after(3600, |_| ()), Verdict::Idle { since: seconds(100) });
    assert_eq!(job.after(10, |_| ()), Verdict::Idle { since: seconds(100) });
    for _ in 0..25 {
        assert!(matches!(job.after(10, |_| ()), Verdict::Idle { .. }));
    }
    assert_eq!(job.after(10, |_| ()), Verdict::Stalled { idle: seconds(300) });
}

#[test]
fn what_moved_before_a_suspension_is_not_thinned_by_it() {
    let mut job = Job::new(Mode::Backup);
    job.quiet_until(100);
    assert_eq!(job.after(3600, |counters| counters.sent += 100_000), Verdict::Live);
}

#[test]
fn a_clock_that_goes_back_is_no_idleness() {
    let mut job = Job::new(Mode::Backup);
    job.repeat_until(100, |counters| counters.sent += MIB);
    let counters = job.counters;
    assert_eq!(job.watch.observe(Sample { at: seconds(90), counters }, 0), Verdict::Live);
}

#[test]
fn the_sum_of_what_moved_is_kept_per_counter() {
    let mut job = Job::starting_at(
        Mode::Backup,
        Counters { disk_read: 7 * MIB, disk_written: 1, received: 2, sent: 3 },
    );
    job.after(10, |counters| counters.disk_read += MIB);
    job.after(10, |counters| {
        counters.sent += 500;
        counters.received += 20;
    });
    let moved = Counters { disk_read: MIB, disk_written: 0, received: 20, sent: 500 };
    assert_eq!(job.watch.moved(), moved);
}

proptest! {
    #[test]
    fn a_stall_is_never_called_before_the_window_and_the_grace_are_over(
        steps in proptest::collection::vec((0..5_000_u64, 0..40_000_u64), 1..80)
    ) {
        let mut job = Job::new(Mode::Backup);
        let mut counted = Duration::ZERO;
        for (gap, bytes) in steps {
            counted += seconds(gap.min(30));
            let verdict = job.after(gap, |counters| counters.sent += bytes);
            if let Verdict::Stalled { idle } = verdict {
                prop_assert!(idle >= seconds(300) && idle <= counted);
            }
        }
    }
}

#[test]
fn what_this_program_sends_itself_is_no_movement() {
    let sent_each_time = 40_000;
    let mut job = Job::new(Mode::Backup);
    job.quiet_until(60);
    let mut verdict = Verdict::Live;
    while job.at < seconds(400) {
        job.at += seconds(10);
        job.counters.sent += sent_each_time;
        verdict = job.watch.observe(Sample { at: job.at, counters: job.counters }, sent_each_time);
    }
    assert!(matches!(verdict, Verdict::Stalled { .. }), "{verdict:?}");

    // What goes beyond it is.
    job.at += seconds(10);
    job.counters.sent += sent_each_time + 10_000;
    let sample = Sample { at: job.at, counters: job.counters };
    assert_eq!(job.watch.observe(sample, sent_each_time), Verdict::Live);
}
