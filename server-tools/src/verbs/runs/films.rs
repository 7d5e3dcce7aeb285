//! Reads the screenshots of jobs that failed, within bounds, and draws them anew. One that cannot be read is said to be so.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;

use crate::catalog::screens;
use crate::job::Identity;
use crate::output::picture;
use crate::run::film::{FRAMES, Film, Frame, MOST_BYTES, SMALL, spread};
use crate::run::summary::{Became, Summary};
use crate::site::Site;
use crate::state::record::{self, Record};
use crate::sys::folder::Folder;

/// No more hosts of a run are shown.
const HOSTS: usize = 100;

/// The screenshots of the jobs that failed: the last one of each host in any case, a small one where there is no room for all of it,
/// and what led to it while there is room.
pub(super) fn of(site: &Site, summary: &Summary, records: &[Record]) -> BTreeMap<HostName, Film> {
    let failed = failed(summary, records);
    let mut room = MOST_BYTES;
    let mut films: BTreeMap<HostName, Film> = BTreeMap::new();
    for (identity, name) in &failed {
        let whole = last(site, identity, name);
        let is_too_large = whole.as_ref().is_ok_and(|frame| frame.png.len() > room);
        let last = if is_too_large { drawn(site, identity, name, small) } else { whole };
        let film = Film { last, before: Vec::new(), taken: 0 };
        room = room.saturating_sub(film.bytes());
        films.insert(identity.host.clone(), film);
    }
    for (identity, name) in failed {
        let Some(film) = films.get_mut(&identity.host) else { continue };
        // Of what the last one could not be read there is no strip either.
        let Ok((before, taken)) = before(site, identity, name) else { continue };
        let size: usize = before.iter().map(|frame| frame.png.len()).sum();
        let Some(left) = room.checked_sub(size) else { break };
        (film.before, film.taken, room) = (before, taken, left);
    }
    films
}

/// The last screenshots of the jobs that failed, for a mail.
pub(in crate::verbs) fn last_screens(
    site: &Site,
    summary: &Summary,
) -> anyhow::Result<BTreeMap<HostName, Result<Vec<u8>, String>>> {
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    let last = |(identity, name): (&Identity, &str)| {
        (identity.host.clone(), last(site, identity, name).map(|frame| frame.png))
    };
    Ok(failed(summary, &records).into_iter().map(last).collect())
}

/// The jobs that failed and have screenshots, each with the name of its last one.
fn failed<'a>(summary: &'a Summary, records: &'a [Record]) -> Vec<(&'a Identity, &'a str)> {
    let failed = summary.jobs.iter().filter_map(|one| {
        let Became::Ended(ended) = &one.became else { return None };
        let name = ended.screen.as_deref()?;
        let record = records.iter().find(|record| record.identity.job == ended.job)?;
        Some((&record.identity, name))
    });
    failed.take(HOSTS).collect()
}

fn last(site: &Site, identity: &Identity, name: &str) -> Result<Frame, String> {
    drawn(site, identity, name, picture::redrawn)
}

fn small(png: &[u8]) -> anyhow::Result<Vec<u8>> {
    picture::redrawn_small(png, SMALL)
}

fn drawn(
    site: &Site,
    identity: &Identity,
    name: &str,
    draw: fn(&[u8]) -> anyhow::Result<Vec<u8>>,
) -> Result<Frame, String> {
    let drawn = folder(site, identity).and_then(|folder| frame(&folder, name, draw));
    drawn.map_err(|error| format!("{error:#}"))
}

/// Small pictures of what was before the last one, and how many screenshots there are.
fn before(site: &Site, identity: &Identity, last: &str) -> anyhow::Result<(Vec<Frame>, usize)> {
    let folder = folder(site, identity)?;
    let found = screens::names(&folder).context("cannot read the screenshots")?;
    let (mut names, taken) = (found.names, found.left_out);
    let taken = taken + names.len();
    names.retain(|name| name.as_str() < last);
    // One that is damaged is left out: the others tell what happened as well.
    let drawn = spread(names.len(), FRAMES)
        .into_iter()
        .filter_map(|place| frame(&folder, names.get(place)?, small).ok());
    Ok((drawn.collect(), taken))
}

fn folder(site: &Site, identity: &Identity) -> anyhow::Result<Folder> {
    let found = screens::of(&site.ghostrc, identity).context("cannot read the screenshots")?;
    Ok(found.context("it is not there any more")?.1)
}

fn frame(
    folder: &Folder,
    name: &str,
    draw: impl Fn(&[u8]) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<Frame> {
    if !screens::is_numbered(name) {
        return Err(anyhow!("it has no name of a screenshot"));
    }
    let file = folder.read(format!("{name}.png"), screens::LARGEST).context("cannot read the screenshot")?;
    Ok(Frame { name: name.to_owned(), png: draw(&file)? })
}
