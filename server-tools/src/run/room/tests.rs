//! Tables of what jobs move, and how many places that makes.

use super::*;

const MIB: u64 = 1 << 20;

/// Jobs that work at these rates, each for a whole window: what is decided.
struct Store {
    room: Room,
    clock: u64,
    bytes: BTreeMap<usize, u64>,
}

impl Store {
    fn new() -> Self {
        Self { room: Room::new(), clock: 0, bytes: BTreeMap::new() }
    }

    fn look(&mut self, rates: &[(usize, u64)], booting: usize, is_wanted: bool) -> Option<Decision> {
        let (clock, bytes) = (self.clock, &mut self.bytes);
        let moved =
            |(job, _): &(usize, u64)| (*job, Moved { uptime: clock, bytes: *bytes.entry(*job).or_default() });
        let moved = rates.iter().map(moved).collect();
        self.room.decide(Look { moved, running: rates.len() + booting, is_wanted })
    }

    /// The first look at them, then one after a window.
    fn work(&mut self, rates: &[(usize, u64)], booting: usize, is_wanted: bool) -> Option<Decision> {
        assert_eq!(self.look(rates, booting, is_wanted), None, "nothing is measured yet");
        self.clock += WINDOW;
        for (job, rate) in rates {
            *self.bytes.entry(*job).or_default() += rate * MIB * WINDOW / 1_000;
        }
        self.look(rates, booting, is_wanted)
    }

    fn places(&self) -> usize {
        self.room.places.get()
    }
}

/// These jobs, each with the same rate.
fn each(jobs: std::ops::Range<usize>, rate: u64) -> Vec<(usize, u64)> {
    jobs.map(|job| (job, rate)).collect()
}

#[test]
fn a_place_is_added_while_each_job_brings_what_it_moves() {
    let mut store = Store::new();
    for jobs in 8..12 {
        let decided = store.work(&each(0..jobs, 20), 0, true).unwrap();
        assert_eq!(decided.places.get(), jobs + 1);
        let rate = u64::try_from(jobs).unwrap() * 20 * MIB;
        assert_eq!(decided.why, Why::Grows { jobs, rate });
    }
    assert_eq!(
        store.room.decide(Look::default()),
        None,
        "when all have ended there is nothing to compare with"
    );
    assert_eq!(store.places(), 12);
}

#[test]
fn nothing_is_added_before_all_move_where_no_host_waits_or_where_nothing_moves() {
    for (rates, booting, is_wanted) in
        [(each(0..7, 20), 1, true), (each(0..8, 20), 0, false), (each(0..8, 0), 0, true)]
    {
        let mut store = Store::new();
        assert_eq!(store.work(&rates, booting, is_wanted), None, "{rates:?} {booting} {is_wanted}");
        assert_eq!(store.places(), 8);
    }
}

#[test]
fn what_a_new_job_takes_from_the_others_is_no_gain_and_the_number_holds() {
    let mut store = Store::new();
    assert_eq!(store.work(&each(0..8, 18), 0, true).unwrap().places.get(), 9);
    // 144 MiB/s together before and after.
    let held = store.work(&each(0..9, 16), 0, true).unwrap();
    assert_eq!(held.places.get(), 8);
    assert_eq!(held.why, Why::TakenFromOthers { brought: 16 * MIB, lost: 16 * MIB });
    // It stays so, however often it is looked at.
    store.clock += WINDOW;
    assert_eq!(store.look(&each(0..9, 16), 0, true), None);
    assert_eq!(store.places(), 8);
}

#[test]
fn a_slow_client_beside_fast_ones_is_no_sign_of_a_full_store() {
    let mut store = Store::new();
    store.work(&each(0..8, 50), 0, true);
    let with_a_slow_one: Vec<_> = each(0..8, 50).into_iter().chain([(8, 2)]).collect();
    assert_eq!(store.work(&with_a_slow_one, 0, true).unwrap().places.get(), 10);
    // When it ends, it is missed.
    assert_eq!(store.work(&each(0..8, 50), 0, true), None);
    assert_eq!(store.places(), 10);
}

#[test]
fn of_many_that_begin_together_those_in_vain_lose_their_places() {
    let mut store = Store::new();
    assert_eq!(store.work(&each(0..2, 60), 6, true), None);
    // Eight share what two had.
    let decided = store.work(&each(0..8, 15), 0, true).unwrap();
    assert_eq!(decided.places.get(), 2);
}

#[test]
fn where_others_take_up_what_a_job_leaves_its_place_is_not_filled_again() {
    let mut store = Store::new();
    store.work(&each(0..8, 14), 0, false);
    let decided = store.work(&each(0..7, 16), 0, true).unwrap();
    assert_eq!((decided.places.get(), store.places()), (7, 7));
    assert_eq!(decided.why, Why::TakenUp { left: 14 * MIB, taken: 14 * MIB });
    assert!(
        decided.why.to_string().starts_with("the image store is at its limit: a job that moved 14.0 MiB/s")
    );
}

#[test]
fn a_full_store_that_misses_a_job_is_full_no_more() {
    let mut store = Store::new();
    store.work(&each(0..8, 18), 0, true);
    assert_eq!(store.work(&each(0..9, 16), 0, true).unwrap().places.get(), 8);
    assert_eq!(store.work(&each(1..9, 16), 0, true).unwrap().places.get(), 9, "what it moved was lost");
}

#[test]
fn there_are_never_fewer_than_two_places_and_never_more_than_the_bound() {
    let mut store = Store::new();
    for jobs in (1..=8).rev() {
        store.work(&each(0..jobs, 120 / u64::try_from(jobs).unwrap()), 0, true);
    }
    assert_eq!(store.places(), FEWEST);
    let mut store = Store::new();
    for jobs in 8..=MOST.get() {
        store.work(&each(0..jobs, 5), 0, true);
    }
    assert_eq!(store.places(), MOST.get());
}

#[test]
fn a_client_whose_counters_stand_still_or_begin_again_decides_nothing() {
    let mut store = Store::new();
    store.work(&each(0..8, 20), 0, false);
    store.bytes.clear();
    store.clock += WINDOW;
    assert_eq!(store.look(&each(0..8, 20), 0, false), None);
    // One that tells nothing new holds the judgement up.
    let mut moved: BTreeMap<usize, Moved> =
        (0..8).map(|job| (job, Moved { uptime: store.clock + WINDOW, bytes: 1 << 40 })).collect();
    moved.insert(3, Moved { uptime: store.clock, bytes: 0 });
    assert_eq!(store.room.decide(Look { moved, running: 8, is_wanted: true }), None);
}
