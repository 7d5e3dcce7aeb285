//! `ghostctl dhcp forget`: gives up the swap of a host that a person has deleted from the DHCP configuration on purpose.
//!
//! Nothing is given up before it is shown that DHCP can offer the host nothing of ours: neither its name nor its hardware address
//! stands in the configuration, no other entry is offered the boot file since the swap, the server's checker accepts that, and the
//! server has taken it up. What the host was offered is kept, for the case that its entry comes back.

use anyhow::anyhow;
use ghost_contract::HostName;
use serde::Serialize;

use super::by_hand;
use crate::cli::ForgetArgs;
use crate::dhcp::offer::others;
use crate::dhcp::restart::Restarts;
use crate::dhcp::{Booting, Configuration, Swap};
use crate::exit::{Exit, WithExit as _};
use crate::output::Output;
use crate::recovery;
use crate::site::Site;
use crate::state::by_hand::give_up;
use crate::state::journal;

#[derive(Serialize)]
struct Forgotten<'a> {
    host: &'a HostName,
    forgotten: bool,
}

pub(super) fn run(site: &Site, arguments: &ForgetArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let host = &arguments.dhcp.host;
    by_hand::require_no_job(site, host)?;
    let swap = swap_of(site, host)?;
    require_deleted(site, arguments, &swap)?;
    if arguments.dhcp.dry_run {
        let words =
            || format!("{host}: would give up its swap, since it is not in the DHCP configuration any more");
        output.either(&Forgotten { host, forgotten: false }, words);
        return Ok(Exit::Done);
    }
    let _lock = by_hand::lock(site, host)?;
    // The server may run with what it has read before the host was deleted.
    super::restart(site, Some(Restarts::of(site).draw(swap.server)))?;
    let on_purpose = require_deleted(site, arguments, &swap)?;
    let before =
        on_purpose.iter().fold(swap.before.clone(), |before, one| Some(before.unwrap_or_default().and(one)));
    give_up(&site.ghostrc.state_folder, host, &Swap { before, ..swap })?;
    let recovery = recovery::recover_deleted(site, host, output)?;
    let exit = recovery.exit();
    if exit == Exit::Done {
        output.either(&Forgotten { host, forgotten: true }, || format!("{host}: its swap is given up"));
    }
    Ok(exit)
}

/// The swap that a crashed or failed job has left, or a person has made.
fn swap_of(site: &Site, host: &HostName) -> anyhow::Result<Swap> {
    let seen = journal::look_at_all(&site.ghostrc.state_folder)?.into_iter();
    let state = seen.filter_map(|seen| seen.says.state).find(|state| state.begun.identity.host == *host);
    match state.and_then(|state| Some((state.swap?, state.begun.identity))) {
        Some((swap, identity)) => {
            Ok(Swap { mac: swap.mac.or(Some(identity.mac)), ip: swap.ip.or(Some(identity.ip)), ..swap })
        }
        None if by_hand::is_kept(site, host) => by_hand::read(site, host),
        None => Err(anyhow!("nothing of {host} is left that could be given up").exit(Exit::Usage)),
    }
}

/// Yields the entries that are offered the boot file on purpose, as the person says.
fn require_deleted(site: &Site, arguments: &ForgetArgs, swap: &Swap) -> anyhow::Result<Vec<Booting>> {
    let host = &arguments.dhcp.host;
    let configuration = site.dhcp_of(swap.server).read()?;
    // While a file is being saved it may lack everything.
    if configuration.list().is_empty() && !arguments.no_hosts_left {
        let empty = anyhow!(
            "the DHCP configuration has no hosts at all, so that this one may be missing by accident; if that is meant so, run \
             'ghostctl dhcp forget --no-hosts-left {host}'"
        );
        return Err(empty.exit(Exit::Configuration));
    }
    let swapped = [(host.clone(), swap.clone())];
    if configuration.put_back(&swapped).each.pop().flatten().is_some() {
        let words = format!(
            "the DHCP configuration still has a host of the name {host} or of its hardware address; 'ghostctl dhcp revert {host}' puts \
             its own file back"
        );
        return Err(anyhow!(words).exit(Exit::Usage));
    }
    let offered = still_offered(site, configuration.as_ref(), &swapped);
    let (on_purpose, others): (Vec<Booting>, Vec<Booting>) =
        offered.into_iter().partition(|one| arguments.on_purpose.contains(&one.name));
    match refused(host, swap, &others) {
        Some(words) => Err(anyhow!(words).exit(Exit::Usage)),
        None => Ok(on_purpose),
    }
}

/// The entries that may be the deleted host's: offered the boot file, and not so before the swap. Where a swap does not say who was,
/// those with the host's address.
fn still_offered(
    site: &Site,
    configuration: &dyn Configuration,
    swapped: &[(HostName, Swap); 1],
) -> Vec<Booting> {
    let [(_, swap)] = swapped;
    if swap.before.is_some() {
        return others::newcomers(site, configuration, swapped).into_iter().map(|(one, _)| one).collect();
    }
    let is_meant = |_: &str, offered: &[u8]| offered == swap.boot_file.as_bytes();
    configuration.booting(&is_meant).filter(|one| one.ip.is_some() && one.ip == swap.ip).collect()
}

fn refused(host: &HostName, swap: &Swap, others: &[Booting]) -> Option<String> {
    let first = others.first()?;
    let places = others.iter().map(|one| {
        let address = if one.ip.is_some() && one.ip == swap.ip { ", which has its address" } else { "" };
        format!("{}: host {}{address}", one.place, one.name)
    });
    Some(format!(
        "{host} may have been renamed and not deleted: these entries are offered '{}': {}; write their own file there (that of {host} \
         was {}), or, if they are to boot from the network always, run 'ghostctl dhcp forget --on-purpose {} {host}'",
        swap.boot_file,
        places.collect::<Vec<_>>().join(", "),
        String::from_utf8_lossy(swap.original.as_bytes()),
        first.name,
    ))
}
