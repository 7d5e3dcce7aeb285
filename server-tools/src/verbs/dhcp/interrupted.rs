//! What is left of swaps by hand that were interrupted, or whose records cannot be read: looked for by `ghostctl recover` and before
//! each job.
//!
//! A swap that a person has made is left alone: that person ends it.

use std::path::Path;
use std::time::Duration;

use ghost_contract::HostName;
use serde::Serialize;

use super::{PutBack, put_back};
use crate::exit::Exit;
use crate::output::Output;
use crate::site::Site;
use crate::state::by_hand::{self, Kept, Stage};
use crate::state::paths;

/// What became of one.
#[derive(Serialize)]
struct Recovered<'a> {
    host: &'a HostName,
    put_back: bool,
    reason: &'a str,
}

/// Puts back what was interrupted, and sets aside what says nothing.
pub(crate) fn recover(site: &Site, output: &mut Output) -> Exit {
    let state_folder = &site.ghostrc.state_folder;
    let mut exit = Exit::Done;
    for kept in by_hand::all(state_folder) {
        // Whoever holds it is at it this moment.
        let Ok(_lock) = by_hand::lock_to_undo(state_folder, &kept.host, Duration::ZERO) else { continue };
        let Some(kept) = by_hand::look(state_folder, &kept.host) else { continue };
        exit = exit.max(mend(state_folder, &kept, output));
        if kept.record.is_some_and(|record| record.stage == Stage::Begun) {
            exit = exit.max(undo(site, &kept.host, output));
        }
    }
    for Kept { host, damage, .. } in by_hand::given_up(state_folder) {
        let Some(why) = damage else { continue };
        let kept = by_hand::set_given_up_aside(state_folder, &host);
        let path = paths::given_up(state_folder, &host);
        exit = exit.max(tell_damage(
            &host,
            &path,
            &why,
            &became(kept.map_err(|error| error.to_string())),
            output,
        ));
    }
    exit
}

/// Says what would be done, and does nothing.
pub(crate) fn say(site: &Site, output: &mut Output) -> bool {
    let state_folder = &site.ghostrc.state_folder;
    let mut is_said = false;
    for kept in by_hand::all(state_folder).into_iter().filter(|kept| is_left(site, kept)) {
        is_said = true;
        let reason = match &kept.damage {
            Some(why) => format!("the record of its swap by hand cannot be used: {why}; nothing was changed"),
            None => "its swap by hand was interrupted; would put its DHCP entry back; nothing was changed"
                .to_owned(),
        };
        let one = Recovered { host: &kept.host, put_back: false, reason: &reason };
        output.either(&one, || format!("{}: {reason}", kept.host));
    }
    is_said
}

/// Whether there is something to recover.
pub(crate) fn is_left(site: &Site, kept: &Kept) -> bool {
    let has_begun = kept.record.as_ref().is_some_and(|record| record.stage == Stage::Begun);
    let is_nobodys = || by_hand::lock_to_undo(&site.ghostrc.state_folder, &kept.host, Duration::ZERO).is_ok();
    (kept.damage.is_some() || has_begun) && is_nobodys()
}

/// A record that was damaged is written again from its copy, or set aside if that says nothing either.
fn mend(state_folder: &Path, kept: &Kept, output: &mut Output) -> Exit {
    let Some(why) = &kept.damage else { return Exit::Done };
    let path = paths::by_hand(state_folder, &kept.host);
    let became = match &kept.record {
        Some(record) => match rewrite(state_folder, kept, record) {
            Ok(()) => "it was written again from its copy".to_owned(),
            Err(error) => format!("it has a copy, but could not be written again: {error:#}"),
        },
        None => became(by_hand::set_aside(state_folder, &kept.host).map_err(|error| error.to_string())),
    };
    tell_damage(&kept.host, &path, why, &became, output)
}

/// What is no file cannot be replaced by one, so it is moved away first.
fn rewrite(state_folder: &Path, kept: &Kept, record: &by_hand::Record) -> anyhow::Result<()> {
    if paths::by_hand(state_folder, &kept.host).symlink_metadata().is_ok() {
        by_hand::set_aside(state_folder, &kept.host)?;
    }
    by_hand::write(state_folder, &kept.host, record)
}

fn became(kept: Result<std::path::PathBuf, String>) -> String {
    match kept {
        Ok(kept) => format!("it was moved to {}; look by hand at what its host is offered", kept.display()),
        Err(reason) => format!("it could not be set aside: {reason}"),
    }
}

fn tell_damage(host: &HostName, path: &Path, why: &str, became: &str, output: &mut Output) -> Exit {
    let reason =
        format!("the record {} of a swap by hand of {host} cannot be used: {why}; {became}", path.display());
    output.either_left(&Recovered { host, put_back: false, reason: &reason }, || format!("error: {reason}"));
    Exit::Failed
}

fn undo(site: &Site, host: &HostName, output: &mut Output) -> Exit {
    let (exit, put_back, became) = match put_back(site, host, output) {
        Ok(PutBack::Own) => (Exit::Done, true, "its DHCP entry is put back".to_owned()),
        Ok(PutBack::AnothersValue(words)) => (Exit::Done, false, words),
        Err(error) => (Exit::of(&error).max(Exit::Failed), false, format!("error: {error:#}")),
    };
    let reason = format!("'ghostctl dhcp swap {host}' was interrupted; {became}");
    let one = Recovered { host, put_back, reason: &reason };
    let words = || format!("{host}: {reason}");
    if exit == Exit::Done {
        output.either(&one, words)
    } else {
        output.either_left(&one, words)
    }
    exit
}
