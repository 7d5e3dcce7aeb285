//! What an order says, from the settings of its client.

use std::time::Duration;

use crate::ghostrc::Settings;
use ghost_contract::order::{
    self, Deadlines, ImageStore, Imager, OnDeadline, Prompt, PromptTrigger, TestSettings, Watch,
};
use ghost_contract::{Generation, Mode, Nonce, Order, UnixTime};

use super::{Identity, Plan};

/// How long after the imager's start nothing needs to move.
const GRACE: Duration = Duration::from_secs(120);
/// How often the client reads its counters.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// How often it photographs its screen.
const SCREENSHOT_EVERY: Duration = Duration::from_secs(60);
/// How many of the latest screenshots it keeps.
const SCREENSHOTS_KEPT: u32 = 60;
/// How long Ghost may take until it asks about the mark.
const MARK: Duration = Duration::from_secs(600);
/// From the imager's end to power off.
pub(super) const ENDING: Duration = Duration::from_secs(120);

/// What comes from outside the settings.
#[derive(Debug, Clone)]
pub(crate) struct Particulars {
    pub store: ImageStore,
    /// The secret that proves it.
    pub nonce: Nonce,
    /// What is checked or written back.
    pub generation: Option<Generation>,
    pub imager: Option<Imager>,
    /// Whether a key comes with it.
    pub luks_key: bool,
    /// Who may log in in mode `test`.
    pub authorized_keys: Vec<String>,
}

/// The order of a job that begins now.
pub(crate) fn order(plan: &Plan, settings: &Settings, particulars: Particulars, now: UnixTime) -> Order {
    // The client learns its address from DHCP.
    let Identity { job, host, mac, ip: _, mode } = plan.identity.clone();
    Order {
        version: order::version(particulars.imager.as_ref(), particulars.luks_key),
        job,
        host,
        mac,
        mode,
        issued: now,
        expires: now.plus(settings.expires),
        store: Some(particulars.store),
        nonce: particulars.nonce,
        prompts: prompts(mode, particulars.imager.as_ref(), settings.mark_after),
        imager: particulars.imager,
        luks_key: particulars.luks_key,
        disk: settings.disk.clone(),
        generation: particulars.generation,
        watch: Watch {
            minimum_rate: settings.stall_rate,
            window: settings.stall_window,
            grace: GRACE,
            sample_every: SAMPLE_EVERY,
            screenshot_every: SCREENSHOT_EVERY,
            screenshots_kept: SCREENSHOTS_KEPT,
        },
        deadlines: Deadlines { job: settings.job_deadline, ending: ENDING },
        test: TestSettings { sleep: settings.sleep, authorized_keys: particulars.authorized_keys },
        at_end: plan.at_end,
    }
}

/// What Ghost asks before it writes to a disk that it has not seen before (HOWTO): whether it may mark the disk. It
/// may not, and does not ask every time.
fn prompts(mode: Mode, imager: Option<&Imager>, after: Option<Duration>) -> Vec<Prompt> {
    let is_ghost = imager.is_some_and(|imager| imager.name().emulator().is_some());
    if !is_ghost || !mode.needs_image_store() {
        return Vec::new();
    }
    let by_text = || PromptTrigger::Text("Mark".to_owned());
    vec![Prompt {
        when: after.map_or_else(by_text, PromptTrigger::After),
        keys: vec!["TAB".to_owned(), "ENTER".to_owned()],
        deadline: after.map_or(MARK, |after| after.max(MARK)),
        on_deadline: OnDeadline::Ignore,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::order::{DosProgram, Graphics};

    #[test]
    fn ghost_is_told_not_to_mark_the_disk_when_it_asks_or_at_a_time() {
        let dosemu = Imager::Dosemu(DosProgram { command: String::new(), graphics: Graphics::Vga });
        let [by_text] = &prompts(Mode::Backup, Some(&dosemu), None)[..] else { panic!("one prompt") };
        assert_eq!(by_text.when, PromptTrigger::Text("Mark".to_owned()));
        let after = Duration::from_secs(1200);
        let [by_time] = &prompts(Mode::Backup, Some(&dosemu), Some(after))[..] else { panic!("one prompt") };
        assert_eq!(by_time.when, PromptTrigger::After(after));
        assert!(by_time.deadline >= after, "{by_time:?}");
        assert_eq!(by_time.keys, by_text.keys);
        assert!(prompts(Mode::Ghost, Some(&dosemu), Some(after)).is_empty(), "a person is at the screen");
    }
}
