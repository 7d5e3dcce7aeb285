//! Which screenshots are kept: the first, the latest so many, and all that belong to an event.
//!
//! A job may take a day with a screenshot a minute; what is on the image store must not grow with that. Names
//! come in and names of what is to be removed go out; nothing is removed here.

use std::collections::VecDeque;

/// Why a screenshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    Interval,
    /// Something happened: a key, a stall, the end. There are few of these.
    Event,
}

/// The screenshots of one job.
#[derive(Debug, Clone)]
pub(crate) struct History {
    kept: usize,
    has_first: bool,
    latest: VecDeque<String>,
}

impl History {
    /// Keeps that many of the latest; the very last one is kept in any case.
    pub(crate) fn new(kept: u32) -> Self {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX).max(1);
        Self { kept, has_first: false, latest: VecDeque::new() }
    }

    /// Notes a new screenshot; returns the one to remove now, if any.
    pub(crate) fn add(&mut self, name: String, occasion: Occasion) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.has_first, true);
        if is_first || occasion == Occasion::Event {
            return None;
        }
        self.latest.push_back(name);
        if self.latest.len() > self.kept { self.latest.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of screenshots named by their number, `e` for those of an event.
    fn left(kept: u32, taken: &[&str]) -> Vec<String> {
        let mut history = History::new(kept);
        let mut left: Vec<String> = Vec::new();
        for name in taken {
            let occasion = if name.ends_with('e') { Occasion::Event } else { Occasion::Interval };
            left.push((*name).to_owned());
            if let Some(removed) = history.add((*name).to_owned(), occasion) {
                left.retain(|name| *name != removed);
            }
        }
        left
    }

    #[test]
    fn the_first_and_the_latest_stay() {
        assert_eq!(left(2, &["1", "2", "3", "4", "5"]), ["1", "4", "5"]);
        assert_eq!(left(9, &["1", "2", "3"]), ["1", "2", "3"]);
    }

    #[test]
    fn those_of_events_stay_and_take_nobodys_place() {
        assert_eq!(left(1, &["1", "2", "3e", "4", "5e", "6"]), ["1", "3e", "5e", "6"]);
        assert_eq!(left(1, &["1e", "2", "3"]), ["1e", "3"]);
    }

    #[test]
    fn the_very_last_one_is_kept_in_any_case() {
        assert_eq!(left(0, &["1", "2", "3"]), ["1", "3"]);
    }
}
