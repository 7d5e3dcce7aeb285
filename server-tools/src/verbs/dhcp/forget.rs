//! `ghostctl dhcp forget`: gives up the swap of a host that a person has deleted from the DHCP configuration on purpose.
//!
//! Nothing is given up before it is shown that DHCP can offer the host nothing of ours: neither its name nor its hardware address
//! stands in the configuration, the server's checker accepts that, and the server has taken it up.

use anyhow::anyhow;
use ghost_contract::HostName;
use serde::Serialize;

use super::by_hand;
use crate::cli::DhcpArgs;
use crate::dhcp::Swap;
use crate::dhcp::restart::Restarts;
use crate::exit::{Exit, WithExit as _};
use crate::output::Output;
use crate::recovery;
use crate::site::Site;
use crate::state::journal;

#[derive(Serialize)]
struct Forgotten<'a> {
    host: &'a HostName,
    forgotten: bool,
}

pub(super) fn run(site: &Site, arguments: &DhcpArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let host = &arguments.host;
    by_hand::require_no_job(site, host)?;
    let swap = swap_of(site, host)?;
    require_deleted(site, host, &swap)?;
    if arguments.dry_run {
        let words =
            || format!("{host}: would give up its swap, since it is not in the DHCP configuration any more");
        output.either(&Forgotten { host, forgotten: false }, words);
        return Ok(Exit::Done);
    }
    // The server may run with what it has read before the host was deleted.
    super::restart(site, Some(Restarts::of(site).draw(swap.server)))?;
    require_deleted(site, host, &swap)?;
    by_hand::forget(site, host)?;
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
    match state.and_then(|state| Some((state.swap?, state.begun.identity.mac))) {
        Some((swap, mac)) => Ok(Swap { mac: swap.mac.or(Some(mac)), ..swap }),
        None if by_hand::is_kept(site, host) => by_hand::read(site, host),
        None => Err(anyhow!("nothing of {host} is left that could be given up").exit(Exit::Usage)),
    }
}

fn require_deleted(site: &Site, host: &HostName, swap: &Swap) -> anyhow::Result<()> {
    let configuration = site.dhcp_of(swap.server).read()?;
    // While a file is being saved it may lack everything.
    if configuration.list().is_empty() {
        let empty = "the DHCP configuration has no hosts at all, so that this one may be missing by accident";
        return Err(anyhow!(empty).exit(Exit::Configuration));
    }
    let back = configuration.put_back(&[(host.clone(), swap.clone())]).each.pop().flatten();
    if back.is_none() {
        return Ok(());
    }
    let words = format!(
        "the DHCP configuration still has a host of the name {host} or of its hardware address; 'ghostctl dhcp revert {host}' puts \
         its own file back"
    );
    Err(anyhow!(words).exit(Exit::Usage))
}
