//! What documents show of a job is what is said of it, word for word, and in this order.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use ghost_contract::image::{Phase as Imaging, Progress};
use ghost_contract::report::{Event, Outcome};
use ghost_contract::{MacAddress, Mode};

use super::super::{Ending, Phase};
use super::Note;

/// The documents, each with how many lines it shows of john's jobs.
const DOCUMENTS: [(&str, usize); 2] = [("README.md", 30), ("docs/first-backup.md", 14)];

fn phase(phase: Phase) -> Note {
    Note::Phase { phase }
}

fn reported(event: Event) -> Note {
    Note::Reported { event }
}

fn doing(phase: Imaging, subject: &str) -> Note {
    let progress = Progress {
        phase,
        disk: 0,
        disks: 1,
        region: 1,
        regions: 2,
        subject: subject.to_owned(),
        done: 0,
        total: 0,
        rate: 0,
        eta: None,
    };
    Note::Doing { progress }
}

fn claimed(job: &str, mode: Mode) -> Note {
    reported(Event::OrderClaimed { job: job.parse().unwrap(), mode })
}

/// All that there is to say of three jobs of john, in the order in which it happens.
fn said() -> Vec<String> {
    let (mac, ip) = (MacAddress::new([0x00, 0xe0, 0x7d, 0xc9, 0x1a, 0x2b]), Ipv4Addr::new(192, 168, 7, 2));
    let up = Event::Up {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: "6.12.117+deb13-amd64".to_owned(),
        interface: "eth0".to_owned(),
        mac,
        ip,
    };
    let armed = Event::Armed { interface: "eth0".to_owned(), wake_on: "g".to_owned() };
    let boots = [
        phase(Phase::Swapped),
        phase(Phase::Woken),
        Note::Waking,
        Note::Answers,
        reported(up),
        phase(Phase::Up),
        phase(Phase::Reverted),
        reported(armed),
    ];
    let picture = Event::ScreenshotTaken {
        name: "0001-interval".to_owned(),
        source: "/dev/ghostvga".to_owned(),
        passed_over: Vec::new(),
    };
    let ends = [
        reported(Event::ImagerExited { how: "by itself, with status 0".to_owned() }),
        reported(Event::Ended { outcome: Outcome::Succeeded }),
        reported(Event::PoweringOff { reboot: false }),
        Note::Ended { ending: Ending::Done { outcome: Outcome::Succeeded }, left: None, lacks: None },
    ];
    let backup = [
        claimed("20261126-141900-1523a7c4", Mode::Backup),
        doing(Imaging::Reading, "partition 1: ntfs \"WINDOWS\""),
        reported(picture),
    ];
    let restore = [
        claimed("20261126-141957-7443e90b", Mode::Restore),
        doing(Imaging::Writing, "partition 2: vfat \"SHARED\""),
    ];
    let notes = [&boots[..], &backup, &ends, &restore, &ends].concat();
    notes.iter().map(|note| format!("john: {note}")).collect()
}

/// The lines of blocks that show what is said of john's jobs. In what the demonstration shows, they are marked with who speaks.
fn shown(text: &str) -> Vec<&str> {
    let line = |line: &'_ str| -> bool { line.starts_with("john: ") };
    let unmarked =
        text.lines().map(str::trim_start).map(|line| line.strip_prefix("ghostctl | ").unwrap_or(line));
    unmarked.filter(|shown| line(shown)).collect()
}

/// The first line that is not said, where others that are shown come before it. A block may begin anywhere, and leave lines out.
fn unsaid<'a>(shown: &[&'a str], said: &[String]) -> Option<&'a str> {
    let mut at = 0;
    for line in shown {
        let later = said.iter().skip(at).position(|said| said == line).map(|more| at + more + 1);
        let again = || said.iter().position(|said| said == line).map(|from_start| from_start + 1);
        match later.or_else(again) {
            Some(next) => at = next,
            None => return Some(line),
        }
    }
    None
}

#[test]
fn what_documents_show_of_a_job_is_said() {
    let said = said();
    for (document, count) in DOCUMENTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
        let text = fs::read_to_string(path).unwrap();
        let shown = shown(&text);
        assert_eq!(unsaid(&shown, &said), None, "{document}");
        assert_eq!(shown.len(), count, "{document} shows more or less than before: {shown:#?}");
    }
}

#[test]
fn a_line_that_is_not_said_is_found() {
    let said = said();
    let text = "    john: swapped: DHCP offers the boot file\n    ghostctl | john: swapped: DHCP offers a boot file\n";
    assert_eq!(unsaid(&shown(text), &said), Some("john: swapped: DHCP offers a boot file"));
}
