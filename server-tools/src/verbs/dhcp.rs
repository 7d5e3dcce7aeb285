//! `ghostctl dhcp swap|revert|forget`: changes one host's entry by hand, outside any job.
//!
//! Recovery leaves such swaps alone: a person made them, and a person ends them.

pub(crate) mod by_hand;
pub(crate) mod changing;
mod forget;
pub(crate) mod interrupted;
mod stopping;

use std::time::Duration;

use anyhow::anyhow;
use ghost_contract::HostName;
use serde::Serialize;

use crate::cli::{DhcpArgs, DhcpVerb};
use crate::dhcp::offer::{Edited, Offers, swapped_again};
use crate::dhcp::probe::{self, Client, Look, Seen};
use crate::dhcp::restart::Ticket;
use crate::dhcp::{self, Swap};
use crate::exit::{Exit, WithExit};
use crate::job::Note;
use crate::output::Output;
use crate::site::Site;
use crate::verbs::root::in_use;

use stopping::Stopping;

/// How long a server that was restarted for a revert is watched.
const STAYS: Duration = Duration::from_secs(2);

/// What is offered now, or would be, for programs.
#[derive(Serialize)]
struct Offered<'a> {
    host: &'a HostName,
    /// None if another person has written what it is offered.
    offered: Option<&'a str>,
    changed: bool,
}

pub(super) fn run(site: &Site, verb: &DhcpVerb, output: &mut Output) -> anyhow::Result<Exit> {
    match verb {
        DhcpVerb::Swap(arguments) => swap(site, arguments, output)?,
        DhcpVerb::Revert(arguments) => revert(site, arguments, output)?,
        DhcpVerb::Forget(arguments) => return forget::run(site, arguments, output),
    }
    Ok(Exit::Done)
}

fn swap(site: &Site, arguments: &DhcpArgs, output: &mut Output) -> anyhow::Result<()> {
    let host = &arguments.host;
    by_hand::require_no_job(site, host)?;
    let boot_file = site.ghostrc.for_host(host).boot_file;
    if arguments.dry_run {
        let hosts = site.hosts().exit_by_default(Exit::Configuration)?;
        let usable =
            site.host(hosts.as_ref(), host).map_err(|error| by_hand::explained(site, host, error))?;
        let words = format!("would offer \"{boot_file}\" in {}", usable.file.display());
        tell(&Offered { host, offered: Some(&boot_file), changed: false }, &words, output);
        return Ok(());
    }
    // A client that is swapped boots the base root.
    let _in_use = in_use::share(site, output)?;
    let _lock = by_hand::lock(site, host)?;
    let words = "the restart of the DHCP server is waited for, and then the entry is put back";
    let stopping = Stopping::watch(host, words, output)?;
    let mut keep = |_: &HostName, swap: &Swap| by_hand::keep(site, host, swap);
    let edited = edit(site, output, |offers| offers.swap(std::slice::from_ref(host), &mut keep))?;
    let ticket = edited.ticket;
    warn(host, &edited.remarks, output);
    let swapped = edited.each.into_iter().collect::<anyhow::Result<()>>();
    swapped.map_err(|error| by_hand::explained(site, host, error))?;
    let served = restart(site, ticket)
        .and_then(|()| look(site, host, &boot_file, probe::after_swap, output))
        .and_then(|()| by_hand::is_served(site, host))
        .and_then(|()| stopping.asked().map_or(Ok(()), |signal| Err(stopped(&signal))));
    if let Err(error) = served {
        return Err(undone(site, host, error, output)).exit_by_default(Exit::Configuration);
    }
    let words = format!("swapped, \"{boot_file}\" is offered until 'ghostctl dhcp revert {host}'");
    tell(&Offered { host, offered: Some(&boot_file), changed: true }, &words, output);
    Ok(())
}

fn stopped(signal: &str) -> anyhow::Error {
    anyhow!("it was stopped by {signal}, so the entry was put back").exit(Exit::Failed)
}

/// The server did not take up a swap: puts the previous bytes back, and says if that did not help either.
fn undone(site: &Site, host: &HostName, error: anyhow::Error, output: &mut Output) -> anyhow::Error {
    match put_back(site, host, output) {
        Ok(_) => error,
        Err(back) => back.context(format!(
            "{error:#}; and the DHCP server does not run with the previous bytes either; run 'ghostctl dhcp revert {host}' when \
             it can be restarted"
        )),
    }
}

fn revert(site: &Site, arguments: &DhcpArgs, output: &mut Output) -> anyhow::Result<()> {
    let host = &arguments.host;
    by_hand::require_no_job(site, host)?;
    let swap = by_hand::read(site, host)?;
    let original = String::from_utf8_lossy(swap.original.as_bytes()).into_owned();
    let offered = original.trim_matches('"');
    if arguments.dry_run {
        let words = format!("would offer {original} again in {}", swap.file.display());
        tell(&Offered { host, offered: Some(offered), changed: false }, &words, output);
        return Ok(());
    }
    let _lock = by_hand::lock_to_undo(site, host)?;
    let _stopping = Stopping::watch(host, "the entry is put back all the same", output)?;
    match put_back(site, host, output).exit_by_default(Exit::Configuration)? {
        PutBack::Own => tell(&Offered { host, offered: Some(offered), changed: true }, "reverted", output),
        PutBack::AnothersValue(words) => {
            tell(&Offered { host, offered: None, changed: false }, &words, output);
        }
    }
    Ok(())
}

/// What the host is offered after a revert.
enum PutBack {
    Own,
    /// Nothing was put back, for the reason that is said here.
    AnothersValue(String),
}

/// Reverts, restarts, sees that the host is not offered the boot file again, and only then forgets the swap.
fn put_back(site: &Site, host: &HostName, output: &mut Output) -> anyhow::Result<PutBack> {
    let swapped = [(host.clone(), by_hand::read(site, host)?)];
    let Edited { each, ticket, mut remarks } = edit(site, output, |offers| offers.revert(&swapped))?;
    let mut put_back = PutBack::Own;
    for became in each {
        let became = became?;
        if let Some(words) = became.instead() {
            put_back = PutBack::AnothersValue(words);
        }
        remarks.extend(became.remark());
    }
    warn(host, &remarks, output);
    restart(site, ticket)?;
    let again = swapped_again(site, &swapped).into_iter().flatten().next();
    again.map_or(Ok(()), |again| Err(again.error))?;
    look(site, host, &swapped[0].1.boot_file, probe::after_revert, output)?;
    require_that_it_stays(site)?;
    by_hand::forget(site, host)?;
    Ok(put_back)
}

/// Asks as the host would whether that is really served.
fn look(
    site: &Site,
    host: &HostName,
    boot_file: &str,
    look: Look,
    output: &mut Output,
) -> anyhow::Result<()> {
    // One that is not usable any more was judged by the configuration.
    let Ok(dhcp::Host { mac, ip, .. }) = site.hosts().and_then(|hosts| Ok(hosts.host(host)?)) else {
        return Ok(());
    };
    let unheard = match look(site, &[(Client { host: host.clone(), mac, ip }, boot_file)]).pop() {
        Some(Seen::Otherwise(words)) => return Err(anyhow!(words)).exit(Exit::Configuration),
        Some(Seen::Silent(words) | Seen::Unseen(words)) => words,
        Some(Seen::AsMeant { besides }) => {
            warn(host, besides.as_slice(), output);
            return Ok(());
        }
        None => return Ok(()),
    };
    let believed = "the restart command, the server's process and the file are believed";
    let words = format!("what DHCP really offers it cannot be heard: {unheard}; {believed}");
    warn(host, &[words], output);
    Ok(())
}

/// A server that is seen here may end as soon as it has begun. Nobody looks at it later.
fn require_that_it_stays(site: &Site) -> anyhow::Result<()> {
    let server = site.dhcp();
    if server.running() == dhcp::Running::Ours {
        std::thread::sleep(STAYS);
    }
    server.has_gone().map_or(Ok(()), |gone| Err(anyhow!(gone)).exit(Exit::Configuration))
}

fn tell(offered: &Offered<'_>, words: &str, output: &mut Output) {
    output.either(offered, || format!("{}: {words}", offered.host));
}

fn warn(host: &HostName, remarks: &[String], output: &mut Output) {
    remarks.iter().for_each(|remark| output.note(host, &Note::Warning { text: remark.clone() }));
}

fn edit<T>(
    site: &Site,
    output: &mut Output,
    edit: impl FnOnce(&mut Offers<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    changing::edit(site, "ghostctl dhcp", output, edit)
}

fn restart(site: &Site, ticket: Option<Ticket>) -> anyhow::Result<()> {
    ticket.map_or(Ok(()), |ticket| changing::take_up(site, ticket))
}
