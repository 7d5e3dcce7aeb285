//! Hosts of which records are damaged or lost.

use std::path::{Path, PathBuf};

use ghost_contract::HostName;

use crate::state::{by_hand, record};

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
