//! `ghostctl images`: what is in the image store, whether it is whole, and what is not needed any more.

use std::collections::BTreeSet;

use ghost_contract::{Generation, HostName, Mode, UnixTime};
use serde::Serialize;

use crate::calendar;
use crate::catalog::check::{Check, Damage};
use crate::catalog::listing::Listed;
use crate::catalog::manifest::Manifest;
use crate::catalog::removal::{InUse, Plan};
use crate::catalog::retention::Policy;
use crate::catalog::{Catalog, CatalogError};
use crate::cli::{Images, PruneArgs};
use crate::job::ending::chain;
use crate::job::journal::{self, JournalError};
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::clock;

/// Why the image store could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// The store.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Which jobs run is not known, so nothing can be removed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store has none of the host.
    #[error("the image store has no generation of {0}")]
    None(HostName),
}

impl ImagesError {
    /// The exit status: what was asked for is not there, or the store did not work.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::None(_) | Self::Catalog(CatalogError::Unknown { .. }) => 2,
            Self::Catalog(_) | Self::Journal(_) => 1,
        }
    }
}

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
    damage: &'a [Damage],
}

/// Does what was asked for; the number is the exit status.
///
/// # Errors
/// When the store cannot be read, or what was asked for is not there.
pub fn run(site: &Site, asked: &Images, output: &mut Output) -> Result<u8, ImagesError> {
    let catalog = Catalog::new(&site.ghostrc.store_folder);
    match asked {
        Images::List { hosts } => list(&catalog, hosts, output),
        Images::Show { host, generation } => show(&catalog, host, generation.as_ref(), output),
        Images::Verify { host, generation } => verify(&catalog, host, generation.as_ref(), output),
        Images::Prune(arguments) => prune(site, &catalog, arguments, output),
    }
}

fn list(catalog: &Catalog, hosts: &[HostName], output: &mut Output) -> Result<u8, ImagesError> {
    for host in chosen(catalog, hosts)? {
        for one in catalog.list_host(&host)? {
            tell(&one, output);
        }
    }
    Ok(0)
}

fn chosen(catalog: &Catalog, hosts: &[HostName]) -> Result<Vec<HostName>, CatalogError> {
    if hosts.is_empty() { catalog.hosts() } else { Ok(hosts.to_vec()) }
}

fn tell(one: &Listed, output: &mut Output) {
    let manifest = one.manifest.as_ref();
    let checked = last_check(one);
    let state = if one.is_good() { "good" } else { "damaged" };
    if output.form() == Form::Json {
        return output.json(&Line {
            host: &one.host,
            generation: &one.generation,
            state,
            ended: manifest.ok().map(|manifest| manifest.ended),
            bytes: manifest.ok().map(|manifest| manifest.bytes),
            checked,
            problem: manifest.err().map(|error| chain(error)),
            damage: one.check.as_ref().map_or(&[], |check| &check.damage),
        });
    }
    let (host, generation) = (&one.host, &one.generation);
    match manifest {
        Ok(Manifest { ended, bytes, .. }) => output.line(&format!(
            "{host:<15} {generation:<24} {}  {:>9} MiB  {state}, checked {}",
            calendar::for_people(*ended),
            bytes >> 20,
            checked.map_or_else(String::new, calendar::for_people)
        )),
        Err(error) => output.line(&format!("{host:<15} {generation:<24} {state}: {}", chain(error))),
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
) -> Result<u8, ImagesError> {
    let one = catalog.show(host, wanted(catalog, host, generation)?)?;
    tell(&one, output);
    let manifest = one.manifest?;
    if output.form() == Form::Json {
        output.json(&manifest);
        return Ok(0);
    }
    output.line(&format!("  made from {} by job {}", manifest.mac, manifest.job));
    for piece in &manifest.pieces {
        output.line(&format!("  {}  {:>13}  {}", piece.sha256, piece.size, piece.path.escape_debug()));
    }
    tell_damage(one.check.as_ref(), output);
    Ok(0)
}

/// The one that was named, or the newest.
fn wanted(catalog: &Catalog, host: &HostName, named: Option<&Generation>) -> Result<Generation, ImagesError> {
    if let Some(named) = named {
        return Ok(named.clone());
    }
    let all = catalog.list_host(host)?;
    let newest = all.iter().filter_map(Listed::candidate).max_by_key(|candidate| candidate.made);
    newest.map(|candidate| candidate.generation).ok_or_else(|| ImagesError::None(host.clone()))
}

fn verify(
    catalog: &Catalog,
    host: &HostName,
    generation: Option<&Generation>,
    output: &mut Output,
) -> Result<u8, ImagesError> {
    let generation = wanted(catalog, host, generation)?;
    let check = catalog.verify(host, &generation, clock::now())?;
    if output.form() == Form::Json {
        output.json(&check);
    } else if check.damage.is_empty() {
        output.line(&format!("{host}: {generation} is whole: every piece was read and has its checksum"));
    } else {
        output.line(&format!("{host}: {generation} is damaged"));
        tell_damage(Some(&check), output);
    }
    Ok(u8::from(!check.damage.is_empty()))
}

fn tell_damage(check: Option<&Check>, output: &mut Output) {
    for damage in check.map_or(&[][..], |check| &check.damage) {
        output.line(&format!("  {damage}"));
    }
}

fn prune(
    site: &Site,
    catalog: &Catalog,
    arguments: &PruneArgs,
    output: &mut Output,
) -> Result<u8, ImagesError> {
    for host in chosen(catalog, &arguments.hosts)? {
        let settings = site.ghostrc.for_host(&host);
        let policy = Policy { generations: settings.generations, keep: settings.keep };
        let plan = catalog.plan(&host, policy, &in_use(site, catalog, &host)?, clock::now())?;
        if !arguments.dry_run {
            catalog.carry_out(&plan)?;
        }
        tell_plan(&plan, arguments.dry_run, output);
    }
    Ok(0)
}

/// A plan, for programs.
#[derive(Serialize)]
struct Pruned<'a> {
    host: &'a HostName,
    removed: bool,
    generations: &'a BTreeSet<Generation>,
    bytes: u64,
    leftovers: usize,
}

fn tell_plan(plan: &Plan, dry_run: bool, output: &mut Output) {
    let Plan { host, generations, leftovers, bytes } = plan;
    let leftovers = leftovers.len();
    if output.form() == Form::Json {
        return output.json(&Pruned { host, removed: !dry_run, generations, bytes: *bytes, leftovers });
    }
    let done = if dry_run { "would remove" } else { "removed" };
    let names: Vec<&str> = generations.iter().map(Generation::as_str).collect();
    let names = if names.is_empty() { "no generation".to_owned() } else { names.join(", ") };
    output.line(&format!("{host}: {done} {names} ({} MiB) and {leftovers} leftovers", bytes >> 20));
}

/// What running jobs need. The journal does not say which generation a job reads, so all of its host count.
fn in_use(site: &Site, catalog: &Catalog, host: &HostName) -> Result<InUse, ImagesError> {
    let mut in_use = InUse::default();
    for entry in journal::entries(&site.ghostrc.state_folder)? {
        let Some(begun) = journal::look(&entry)?.map(|state| state.begun) else { continue };
        if begun.host != *host {
            continue;
        }
        if matches!(begun.mode, Mode::Verify | Mode::Restore) {
            in_use.generations.extend(catalog.list_host(host)?.into_iter().map(|one| one.generation));
        }
        in_use.jobs.insert(begun.job);
    }
    Ok(in_use)
}
