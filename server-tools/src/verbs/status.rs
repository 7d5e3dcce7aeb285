//! `ghostctl status`: what is running, and how the last jobs ended.

use ghost_contract::{HostName, UnixTime};
use serde::Serialize;

use super::dhcp::by_hand::is_swapped;
use crate::calendar;
use crate::cli::StatusArgs;
use crate::exit::Exit;
use crate::job::bytes::bytes;
use crate::job::{Identity, Phase, pace};
use crate::output::{Form, Output};
use crate::overview::{Overview, Running};
use crate::site::Site;
use crate::state::by_hand::{self, Kept};
use crate::state::record::{self, Record};
use crate::sys::clock;

pub(super) fn run(site: &Site, arguments: &StatusArgs, output: &mut Output) -> anyhow::Result<Exit> {
    match arguments {
        StatusArgs { last: true, .. } => last(site, arguments, output),
        StatusArgs { swapped: true, .. } => swapped(site, arguments, output),
        StatusArgs { .. } => running(site, arguments, output),
    }
}

/// One that a person has swapped, for programs.
#[derive(Serialize)]
struct Swapped<'a> {
    host: &'a HostName,
    since: Option<UnixTime>,
}

fn swapped(site: &Site, arguments: &StatusArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let mut found = by_hand::all(&site.ghostrc.state_folder);
    found.retain(|one| arguments.host.as_ref().is_none_or(|host| *host == one.host));
    require_known(site, arguments, !found.is_empty())?;
    for Kept { host, record, .. } in &found {
        let since = record.as_ref().and_then(|record| record.at);
        output.either(&Swapped { host, since }, || is_swapped(host));
    }
    if found.is_empty() && output.form() == Form::Plain {
        output.line("no host is swapped by hand");
    }
    Ok(Exit::Done)
}

fn running(site: &Site, arguments: &StatusArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let mut found = Overview::default().running(site)?;
    found.retain(|one| arguments.host.as_ref().is_none_or(|host| *host == one.host));
    require_known(site, arguments, !found.is_empty())?;
    match output.form() {
        Form::Json => found.iter().for_each(|one| output.json(one)),
        Form::Plain if found.is_empty() => output.line("no job is running"),
        Form::Plain => found.iter().for_each(|one| output.line(&words(one))),
    }
    Ok(Exit::Done)
}

fn require_known(site: &Site, arguments: &StatusArgs, is_known: bool) -> anyhow::Result<()> {
    arguments.host.as_ref().map_or(Ok(()), |host| super::require_known(site, host, is_known))
}

fn words(one: &Running) -> String {
    let phase = one.phase.map_or("beginning", Phase::as_str);
    let ago = clock::now().since(one.since).as_secs();
    let Running { host, job, mode, pid, .. } = one;
    let mut words = format!("{host}: {mode} {job}, {phase} for {ago} s (pid {pid})");
    if let Some(moved) = one.moved {
        words.push_str(&format!(", {} moved", bytes(moved)));
    }
    let pace = match &one.progress {
        Some(progress) => pace::progress(progress),
        None => pace::words(one.rate, one.left),
    };
    if !pace.is_empty() {
        words.push_str(&format!(", {pace}"));
    }
    if !one.owned {
        words.push_str("; its ghostctl is gone: run 'ghostctl recover'");
    }
    words
}

fn last(site: &Site, arguments: &StatusArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    let mut shown = std::collections::BTreeMap::new();
    for record in records {
        if arguments.host.as_ref().is_none_or(|host| *host == record.identity.host) {
            shown.insert(record.identity.host.clone(), record);
        }
    }
    require_known(site, arguments, !shown.is_empty())?;
    if shown.is_empty() && output.form() == Form::Plain {
        output.line("no job has ended yet");
    }
    for record in shown.values() {
        match output.form() {
            Form::Json => output.json(record),
            Form::Plain => tell_record(record, output),
        }
    }
    Ok(Exit::Done)
}

fn tell_record(record: &Record, output: &mut Output) {
    let Identity { host, mode, job, .. } = &record.identity;
    output.line(&format!("{host}: {mode} {job}: {}", record.words()));
    let took = record.ended.since(record.began).as_secs();
    output.line(&format!(
        "  {} to {}, {took} s",
        calendar::for_people(record.began),
        calendar::for_people(record.ended)
    ));
    if let Some(sample) = record.sample {
        output.line(&format!(
            "  disk {} read, {} written; network {} received, {} sent",
            bytes(sample.disk_read),
            bytes(sample.disk_written),
            bytes(sample.received),
            bytes(sample.sent)
        ));
    }
    if let Some(image) = &record.image {
        output.line(&format!("  image: {}", image.display()));
    }
    for trouble in &record.troubles {
        output.line(&format!("  besides: {}", trouble.reason));
    }
}
