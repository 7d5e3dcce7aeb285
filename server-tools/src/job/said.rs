//! What a client's report says so far: its lines folded into one value, for a job that runs, for `status`, and for the
//! recovery after a crash alike. Pure.

use ghost_contract::JobId;
use ghost_contract::image::Progress;
use ghost_contract::report::{Entry, Event, Outcome};

use super::Sample;
use super::pace::Readings;

/// What a client has said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// It is up.
    pub up: bool,
    /// It has its order.
    pub claimed: bool,
    pub refused: Option<String>,
    pub outcome: Option<Outcome>,
    /// It wrote its last line; true if it boots again.
    pub powering_off: Option<bool>,
    /// The readings of its counters.
    pub readings: Option<Readings>,
    /// How far its imager last said it was.
    pub progress: Option<Progress>,
    /// The disk of a restore is incomplete.
    pub disk_incomplete: bool,
}

impl Said {
    /// All that a report holds, in order.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>, job: &JobId) -> Self {
        let mut said = Self::default();
        entries.into_iter().for_each(|entry| said.hear(entry, job));
        said
    }

    /// One line more. An order counts only if it is this job's.
    pub fn hear(&mut self, entry: &Entry, job: &JobId) {
        match &entry.event {
            Event::Up { .. } => self.up = true,
            Event::OrderClaimed { job: claimed, .. } if claimed == job => self.claimed = true,
            Event::OrderRefused { reason } => self.refused = Some(reason.clone()),
            Event::Ended { outcome } => self.outcome = Some(outcome.clone()),
            Event::PoweringOff { reboot } => self.powering_off = Some(*reboot),
            Event::Progressed(progress) => self.progress = Some(progress.clone()),
            Event::DiskIncomplete { .. } => self.disk_incomplete = true,
            Event::Sampled { .. } => {
                if let Some(sample) = Sample::of(entry) {
                    let more = |readings: Readings| readings.and(sample);
                    self.readings = Some(self.readings.map_or_else(|| Readings::begin(sample), more));
                }
            }
            _ => {}
        }
    }

    /// The last reading of its counters.
    pub fn sample(&self) -> Option<Sample> {
        self.readings.map(|readings| readings.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::{Mode, UnixTime};

    #[test]
    fn the_last_word_counts_and_another_jobs_order_does_not() {
        let line = |event| Entry { at: UnixTime::from_millis(0), uptime: 0, event };
        let claimed = |job: &str| line(Event::OrderClaimed { job: job.parse().unwrap(), mode: Mode::Test });
        let sampled = |received| line(Event::Sampled { disk_read: 0, disk_written: 0, received, sent: 0 });
        let ours: JobId = "a".parse().unwrap();
        let said = Said::of(&[claimed("b"), sampled(1), sampled(7)], &ours);
        assert!(!said.claimed);
        assert_eq!(said.sample().map(|sample| sample.received), Some(7));
        let ended = |outcome| line(Event::Ended { outcome });
        let said = Said::of(&[claimed("a"), ended(Outcome::Stalled), ended(Outcome::Succeeded)], &ours);
        assert!(said.claimed);
        assert_eq!((said.outcome, said.powering_off), (Some(Outcome::Succeeded), None));
    }
}
