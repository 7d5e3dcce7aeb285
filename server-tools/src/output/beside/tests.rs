//! What waits for a reader, what is told where nobody reads, and how often the live lines are drawn.

use std::cell::Cell;

use ghost_contract::{HostName, Mode};

use super::*;
use crate::job::Note;

const fn line(text: String) -> Line {
    Line { text, otherwise: None }
}

#[test]
fn standard_error_is_told_of_the_lines_that_went_unwritten_and_of_no_others() {
    let shared = Shared::default();
    let tell = |text: &str| shared.tell(Line { text: text.to_owned(), otherwise: Some(text.to_owned()) });
    tell("no room for it");
    shared.next(&Terminal).unwrap();
    shared.lock().went_unwritten(1);
    tell("written");
    shared.next(&Terminal).unwrap();
    shared.lock().was_written();
    tell("nobody takes it");
    shared.next(&Terminal).unwrap();
    tell("waits behind it");
    assert_eq!(shared.lock().take_unheard(), ["no room for it", "nobody takes it", "waits behind it"]);
}

#[test]
fn long_lines_that_nobody_takes_do_not_fill_the_memory() {
    let shared = Shared::default();
    (0..100).for_each(|number| shared.tell(line(format!("{number}{}", "x".repeat(1 << 20)))));
    let text = shared.next(&Terminal).unwrap();
    assert!(text.len() <= 5_000_000, "{} bytes", text.len());
    assert!(text.lines().last().unwrap().starts_with("99x"), "the newest stay");
    let largest = "y".repeat(5_000_000);
    [line("before".to_owned()), line(largest.clone())].into_iter().for_each(|line| shared.tell(line));
    assert_eq!(
        shared.next(&Terminal).unwrap().lines().last(),
        Some(largest.as_str()),
        "a line alone is whole"
    );
}

#[test]
fn the_oldest_lines_go_when_nobody_takes_them_and_it_is_said_how_many() {
    let shared = Shared::default();
    (0..LINES_KEPT + 3).for_each(|number| shared.tell(line(number.to_string())));
    let text = shared.next(&Terminal).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("(3 lines were left out here, because nothing took them for a while)"));
    assert_eq!(lines.next(), Some("3"));
    assert_eq!(lines.count(), LINES_KEPT - 1);
    shared.lock().over = true;
    assert_eq!(shared.next(&Terminal), None);
}
/// A screen of 24 rows with a clock of its own, on which something happens to each of 60 hosts every millisecond.
struct Busy(Cell<Duration>);

impl Busy {
    fn tick(&self, state: &mut State) {
        self.0.set(self.0.get() + Duration::from_millis(1));
        let live = state.live.as_mut().unwrap();
        hosts().iter().for_each(|host| live.hear(host, &Note::Waking));
        state.live_changed = true;
    }
}

impl Screen for Busy {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait<'a>(
        &self,
        _: &'a Shared,
        mut state: MutexGuard<'a, State>,
        _: Duration,
    ) -> MutexGuard<'a, State> {
        self.tick(&mut state);
        state
    }

    fn size(&self) -> (usize, usize) {
        (24, 80)
    }
}

fn hosts() -> Vec<HostName> {
    (0..60).map(|number| format!("pc{number}").parse().unwrap()).collect()
}

#[test]
fn live_lines_fit_the_terminal_and_are_drawn_ten_times_a_second_however_much_happens() {
    let (shared, screen) = (Shared::default(), Busy(Cell::default()));
    shared.lock().live = Some(LiveLines::default());
    hosts().iter().for_each(|host| shared.lock().live.as_mut().unwrap().add(host, Mode::Test, None));
    let mut drawn = 0;
    while screen.now() < Duration::from_secs(10) {
        screen.tick(&mut shared.lock());
        let text = shared.next(&screen).unwrap();
        drawn += 1;
        assert!(text.lines().count() <= 24 && text.contains("and 39 more\n"), "{text}");
    }
    assert!((90..=101).contains(&drawn), "{drawn} times");
}
