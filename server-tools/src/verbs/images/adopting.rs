//! `ghostctl images adopt`: takes over generations that this boot server did not make.

use anyhow::Context as _;
use ghost_contract::{Generation, HostName};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::catalog::check::Damage;
use crate::catalog::pruning;
use crate::catalog::vouching::{Adoption, is_not_vouched};
use crate::exit::Exit;
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::clock;

/// What became of a generation, for programs.
#[derive(Serialize)]
struct Adopted<'a> {
    host: &'a HostName,
    generation: &'a Generation,
    adopted: bool,
    damage: &'a [Damage],
}

/// Takes over the generation that is named; all of the host's, or of all hosts, if none is.
pub(super) fn run(
    site: &Site,
    catalog: &Catalog,
    host: Option<&HostName>,
    generation: Option<&Generation>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let hosts = match host {
        Some(host) => vec![host.clone()],
        None => catalog.hosts()?,
    };
    let (mut exit, mut found) = (Exit::Done, 0);
    for host in &hosts {
        for generation in wanted(catalog, host, generation)? {
            found += 1;
            exit = exit.max(adopt(site, catalog, host, &generation, output)?);
        }
    }
    if found == 0 && output.form() == Form::Plain {
        output.line("there is no generation that this boot server does not vouch for already");
    }
    Ok(exit)
}

fn wanted(catalog: &Catalog, host: &HostName, named: Option<&Generation>) -> anyhow::Result<Vec<Generation>> {
    if let Some(named) = named {
        return Ok(vec![named.clone()]);
    }
    let all = catalog.list_host(host)?.into_iter();
    let foreign = all.filter(|one| one.manifest.as_ref().is_err_and(is_not_vouched));
    Ok(foreign.map(|one| one.generation).collect())
}

fn adopt(
    site: &Site,
    catalog: &Catalog,
    host: &HostName,
    generation: &Generation,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let _not_removed = pruning::keep_removals_out(&site.ghostrc.state_folder, host, site.lock_timeout)?;
    let adoption = catalog.adopt(host, generation, clock::now());
    let adoption = adoption.with_context(|| format!("cannot take over {generation} of {host}"))?;
    let (words, damage) = match &adoption {
        Adoption::Adopted => ("was read back, and this boot server vouches for it from now on", &[][..]),
        Adoption::Ours => ("is vouched for already", &[][..]),
        Adoption::Damaged(check) => ("is damaged, and not taken over", &*check.damage),
    };
    let adopted = damage.is_empty();
    if output.form() == Form::Json {
        output.json(&Adopted { host, generation, adopted, damage });
    } else {
        output.line(&format!("{host}: {generation} {words}"));
        damage.iter().for_each(|damage| output.line(&format!("  {damage}")));
    }
    Ok(if adopted { Exit::Done } else { Exit::Failed })
}
