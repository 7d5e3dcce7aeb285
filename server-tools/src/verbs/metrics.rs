//! `ghostctl metrics`, and the file of METRICS.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::catalog::Catalog;
use crate::catalog::listing::Listed;
use crate::exit::Exit;
use crate::output::Output;
use crate::run::metrics::{self, Standing};
use crate::run::summary::Summary;
use crate::site::Site;
use crate::state::{by_hand, journal, record, runs};
use crate::sys::atomic::{self, Real};
use crate::sys::{clock, disk_space};

pub(super) fn run(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    // Each line for itself: what follows in a text is set off by blanks.
    text(site)?.lines().for_each(|line| output.line(line));
    Ok(Exit::Done)
}

/// Writes the file, if there is to be one. The collector reads it while it is replaced.
pub(super) fn write(site: &Site) -> anyhow::Result<()> {
    let Some(file) = &site.ghostrc.metrics else { return Ok(()) };
    let written = text(site).and_then(|text| atomic::replace(file, text.as_bytes(), &mut Real));
    written.context("cannot write the metrics (METRICS)")
}

/// All of them, as they are now.
pub(crate) fn text(site: &Site) -> anyhow::Result<String> {
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    Ok(metrics::text(&records, &standing(site)?))
}

fn standing(site: &Site) -> anyhow::Result<Standing> {
    let state_folder = &site.ghostrc.state_folder;
    let catalog = Catalog::of(&site.ghostrc);
    let mut generations = BTreeMap::new();
    for host in catalog.hosts()? {
        let last = catalog.list_host(&host)?.into_iter().rfind(Listed::is_good_and_whole);
        if let Some(manifest) = last.and_then(|last| last.manifest.ok()) {
            generations.insert(host, manifest.ended);
        }
    }
    let jobs = journal::look_at_all(state_folder)?.into_iter();
    // Of an entry that cannot be read the worst is assumed.
    let swapped = jobs.filter(|seen| seen.says.state.as_ref().is_none_or(|state| state.swapping.is_left()));
    let mut last = BTreeMap::new();
    for run in runs::names(state_folder)? {
        let (contents, is_owned) = runs::look(state_folder, &run)?;
        let Some(summary) = Summary::of(contents, is_owned) else { continue };
        let Some(ended) = summary.ended else { continue };
        last.insert(summary.begun.mode.to_string(), (ended, summary.not_succeeded));
    }
    Ok(Standing {
        now: Some(clock::now()),
        generations,
        swaps: swapped.count() + by_hand::all(state_folder).len(),
        store: disk_space::of(&site.ghostrc.store_folder).ok(),
        runs: last,
    })
}
