//! The live lines of a terminal, one for each host that has a job. They stay below all other lines.

use std::collections::HashMap;
use std::fmt;

use ghost_contract::image::Progress;
use ghost_contract::report::Event as Reported;
use ghost_contract::{HostName, Mode};

use super::plain::FromClient;
use crate::job::bytes::bytes;
use crate::job::pace::{self, Expected, Readings};
use crate::job::{Note, Phase, Sample};

/// All live lines, in the order in which the hosts were given, and how they stand on the screen.
#[derive(Debug, Default)]
pub(super) struct LiveLines {
    lines: Vec<LiveLine>,
    places: HashMap<HostName, usize>,
    /// How many rows the last drawing has left on the screen, above the cursor.
    drawn: usize,
    /// Counts what is heard, so that what was heard last is known.
    heard: u64,
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
    /// Something went wrong and was not put right since.
    troubled: bool,
    /// The number of what was heard last.
    heard: u64,
    ended: bool,
}

impl LiveLines {
    pub(super) fn add(&mut self, host: &HostName, mode: Mode, expected: Option<Expected>) {
        self.places.insert(host.clone(), self.lines.len());
        self.lines.push(LiveLine::new(host.clone(), mode, expected));
    }

    /// Shows what happened; a job that has ended has no line any more.
    pub(super) fn hear(&mut self, host: &HostName, note: &Note) {
        self.change(host, |line| line.hear(note));
    }

    /// Shows a reading of the client's counters.
    pub(super) fn read(&mut self, host: &HostName, sample: Sample) {
        self.change(host, |line| line.read(sample));
    }

    fn change(&mut self, host: &HostName, change: impl FnOnce(&mut LiveLine)) {
        self.heard += 1;
        let place = self.places.get(host);
        if let Some(line) = place.and_then(|place| self.lines.get_mut(*place)) {
            line.heard = self.heard;
            change(line);
        }
    }

    /// What makes the screen show these lines, and below them as many live ones as there is room for; none at the end.
    pub(super) fn draw(
        &mut self,
        told: &[String],
        (rows, _columns): (usize, usize),
        is_over: bool,
    ) -> String {
        let mut text = String::new();
        if self.drawn > 0 {
            // CUU, ED: what comes now stands where the live lines stood.
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn));
        }
        told.iter().for_each(|line| text.extend([line, "\n"]));
        let shown = if is_over { Vec::new() } else { self.shown(rows.saturating_sub(2).max(1)) };
        self.drawn = shown.len();
        if !shown.is_empty() {
            // DECAWM off: a line that is too long is cut off at the terminal's edge and stays one line.
            text.push_str("\x1b[?7l");
            shown.iter().for_each(|line| text.extend([line, "\n"]));
            text.push_str("\x1b[?7h");
        }
        text
    }

    /// As many lines as there is room for. If there are more, those with trouble are shown, and then those that were heard of
    /// last.
    fn shown(&self, room: usize) -> Vec<String> {
        let mut lines: Vec<&LiveLine> = self.lines.iter().filter(|line| !line.ended).collect();
        let more = (lines.len() + 1).saturating_sub(room);
        if lines.len() <= room {
            return lines.into_iter().map(ToString::to_string).collect();
        }
        lines.sort_by_key(|line| (!line.troubled, std::cmp::Reverse(line.heard)));
        let shown = lines.into_iter().take(room - 1).map(ToString::to_string);
        shown.chain([format!("and {more} more")]).collect()
    }
}

impl LiveLine {
    const fn new(host: HostName, mode: Mode, expected: Option<Expected>) -> Self {
        Self {
            host,
            mode,
            expected,
            phase: Phase::Probing,
            last: None,
            readings: None,
            progress: None,
            troubled: false,
            heard: 0,
            ended: false,
        }
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
            Note::Ended { .. } => self.ended = true,
            note => {
                match note {
                    Note::Trouble { .. } | Note::Unwritten { .. } => self.troubled = true,
                    Note::RevertedLate => self.troubled = false,
                    _ => {}
                }
                // One line, whatever a client has written.
                self.last = Some(FromClient(note).to_string());
            }
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
            write!(f, ", {}", FromClient(pace::progress(progress)))?;
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
    use crate::job::{Failure, FailureKind, Step};

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

    fn lines(count: usize) -> LiveLines {
        let mut lines = LiveLines::default();
        (0..count).for_each(|number| lines.add(&format!("pc{number}").parse().unwrap(), Mode::Test, None));
        lines
    }

    fn trouble() -> Note {
        let failure = Failure { kind: FailureKind::Failed, reason: "no".to_owned() };
        Note::Trouble { step: Step::Revert, failure }
    }

    #[test]
    fn the_line_of_a_job_that_has_ended_goes_away() {
        let mut lines = lines(2);
        let ended = Note::Ended { ending: crate::job::Ending::AlreadyOn, left: None, lacks: None };
        lines.hear(&"pc0".parse().unwrap(), &ended);
        assert_eq!(lines.shown(10), ["pc1: probing"]);
    }

    #[test]
    fn more_than_fit_are_counted_and_those_with_trouble_come_first() {
        let mut lines = lines(60);
        lines.hear(&"pc7".parse().unwrap(), &trouble());
        lines.hear(&"pc50".parse().unwrap(), &Note::Waking);
        lines.hear(&"pc3".parse().unwrap(), &Note::Waking);
        let shown = lines.shown(22);
        assert_eq!(shown.len(), 22);
        assert!(shown[0].starts_with("pc7: probing; error: could not"), "{}", shown[0]);
        assert_eq!(
            shown[1..3],
            ["pc3: probing; sending magic packets", "pc50: probing; sending magic packets"]
        );
        assert_eq!(shown[21], "and 39 more");
        lines.hear(&"pc7".parse().unwrap(), &Note::RevertedLate);
        lines.hear(&"pc3".parse().unwrap(), &Note::Waking);
        assert!(lines.shown(22)[0].starts_with("pc3: "), "what was put right is no trouble");
    }

    #[test]
    fn what_is_told_takes_the_place_of_the_live_lines_which_come_below_it() {
        let mut lines = lines(2);
        let live = "\x1b[?7lpc0: probing\npc1: probing\n\x1b[?7h";
        assert_eq!(lines.draw(&["a".to_owned()], (24, 80), false), format!("a\n{live}"));
        assert_eq!(lines.draw(&["b".to_owned()], (24, 80), false), format!("\x1b[2A\r\x1b[Jb\n{live}"));
        assert_eq!(lines.draw(&[], (24, 80), true), "\x1b[2A\r\x1b[J");
    }
}
