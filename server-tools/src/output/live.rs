//! The live lines of a terminal, one for each host that has a job: they stay below everything that is told.

use std::collections::HashMap;
use std::fmt;

use ghost_contract::image::Progress;
use ghost_contract::report::Event as Reported;
use ghost_contract::{HostName, Mode};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::job::note::bytes;
use crate::job::pace::{self, Expected, Readings};
use crate::job::{Note, Phase, Sample};

/// All live lines, in the order in which the hosts were given.
#[derive(Debug, Default)]
pub(super) struct LiveLines {
    screen: MultiProgress,
    lines: HashMap<HostName, (ProgressBar, LiveLine)>,
}

#[derive(Debug)]
struct LiveLine {
    host: HostName,
    mode: Mode,
    expected: Option<Expected>,
    phase: Phase,
    last: Option<String>,
    readings: Option<Readings>,
    /// What the imager says of itself, which is better than what its readings tell.
    progress: Option<Progress>,
}

impl LiveLines {
    pub(super) fn add(&mut self, host: &HostName, mode: Mode, expected: Option<Expected>) {
        // A line that is cut off at the terminal's edge stays one line.
        let style =
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = self.screen.add(ProgressBar::new_spinner().with_style(style));
        self.lines.insert(host.clone(), (bar, LiveLine::new(host.clone(), mode, expected)));
    }

    /// Shows what happened; a job that has ended has no line any more.
    pub(super) fn hear(&mut self, host: &HostName, note: &Note) {
        if let Note::Ended { .. } = note {
            if let Some((bar, _)) = self.lines.remove(host) {
                bar.finish_and_clear();
            }
            return;
        }
        self.change(host, |line| line.hear(note));
    }

    /// Shows a reading of the client's counters.
    pub(super) fn read(&mut self, host: &HostName, sample: Sample) {
        self.change(host, |line| line.read(sample));
    }

    /// Tells something above the lines.
    pub(super) fn above(&self, tell: impl FnOnce()) {
        self.screen.suspend(tell);
    }

    fn change(&mut self, host: &HostName, change: impl FnOnce(&mut LiveLine)) {
        let Some((bar, line)) = self.lines.get_mut(host) else { return };
        change(line);
        bar.set_message(line.to_string());
        // The screen passes over changes that come fast, and the last of them would be missing for long.
        bar.force_draw();
    }
}

impl Drop for LiveLines {
    fn drop(&mut self) {
        for (bar, _) in self.lines.values() {
            bar.finish_and_clear();
        }
    }
}

impl LiveLine {
    const fn new(host: HostName, mode: Mode, expected: Option<Expected>) -> Self {
        Self { host, mode, expected, phase: Phase::Probing, last: None, readings: None, progress: None }
    }

    fn hear(&mut self, note: &Note) {
        match note {
            Note::Phase { phase } => {
                self.phase = *phase;
                self.last = None;
            }
            Note::Reported { event: Reported::Progressed(progress) } => {
                self.progress = Some(progress.clone())
            }
            Note::Reported { event: Reported::Sampled { .. } } | Note::Doing { .. } => {}
            note => self.last = Some(note.to_string()),
        }
    }

    fn read(&mut self, sample: Sample) {
        self.readings =
            Some(self.readings.map_or_else(|| Readings::begin(sample), |readings| readings.and(sample)));
    }
}

impl fmt::Display for LiveLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.phase.as_str())?;
        if let (Phase::Imaging, Some(progress)) = (self.phase, &self.progress) {
            write!(f, ", {}", pace::progress(progress))?;
        } else if let (Phase::Imaging, Some(readings)) = (self.phase, &self.readings) {
            write!(f, ", {} moved", bytes(readings.moved()))?;
            let pace = pace::words(readings.rate(), readings.left(self.mode, self.expected));
            if !pace.is_empty() {
                write!(f, ", {pace}")?;
            }
        }
        self.last.as_ref().map_or(Ok(()), |last| write!(f, "; {last}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn received(seconds: u64, received: u64) -> Sample {
        Sample { uptime: seconds * 1_000, disk_read: 0, disk_written: 0, received, sent: 0 }
    }

    #[test]
    fn a_line_tells_host_phase_pace_and_what_happened_last() {
        let mut line =
            LiveLine::new("john".parse().unwrap(), Mode::Restore, Some(Expected::Exactly(1 << 30)));
        assert_eq!(line.to_string(), "john: probing");
        line.hear(&Note::Phase { phase: Phase::Woken });
        line.hear(&Note::Waking);
        assert_eq!(line.to_string(), "john: woken; sending magic packets");
        line.hear(&Note::Phase { phase: Phase::Imaging });
        assert_eq!(line.to_string(), "john: imaging");
        line.read(received(10, 0));
        assert_eq!(line.to_string(), "john: imaging, 0 B moved");
        line.read(received(20, 500 << 20));
        assert_eq!(line.to_string(), "john: imaging, 500.0 MiB moved, 50.0 MiB/s, 11 s left");
        let event = Reported::ScreenshotTaken {
            name: "3".to_owned(),
            source: "vga".to_owned(),
            passed_over: Vec::new(),
        };
        line.hear(&Note::Reported { event });
        assert_eq!(
            line.to_string(),
            "john: imaging, 500.0 MiB moved, 50.0 MiB/s, 11 s left; screenshot 3 from vga"
        );
        let progress = Progress {
            phase: ghost_contract::image::Phase::Writing,
            disk: 0,
            disks: 1,
            region: 1,
            regions: 1,
            subject: "partition 1".to_owned(),
            done: 1,
            total: 4,
            rate: 1024,
            eta: Some(3),
        };
        line.hear(&Note::Reported { event: Reported::Progressed(progress) });
        let expected = "john: imaging, writing partition 1, 25 %, 1.0 KiB/s, 3 s left; screenshot 3 from vga";
        assert_eq!(line.to_string(), expected, "what the imager says itself is better");
        line.hear(&Note::Phase { phase: Phase::GoingOff });
        assert_eq!(line.to_string(), "john: going off", "what is over has no pace");
    }

    #[test]
    fn the_line_of_a_job_that_has_ended_goes_away() {
        let (john, jane): (HostName, HostName) = ("john".parse().unwrap(), "jane".parse().unwrap());
        let mut lines = LiveLines::default();
        lines.add(&john, Mode::Test, None);
        lines.add(&jane, Mode::Test, None);
        lines.hear(&john, &Note::Ended { ending: crate::job::Ending::AlreadyOn, left: None });
        assert_eq!(lines.lines.keys().collect::<Vec<_>>(), [&jane]);
    }
}
