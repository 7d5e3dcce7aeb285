//! `ghostctl images`: shows what is in the image store, checks whether it is whole, and removes what is no longer needed.

mod adopting;
mod inside;

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use ghost_contract::image::{DiskFacts, Hit};
use ghost_contract::{Generation, HostName, UnixTime};
use serde::Serialize;

use super::confirmation;
use crate::calendar;
use crate::catalog::Catalog;
use crate::catalog::check::{Check, Damage};
use crate::catalog::disks::{self, DiskSummary};
use crate::catalog::listing::Listed;
use crate::catalog::manifest::Manifest;
use crate::catalog::pruning::{self, Resolve};
use crate::catalog::removal::Plan;
use crate::catalog::signing;
use crate::cli::{Images, LATEST, PruneArgs, RemoveArgs};
use crate::exit::{Exit, WithExit};
use crate::job::bytes::bytes;
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::clock;

/// A generation in a list, for programs.
#[derive(Serialize)]
struct Line<'a> {
    host: &'a HostName,
    generation: &'a Generation,
    state: &'static str,
    ended: Option<UnixTime>,
    bytes: Option<u64>,
    checked: Option<UnixTime>,
    problem: Option<String>,
    /// What is not in the image though nothing says that it is free, in words.
    lacks: Option<String>,
    /// The key by whose signature it is believed, if another boot server has made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<&'a str>,
    /// What is to be known of the record of its last check, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'a str>,
    damage: &'a [Damage],
}

/// Does what was asked for.
pub(super) fn run(site: &Site, asked: &Images, output: &mut Output) -> anyhow::Result<Exit> {
    let catalog = Catalog::of(&site.ghostrc);
    match asked {
        Images::List { hosts } => list(site, &catalog, hosts, output),
        Images::Show { host, generation } => show(&catalog, host, generation.as_ref(), output),
        Images::Verify { host, generation } => verify(&catalog, host, generation.as_ref(), output),
        Images::Adopt { host, generation } => {
            adopting::run(site, &catalog, host.as_ref(), generation.as_ref(), output)
        }
        Images::Key => key(site, output),
        Images::Prune(arguments) => prune(site, &catalog, arguments, output),
        Images::Rm(arguments) => remove(site, &catalog, arguments, output),
        Images::Mount(arguments) => inside::mount(site, &catalog, arguments, output),
        Images::Unmount { folder } => inside::unmount(site, folder, output),
        Images::Export(arguments) => inside::export(&catalog, arguments, output),
    }
}

/// Removes what a crash has left of mounts; yields how many there were.
pub(super) fn recover(site: &Site, output: &mut Output) -> anyhow::Result<usize> {
    inside::recover(site, output)
}

fn key(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let unset =
        || anyhow!("SIGNINGKEY is not set; write for example SIGNINGKEY=/etc/ghost4linux/signing.key");
    let path = site.ghostrc.signing_key.as_ref().ok_or_else(|| unset().exit(Exit::Configuration))?;
    let public = signing::public_key(path)?;
    match output.form() {
        Form::Json => output.json(&PublicKey { public_key: public.lines().last().unwrap_or_default() }),
        Form::Plain => public.lines().for_each(|line| output.line(line)),
    }
    Ok(Exit::Done)
}

/// For programs.
#[derive(Serialize)]
struct PublicKey<'a> {
    public_key: &'a str,
}

fn list(site: &Site, catalog: &Catalog, hosts: &[HostName], output: &mut Output) -> anyhow::Result<Exit> {
    for host in chosen(site, catalog, hosts)? {
        for one in catalog.list_host(&host)? {
            tell(&one, output);
        }
    }
    Ok(Exit::Done)
}

/// These hosts, or all that the store has something of.
fn chosen(site: &Site, catalog: &Catalog, hosts: &[HostName]) -> anyhow::Result<Vec<HostName>> {
    let stored = catalog.hosts()?;
    if hosts.is_empty() {
        return Ok(stored);
    }
    hosts.iter().try_for_each(|host| super::require_known(site, host, stored.contains(host)))?;
    Ok(hosts.to_vec())
}

fn tell(one: &Listed, output: &mut Output) {
    let manifest = one.manifest.as_ref();
    let checked = last_check(one);
    let lacks = manifest.ok().and_then(|manifest| disks::lacks(&manifest.disks));
    let state = one.state();
    if output.form() == Form::Json {
        return output.json(&Line {
            host: &one.host,
            generation: &one.generation,
            state,
            ended: manifest.ok().map(|manifest| manifest.ended),
            bytes: manifest.ok().map(|manifest| manifest.bytes),
            checked,
            problem: manifest.err().map(|error| format!("{error:#}")),
            lacks,
            signed_by: one.signed_by.as_deref(),
            doubt: one.doubt.as_deref(),
            damage: one.check.as_ref().map_or(&[], |check| &check.damage),
        });
    }
    let (host, generation) = (&one.host, &one.generation);
    match manifest {
        Ok(Manifest { ended, bytes, .. }) => output.line(&format!(
            "{host:<15} {generation:<24} {}  {:>9} MiB  {state}, checked {}{}{}{}",
            calendar::for_people(*ended),
            bytes >> 20,
            checked.map_or_else(String::new, calendar::for_people),
            lacks.map_or_else(String::new, |lacks| format!("; {lacks}")),
            one.signed_by.as_ref().map_or_else(String::new, |key| format!("; signed by {key}")),
            one.doubt.as_ref().map_or_else(String::new, |doubt| format!("; {doubt}"))
        )),
        Err(error) => output.line(&format!("{host:<15} {generation:<24} {state}: {error:#}")),
    }
}

/// When it was last read as a whole.
fn last_check(one: &Listed) -> Option<UnixTime> {
    let at_the_end = one.manifest.as_ref().ok().map(|manifest| manifest.checked);
    one.check.as_ref().map(|check| check.at).or(at_the_end)
}

fn show(
    catalog: &Catalog,
    host: &HostName,
    generation: Option<&Generation>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let one = catalog.show(host, wanted(catalog, host, generation)?)?;
    tell(&one, output);
    let manifest = one.manifest?;
    if output.form() == Form::Json {
        output.json(&manifest);
        return Ok(Exit::Done);
    }
    output.line(&format!("  made from {} by job {}", manifest.mac, manifest.job));
    manifest.disks.iter().enumerate().for_each(|(index, disk)| tell_disk(index, disk, output));
    for piece in &manifest.pieces {
        output.line(&format!("  {}  {:>13}  {}", piece.sha256, piece.size, piece.path.escape_debug()));
    }
    tell_damage(one.check.as_ref(), output);
    Ok(Exit::Done)
}

/// What is kept of a disk: it, its partitions, and what their file systems use.
fn tell_disk(index: usize, disk: &DiskSummary, output: &mut Output) {
    let DiskFacts { path, model, serial, size, .. } = &disk.disk;
    let names: Vec<&str> = [model, serial].into_iter().flatten().map(String::as_str).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let (size, stored) = (bytes(*size), bytes(disk.stored));
    output.line(&format!("  disk {index}: {size}, {stored} in the store; it was {path}{names}"));
    for partition in &disk.table.partitions {
        let kind = partition.file_system.as_deref().unwrap_or("nothing that is known");
        let label = partition.label.as_deref().or(partition.name.as_deref());
        let label = label.map(|label| format!(" \"{}\"", label.escape_debug())).unwrap_or_default();
        let used = disk.used(partition.number).map(|used| format!(", {} used", bytes(used)));
        let used = used.unwrap_or_default();
        let (number, length) = (partition.number, bytes(partition.length));
        output.line(&format!("    {number:>2}  {kind}{label}, {length}{used}"));
    }
    for part in &disk.saved {
        let place = part.place().escape_debug().to_string();
        let left_out = match part.left_out {
            0 => String::new(),
            left_out => format!(", {} left out", bytes(left_out)),
        };
        let (saved, length, how) = (bytes(part.saved), bytes(part.length), part.how.escape_debug());
        output.line(&format!("    {place:>6}: {saved} of {length} saved{left_out}: {how}"));
    }
    if !disk.bad_ranges.is_empty() {
        let lost = bytes(disk.unreadable());
        output.line(&format!("    {lost} could not be read: zeros or 'BADSECTOR' stand there"));
    }
    disk.hits.iter().for_each(|hit| tell_hit(hit, output));
    disk.notes.iter().for_each(|note| output.line(&format!("    {}", note.escape_debug())));
}

/// Which files of a partition the places belong to that could not be read.
fn tell_hit(hit: &Hit, output: &mut Output) {
    let place = hit.partition.map_or_else(|| "the disk".to_owned(), |number| format!("partition {number}"));
    let volume = hit.volume.as_deref().map(|name| format!(" ({})", name.escape_debug()));
    let place = place + &volume.unwrap_or_default();
    for file in &hit.files {
        output.line(&format!("    not all of this file of {place} could be read: {}", file.escape_debug()));
    }
    if let Some(why) = &hit.unknown {
        let which = if hit.files.is_empty() { "which files" } else { "which other files" };
        output.line(&format!("    {which} of {place} could not be read is unknown: {}", why.escape_debug()));
    }
}

/// The one that was named, or the newest if none was or it was called [`LATEST`].
fn wanted(catalog: &Catalog, host: &HostName, named: Option<&Generation>) -> anyhow::Result<Generation> {
    if let Some(named) = named.filter(|named| named.as_str() != LATEST) {
        return Ok(named.clone());
    }
    let all = catalog.list_host(host)?;
    let newest = all.iter().filter_map(Listed::candidate).max_by_key(|candidate| candidate.made);
    newest.map(|candidate| candidate.generation).ok_or_else(|| none(host, &all))
}

/// Why none of these can be meant where none was named.
fn none(host: &HostName, all: &[Listed]) -> anyhow::Error {
    let none = match all {
        [] => anyhow!("the image store has no generation of {host}"),
        _ => anyhow!(
            "the image store has no generation of {host} that can be believed; 'ghostctl images list {host}' says why"
        ),
    };
    none.exit(Exit::Usage)
}

fn verify(
    catalog: &Catalog,
    host: &HostName,
    generation: Option<&Generation>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let generation = wanted(catalog, host, generation)?;
    let check = catalog.verify(host, &generation, clock::now())?;
    if output.form() == Form::Json {
        output.json(&check);
    } else if check.damage.is_empty() {
        let manifest = catalog.show(host, generation.clone())?.manifest;
        let lacks = manifest.ok().and_then(|manifest| disks::lacks(&manifest.disks));
        let lacks = lacks.map_or_else(String::new, |lacks| format!("; {lacks}"));
        output.line(&format!(
            "{host}: {generation} is whole: every piece was read and has its checksum{lacks}"
        ));
    } else {
        output.line(&format!("{host}: {generation} is damaged"));
        tell_damage(Some(&check), output);
    }
    let is_whole = check.damage.is_empty();
    // A script that reads only the exit status must not mistake a full store for damage.
    let unkept = if is_whole { Exit::Busy } else { Exit::Failed };
    let kept = catalog.keep(host, &generation, &check);
    kept.context("the result of this check cannot be saved; 'images list' and 'images prune' still use the previous one")
        .exit(unkept)?;
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

fn tell_damage(check: Option<&Check>, output: &mut Output) {
    for damage in check.map_or(&[][..], |check| &check.damage) {
        output.line(&format!("  {damage}"));
    }
}

fn prune(site: &Site, catalog: &Catalog, arguments: &PruneArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let resolve = if arguments.dry_run { Resolve::OnlySay } else { Resolve::Remove };
    let mut pruned = Ok(Exit::Done);
    for host in chosen(site, catalog, &arguments.hosts)? {
        // What one client has left must not keep the others' from being removed.
        let plan = pruning::prune(site, catalog, &host, resolve);
        let told = plan.map(|plan| tell_plan(&plan, arguments.dry_run, output));
        let told = told.with_context(|| format!("cannot remove all that is superfluous of {host}"));
        pruned = pruned.and_then(|done| told.map(|()| done));
    }
    pruned
}

/// What was removed, for programs.
#[derive(Serialize)]
struct Removed<'a> {
    host: &'a HostName,
    generation: &'a Generation,
    removed: bool,
}

fn remove(
    site: &Site,
    catalog: &Catalog,
    arguments: &RemoveArgs,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let RemoveArgs { host, generation, yes, dry_run } = arguments;
    let resolve = if *dry_run { Resolve::OnlySay } else { Resolve::Remove };
    let what = what_it_is(catalog, host, generation)?;
    if !yes && !dry_run {
        confirmation::ask_about_removal(host, &format!("{generation}, {what} of {host},"))?;
    }
    pruning::remove(site, catalog, host, generation, resolve)?;
    let verb = if *dry_run { "would remove" } else { "removed" };
    let removed = Removed { host, generation, removed: !dry_run };
    output.either(&removed, || format!("{host}: {verb} {generation}, {what}"));
    Ok(Exit::Done)
}

/// What a generation is to its host, so that a person knows what goes.
fn what_it_is(catalog: &Catalog, host: &HostName, generation: &Generation) -> anyhow::Result<&'static str> {
    let one = catalog.show(host, generation.clone())?;
    let whole = catalog.list_host(host)?.iter().filter(|one| one.is_good_and_whole()).count();
    Ok(match (one.is_good(), one.is_good_and_whole(), whole) {
        (true, true, 1) => "the last good generation",
        (true, true, _) => "a good generation",
        (true, false, _) => "a good generation of some partitions",
        (false, ..) if one.state() == "not vouched for" => {
            "a generation that this boot server does not vouch for"
        }
        (false, ..) => "a damaged generation",
    })
}

#[derive(Serialize)]
struct Pruned<'a> {
    host: &'a HostName,
    removed: bool,
    generations: &'a BTreeSet<Generation>,
    bytes: u64,
    leftovers: usize,
}

fn tell_plan(plan: &Plan, dry_run: bool, output: &mut Output) {
    let Plan { host, generations, leftovers, has_more: _, bytes } = plan;
    let leftovers = leftovers.len();
    if output.form() == Form::Json {
        return output.json(&Pruned { host, removed: !dry_run, generations, bytes: *bytes, leftovers });
    }
    let done = if dry_run { "would remove" } else { "removed" };
    let names: Vec<&str> = generations.iter().map(Generation::as_str).collect();
    let names = if names.is_empty() { "no generation".to_owned() } else { names.join(", ") };
    output.line(&format!("{host}: {done} {names} ({} MiB) and {leftovers} leftovers", bytes >> 20));
}
