//! What a client's report says: its lines folded into one value, and each line in words. Pure.
//!
//! A job that runs, `status` and the recovery after a crash all use this.

use std::fmt;
use std::time::Duration;

use ghost_contract::JobId;
use ghost_contract::image::Progress;
use ghost_contract::report::{Entry, Event, Outcome};

use super::bytes::bytes;
use super::pace::{self, Readings};
use super::{Sample, ending};

/// How long a client may report nothing. While its imager works it writes a line every 10 s. Otherwise it is silent for 150 s at most: to
/// prepare its imager it has 140 s and then looks for a stop for 10 s, and to end 140 s.
pub(crate) const SILENT: Duration = Duration::from_secs(180);

/// What a client has said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub up: bool,
    pub claimed: bool,
    pub refused: Option<String>,
    pub outcome: Option<Outcome>,
    /// How long it sleeps in mode `test`, without a word.
    pub sleeps: Option<Duration>,
    /// It wrote its last line. `true`: it boots again.
    pub powering_off: Option<bool>,
    /// Why it cannot switch itself off, if it has said so.
    pub cannot_power_off: Option<String>,
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
            Event::TestStarted { sleep, .. } => self.sleeps = Some(*sleep),
            Event::TestEnded { .. } => self.sleeps = None,
            Event::Ended { outcome } => (self.outcome, self.sleeps) = (Some(outcome.clone()), None),
            Event::PoweringOff { reboot } => self.powering_off = Some(*reboot),
            Event::CannotPowerOff { reason } => self.cannot_power_off = Some(reason.clone()),
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

    /// For how long one that is at work may report nothing, from its last line on.
    pub fn silent_at_most(&self) -> Duration {
        self.sleeps.unwrap_or_default().saturating_add(SILENT)
    }

    /// The last reading of its counters.
    pub fn sample(&self) -> Option<Sample> {
        self.readings.map(|readings| readings.last())
    }
}

/// What people are told of a restore that has not, or may not have, come to its end.
pub(crate) const AT_STAKE: &str = "the restore did not come to its end: the disk is incomplete, or may be, and must not be used \
                            before another restore has succeeded";

/// A line of the report in words, for people who follow the job.
pub(crate) struct Words<'a>(pub &'a Event);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Up { version, kernel, interface, mac, ip } => {
                write!(f, "ghost-init {version} is up on {interface} ({mac}, {ip}), kernel {kernel}")
            }
            Event::Identified { host } => write!(f, "it has found its name: {host}"),
            Event::UnknownFlag { flag } => write!(f, "unknown kernel flag {flag}"),
            Event::StepFailed { step, reason, carried_on } => {
                let then = if *carried_on { "it carries on" } else { "it gives up" };
                write!(f, "boot step '{step}' failed, {then}: {reason}")
            }
            Event::Armed { interface, wake_on } => write!(f, "{interface} is armed, Wake-on: {wake_on}"),
            Event::NotArmed { interface, reason, detail } => {
                write!(f, "warning: {interface} is not armed ({reason:?}): {detail}")
            }
            Event::OrderClaimed { job, mode } => write!(f, "order {job} claimed: {mode}"),
            Event::OrderRefused { reason } => write!(f, "order refused: {reason}"),
            Event::TestStarted { sleep, ssh_port } => match ssh_port {
                Some(port) => write!(f, "sleeps for {} s; ssh answers on port {port}", sleep.as_secs()),
                None => write!(f, "sleeps for {} s; no ssh server", sleep.as_secs()),
            },
            Event::TestEnded { how } => write!(f, "the sleep has ended: {how}"),
            Event::ImagerStarted { imager, command, .. } => write!(f, "{imager} started: {command}"),
            Event::ImagerExited { how } => write!(f, "the imager ended: {how}"),
            Event::KeysTyped { keys, because } => write!(f, "typed {} because {because}", keys.join(" ")),
            Event::Sampled { disk_read, disk_written, received, sent } => write!(
                f,
                "disk {} read, {} written; network {} received, {} sent",
                bytes(*disk_read),
                bytes(*disk_written),
                bytes(*received),
                bytes(*sent)
            ),
            Event::Progressed(progress) => f.write_str(&pace::progress(progress)),
            Event::ImagerRemarked { remark } => write!(f, "note: {remark}"),
            Event::DiskIncomplete { disks } => write!(f, "error: {}: {AT_STAKE}", disks.join(", ")),
            Event::ScreenshotTaken { name, source, passed_over } => {
                write!(f, "screenshot {name} from {source}")?;
                if passed_over.is_empty() { Ok(()) } else { write!(f, " ({})", passed_over.join("; ")) }
            }
            Event::ScreenshotFailed { reason, missed } => {
                write!(f, "no screenshot ({missed} so far): {reason}")
            }
            Event::Stalled { idle } => write!(f, "nothing has moved for {} s", idle.as_secs()),
            Event::StopRequested { by } => write!(f, "asked to stop by {by}"),
            Event::Ended { outcome } => write!(f, "the client says: {}", ending::words(outcome)),
            Event::CannotPowerOff { reason } => {
                write!(f, "warning: {reason}; it boots its own disk instead, and is on then")
            }
            Event::PoweringOff { reboot: false } => f.write_str("powering off"),
            Event::PoweringOff { reboot: true } => f.write_str("booting again"),
        }
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
