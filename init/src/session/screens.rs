//! The screenshots of a running imager: when they are due, their names, and which are kept.
//!
//! Does not take any.

use std::time::Duration;

use ghost_contract::order::Watch;
use ghost_contract::report::Event as Report;

use crate::failure::Failure;
use crate::screen::history::{History, Occasion};
use crate::screen::source::SourceNews;
use crate::task::Task;

/// The screenshots of one imager.
#[derive(Debug)]
pub(super) struct Screens {
    every: Duration,
    next: Duration,
    taken: u32,
    missed: u32,
    history: History,
    sources: SourceNews,
    /// The server's last request that has been heard.
    answered: Option<String>,
}

impl Screens {
    /// The first one is due at once.
    pub(super) fn new(settings: &Watch, now: Duration) -> Self {
        Self {
            every: settings.screenshot_every,
            next: now,
            taken: 0,
            missed: 0,
            history: History::new(settings.screenshots_kept),
            sources: SourceNews::default(),
            answered: None,
        }
    }

    /// The next one. Its name sorts by time and says what it was taken for.
    pub(super) fn capture(&mut self, what_for: &str) -> Task {
        self.taken += 1;
        Task::Capture { name: format!("{:04}-{what_for}", self.taken) }
    }

    /// Whether it is time for one again.
    pub(super) fn are_due(&mut self, now: Duration) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now.saturating_add(self.every);
        }
        due
    }

    /// Whether this request has not been heard before.
    pub(super) fn is_new(&mut self, request: String) -> bool {
        let request = Some(request);
        let is_new = self.answered != request;
        self.answered = request;
        is_new
    }

    /// Notes that one was taken. Returns what to report, and which older one to remove, if any.
    pub(super) fn took(
        &mut self,
        name: String,
        source: String,
        passed_over: Vec<String>,
        occasion: Occasion,
    ) -> (Report, Option<String>) {
        let passed_over = self.sources.news(&source, passed_over);
        let removed = self.history.add(name.clone(), occasion);
        (Report::ScreenshotTaken { name, source, passed_over }, removed)
    }

    /// One was not taken, or not in time; the job goes on without it.
    pub(super) fn missed(&mut self, failure: &Failure) -> Report {
        self.missed += 1;
        Report::ScreenshotFailed { reason: failure.to_string(), missed: self.missed }
    }
}
