//! Waits during which the session looks for the server's stop file, and how often it looks.
//!
//! Each look is a task like any other, so a dead server delays nothing. But a look that hangs leaves a thread behind,
//! so the pause doubles after each look that failed, until one succeeds.

use std::time::Duration;

use super::{Event, Session, Turn};
use crate::failure::Failure;
use crate::job::Job;
use crate::task::{Finding, Task};

/// How often the stop file is looked for: a look is one small question to the server.
const EVERY: Duration = Duration::from_secs(3);
/// When the server has denied the machine's folders for so long, the job is over: a server that was only started anew has exported
/// them again within two minutes.
const DESERTED_AFTER: Duration = Duration::from_secs(120);
/// Who writes the stop file.
const WRITER: &str = "ghostctl cancel";

/// The stop file is a wish like any other that the machine go off.
pub(super) fn understood(event: Event) -> Event {
    match event {
        Event::Finished(Ok(Finding::StopAsked)) => {
            Event::StopRequested { by: WRITER.to_owned(), leave: None }
        }
        other => other,
    }
}

/// What it means that there is no tree where the stop file would be.
pub(super) fn tree_gone() -> Failure {
    Failure::new("the boot server has taken away this machine's folders, as it does when a job is over")
}

/// When the stop file is looked for.
#[derive(Debug)]
pub(super) struct StopLooks {
    /// None if never: without an order no server waits for this job, and the tree, with what is in it, is that of
    /// a job before.
    next: Option<Duration>,
    pause: Duration,
    /// Since when the server has said each time that it does not know this machine's folders.
    gone_since: Option<Duration>,
    /// Whether it has said so long enough.
    deserted: bool,
}

impl StopLooks {
    /// Those of this job, from now on.
    pub(super) fn new(job: &Job, now: Duration) -> Self {
        Self {
            next: job.order.as_ref().map(|_| now.saturating_add(EVERY)),
            pause: EVERY,
            gone_since: None,
            deserted: false,
        }
    }

    pub(super) fn are_due(&self, now: Duration) -> bool {
        self.next.is_some_and(|next| now >= next)
    }

    /// A look has ended and found nothing, or has failed. Only the first failure of several is told.
    pub(super) fn looked(&mut self, result: Result<Finding, Failure>, turn: &mut Turn) {
        match result {
            Ok(Finding::TreeGone) => {
                self.pause = EVERY;
                let since = self.gone_since.unwrap_or_else(|| {
                    turn.carry_on(Task::LookForStop.to_string(), &tree_gone());
                    turn.now
                });
                self.gone_since = Some(since);
                self.deserted = turn.now.saturating_sub(since) >= DESERTED_AFTER;
            }
            Ok(_) => (self.pause, self.gone_since) = (EVERY, None),
            Err(failure) => {
                self.gone_since = None;
                if self.pause == EVERY {
                    turn.carry_on(Task::LookForStop.to_string(), &failure);
                }
                self.pause = self.pause.saturating_mul(2);
            }
        }
        self.next = self.next.map(|_| turn.now.saturating_add(self.pause));
    }
}

/// What a wait is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Looking,
}

/// A wait for a time to come.
#[derive(Debug)]
pub(super) struct Wait {
    until: Duration,
    looks: StopLooks,
    doing: Doing,
}

impl Wait {
    /// Whether the server has ended the job, and could not tell.
    pub(super) const fn is_deserted(&self) -> bool {
        self.looks.deserted
    }
}

impl Session {
    /// Begins to wait until this time, as time since the kernel's start.
    pub(super) fn wait(&mut self, until: Duration, job: &Job, turn: &Turn) -> Wait {
        let wait = Wait { until, looks: StopLooks::new(job, turn.now), doing: Doing::Nothing };
        self.pause(wait)
    }

    /// Something happened during a wait; gives none when its time has come.
    pub(super) fn go_on_waiting(&mut self, mut wait: Wait, event: Event, turn: &mut Turn) -> Option<Wait> {
        let result = match event {
            Event::DeadlinePassed if turn.now >= wait.until => return None,
            Event::DeadlinePassed if wait.doing == Doing::Looking => Err(Failure::too_late()),
            Event::DeadlinePassed => {
                self.start(Task::LookForStop, turn);
                self.deadline = self.deadline.min(wait.until);
                return Some(Wait { doing: Doing::Looking, ..wait });
            }
            Event::Finished(result) => result,
            _ => return Some(wait),
        };
        wait.looks.looked(result, turn);
        Some(self.pause(wait))
    }

    fn pause(&mut self, wait: Wait) -> Wait {
        self.deadline = wait.looks.next.map_or(wait.until, |next| next.min(wait.until));
        Wait { doing: Doing::Nothing, ..wait }
    }
}
