//! One check against what is heard, and two PCs that check the same address.

use super::*;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);

fn mac(last: u8) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0, 0, 0, last])
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn says(ip: Ipv4Addr, mac_of: u8) -> Answer {
    Answer { ip, mac: mac(mac_of) }
}

fn check() -> AddressCheck {
    AddressCheck::new(mac(2), OURS, SERVER, ms(1000))
}

/// When it asks, milliseconds after it began, if nothing is heard but the server at this time.
fn rounds(server_at: Option<u64>) -> Vec<u64> {
    let mut check = check();
    let mut rounds = Vec::new();
    for after in 0.. {
        let now = ms(1000 + after);
        if check.verdict(now) != Verdict::NotYet {
            break;
        }
        if server_at == Some(after) {
            check.hear(says(SERVER, 1), now);
        }
        if check.due(now) {
            rounds.push(after);
        }
        assert!(check.due(now) || check.pause(now) > Duration::ZERO, "it would not wait at {after} ms");
    }
    rounds
}

#[test]
fn an_address_is_free_once_the_server_has_answered_and_nobody_else() {
    let mut free = check();
    assert_eq!(free.verdict(ms(1000)), Verdict::NotYet);
    free.hear(says(OURS, 2), ms(1001));
    free.hear(says(SERVER, 1), ms(1100));
    free.hear(says(SERVER, 1), ms(1390));
    assert_eq!(free.verdict(ms(1399)), Verdict::NotYet, "another one may still answer");
    assert_eq!(free.verdict(ms(1400)), Verdict::Free);

    let mut taken = check();
    taken.hear(says(SERVER, 1), ms(1100));
    taken.hear(says(OURS, 9), ms(1200));
    assert_eq!(taken.verdict(ms(1400)), Verdict::Taken(mac(9)));
}

#[test]
fn an_address_is_not_free_while_nobody_hears_the_question() {
    let mut alone = check();
    alone.hear(says(Ipv4Addr::new(192, 168, 7, 3), 3), ms(1100));
    assert_eq!(alone.verdict(ms(3999)), Verdict::NotYet);
    assert_eq!(alone.verdict(ms(4000)), Verdict::Unheard);
}

#[test]
fn an_address_that_another_machine_is_about_to_take_is_not_free() {
    let mut contested = check();
    contested.hear_probe(says(OURS, 2));
    contested.hear_probe(says(SERVER, 9));
    contested.hear(says(SERVER, 1), ms(1100));
    assert_eq!(contested.verdict(ms(1400)), Verdict::Free, "own probes, and those for others, mean nothing");
    contested.hear_probe(says(OURS, 9));
    assert_eq!(contested.verdict(ms(1399)), Verdict::NotYet, "it may be another machine's");
    assert_eq!(contested.verdict(ms(1400)), Verdict::Contested(mac(9)));
    contested.hear(says(OURS, 9), ms(1400));
    assert_eq!(contested.verdict(ms(1400)), Verdict::Taken(mac(9)));
}

#[test]
fn what_others_say_does_not_make_it_ask_sooner() {
    let mut check = check();
    let mut asked = 0;
    for frame in 0..1000 {
        let now = ms(1000) + Duration::from_micros(frame * 199);
        asked += usize::from(check.due(now));
        check.hear(says(Ipv4Addr::new(192, 168, 7, 3), 3), now);
        check.hear(says(SERVER, 1), now);
    }
    assert_eq!(asked, 1);
}

#[test]
fn it_asks_a_few_times_and_then_slowly() {
    assert_eq!(rounds(None), [0, 200, 400, 1400, 2400]);
    assert_eq!(rounds(Some(1)), [0, 200]);
}

#[test]
fn a_server_that_is_heard_late_is_followed_by_a_question_that_others_can_hear() {
    assert_eq!(rounds(Some(1500)), [0, 200, 400, 1400, 1700]);
}

/// A PC that was given the address, as another one was.
struct Pc {
    mac: u8,
    /// None during a pause.
    check: Option<AddressCheck>,
    next: Duration,
    random: u64,
    /// Once it is over: whether the address is its own.
    has_it: Option<bool>,
}

impl Pc {
    fn new(own: u8, begins: Duration, seed: u64) -> Self {
        Self { mac: own, check: None, next: begins, random: seed, has_it: None }
    }

    /// Does what is due, on a wire with the server and the other PC.
    fn turn(&mut self, other: &mut Self, pause: fn(u64) -> Duration, now: Duration) {
        if self.has_it.is_some() || now < self.next {
            return;
        }
        let check = self.check.get_or_insert_with(|| AddressCheck::new(mac(self.mac), OURS, SERVER, now));
        if check.due(now) {
            check.hear(says(SERVER, 1), now);
            if other.has_it == Some(true) {
                check.hear(says(OURS, other.mac), now);
            }
            if let Some(others) = &mut other.check {
                others.hear_probe(says(OURS, self.mac));
            }
        }
        match check.verdict(now) {
            Verdict::Free => self.has_it = Some(true),
            Verdict::Taken(_) => self.has_it = Some(false),
            Verdict::Contested(_) => {
                // Knuth's generator (MMIX), of which the upper bits are the random ones.
                self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                self.next = now.saturating_add(pause(self.random >> 16));
                self.check = None;
            }
            Verdict::NotYet | Verdict::Unheard => {}
        }
    }
}

/// Whether two PCs have the address when 90 s are over, of which the second one begins so many milliseconds later.
fn raced(later: u64, seed: u64, pause: fn(u64) -> Duration) -> [Option<bool>; 2] {
    let (mut one, mut other) = (Pc::new(2, ms(0), seed), Pc::new(9, ms(later), seed + 1));
    for now in (0..90_000).step_by(5).map(ms) {
        one.turn(&mut other, pause, now);
        other.turn(&mut one, pause, now);
    }
    [one.has_it, other.has_it]
}

#[test]
fn of_two_machines_that_check_in_phase_one_gets_the_address() {
    assert_eq!(raced(0, 1, |_| ms(300)), [None, None], "with equal pauses they contest it for ever");
    for seed in 0..200 {
        let later = seed * 7 % 700;
        let mut raced = raced(later, seed, pause);
        raced.sort();
        assert_eq!(raced, [Some(false), Some(true)], "seed {seed}, {later} ms later");
    }
}

#[test]
fn a_pause_is_between_the_shortest_and_the_longest() {
    for random in [0, 1, 12_345_678_901, u64::MAX] {
        assert!((SHORTEST_PAUSE..LONGEST_PAUSE).contains(&pause(random)), "{random}");
    }
}
