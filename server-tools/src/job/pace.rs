//! How fast a client works and how long it may take yet, from its readings. Pure: numbers in, numbers out.
//!
//! Does not know where readings come from, nor how they are shown.

use ghost_contract::Mode;
use ghost_contract::image::Progress;
use serde::Serialize;

use super::Sample;

/// How many bytes will go over the network in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// So many: the image is there already.
    Exactly(u64),
    /// As many as the last time.
    About(u64),
}

/// How long it takes yet, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "known", content = "seconds", rename_all = "snake_case")]
pub enum Left {
    /// By the size of the image.
    Exactly(u64),
    /// By the size of another image.
    About(u64),
}

/// The readings that tell the pace; those between do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readings {
    first: Sample,
    before: Sample,
    last: Sample,
}

impl Readings {
    pub const fn begin(sample: Sample) -> Self {
        Self { first: sample, before: sample, last: sample }
    }

    pub const fn and(self, sample: Sample) -> Self {
        Self { first: self.first, before: self.last, last: sample }
    }

    /// All that a report holds, in order; none if there is none.
    pub fn of(samples: impl IntoIterator<Item = Sample>) -> Option<Self> {
        let mut samples = samples.into_iter();
        let first = Self::begin(samples.next()?);
        Some(samples.fold(first, Self::and))
    }

    pub const fn last(&self) -> Sample {
        self.last
    }

    /// Bytes through the network or the disk since the imager's start, whichever saw more.
    pub fn moved(&self) -> u64 {
        moved(&self.last)
    }

    /// The image's bytes over the network when it was read last; none where there is no image.
    pub(crate) const fn transferred(&self, mode: Mode) -> Option<u64> {
        transferred(mode, &self.last)
    }

    /// Bytes a second between the last two readings.
    pub fn rate(&self) -> Option<u64> {
        let more = moved(&self.last).saturating_sub(moved(&self.before));
        per_second(more, self.last.uptime.saturating_sub(self.before.uptime))
    }

    /// How long it takes yet, by the mean pace since the first reading, which one slow moment does not upset.
    /// Not known before a second reading, while nothing moves, and once as much as was expected has moved.
    pub fn left(&self, mode: Mode, expected: Option<Expected>) -> Option<Left> {
        let (total, left): (u64, fn(u64) -> Left) = match expected? {
            Expected::Exactly(total) => (total, Left::Exactly),
            Expected::About(total) => (total, Left::About),
        };
        let (begun, now) = (transferred(mode, &self.first)?, transferred(mode, &self.last)?);
        let mean = per_second(now.checked_sub(begun)?, self.last.uptime.checked_sub(self.first.uptime)?)?;
        let missing = total.checked_sub(now).filter(|missing| *missing > 0)?;
        (mean > 0).then(|| left(missing.div_ceil(mean)))
    }

    /// How much of what was expected has moved; none where nothing is known of the size.
    pub fn percent(&self, mode: Mode, expected: Option<Expected>) -> Option<u8> {
        let (Expected::Exactly(total) | Expected::About(total)) = expected?;
        let percent = (u128::from(transferred(mode, &self.last)?) * 100).checked_div(u128::from(total))?;
        u8::try_from(percent.min(100)).ok()
    }
}

/// The image's bytes over the network; none where there is no image.
const fn transferred(mode: Mode, sample: &Sample) -> Option<u64> {
    match mode {
        Mode::Backup => Some(sample.sent),
        Mode::Verify | Mode::Restore => Some(sample.received),
        Mode::Test | Mode::Ghost => None,
    }
}

fn moved(sample: &Sample) -> u64 {
    sample.disk_read.max(sample.disk_written).max(sample.received).max(sample.sent)
}

fn per_second(bytes: u64, milliseconds: u64) -> Option<u64> {
    u64::try_from((u128::from(bytes) * 1_000).checked_div(u128::from(milliseconds))?).ok()
}

/// For people: rate and time left, as far as they are known.
pub(crate) fn words(rate: Option<u64>, left: Option<Left>) -> String {
    let rate = rate.map(|rate| format!("{}/s", super::bytes::bytes(rate)));
    let left = left.map(|left| match left {
        Left::Exactly(seconds) => format!("{} left", time(seconds)),
        Left::About(seconds) => format!("about {} left", time(seconds)),
    });
    rate.into_iter().chain(left).collect::<Vec<_>>().join(", ")
}

/// What an imager does that says it: `reading partition 1: ntfs "WINDOWS"`.
pub(crate) fn doing(progress: &Progress) -> String {
    let disk = if progress.disks > 1 { format!(" disk{}", progress.disk) } else { String::new() };
    let subject = if progress.subject.is_empty() { String::new() } else { format!(" {}", progress.subject) };
    format!("{}{disk}{subject}", progress.phase.as_str())
}

/// What it does and how far it is: with percent, rate and the time that is left, as far as they are known.
pub(crate) fn progress(progress: &Progress) -> String {
    let percent = (u128::from(progress.done) * 100).checked_div(u128::from(progress.total));
    let percent = percent.map(|percent| format!("{percent} %"));
    let rate = (progress.rate > 0).then_some(progress.rate);
    let pace = Some(words(rate, progress.eta.map(Left::Exactly))).filter(|words| !words.is_empty());
    [Some(doing(progress)), percent, pace].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn sample(seconds: u64, received: u64, sent: u64) -> Sample {
        Sample { uptime: seconds * 1_000, disk_read: 0, disk_written: 0, received, sent }
    }

    #[test]
    fn the_rate_is_that_of_the_last_two_readings() {
        let cases = [
            ("one reading", vec![sample(10, 500, 0)], None),
            ("two", vec![sample(10, 500, 0), sample(20, 1_500, 0)], Some(100)),
            ("it slows down", vec![sample(0, 0, 0), sample(10, 1_000, 0), sample(20, 1_010, 0)], Some(1)),
            ("no time has passed", vec![sample(10, 0, 0), sample(10, 9, 0)], None),
            ("the counters began again", vec![sample(10, 900, 0), sample(20, 0, 0)], Some(0)),
        ];
        for (case, samples, rate) in cases {
            assert_eq!(Readings::of(samples).unwrap().rate(), rate, "{case}");
        }
        assert_eq!(Readings::of([]), None);
    }

    #[test]
    fn the_time_left_is_known_where_the_size_is() {
        use Expected::{About, Exactly};
        // 100 B/s received and 50 B/s sent, after 1,000 s.
        let steady = || vec![sample(0, 0, 0), sample(990, 99_900, 49_000), sample(1_000, 100_000, 50_000)];
        let cases = [
            ("a restore", Mode::Restore, steady(), Some(Exactly(130_000)), Some(Left::Exactly(300))),
            ("a check", Mode::Verify, steady(), Some(Exactly(100_001)), Some(Left::Exactly(1))),
            ("a backup as the last", Mode::Backup, steady(), Some(About(65_000)), Some(Left::About(300))),
            ("a first backup", Mode::Backup, steady(), None, None),
            ("no image", Mode::Test, steady(), Some(Exactly(130_000)), None),
            ("all is there", Mode::Restore, steady(), Some(Exactly(100_000)), None),
            ("larger than the last", Mode::Backup, steady(), Some(About(40_000)), None),
            ("one reading", Mode::Restore, vec![sample(9, 9, 9)], Some(Exactly(100)), None),
            (
                "nothing moves",
                Mode::Restore,
                vec![sample(0, 5, 5), sample(9, 5, 5)],
                Some(Exactly(100)),
                None,
            ),
            (
                "it began again",
                Mode::Restore,
                vec![sample(9, 9, 9), sample(1, 1, 1)],
                Some(Exactly(100)),
                None,
            ),
        ];
        for (case, mode, samples, expected, left) in cases {
            assert_eq!(Readings::of(samples).unwrap().left(mode, expected), left, "{case}");
        }
    }

    #[test]
    fn an_imager_that_says_how_far_it_is_is_believed() {
        use ghost_contract::image::Phase;
        let told = Progress {
            phase: Phase::Reading,
            disk: 0,
            disks: 1,
            region: 2,
            regions: 3,
            subject: "partition 1: ntfs \"WINDOWS\"".to_owned(),
            done: 1 << 29,
            total: 1 << 30,
            rate: 1 << 20,
            eta: Some(512),
        };
        assert_eq!(progress(&told), "reading partition 1: ntfs \"WINDOWS\", 50 %, 1.0 MiB/s, 9 min left");
        let looking = Progress {
            phase: Phase::Surveying,
            disk: 1,
            disks: 2,
            subject: String::new(),
            done: 0,
            total: 0,
            rate: 0,
            eta: None,
            ..told
        };
        assert_eq!(progress(&looking), "surveying disk1");
    }

    #[test]
    fn people_read_it_in_words() {
        let cases = [
            (None, None, ""),
            (Some(2_048), None, "2.0 KiB/s"),
            (Some(2_048), Some(Left::Exactly(59)), "2.0 KiB/s, 59 s left"),
            (Some(0), Some(Left::About(61)), "0 B/s, about 2 min left"),
            (Some(0), Some(Left::Exactly(7_260)), "0 B/s, 2 h 1 min left"),
        ];
        for (rate, left, expected) in cases {
            assert_eq!(words(rate, left), expected);
        }
    }
}
