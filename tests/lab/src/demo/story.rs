//! Prints what ghostctl and a PC say while a job runs, and breaks long silences.

use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::lab::Pc;
use crate::running::Running;
use crate::wait;

/// The lines of the console that tell the story; the others are left out.
const STORY: [&str; 4] = ["PXELINUX", "ghost-init", "OWN-DISK", "panic"];
/// After so much silence, and again after as much, the demonstration says what it waits for.
const SILENCE: Duration = Duration::from_secs(15);

/// What has been told of the job so far.
pub(super) struct Story<'lab> {
    ghostctl: &'lab Running,
    pc: Pc<'lab>,
    told: usize,
    heard: usize,
    silence: Silence,
}

/// How long the demonstration has been waiting, and when it last said something.
struct Silence {
    begun: Instant,
    last: Duration,
}

impl Silence {
    fn new() -> Self {
        Self { begun: Instant::now(), last: Duration::ZERO }
    }

    /// The line that breaks a silence which has lasted until `now`, counted from the beginning of the wait.
    fn line(&mut self, now: Duration, spoken: bool, what: &str) -> Option<String> {
        if !spoken && now < self.last + SILENCE {
            return None;
        }
        self.last = now;
        (!spoken).then(|| format!("     ... | waiting for {what}, {} s so far", now.as_secs()))
    }
}

impl<'lab> Story<'lab> {
    /// `heard` lines of the PC's console belong to what was before.
    pub(super) fn new(ghostctl: &'lab Running, pc: Pc<'lab>, heard: usize) -> Self {
        Self { ghostctl, pc, told: 0, heard, silence: Silence::new() }
    }

    /// Tells on until the console is as wanted.
    pub(super) fn until(
        &mut self,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let reached = wait::until(what, deadline, || match self.tell(what) {
            Ok(console) if wanted(&console) => Some(Ok(())),
            Ok(_) if self.ghostctl.has_ended() => Some(Err(anyhow!("ghostctl ended too early"))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        reached?
    }

    /// Tells on until `ghostctl` has ended.
    pub(super) fn until_ended(&mut self, deadline: Duration) -> anyhow::Result<()> {
        let what = "ghostctl to end";
        let ended = wait::until(what, deadline, || match (self.ghostctl.has_ended(), self.tell(what)) {
            (_, Err(error)) => Some(Err(error)),
            (true, Ok(_)) => Some(Ok(())),
            (false, Ok(_)) => None,
        });
        ended?
    }

    /// Tells what is new, or now and then what is being waited for, and gives the whole console.
    fn tell(&mut self, what: &str) -> anyhow::Result<String> {
        let lines = self.ghostctl.lines();
        let mut spoken = lines.len() > self.told;
        lines[self.told..].iter().for_each(|line| println!("ghostctl | {line}"));
        self.told = lines.len();
        let console = self.pc.whole_console()?;
        // Only whole lines, and the last one may not be whole yet.
        let whole = console.rfind('\n').map_or(0, |end| end + 1);
        for line in console[..whole].lines().skip(self.heard) {
            self.heard += 1;
            if STORY.iter().any(|words| line.contains(words)) {
                println!("    john | {}", line.trim_end());
                spoken = true;
            }
        }
        if let Some(line) = self.silence.line(self.silence.begun.elapsed(), spoken, what) {
            println!("{line}");
        }
        Ok(console)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_is_broken_now_and_then_and_a_line_begins_it_anew() {
        let mut silence = Silence::new();
        let mut at = |seconds, spoken| silence.line(Duration::from_secs(seconds), spoken, "john");
        assert_eq!(at(14, false), None);
        assert_eq!(at(15, false).unwrap(), "     ... | waiting for john, 15 s so far");
        assert_eq!(at(29, true), None, "a line of the story");
        assert_eq!(at(43, false), None);
        assert_eq!(at(44, false).unwrap(), "     ... | waiting for john, 44 s so far");
    }
}
