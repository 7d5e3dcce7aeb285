//! A client that is at work, and whose boot ROM asks for a file: a watchdog, a person or a power cut has reset it, and it boots its own disk.
//! That system answers for its address, so that nothing else would end the job before its deadline.
//!
//! Anybody on the network can send such a request in its name. So it is a suspicion only, which the next lines of the report refute.
//!
//! ```text
//! at work ─▶ its boot ROM asks for a file ─┬─ it reports something ──▶ at work
//!                                          └─ it reports nothing ────▶ it was reset: the job has failed, and it is on
//! ```

use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::report;

use crate::job::said::SILENT;
use crate::job::{Action, Ending, Heard, Job, Note, Phase, heard};
use crate::output::plain::FromClient;

/// A line that comes so soon may have been written before the reset: one that another machine serves is read some seconds late.
const ON_ITS_WAY: Duration = Duration::from_secs(20);

/// What makes it likely that the client was reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::job) struct Suspicion {
    since: Duration,
    heard: Heard,
}

impl Job {
    /// Something was heard of the client. A client whose entry is still swapped boots for its job again, and reports what becomes of that.
    pub(super) fn suspect(&mut self, heard: &Heard, now: Duration) -> Option<Action> {
        let has_work = matches!(self.phase, Phase::Reverted | Phase::Imaging) && !self.swap_is_left();
        let boots = matches!(heard, Heard::AsksForFile { .. } | Heard::Says { .. });
        if !has_work || !boots || self.suspicion.is_some() {
            return None;
        }
        self.suspicion = Some(Suspicion { since: now, heard: heard.clone() });
        if self.seen.told_heard >= heard::MOST {
            return None;
        }
        self.seen.told_heard += 1;
        let seconds = self.ends_as_reset().unwrap_or(now).saturating_sub(now).as_secs();
        let text = format!(
            "it {heard}, as a machine does that was reset; its job ends if it reports nothing in the next {seconds} s"
        );
        Some(Action::Tell(Note::Warning { text }))
    }

    /// The client has written a line.
    pub(super) fn is_at_work(&mut self, said: Option<&report::Event>, now: Duration) {
        let is_last = matches!(said, Some(report::Event::PoweringOff { .. }));
        self.suspicion.take_if(|suspicion| is_last || now > suspicion.since.saturating_add(ON_ITS_WAY));
    }

    /// When the job ends by the suspicion, unless the client reports something before. Its sleep in mode `test` is silent.
    pub(super) fn ends_as_reset(&self) -> Option<Duration> {
        let Suspicion { since, .. } = self.suspicion.as_ref()?;
        let silent_until =
            self.seen.spoke.unwrap_or_default().saturating_add(self.seen.said.silent_at_most());
        let works = matches!(self.phase, Phase::Reverted | Phase::Imaging);
        works.then(|| silent_until.max(since.saturating_add(SILENT)))
    }

    /// Time has passed: whether the client has been silent for too long since it asked.
    pub(super) fn was_reset(&mut self, now: Duration) -> Option<Vec<Action>> {
        if now < self.ends_as_reset()? {
            return None;
        }
        let because = self.why_it_was_reset(now)?;
        Some(self.end(Ending::Reset { because }, now))
    }

    /// The job is over for another reason than a stop, and nothing has refuted the suspicion: the client is on.
    pub(super) fn is_left_reset(&mut self, now: Duration) -> Option<Action> {
        let because = self.why_it_was_reset(now)?;
        let host = &self.plan.identity.host;
        let reason = match &self.ending {
            _ if self.plan.at_end != AtEnd::PowerOff => return None,
            Some(Ending::Stopped { .. }) | None => return None,
            Some(Ending::Reset { .. }) => format!("{host} is on, and boots its own disk"),
            Some(_) => format!("{host} is on: {because}"),
        };
        self.is_left_on(reason)
    }

    /// What shows that the client was reset, if something does.
    pub(super) fn why_it_was_reset(&self, now: Duration) -> Option<String> {
        let Suspicion { since, heard } = self.suspicion.as_ref()?;
        let what = match heard {
            Heard::Says { words } => {
                format!("ghost-init said '{}' on its way to its root", FromClient(words))
            }
            Heard::AsksForFile { file } => format!("it asked for '{}' over TFTP", FromClient(file)),
            Heard::AsksForAddress | Heard::TakesAddress { .. } => return None,
        };
        let seconds = now.saturating_sub(*since).as_secs();
        Some(format!("{what} {seconds} s ago, and has reported nothing since"))
    }
}
