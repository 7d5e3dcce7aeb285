//! Entries of the journal and records that cannot be read: what is told of them.

use std::path::{Path, PathBuf};

use ghost_contract::{HostName, MacAddress, layout, report};
use serde::Serialize;

use super::strays;
use crate::job::Said;
use crate::runner::folders;
use crate::runner::steps::Steps;
use crate::site::Site;
use crate::state::damaged as damaged_files;
use crate::state::journal::Entry;
use crate::state::record;

/// A job that there is not: what cannot be read is nobody's, and goes whoever asks.
const NOBODYS: &str = "0";

/// An entry of the journal that could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Damaged {
    pub entry: PathBuf,
    pub why: String,
    /// The host, if that could be read.
    pub host: Option<HostName>,
    /// Where the entry lies now.
    pub kept: Option<PathBuf>,
    /// What became of the swap that it tells of, or why the entry is still where it was.
    pub remarks: Vec<String>,
}

impl Damaged {
    /// One of which nothing is known but why.
    pub(super) const fn unread(entry: PathBuf, why: String) -> Self {
        Self { entry, why, host: None, kept: None, remarks: Vec::new() }
    }

    /// Keeps the entry where nobody takes it for one, with whose it was.
    pub(super) fn set_aside(&mut self, site: &Site, entry: Entry, whose: Option<Whose>) {
        match entry.set_aside(&site.ghostrc.state_folder) {
            Ok(kept) => {
                let said = whose.map_or(Ok(()), |(host, mac)| damaged_files::say_whose(&kept, &host, mac));
                let unsaid = said.err().map(|error| format!("whose entry it was is not kept: {error}"));
                self.remarks.extend(unsaid);
                self.kept = Some(kept);
            }
            Err(error) => self.remarks.push(format!("{:#}", anyhow::Error::new(error))),
        }
    }

    pub(crate) fn words(&self) -> String {
        let host = self.host.as_ref().map_or_else(String::new, |host| format!(" of {host}"));
        let kept = self.kept.as_ref().map_or_else(String::new, |kept| {
            format!(
                "; it was moved to {}; check by hand what its job left: the DHCP entry, the staging folder",
                kept.display()
            )
        });
        let remarks: String = self.remarks.iter().map(|remark| format!("; {remark}")).collect();
        format!(
            "the journal's entry {}{host} cannot be used: {}{kept}{remarks}",
            self.entry.display(),
            self.why
        )
    }
}

/// A host and its hardware address.
pub(super) type Whose = (HostName, MacAddress);

/// Makes the order void that an entry which says nothing was about: a client that boots from the network later would obey it. The
/// entry has its name from the address of its client's tree. What people should know of it is told. Yields whose order it was.
pub(super) fn withdraw(
    steps: Steps<'_>,
    entry: &Path,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Option<Whose>> {
    let Some(ip) = strays::address(entry) else {
        remarks.push(format!(
            "whose order it was about is not known; see that no tree in {} has a {} that no job has made",
            steps.site.trees().display(),
            layout::ORDER
        ));
        return Ok(None);
    };
    let tree = steps.site.tree(ip);
    let path = tree.etc().join(layout::ORDER);
    let Some(order) = tree.order()? else {
        if path.symlink_metadata().is_ok() {
            tree.withdraw(&NOBODYS.parse()?)?;
            remarks.push(format!("the order {} could not be read and was removed", path.display()));
        }
        return Ok(None);
    };
    let lines = report::read(&tree.whole_report().unwrap_or_default());
    if Said::of(&lines.entries, &order.job).claimed {
        remarks.push(format!("{} has claimed its order, so that it is obeyed no second time", order.host));
        return Ok(Some((order.host, order.mac)));
    }
    folders::withdraw(&tree, steps.catalog, &order.job, (&order.host, &order.nonce))?;
    remarks.push(format!("the order of {} was withdrawn", order.host));
    Ok(Some((order.host, order.mac)))
}

/// The record of a job that is over which cannot be read. Nothing is left of such a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DamagedRecord {
    pub record: PathBuf,
    pub why: String,
    /// Where it lies now, or why it is still where it was.
    pub kept: Result<PathBuf, String>,
}

impl DamagedRecord {
    pub(crate) fn words(&self) -> String {
        let kept = match &self.kept {
            Ok(kept) => format!("it was moved to {}", kept.display()),
            Err(reason) => format!("it could not be set aside: {reason}"),
        };
        format!(
            "the record {} of a job that is over cannot be used: {}; {kept}",
            self.record.display(),
            self.why
        )
    }
}

/// Sets records aside that cannot be read, so that they are told of once.
pub(super) fn damaged_records(site: &Site) -> Vec<DamagedRecord> {
    let state_folder = &site.ghostrc.state_folder;
    // Whoever needs the records says why they cannot be read at all.
    let damaged = record::all(state_folder).unwrap_or_default().damaged.into_iter();
    let set_aside = |one: record::Damaged| DamagedRecord {
        kept: one.set_aside(state_folder).map_err(|error| error.to_string()),
        record: one.path,
        why: one.why,
    };
    damaged.map(set_aside).collect()
}
