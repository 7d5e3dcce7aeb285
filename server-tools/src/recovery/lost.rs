//! Hosts of which records are damaged or lost, and what can still be told if all of them are.

use std::path::{Path, PathBuf};

use ghost_contract::HostName;

use super::strays::{Stray, boot_file_of};
use crate::site::Site;
use crate::state::{by_hand, damaged, journal, record};

/// A host of which a record says nothing.
pub(super) struct Lost {
    pub(super) host: HostName,
    /// What it was swapped to, if that is known; otherwise today's boot file is taken for it.
    pub(super) boot_file: Option<String>,
    pub(super) why: String,
}

/// The hosts whose records say nothing, or are not there.
pub(super) fn lost(state_folder: &Path, damaged: Vec<record::Damaged>, set_aside: &[PathBuf]) -> Vec<Lost> {
    let of_swaps = |why: String| format!("the record of its swap by hand cannot be used: {why}");
    let of_jobs = |why: String| format!("the record of a job of it cannot be used: {why}");
    let moved = |path: &Path| format!("it was moved to {}, because it could not be read", path.display());
    let unread = by_hand::all(state_folder).into_iter().chain(by_hand::given_up(state_folder));
    let unread = unread
        .filter(|kept| kept.record.is_none())
        .filter_map(|kept| Some((kept.host, of_swaps(kept.damage?))));
    let gone = set_aside.iter().filter_map(|path| Some((by_hand::host_of(path)?, of_swaps(moved(path)))));
    let damaged = damaged.into_iter().filter_map(|one| Some((one.host?, of_jobs(one.why))));
    let of_gone = record::hosts_of(set_aside).into_iter().map(|(host, path)| (host, of_jobs(moved(&path))));
    let known = unread.chain(gone).chain(damaged).chain(of_gone);
    let known = known.map(|(host, why)| Lost { host, boot_file: None, why });
    let traces = by_hand::traces(state_folder).into_iter().map(|(host, boot_file)| {
        let why = "it was swapped by hand, and there is no record of that any more".to_owned();
        Lost { host, boot_file: Some(boot_file), why }
    });
    known.chain(traces).collect()
}

/// The hosts that are offered the boot file while nothing below STATEDIR tells of any job or swap: where that was lost, a swap may have
/// been lost with it. Those that are strays all the same are not among them.
pub(crate) fn of_a_lost_state(site: &Site, strays: &[Stray]) -> anyhow::Result<Vec<String>> {
    let state_folder = &site.ghostrc.state_folder;
    let records = record::all(state_folder)?;
    let is_known = !records.whole.is_empty()
        || !records.damaged.is_empty()
        || !journal::entries(state_folder)?.is_empty()
        || !damaged::all(state_folder).is_empty()
        || by_hand::was_used(state_folder)
        || !by_hand::given_up(state_folder).is_empty();
    if is_known {
        return Ok(Vec::new());
    }
    let configuration = site.dhcp().read()?;
    let is_todays = |name: &str, offered: &[u8]| boot_file_of(site, name).as_bytes() == offered;
    let offered = configuration.booting(&is_todays).map(|one| one.name);
    Ok(offered.filter(|name| strays.iter().all(|stray| stray.host != *name)).collect())
}
