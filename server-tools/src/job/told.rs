//! How much of what a client, or anybody in its name, says is told to people: the first lines of each kind, and what they have together.
//! The rest is counted, and the count is told before the job's last line. What the job goes by is heard all the same. Pure.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use ghost_contract::bounds;
use ghost_contract::report::Event as Reported;

use super::{Action, Note};

/// What counts as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Reported(Discriminant<Reported>),
    Doing,
    Unknown,
    OtherMachine,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    lines: HashMap<Kind, u64>,
    /// Bytes, about.
    bytes: u64,
    left_out: u64,
    unknown: u64,
}

impl Told {
    /// Leaves out of these actions what is too much to be told, and tells how much that was before the job's last line.
    pub(super) fn bound(&mut self, actions: Vec<Action>) -> Vec<Action> {
        let mut bounded = Vec::with_capacity(actions.len());
        for action in actions {
            if let Action::Tell(note) = &action {
                if !self.is_told(note) {
                    continue;
                }
                if matches!(note, Note::Ended { .. }) {
                    bounded.extend(self.counted());
                }
            }
            bounded.push(action);
        }
        bounded
    }

    fn is_told(&mut self, note: &Note) -> bool {
        let Some(kind) = kind(note) else { return true };
        let lines = self.lines.entry(kind).or_default();
        *lines = lines.saturating_add(1);
        let is_within = *lines <= most(note) && self.bytes <= bounds::TOLD;
        if is_within {
            self.bytes = self.bytes.saturating_add(size(note));
        } else {
            self.left_out += 1;
            self.unknown += u64::from(kind == Kind::Unknown);
        }
        is_within
    }

    fn counted(&self) -> Option<Action> {
        let Self { left_out, unknown, .. } = self;
        let text = format!(
            "{left_out} more lines of what it said were not told, {unknown} of which this ghostctl does not understand"
        );
        (*left_out > 0).then_some(Action::Tell(Note::Warning { text }))
    }
}

/// None of what this program says itself.
fn kind(note: &Note) -> Option<Kind> {
    match note {
        Note::Reported { event } => Some(Kind::Reported(discriminant(event))),
        Note::Doing { .. } => Some(Kind::Doing),
        Note::Muttered { .. } => Some(Kind::Unknown),
        Note::OtherUp { .. } | Note::Stranger { .. } => Some(Kind::OtherMachine),
        _ => None,
    }
}

/// How many lines of its kind are told.
const fn most(note: &Note) -> u64 {
    match note {
        Note::Muttered { .. } | Note::OtherUp { .. } | Note::Stranger { .. } => bounds::TOLD_STRANGE,
        // A sound client says these as long as it works.
        Note::Reported {
            event:
                Reported::Sampled { .. }
                | Reported::Progressed(_)
                | Reported::ScreenshotTaken { .. }
                | Reported::ScreenshotFailed { .. },
        } => u64::MAX,
        _ => bounds::TOLD_OF_A_KIND,
    }
}

/// What it takes where it is told, about: as JSON it has the most.
fn size(note: &Note) -> u64 {
    serde_json::to_vec(note).map_or(0, |json| u64::try_from(json.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Ending;
    use ghost_contract::report::Outcome;

    fn muttered() -> Action {
        Action::Tell(Note::Muttered { line: "not JSON".to_owned() })
    }

    fn taken(name: &str) -> Action {
        let (name, source) = (name.to_owned(), "vga".to_owned());
        let event = Reported::ScreenshotTaken { name, source, passed_over: Vec::new() };
        Action::Tell(Note::Reported { event })
    }

    fn failed() -> Action {
        let outcome = Outcome::Failed { reason: "again".to_owned() };
        Action::Tell(Note::Reported { event: Reported::Ended { outcome } })
    }

    fn ended() -> Action {
        let ending = Ending::Done { outcome: Outcome::Succeeded };
        Action::Tell(Note::Ended { ending, left: None, lacks: None })
    }

    #[test]
    fn the_first_lines_of_each_kind_are_told_and_the_count_of_the_others_before_the_last_line() {
        let mut told = Told::default();
        let said = [vec![muttered(); 250_000], vec![failed(); 5_000], vec![taken("0001-interval"); 5_000]];
        let bounded = told.bound(said.concat());
        let count = |action: &Action| bounded.iter().filter(|one| *one == action).count();
        assert_eq!((count(&muttered()), count(&failed())), (20, 1_000));
        assert_eq!(count(&taken("0001-interval")), 5_000, "a week of a sound client's");
        assert_eq!(told.bound(vec![Action::Wake]), [Action::Wake]);
        let [Action::Tell(Note::Warning { text }), last] = &told.bound(vec![ended()])[..] else {
            panic!("{told:?}")
        };
        assert_eq!(
            text,
            "253980 more lines of what it said were not told, 249980 of which this ghostctl does not understand"
        );
        assert_eq!(*last, ended());
    }

    #[test]
    fn whatever_is_said_again_and_again_what_is_told_has_a_bound_in_all() {
        let mut told = Told::default();
        let long = taken(&"x".repeat(60_000));
        let bounded: usize = (0..5_000).map(|_| told.bound(vec![long.clone()]).len()).sum();
        assert!((1_100..=1_120).contains(&bounded), "64 MiB: {bounded}");
    }

    #[test]
    fn nothing_is_counted_where_all_is_told() {
        assert_eq!(Told::default().bound(vec![muttered(), ended()]), [muttered(), ended()]);
    }
}
