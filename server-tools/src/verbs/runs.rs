//! `ghostctl runs` and `ghostctl report`: which runs there were, and what became of one.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;

use crate::calendar;
use crate::cli::ReportArgs;
use crate::exit::{Exit, WithExit as _};
use crate::job::bytes::bytes;
use crate::output::{Form, Output};
use crate::run::figures::{Figures, is_good};
use crate::run::page::{self as words, Page};
use crate::run::summary::{Became, OfHost, State, Summary};
use crate::site::Site;
use crate::state::record::{self, Record};
use crate::state::runs;

pub(super) mod films;

/// So many of a host's last jobs are compared with.
const COMPARED: usize = 10;

pub(super) fn list(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let state_folder = &site.ghostrc.state_folder;
    let mut rows = Vec::new();
    for run in runs::names(state_folder)? {
        let (contents, is_owned) = runs::look(state_folder, &run)?;
        let Some(summary) = Summary::of(contents, is_owned) else {
            output.line(&format!("{run}: its record does not say what was asked for"));
            continue;
        };
        match output.form() {
            Form::Json => output.json(&summary),
            Form::Plain => rows.push(cells(&summary)),
        }
    }
    match output.form() {
        Form::Plain if rows.is_empty() => output.line("there was no run yet"),
        Form::Plain => {
            let heading = ["RUN", "VERB", "BEGAN", "TOOK", "HOSTS", "DONE", "NOT DONE", "STATE"];
            output.table(&heading.map(str::to_owned), &rows);
        }
        Form::Json => {}
    }
    Ok(Exit::Done)
}

fn cells(summary: &Summary) -> [String; 8] {
    let Summary { begun, ended, succeeded, not_succeeded, jobs, .. } = summary;
    let took = ended.map_or_else(|| "-".to_owned(), |ended| words::took(ended.since(begun.at).as_secs()));
    [
        begun.run.to_string(),
        begun.mode.to_string(),
        calendar::for_people(begun.at),
        took,
        jobs.len().to_string(),
        succeeded.to_string(),
        not_succeeded.to_string(),
        words::state(summary.run_state).to_owned(),
    ]
}

pub(super) fn report(site: &Site, arguments: &ReportArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let state_folder = &site.ghostrc.state_folder;
    let newest = || runs::names(state_folder).map(|mut names| names.pop());
    let run = arguments.run.clone().map_or_else(newest, |run| Ok(Some(run)))?;
    let run = run.ok_or_else(|| anyhow!("there was no run yet").exit(Exit::Usage))?;
    let (contents, is_owned) = runs::look(state_folder, &run)?;
    let unreadable = || anyhow!("the record of the run {run} does not say what was asked for");
    let summary = Summary::of(contents, is_owned).with_context(unreadable)?;
    if let Some(file) = &arguments.html {
        write_page(site, &summary, file)?;
        output.line(&format!("{}: the report of the run {run}", file.display()));
    } else if output.form() == Form::Json {
        output.json(&summary);
    } else {
        tell(&summary, output);
    }
    Ok(if has_failed(&summary) { Exit::Failed } else { Exit::Done })
}

/// What is still to come is no failure while the run goes on.
fn has_failed(summary: &Summary) -> bool {
    let goes_on = summary.run_state == State::Running;
    let has_failed = |one: &OfHost| match &one.became {
        Became::Waiting | Became::Running { .. } => !goes_on,
        Became::NotBegun { .. } => true,
        Became::Ended(ended) => !ended.is_good(),
    };
    summary.jobs.iter().any(has_failed)
}

fn tell(summary: &Summary, output: &mut Output) {
    output.line(&words::heading(summary));
    let heading = ["HOST", "BEGAN", "TOOK", "SIZE", "RATE", "TRIES", "RESULT"].map(str::to_owned);
    output.table(&heading, &summary.jobs.iter().map(row).collect::<Vec<_>>());
    for places in &summary.places {
        output.line(&format!("{}: {}", calendar::for_people(places.at), places.words()));
    }
    for said in &summary.hooks {
        let (of, became) = (said.of(), said.became());
        let output_of_hook =
            if said.output.is_empty() { String::new() } else { format!(": {}", said.output) };
        output.line(&format!("hook {} for {of}: {became}{output_of_hook}", said.hook));
    }
    if let Some(damage) = &summary.damage {
        output.line(&format!("warning: the record is not whole: {damage}"));
    }
}

fn row(one: &OfHost) -> [String; 7] {
    let dash = || "-".to_owned();
    let (began, figures) = match &one.became {
        Became::Ended(ended) => (calendar::for_people(ended.began), Some(ended.figures)),
        Became::Running { since, .. } => (calendar::for_people(*since), None),
        _ => (dash(), None),
    };
    let Figures { bytes: size, rate, .. } = figures.unwrap_or_default();
    [
        one.host.to_string(),
        began,
        figures.map_or_else(dash, |figures| words::took(figures.seconds)),
        size.map_or_else(dash, bytes),
        rate.map_or_else(dash, |rate| format!("{}/s", bytes(rate))),
        one.tries.to_string(),
        words::result(&one.became),
    ]
}

fn write_page(site: &Site, summary: &Summary, file: &Path) -> anyhow::Result<()> {
    let text = page(site, summary, |page| page.text())?;
    let cannot = || format!("cannot write {}", file.display());
    // The screens of clients are not for everybody; what an administrator has opened stays open.
    let options = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    options().and_then(|mut opened| opened.write_all(text.as_bytes())).with_context(cannot)
}

/// Makes something of the page with all that it shows.
pub(crate) fn page(
    site: &Site,
    summary: &Summary,
    make: impl FnOnce(&Page<'_>) -> String,
) -> anyhow::Result<String> {
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    let (before, films) = (before(summary, &records), films::of(site, summary, &records));
    Ok(make(&Page { summary, before, films }))
}

/// The last good jobs of each host before the run, the oldest first.
fn before(summary: &Summary, records: &[Record]) -> BTreeMap<HostName, Vec<Figures>> {
    let mut before: BTreeMap<HostName, Vec<Figures>> = BTreeMap::new();
    let earlier = |record: &&Record| {
        record.identity.mode == summary.begun.mode && is_good(record) && record.ended < summary.begun.at
    };
    for record in records.iter().filter(earlier) {
        before.entry(record.identity.host.clone()).or_default().push(Figures::of(record));
    }
    before.values_mut().for_each(|all| drop(all.drain(..all.len().saturating_sub(COMPARED))));
    before
}
