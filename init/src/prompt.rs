//! The imager's questions and what is typed at them.
//!
//! What is on the screen and the time since the imager's start come in, keys to type go out. Does not know the
//! virtual keyboard, nor where the screen's text was read.
//!
//! Each prompt of the order is answered once, in whatever order the program asks:
//!
//! ```text
//!             trigger: its keys are typed
//!   waiting ───────────────────────────────▶ done
//!      │                                      ▲
//!      └── deadline: ignored, typed or failed ┘
//! ```

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use evdev::KeyCode;
use ghost_contract::order::{OnDeadline, Prompt, PromptTrigger};

/// What is to be done about a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromptAction {
    /// Type these keys, one after the other.
    Type {
        keys: Vec<KeyCode>,
        /// Their names as in the order, for the report.
        names: Vec<String>,
        /// What brought it about, for the report.
        because: String,
    },
    /// The program did not ask in time, which is a failure.
    Fail {
        /// What was waited for, for the outcome.
        reason: String,
    },
}

/// The prompts that have not come yet.
#[derive(Debug, Clone)]
pub(crate) struct Prompts {
    waiting: Vec<Waiting>,
}

#[derive(Debug, Clone)]
struct Waiting {
    prompt: Prompt,
    keys: Vec<KeyCode>,
}

impl Prompts {
    /// All prompts of an order, checked before anything is started.
    pub(crate) fn new(prompts: &[Prompt]) -> anyhow::Result<Self> {
        let waiting = prompts.iter().map(Waiting::new).collect::<Result<_, _>>()?;
        Ok(Self { waiting })
    }

    /// Whether there is still something to wait for, so that the screen needs to be read.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether it matters what stands on the screen.
    pub(crate) fn wait_for_text(&self) -> bool {
        self.waiting.iter().any(|waiting| matches!(waiting.prompt.when, PromptTrigger::Text(_)))
    }

    /// What one look at the screen leads to. At most one prompt is answered at a look: its keys change the
    /// screen, and the next prompt must be judged by what is there then.
    pub(crate) fn observe(&mut self, screen: &str, elapsed: Duration) -> Option<PromptAction> {
        let shown = squeezed(screen);
        self.waiting.retain(|waiting| !waiting.is_given_up(&shown, elapsed));
        let due = self.waiting.iter().position(|waiting| waiting.is_due(&shown, elapsed))?;
        Some(self.waiting.remove(due).action(&shown, elapsed))
    }
}

impl Waiting {
    fn new(prompt: &Prompt) -> anyhow::Result<Self> {
        if matches!(&prompt.when, PromptTrigger::Text(text) if squeezed(text).is_empty()) {
            bail!("a prompt waits for an empty text, which is on every screen");
        }
        let keys = prompt.keys.iter().map(|name| key(name)).collect::<Result<_, _>>()?;
        Ok(Self { prompt: prompt.clone(), keys })
    }

    fn is_triggered(&self, shown: &str, elapsed: Duration) -> bool {
        match &self.prompt.when {
            PromptTrigger::Text(text) => shown.contains(&squeezed(text)),
            PromptTrigger::After(time) => elapsed >= *time,
        }
    }

    fn is_due(&self, shown: &str, elapsed: Duration) -> bool {
        elapsed >= self.prompt.deadline || self.is_triggered(shown, elapsed)
    }

    fn is_given_up(&self, shown: &str, elapsed: Duration) -> bool {
        self.prompt.on_deadline == OnDeadline::Ignore
            && elapsed >= self.prompt.deadline
            && !self.is_triggered(shown, elapsed)
    }

    fn action(self, shown: &str, elapsed: Duration) -> PromptAction {
        let deadline = self.prompt.deadline.as_secs();
        let in_time = self.is_triggered(shown, elapsed);
        let because = match (&self.prompt.when, in_time) {
            (PromptTrigger::Text(text), true) => format!("the screen shows '{text}'"),
            (PromptTrigger::After(time), true) => format!("{} s have passed", time.as_secs()),
            (PromptTrigger::Text(text), false) => {
                format!("the screen did not show '{text}' within {deadline} s")
            }
            (PromptTrigger::After(_), false) => format!("the prompt's deadline of {deadline} s is over"),
        };
        if !in_time && self.prompt.on_deadline == OnDeadline::Fail {
            return PromptAction::Fail { reason: because };
        }
        PromptAction::Type { keys: self.keys, names: self.prompt.keys, because }
    }
}

/// The key of that name. Buttons and whatever else the kernel counts among the keys are not keys of a keyboard.
fn key(name: &str) -> anyhow::Result<KeyCode> {
    KeyCode::from_str(&format!("KEY_{name}")).ok().with_context(|| {
        format!(
            "'{name}' is not the name of a key: names are those of linux/input-event-codes.h in capitals and without KEY_, such as TAB, ENTER, Y or F10"
        )
    })
}

/// The text with every run of white space as one space, so that a text is found although the program broke
/// it over two lines or padded it.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
