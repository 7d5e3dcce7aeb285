//! Whether the server runs with our configuration, and whether a restart has really made another process of it.
//!
//! It reads its configuration once, at its start: a process that has begun after the edit has the new one. Where none
//! has ever been seen (in a container, on another machine), the restart command is believed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;

use super::Program;
use crate::dhcp::text::same;
use crate::exit::{Exit, WithExit as _};
use crate::sys::clock;
use crate::sys::process::{self, Identity, Process};

/// How long it may take until the new process is there. A command such as Debian's script returns when it is.
const APPEARS_WITHIN: Duration = Duration::from_secs(5);
/// How long it must stay. Before a server goes to the background it is a process that ends by itself.
const STAYS: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same while the command has left something in the background that may still start it.
const COMES_UP_WITHIN: Duration = Duration::from_secs(60);
/// How often all processes are looked at for that.
const LOOK_AT_MARKS_EVERY: Duration = Duration::from_millis(500);

/// All processes of the server's name.
pub(super) fn all(program: &Program) -> anyhow::Result<Vec<Process>> {
    process::named(program.name).map_err(|error| unseen(program, error))
}

/// Those of them that serve this configuration.
pub(super) fn serving(program: &Program, all: &[Process], configuration: &Path) -> Vec<Identity> {
    let serves = |process: &&Process| (program.read_by)(process).iter().any(|read| same(read, configuration));
    all.iter().filter(serves).map(|process| process.identity).collect()
}

/// What a restart's command has to do with what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// It has ended, so that what it has left in the background may still start the server.
    JustEnded(&'a str),
    /// It ran some time ago: what it was to start must be there.
    Earlier(&'a str),
}

impl<'a> Command<'a> {
    /// The mark that its processes have inherited.
    const fn mark(self) -> &'a str {
        match self {
            Self::JustEnded(mark) | Self::Earlier(mark) => mark,
        }
    }

    /// Whether it has left something that runs and is not the server yet, such as a shell that waits.
    fn still_starts_something(self, program: &Program) -> bool {
        matches!(self, Self::JustEnded(mark) if process::has_marked(mark, program.name))
    }
}

/// Waits until a process serves the configuration that was not there before the restart, and none that was does any more: both
/// would answer.
pub(super) fn wait_for_another(
    program: &Program,
    configuration: &Path,
    before: &[Identity],
    command: Command<'_>,
) -> anyhow::Result<Result<(), Missing>> {
    let started = clock::uptime();
    let is_awaited = matches!(command, Command::JustEnded(_));
    let mut deadline = if is_awaited { started + APPEARS_WITHIN } else { started };
    let mut seen = Seen::default();
    loop {
        let all = all(program)?;
        let serving = serving(program, &all, configuration);
        let (old, new): (Vec<Identity>, Vec<Identity>) =
            serving.iter().partition(|process| before.contains(process));
        let new = new.first().copied().filter(|_| old.is_empty());
        match look(&mut seen, new, clock::uptime(), deadline) {
            Look::Again => std::thread::sleep(LOOK_EVERY),
            Look::Stays => return Ok(Ok(())),
            Look::Missing
                if clock::uptime() < started + COMES_UP_WITHIN && command.still_starts_something(program) =>
            {
                deadline = clock::uptime() + LOOK_AT_MARKS_EVERY;
            }
            Look::Missing => return Ok(Err(missing(program, &all, &serving, before, command.mark()))),
        }
    }
}

/// Why no new process serves the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// The one from before still does.
    Same(u32),
    /// It still does, beside the new one.
    Two { old: u32, new: u32 },
    /// Those that the command has started serve these.
    Others(Vec<PathBuf>),
    /// Those that run, whoever has started them, serve these, if any.
    Nobody(Vec<PathBuf>),
}

impl Missing {
    pub(super) fn in_words(self, program: &Program, configuration: &Path) -> anyhow::Error {
        let name = program.name;
        match self {
            Self::Same(pid) => anyhow!(
                "it ended without an error, but {name} is still the process {pid} that ran before; set DHCPD in ghostrc to what \
                 restarts it"
            ),
            Self::Two { old, new } => anyhow!(
                "two DHCP servers run with {} now and both answer: the process {old} that ran before, and {new}; end the process \
                 {old}, and set DHCPD in ghostrc to what ends the one that runs and starts another",
                configuration.display()
            ),
            Self::Others(others) => anyhow!(
                "{name} was started with {} and not with {}; set DHCPDCONF in ghostrc to the file that the DHCP server shall use, or \
                 have it started with the other one",
                listed(&others),
                configuration.display()
            ),
            Self::Nobody(others) if others.is_empty() => anyhow!(
                "it ended without an error, but {name} does not run; its log says why (journalctl, /var/log/syslog)"
            ),
            Self::Nobody(others) => anyhow!(
                "it ended without an error, but {name} does not run with {}, only with {}; its log says why (journalctl, \
                 /var/log/syslog), or DHCPDCONF in ghostrc must be set to the file that the DHCP server uses",
                configuration.display(),
                listed(&others)
            ),
        }
    }
}

pub(super) fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// What a look at the processes comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Again,
    Stays,
    Missing,
}

/// The new process that was there at the last look.
#[derive(Debug)]
struct Seen<P> {
    process: Option<P>,
    since: Duration,
    /// When the first new one was seen.
    first: Option<Duration>,
}

impl<P> Default for Seen<P> {
    fn default() -> Self {
        Self { process: None, since: Duration::ZERO, first: None }
    }
}

/// Judges the new process that there is now, and keeps since when it has been seen. Pure.
fn look<P: Copy + PartialEq>(seen: &mut Seen<P>, new: Option<P>, now: Duration, deadline: Duration) -> Look {
    if new != seen.process || new.is_none() {
        (seen.process, seen.since) = (new, now);
    }
    if new.is_none() {
        return if now >= deadline { Look::Missing } else { Look::Again };
    }
    if now.saturating_sub(seen.since) >= STAYS {
        return Look::Stays;
    }
    // One that has just come is given its time, also where a busy machine has looked late, and no more: it may be another one
    // at each look.
    let first = *seen.first.get_or_insert(now);
    if now >= deadline.max(first) + STAYS + LOOK_EVERY { Look::Missing } else { Look::Again }
}

fn missing(
    program: &Program,
    all: &[Process],
    serving: &[Identity],
    before: &[Identity],
    mark: &str,
) -> Missing {
    if let Some(same) = serving.iter().find(|process| before.contains(process)) {
        let new = serving.iter().find(|process| !before.contains(process));
        return new.map_or(Missing::Same(same.pid), |new| Missing::Two { old: same.pid, new: new.pid });
    }
    // One of this configuration that has come has not stayed.
    let is_marked = |process: &&Process| {
        !serving.contains(&process.identity) && process::is_marked(process.identity.pid, mark)
    };
    let started: Vec<PathBuf> = all.iter().filter(is_marked).flat_map(program.read_by).collect();
    if started.is_empty() {
        let others = all.iter().filter(|process| !serving.contains(&process.identity));
        Missing::Nobody(others.flat_map(program.read_by).collect())
    } else {
        Missing::Others(started)
    }
}

/// How far apart restarts must be so that systemd does not refuse them, from what `systemctl show` prints of a unit; none if it
/// tells no limit. Pure.
pub(super) fn distance(shown: &str) -> Option<Duration> {
    let value = |key: &str| shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let burst: u32 = value("StartLimitBurst")?.parse().ok()?;
    let interval = span(value("StartLimitIntervalUSec")?)?;
    // The first start of a burst counts until the interval is over.
    Some(interval / burst.checked_sub(1).filter(|gaps| *gaps > 0).unwrap_or(1))
}

/// A time as systemd prints it: `10s`, `1min 30s`, `500ms`, `0` (systemd.time(7)).
fn span(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    text.split_ascii_whitespace().try_fold(Duration::ZERO, |sum, part| {
        let digits = part.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = part.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let seconds = |of_one: u64| number.checked_mul(of_one).map(Duration::from_secs);
        sum.checked_add(match unit {
            "us" => Duration::from_micros(number),
            "ms" => Duration::from_millis(number),
            "s" => seconds(1)?,
            "min" => seconds(60)?,
            "h" => seconds(3_600)?,
            "d" => seconds(86_400)?,
            _ => return None,
        })
    })
}

/// Why it cannot be told which processes run.
fn unseen(program: &Program, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot see whether {} runs", program.name)).exit(Exit::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_starts_in_ten_seconds_are_two_and_a_half_seconds_apart() {
        for (interval, burst, apart) in [
            ("10s", 5, Some(2_500)),
            ("1min 30s", 2, Some(90_000)),
            ("500ms", 1, Some(500)),
            ("0", 5, Some(0)),
            ("infinity", 5, None),
            ("10parsecs", 5, None),
        ] {
            let shown = format!("StartLimitIntervalUSec={interval}\nStartLimitBurst={burst}\n");
            assert_eq!(distance(&shown), apart.map(Duration::from_millis), "{shown}");
        }
        assert_eq!(distance("no such unit"), None);
    }

    /// What is judged in the end, and when, of the processes that there are at each look.
    fn judged(process: impl Fn(Duration) -> Option<u64>) -> (Look, Duration) {
        let mut seen = Seen::default();
        for looks in 0..1_000 {
            let now = LOOK_EVERY * looks;
            match look(&mut seen, process(now), now, APPEARS_WITHIN) {
                Look::Again => {}
                end => return (end, now),
            }
        }
        panic!("it is looked without end");
    }

    #[test]
    fn a_process_must_come_in_time_and_stay() {
        let millis = Duration::from_millis;
        assert_eq!(judged(|_| Some(1)), (Look::Stays, STAYS));
        assert_eq!(judged(|_| None), (Look::Missing, APPEARS_WITHIN));
        let in_the_background_later = |now| Some(if now < millis(100) { 1 } else { 2 });
        assert_eq!(judged(in_the_background_later), (Look::Stays, millis(100) + STAYS));
        let late = |now| (now >= APPEARS_WITHIN).then_some(1);
        assert_eq!(judged(late), (Look::Stays, APPEARS_WITHIN + STAYS));
    }

    #[test]
    fn a_process_that_a_busy_machine_sees_late_is_looked_at_twice() {
        let mut seen = Seen::default();
        let mut look_at =
            |process, seconds| look(&mut seen, process, Duration::from_secs(seconds), APPEARS_WITHIN);
        assert_eq!(look_at(None, 0), Look::Again);
        assert_eq!(look_at(Some(1), 9), Look::Again);
        assert_eq!(look_at(Some(1), 20), Look::Stays);
        let mut seen = Seen::default();
        let mut look_at =
            |process, seconds| look(&mut seen, process, Duration::from_secs(seconds), APPEARS_WITHIN);
        assert_eq!(look_at(Some(1), 9), Look::Again);
        assert_eq!(look_at(Some(2), 20), Look::Missing, "it is another one each time");
    }

    #[test]
    fn one_that_ends_again_and_again_is_not_waited_for_without_end() {
        let another_at_each_look = |now: Duration| Some(u64::try_from(now.as_millis()).unwrap());
        assert_eq!(judged(another_at_each_look), (Look::Missing, APPEARS_WITHIN + STAYS + LOOK_EVERY));
        let one_that_comes_and_goes = |now: Duration| (now.as_millis() % 200 < 100).then_some(1);
        assert_eq!(judged(one_that_comes_and_goes).0, Look::Missing);
    }
}
