//! `ghostctl dhcp swap|revert`: one host's entry by hand, outside any job.
//!
//! What a revert needs is kept in the state folder until it is done. Recovery leaves such swaps alone: a person made
//! them, and a person ends them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::HostName;

use crate::cli::{DhcpArgs, DhcpVerb};
use crate::dhcp::Swap;
use crate::dhcp::offer::{Edited, Offers, Reverted};
use crate::dhcp::restart::{Gathering, RestartError, Restarts, Ticket};
use crate::exit::Exit;
use crate::job::FailureKind;
use crate::job::ending::chain;
use crate::output::Output;
use crate::site::{Site, SiteError};
use crate::state::journal::JournalError;
use crate::sys::atomic::{self, Real};

/// Why an entry was not changed by hand.
#[derive(Debug, thiserror::Error)]
pub enum DhcpVerbError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Offer(#[from] anyhow::Error),
    /// The restart; the previous bytes are back.
    #[error(transparent)]
    Restart(#[from] RestartError),
    /// The restart, and then the one with the previous bytes.
    #[error("{}; and it does not run with the previous bytes, which are back, either", chain(.swap))]
    Twice {
        /// Why the server did not take up the swap.
        swap: RestartError,
        /// Why not the previous bytes either.
        #[source]
        back: Box<RestartError>,
    },
    /// What was kept of the swap.
    #[error("cannot read or remove {}", .0.display())]
    Kept(PathBuf, #[source] io::Error),
    /// What was kept of the swap.
    #[error("{} is of no use", .0.display())]
    Content(PathBuf, #[source] serde_json::Error),
    /// There is nothing to revert.
    #[error("{0} was not swapped by 'ghostctl dhcp swap'")]
    NotSwapped(HostName),
}

impl DhcpVerbError {
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotSwapped(_) | Self::Kept(..) => FailureKind::Failed.exit().status(),
            Self::Offer(error) => Exit::of(error).status(),
            Self::Restart(error) => error.exit().status(),
            _ => FailureKind::Configuration.exit().status(),
        }
    }
}

pub fn run(site: &Site, verb: &DhcpVerb, output: &mut Output) -> Result<u8, DhcpVerbError> {
    match verb {
        DhcpVerb::Swap(arguments) => swap(site, arguments, output),
        DhcpVerb::Revert(arguments) => revert(site, arguments, output),
    }
}

fn swap(site: &Site, arguments: &DhcpArgs, output: &mut Output) -> Result<u8, DhcpVerbError> {
    let host = &arguments.host;
    let boot_file = site.ghostrc.for_host(host).boot_file;
    if arguments.dry_run {
        let usable = site.host(site.hosts()?.as_ref(), host)?;
        output.line(&format!("{host}: would offer \"{boot_file}\" in {}", usable.file.display()));
        return Ok(0);
    }
    let kept = kept(site, host);
    let mut intend = |_: &HostName, swap: &Swap| -> anyhow::Result<()> {
        let failed = |error: io::Error| JournalError::Write(kept.clone(), error);
        fs::create_dir_all(kept.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        let text = serde_json::to_vec(swap).map_err(|error| failed(error.into()))?;
        Ok(atomic::replace(&kept, &text, &mut Real).map_err(|error| failed(io::Error::other(error)))?)
    };
    let Edited { each, ticket, remarks } =
        edit(site, output, |offers| offers.swap(std::slice::from_ref(host), &mut intend))?;
    remarks.iter().for_each(|remark| output.line(&format!("{host}: warning: {remark}")));
    each.into_iter().collect::<anyhow::Result<()>>()?;
    if let Err(error) = restart(site, ticket, Gathering::SWAPS) {
        return Err(match put_back(site, host, output) {
            Ok(()) => error.into(),
            Err(DhcpVerbError::Restart(back)) => DhcpVerbError::Twice { swap: error, back: Box::new(back) },
            Err(other) => other,
        });
    }
    output.line(&format!("{host}: swapped, \"{boot_file}\" is offered until 'ghostctl dhcp revert {host}'"));
    Ok(0)
}

fn revert(site: &Site, arguments: &DhcpArgs, output: &mut Output) -> Result<u8, DhcpVerbError> {
    let host = &arguments.host;
    if arguments.dry_run {
        let swap = read_kept(site, host)?;
        let original = String::from_utf8_lossy(swap.original.as_bytes()).into_owned();
        output.line(&format!("{host}: would offer {original} again in {}", swap.file.display()));
        return Ok(0);
    }
    put_back(site, host, output)?;
    output.line(&format!("{host}: reverted"));
    Ok(0)
}

/// Reverts, restarts, and only then forgets the swap.
fn put_back(site: &Site, host: &HostName, output: &mut Output) -> Result<(), DhcpVerbError> {
    let swap = read_kept(site, host)?;
    let swapped = [(host.clone(), swap)];
    let Edited { each, ticket, remarks } = edit(site, output, |offers| offers.revert(&swapped))?;
    remarks.iter().for_each(|remark| output.line(&format!("{host}: warning: {remark}")));
    for became in each {
        if let Reverted::LeftAlone(fault) = became? {
            output.line(&format!(
                "{host}: warning: somebody else has changed the entry, so it was left alone: {fault}"
            ));
        }
    }
    restart(site, ticket, Gathering::SWAPS)?;
    let path = kept(site, host);
    fs::remove_file(&path).map_err(|error| DhcpVerbError::Kept(path, error))
}

fn edit<T>(
    site: &Site,
    output: &mut Output,
    edit: impl FnOnce(&mut Offers<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut waiting =
        |holder: &str| output.line(&format!("waiting for the DHCP configuration, which is held by {holder}"));
    let mut effects = Real;
    edit(&mut Offers::new(site, "ghostctl dhcp".to_owned(), &mut waiting, &mut effects))
}

fn restart(site: &Site, ticket: Option<Ticket>, gathering: Gathering) -> Result<(), RestartError> {
    ticket.map_or(Ok(()), |ticket| Restarts::of(site).serve(ticket, site, gathering))
}

/// Whether this host was swapped by hand and not reverted since.
pub fn is_swapped(site: &Site, host: &HostName) -> bool {
    kept(site, host).exists()
}

fn kept(site: &Site, host: &HostName) -> PathBuf {
    site.ghostrc.state_folder.join("by-hand").join(format!("{host}.json"))
}

fn read_kept(site: &Site, host: &HostName) -> Result<Swap, DhcpVerbError> {
    let path = kept(site, host);
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DhcpVerbError::NotSwapped(host.clone()),
        _ => DhcpVerbError::Kept(path.clone(), error),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| DhcpVerbError::Content(path, error))
}
