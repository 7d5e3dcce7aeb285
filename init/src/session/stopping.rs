//! Wishes at the machine itself that it go off or boot again, and what a press of its power button means.
//!
//! Knows no button and no signal. A press is a wish like Ctrl-Alt-Del, except while an imager may write to a disk: then the
//! first one tells what would be lost, since a button is pressed by mistake more easily than three keys.
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

/// How soon after the first press the second one must come.
const INSIST: Duration = Duration::from_secs(30);
/// Presses so close to each other are one: some machines have two power buttons for one piece of plastic.
const ONE_PRESS: Duration = Duration::from_secs(1);
const BUTTON: &str = "the power button";

/// What a press of the power button would do now.
#[derive(Debug, Default)]
pub(super) struct Button {
    /// What would be lost; none if nothing would.
    at_risk: Option<String>,
    /// When it was told.
    told: Option<Duration>,
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
            Event::PowerButton => self.pressed(stage, turn)?,
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

    fn pressed(&mut self, stage: &Stage, turn: &mut Turn) -> Option<Event> {
        let stop = Event::StopRequested { by: BUTTON.to_owned(), leave: Some(AtEnd::PowerOff) };
        let (Stage::StartingImager(..) | Stage::Imaging(_), Some(at_risk)) = (stage, &self.button.at_risk)
        else {
            return Some(stop);
        };
        let since = self.button.told.map(|told| turn.now.saturating_sub(told));
        match since {
            Some(since) if since < ONE_PRESS => None,
            Some(since) if since <= INSIST => Some(stop),
            _ => {
                let seconds = INSIST.as_secs();
                let words = format!(
                    "{at_risk}; to power off all the same, press the button again within {seconds} s"
                );
                turn.actions.push(Action::SayOver(words));
                self.button.told = Some(turn.now);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
