//! Wishes at the machine itself that it go off or boot again, and what a press of its power button or of Ctrl-Alt-Del means.
//!
//! Knows no button and no signal. A press ends the job, except while an imager may write to a disk: then the first one tells
//! what would be lost. One press may arrive more than once: by the kernel and by the keyboard, or as the kernel repeats keys
//! that are held down.
//!
//! ```text
//!              a disk may be written to
//! press ─┬─▶ told what is lost ── another press, soon ──▶ stop
//!        └─────────────────── else ─────────────────────▶ stop
//! ```

use std::time::Duration;

use ghost_contract::Mode;
use ghost_contract::order::AtEnd;

use super::{Action, Event, Report, Session, Stage, Turn};
use crate::keys::Press;

/// How soon after the first press the second one must come.
const INSIST: Duration = Duration::from_secs(30);
/// A press so soon after the one that was told is the same: some machines have two power buttons for one piece of plastic.
const ONE_PRESS: Duration = Duration::from_secs(1);
/// So is Ctrl-Alt-Del so soon after the last: the kernel repeats it after 250 ms, and then 30 times a second.
const HELD_DOWN: Duration = Duration::from_millis(500);

/// What a press would do now.
#[derive(Debug, Default)]
pub(super) struct Button {
    /// What would be lost; none if nothing would.
    at_risk: Option<String>,
    /// When it was told.
    told: Option<Duration>,
    /// When Ctrl-Alt-Del was pressed last.
    keys: Option<Duration>,
}

impl Button {
    /// What is at risk from now on, while an imager works in this mode on these disks.
    pub(super) fn guard(&mut self, mode: Mode, disks: &[String]) {
        let disks = disks.join(", ");
        self.at_risk = match mode {
            Mode::Restore => Some(format!("a restore is writing to {disks}, which would be incomplete")),
            Mode::Ghost => Some(format!("a program may be writing to {disks}, which would be incomplete")),
            Mode::Backup | Mode::Verify | Mode::Test => None,
        };
    }
}

impl Session {
    /// A wish with all that follows from it, or none if nothing more is to be done about the event.
    pub(super) fn heed_wish(&mut self, stage: &Stage, event: Event, turn: &mut Turn) -> Option<Event> {
        let event = match event {
            Event::Pressed(press) => self.pressed(press, stage, turn)?,
            other => other,
        };
        if let Event::StopRequested { leave, .. } = &event
            && !matches!(stage, Stage::Ending(_) | Stage::Off)
        {
            self.at_end = leave.unwrap_or_else(|| self.usual_way());
        }
        Some(event)
    }

    /// How the machine is left by a wish that does not say how. Before there is a report a failure boots the PC again, but that may
    /// lead here again: a person wants it off.
    fn usual_way(&self) -> AtEnd {
        match self.report {
            Report::NotYet => AtEnd::PowerOff,
            Report::Open => self.at_end,
        }
    }

    fn pressed(&mut self, press: Press, stage: &Stage, turn: &mut Turn) -> Option<Event> {
        let (name, again, leave) = match press {
            Press::PowerButton => ("the power button", "the button", Some(AtEnd::PowerOff)),
            Press::CtrlAltDel => ("Ctrl-Alt-Del", "Ctrl-Alt-Del", None),
        };
        let stop = Event::StopRequested { by: name.to_owned(), leave };
        let since = |then: Option<Duration>| then.map(|then| turn.now.saturating_sub(then));
        if press == Press::CtrlAltDel {
            let last = self.button.keys.replace(turn.now);
            if since(last).is_some_and(|since| since < HELD_DOWN) {
                return None;
            }
        }
        let (Stage::StartingImager(..) | Stage::Imaging(_), Some(at_risk)) = (stage, &self.button.at_risk)
        else {
            return Some(stop);
        };
        match since(self.button.told) {
            Some(since) if since < ONE_PRESS => None,
            Some(since) if since <= INSIST => Some(stop),
            _ => {
                let seconds = INSIST.as_secs();
                let words =
                    format!("{at_risk}; to power off all the same, press {again} again within {seconds} s");
                turn.actions.push(Action::SayOver(words));
                self.button.told = Some(turn.now);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
