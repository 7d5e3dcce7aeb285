//! What `ghostctl dhcp` keeps of a swap that a person makes, and where it finds what a revert puts back.

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;

use crate::dhcp::Swap;
use crate::exit::{Exit, WithExit};
use crate::recovery;
use crate::site::Site;
use crate::state::by_hand::{self, Kept, Record, Stage};
use crate::state::journal::{self, JournalError};
use crate::state::paths;
use crate::sys::lock::Lock;

/// Writes down what a revert needs. To be called before the entry is changed. Refuses to write it over a swap that was not reverted:
/// what is kept of that one is all that is known of the original. One that was kept and then not made has the same original.
pub(super) fn keep(site: &Site, host: &HostName, swap: &Swap) -> anyhow::Result<()> {
    if is_kept(site, host) && read(site, host)?.original != swap.original {
        return Err(anyhow!(is_swapped(host)).exit(Exit::Configuration));
    }
    by_hand::keep(&site.ghostrc.state_folder, host, swap)
}

/// Writes down that the server has taken the swap up, so that it is no longer one that was interrupted.
pub(super) fn is_served(site: &Site, host: &HostName) -> anyhow::Result<()> {
    let kept = by_hand::look(&site.ghostrc.state_folder, host).and_then(|kept| kept.record);
    let Some(record) = kept else { return Ok(()) };
    by_hand::write(&site.ghostrc.state_folder, host, &Record { stage: Stage::Swapped, ..record })
}

/// Whether this host was swapped by hand and not reverted since.
pub(crate) fn is_kept(site: &Site, host: &HostName) -> bool {
    by_hand::look(&site.ghostrc.state_folder, host).is_some()
}

/// Keeps others from swapping and reverting this host by hand meanwhile.
pub(super) fn lock(site: &Site, host: &HostName) -> anyhow::Result<Lock> {
    Ok(by_hand::lock(&site.ghostrc.state_folder, host, site.lock_timeout)?)
}

/// The same for a revert, which is done in any case.
pub(super) fn lock_to_undo(site: &Site, host: &HostName) -> anyhow::Result<Option<Lock>> {
    Ok(by_hand::lock_to_undo(&site.ghostrc.state_folder, host, site.lock_timeout)?)
}

pub(super) fn read(site: &Site, host: &HostName) -> anyhow::Result<Swap> {
    match by_hand::look(&site.ghostrc.state_folder, host) {
        None => left_by_its_last_job(site, host),
        Some(Kept { record: Some(record), .. }) => Ok(record.swap),
        Some(Kept { damage, .. }) => {
            let words = format!(
                "{} does not say what {host} was offered before ({}); correct the entry by hand, then run 'ghostctl recover', which sets \
                 that file aside",
                paths::by_hand(&site.ghostrc.state_folder, host).display(),
                damage.unwrap_or_default()
            );
            left_by_its_last_job(site, host).map_err(|_| anyhow!(words).exit(Exit::Configuration))
        }
    }
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
    let words = stray.words();
    stray.swap.ok_or_else(|| anyhow!(words).exit(Exit::Configuration))
}

/// Refuses while DHCP offers a host the boot file, by a person or without a job: what puts it back needs the settings.
pub(crate) fn require_nothing_swapped(site: &Site) -> anyhow::Result<()> {
    let mut swapped: Vec<String> =
        by_hand::all(&site.ghostrc.state_folder).iter().map(|kept| is_swapped(&kept.host)).collect();
    if site.dhcp_configuration.exists() {
        let strays = recovery::strays(site)
            .context("cannot tell whether DHCP offers a host the boot file; correct that first")?;
        swapped.extend(strays.iter().map(recovery::Stray::words));
    }
    if swapped.is_empty() {
        return Ok(());
    }
    Err(anyhow!("nothing was taken away: {}", swapped.join("; ")).exit(Exit::Configuration))
}

pub(super) fn forget(site: &Site, host: &HostName) -> anyhow::Result<()> {
    let removed = by_hand::remove(&site.ghostrc.state_folder, host).with_context(|| {
        format!(
            "the DHCP entry does not offer the boot file any more, but the record of its swap stays; correct the cause, then run 'ghostctl dhcp revert {host}' \
             once more"
        )
    });
    removed.exit_by_default(Exit::Failed)
}

/// Why a host cannot be swapped, with the way out if that is because it was swapped by hand, by a job that still runs, or by one that
/// nobody knows of.
pub(crate) fn explained(site: &Site, host: &HostName, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    if let Err(busy) = require_no_job(site, host)
        && Exit::of(&busy) == Exit::Busy
    {
        return busy;
    }
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

pub(crate) fn is_swapped(host: &HostName) -> String {
    format!("{host} was swapped by 'ghostctl dhcp swap'; 'ghostctl dhcp revert {host}' puts its entry back")
}
