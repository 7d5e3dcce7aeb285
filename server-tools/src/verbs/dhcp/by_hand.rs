//! What is kept of a swap that a person made, until a person reverts it: one file a host in the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;

use crate::dhcp::Swap;
use crate::exit::{Exit, WithExit};
use crate::recovery;
use crate::site::Site;
use crate::state::journal::{self, JournalError};
use crate::state::{paths, record};
use crate::sys::atomic::{self, Real};
use crate::sys::private;

/// Writes down what a revert needs. To be called before the entry is changed. Refuses to write it over a swap that was not reverted:
/// what is kept of that one is all that is known of the original. One that was kept and then not made has the same original.
pub(super) fn keep(site: &Site, host: &HostName, swap: &Swap) -> anyhow::Result<()> {
    if is_kept(site, host) && read(site, host)?.original != swap.original {
        return Err(anyhow!(is_swapped(host)).exit(Exit::Configuration));
    }
    let path = path(site, host);
    let folder = path.parent().unwrap_or(Path::new("/"));
    private::folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    atomic::replace(&path, &serde_json::to_vec(swap)?, &mut Real)
}

/// Whether this host was swapped by hand and not reverted since.
pub(crate) fn is_kept(site: &Site, host: &HostName) -> bool {
    path(site, host).exists()
}

pub(super) fn read(site: &Site, host: &HostName) -> anyhow::Result<Swap> {
    let path = path(site, host);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return left_by_its_last_job(site, host);
        }
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let unusable = || {
        format!(
            "{} does not say what {host} was offered before; correct the entry by hand, then remove that file",
            path.display()
        )
    };
    serde_json::from_slice(&bytes).with_context(unusable).exit(Exit::Configuration)
}

/// Refuses what a job does by itself. An entry that a crash has left is recovered before this is asked.
pub(super) fn require_no_job(site: &Site, host: &HostName) -> anyhow::Result<()> {
    let seen = journal::look_at_all(&site.ghostrc.state_folder)?.into_iter().filter(|seen| seen.owned);
    match seen.filter_map(|seen| seen.says.state).find(|state| state.begun.identity.host == *host) {
        Some(state) => {
            let busy = JournalError::Busy(Box::new(Some(state)));
            let words = format!(
                "{busy}; the job reverts its DHCP entry by itself, and 'ghostctl cancel {host}' stops it"
            );
            Err(anyhow!(words).exit(Exit::Busy))
        }
        None => Ok(()),
    }
}

/// What the host was offered before its last job, if DHCP still offers it the boot file and no job runs.
fn left_by_its_last_job(site: &Site, host: &HostName) -> anyhow::Result<Swap> {
    let stray = recovery::strays(site)?.into_iter().find(|stray| stray.host == host.as_str());
    let Some(stray) = stray else {
        return Err(anyhow!("{host} was not swapped by 'ghostctl dhcp swap'").exit(Exit::Failed));
    };
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    let mut last = records.into_iter().filter(|record| record.identity.host == *host).filter_map(|record| {
        let swap = record.swap?;
        Some(Swap { mac: swap.mac.or(Some(record.identity.mac)), ..swap })
    });
    last.next_back().ok_or_else(|| anyhow!(stray.words()).exit(Exit::Configuration))
}

pub(super) fn forget(site: &Site, host: &HostName) -> anyhow::Result<()> {
    let path = path(site, host);
    // There is none if the swap was a job's.
    fs::remove_file(&path)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .with_context(|| format!("cannot remove {}", path.display()))
        .exit_by_default(Exit::Failed)
}

/// Why a host cannot be swapped, with the way out if that is because it was swapped by hand, or by a job that nobody knows of.
pub(crate) fn explained(site: &Site, host: &HostName, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    // Where that cannot be told, the error itself says enough.
    let strays = || recovery::strays(site).unwrap_or_default();
    let stray = || strays().into_iter().find(|stray| stray.host == host.as_str()).map(|stray| stray.words());
    let way_out = if is_kept(site, host) { Some(is_swapped(host)) } else { stray() };
    let error = match way_out {
        Some(way_out) if error.to_string() != way_out => error.context(way_out),
        _ => error,
    };
    error.exit_by_default(Exit::Configuration)
}

fn is_swapped(host: &HostName) -> String {
    format!("{host} was swapped by 'ghostctl dhcp swap'; 'ghostctl dhcp revert {host}' puts its entry back")
}

fn path(site: &Site, host: &HostName) -> PathBuf {
    paths::by_hand(&site.ghostrc.state_folder, host)
}
