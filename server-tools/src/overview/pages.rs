//! What the console's pages show besides tiles: runs, generations, readings, metrics. Read when somebody asks.

use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::{Generation, HostName, Mode, UnixTime, bounds, report};

use crate::catalog::Catalog;
use crate::catalog::listing::Listed;
use crate::job::{Identity, Sample, bytes};
use crate::run::RunId;
use crate::run::page;
use crate::run::summary::{Became, OfHost, Summary};
use crate::site::Site;
use crate::state::{record, runs};
use crate::verbs;

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    pub run: RunId,
    /// What it was, in one line.
    pub words: String,
    /// None if its record does not even say what was asked for.
    pub about: Option<AboutRun>,
}

/// What a run was, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutRun {
    pub mode: Mode,
    pub at: UnixTime,
    /// How long it took, if it is over.
    pub took: Option<Duration>,
    /// `running`, `over` or `broken off`.
    pub state: &'static str,
    pub succeeded: usize,
    /// Those that are not done, the ones to come included.
    pub not_succeeded: usize,
    pub failed: usize,
}

impl AboutRun {
    fn of(summary: &Summary) -> Self {
        let has_failed = |one: &&OfHost| match &one.became {
            Became::Ended(ended) => !ended.is_good(),
            Became::NotBegun { .. } => true,
            Became::Waiting | Became::Running { .. } => false,
        };
        Self {
            mode: summary.begun.mode,
            at: summary.begun.at,
            took: summary.ended.map(|ended| ended.since(summary.begun.at)),
            state: page::state(summary.run_state),
            succeeded: summary.succeeded,
            not_succeeded: summary.not_succeeded,
            failed: summary.jobs.iter().filter(has_failed).count(),
        }
    }
}

/// The report of a run, to stand in another page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    pub title: String,
    /// HTML in which everything that was said is text.
    pub body: String,
}

/// One generation in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationLine {
    pub host: HostName,
    pub generation: Generation,
    /// `good`, `damaged`, or `not vouched for`.
    pub state: &'static str,
    pub is_good: bool,
    /// What it takes, if that is known.
    pub bytes: Option<u64>,
    pub made: Option<UnixTime>,
    /// When it was read back last.
    pub checked: Option<UnixTime>,
}

/// The runs, the newest first.
pub fn runs(site: &Site, most: usize) -> anyhow::Result<Vec<RunLine>> {
    let state_folder = &site.ghostrc.state_folder;
    let mut lines = Vec::new();
    for run in runs::names(state_folder)?.into_iter().rev().take(most) {
        let (contents, is_owned) = runs::look(state_folder, &run)?;
        let summary = Summary::of(contents, is_owned);
        let words = summary.as_ref().map(page::heading);
        lines.push(RunLine {
            words: words.unwrap_or_else(|| format!("run {run}: its record does not say what was asked for")),
            about: summary.as_ref().map(AboutRun::of),
            run,
        });
    }
    Ok(lines)
}

/// The report of a run; none if there is no such run.
pub fn run(site: &Site, run: &RunId) -> anyhow::Result<Option<RunPage>> {
    let state_folder = &site.ghostrc.state_folder;
    if !runs::names(state_folder)?.contains(run) {
        return Ok(None);
    }
    let (contents, is_owned) = runs::look(state_folder, run)?;
    let Some(summary) = Summary::of(contents, is_owned) else { return Ok(None) };
    let body = verbs::runs::page(site, &summary, |page| page.body())?;
    Ok(Some(RunPage { title: format!("{} {run}", summary.begun.mode), body }))
}

/// The style of [`RunPage::body`].
pub const fn style_of_runs() -> &'static str {
    page::STYLE
}

/// The generations of a host, or of all, the oldest of each first.
pub fn generations(site: &Site, host: Option<&HostName>) -> anyhow::Result<Vec<GenerationLine>> {
    let catalog = Catalog::of(&site.ghostrc);
    let listed = host.map_or_else(|| catalog.list(), |host| catalog.list_host(host))?;
    Ok(listed.into_iter().map(line).collect())
}

/// How many generations are kept, by the settings of this host or else by those that all have.
pub fn retention(site: &Site, host: Option<&HostName>) -> String {
    let settings = host.map_or_else(|| site.ghostrc.settings().clone(), |host| site.ghostrc.for_host(host));
    let days = settings.keep.as_secs() / 86_400;
    let young = if days > 0 { format!(", and all that are younger than {days} days") } else { String::new() };
    match settings.generations {
        None => "All generations are kept: GENERATIONS is not set.".to_owned(),
        Some(count) => format!("The newest {count} good generations of each client are kept{young}."),
    }
}

fn line(listed: Listed) -> GenerationLine {
    let (state, is_good) = (listed.state(), listed.is_good());
    let manifest = listed.manifest.ok();
    let checked = listed.check.map(|check| check.at);
    GenerationLine {
        host: listed.host,
        generation: listed.generation,
        state,
        is_good,
        bytes: manifest.as_ref().map(|manifest| manifest.bytes),
        made: manifest.as_ref().map(|manifest| manifest.ended),
        checked: checked.or(manifest.map(|manifest| manifest.checked)),
    }
}

/// The readings of the counters of a job, at most so many of them.
pub fn samples(site: &Site, identity: &Identity, runs: bool, most: usize) -> anyhow::Result<Vec<Sample>> {
    let bytes = if runs {
        site.tree(identity.ip).report(0, bounds::REPORT_BACKLOG)?
    } else {
        let kept = record::report(&site.ghostrc.state_folder, &identity.job, bounds::REPORT_BACKLOG);
        kept.context("cannot read the report that was kept")?
    };
    let all: Vec<Sample> = report::read(&bytes).entries.iter().filter_map(Sample::of).collect();
    let step = all.len().div_ceil(most.max(1)).max(1);
    Ok(all.into_iter().step_by(step).collect())
}

/// What Prometheus reads.
pub fn metrics(site: &Site) -> anyhow::Result<String> {
    verbs::metrics::text(site)
}

/// A number of bytes, for people.
pub fn size(count: u64) -> String {
    bytes::bytes(count)
}

/// How long something took, for people.
pub fn duration(seconds: u64) -> String {
    page::took(seconds)
}

/// A point in time, for people.
pub fn time(at: UnixTime) -> String {
    crate::calendar::for_people(at)
}

/// The moment that the others are compared with.
pub fn now() -> UnixTime {
    crate::sys::clock::now()
}
