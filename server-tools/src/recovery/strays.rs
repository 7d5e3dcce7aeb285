//! Hosts that are still offered the boot file though no job needs it.
//!
//! Only those count that have had a job: then they were offered something else once. Others may boot from the network always.
//! Records tell which have had one; where those are lost, the order that is still in a host's tree does, or a damaged entry of
//! the journal for its address.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::{HostName, MacAddress, layout};
use serde::Serialize;

use crate::dhcp::offer::{Outstanding, outstanding};
use crate::job::Identity;
use crate::site::Site;
use crate::state::{damaged, journal, paths, record};
use crate::tree::Tree;

/// A host that DHCP offers the boot file without a job that is responsible for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stray {
    pub host: String,
    pub boot_file: String,
    /// Where the DHCP configuration says so, if its entry is one that a job could be done for.
    pub place: Option<String>,
    /// What it was offered before its last job, as it was written; none if nothing tells.
    pub original: Option<String>,
    /// The order that a client which boots from the network would find.
    pub order: Option<PathBuf>,
}

impl Stray {
    pub(crate) fn found(&self) -> String {
        let Self { host, boot_file, place, .. } = self;
        let place = place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
        format!("{host}: DHCP offers it the boot file {boot_file}{place} and no job is responsible for that")
    }

    pub(crate) fn mend(&self) -> String {
        let mend = match &self.original {
            Some(_) => {
                format!("'ghostctl dhcp revert {}' puts back what it was offered before its last job", self.host)
            }
            None => "nothing tells what it was offered before: write its own filename there by hand, and restart the DHCP server"
                .to_owned(),
        };
        let order = self.order.as_ref().map(|order| format!("; then remove {}", order.display()));
        mend + &order.unwrap_or_default()
    }

    pub(crate) fn words(&self) -> String {
        format!("{}; {}", self.found(), self.mend())
    }
}

/// Hosts that DHCP offers the boot file although no job is at it and nobody has swapped them by hand.
pub(crate) fn strays(site: &Site) -> anyhow::Result<Vec<Stray>> {
    let offered = outstanding(site)?;
    if offered.is_empty() {
        return Ok(Vec::new());
    }
    let state_folder = &site.ghostrc.state_folder;
    let known = Known {
        site,
        records: record::all(state_folder)?.whole,
        has_a_job: journal::look_at_all(state_folder)?.into_iter().filter_map(Busy::of).collect(),
        damaged: damaged::all(state_folder).iter().filter_map(|path| address(path)).collect(),
    };
    Ok(offered.iter().filter_map(|one| known.stray(one)).collect())
}

/// What is known of the jobs that there were and are.
struct Known<'a> {
    site: &'a Site,
    records: Vec<record::Record>,
    has_a_job: Vec<Busy>,
    /// The addresses of entries that could not be read.
    damaged: Vec<Ipv4Addr>,
}

/// Whose job is in the journal.
enum Busy {
    Host(Identity),
    /// What a living owner has written cannot be read; its entry has the name of an address.
    Address(Ipv4Addr),
}

impl Busy {
    fn of(seen: journal::Seen) -> Option<Self> {
        match seen.says.state {
            Some(state) => Some(Self::Host(state.begun.identity)),
            None if seen.owned => address(&seen.path).map(Self::Address),
            None => None,
        }
    }

    fn is(&self, one: &Outstanding) -> bool {
        match self {
            Self::Host(identity) => is_of(identity.host.as_str(), identity.mac, one),
            Self::Address(ip) => one.ip == Some(*ip),
        }
    }
}

impl Known<'_> {
    fn stray(&self, one: &Outstanding) -> Option<Stray> {
        let by_hand = |host: HostName| paths::by_hand(&self.site.ghostrc.state_folder, &host).exists();
        if self.has_a_job.iter().any(|busy| busy.is(one)) || one.host.parse().is_ok_and(by_hand) {
            return None;
        }
        let own = |record: &&record::Record| is_of(record.identity.host.as_str(), record.identity.mac, one);
        let last = self.records.iter().rfind(own);
        let (order, is_anothers) = self.order(one);
        let is_damaged = one.ip.is_some_and(|ip| self.damaged.contains(&ip)) && !is_anothers;
        if last.is_none() && order.is_none() && !is_damaged {
            return None;
        }
        // By hand only a host of the name that its job had can be reverted.
        let of_its_name = self.records.iter().filter(|record| record.identity.host.as_str() == one.host);
        let swap = of_its_name.filter_map(|record| record.swap.as_ref()).next_back();
        Some(Stray {
            host: one.host.clone(),
            boot_file: one.boot_file.clone(),
            place: one.place.as_ref().map(ToString::to_string),
            original: swap.map(|swap| String::from_utf8_lossy(swap.original.as_bytes()).into_owned()),
            order,
        })
    }

    /// The order in the tree of its address, and whether it is another host's. One that cannot be read may be anybody's.
    fn order(&self, one: &Outstanding) -> (Option<PathBuf>, bool) {
        let Some(ip) = one.ip else { return (None, false) };
        let tree = Tree::of(&self.site.ghostrc.base_root, ip);
        let path = tree.etc().join(layout::ORDER);
        if path.symlink_metadata().is_err() {
            return (None, false);
        }
        match tree.order() {
            Ok(Some(order)) if !is_of(order.host.as_str(), order.mac, one) => (None, true),
            _ => (Some(path), false),
        }
    }
}

fn is_of(host: &str, mac: MacAddress, one: &Outstanding) -> bool {
    host == one.host || one.mac == Some(mac)
}

/// The address that the journal's entry has its name from, wherever it lies.
fn address(entry: &Path) -> Option<Ipv4Addr> {
    entry.file_name()?.to_str()?.split_once(".jsonl")?.0.parse().ok()
}
