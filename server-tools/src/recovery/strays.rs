//! Hosts that are still offered the boot file though no job needs it.
//!
//! Only those count that have had a job or were swapped by hand: then they were offered something else once. Others may boot from the
//! network always. Records tell which have had one; where those are lost, the order that is still in a host's tree does, or a damaged
//! entry of the journal for its address. An entry with the address of such a host counts too, unless it was offered the boot file
//! before the swap already: a person may have given the host another name and another network card.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::{HostName, MacAddress, UnixTime, layout};
use serde::Serialize;

use crate::dhcp::offer::others;
use crate::dhcp::{Booting, Swap};
use crate::job::Identity;
use crate::site::Site;
use crate::state::{by_hand, damaged, journal, record};

use super::lost::{Lost, lost};

/// A host that DHCP offers the boot file without a job that is responsible for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stray {
    pub host: String,
    pub boot_file: String,
    /// Where the DHCP configuration says so.
    pub place: String,
    /// What it was offered before its last job, as it was written; none if nothing tells.
    pub original: Option<String>,
    /// The order that a client which boots from the network would find.
    pub order: Option<PathBuf>,
    /// Why nothing tells, if something should, or whose swap it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What puts it back, if that is known.
    #[serde(skip)]
    pub swap: Option<Swap>,
}

impl Stray {
    pub(crate) fn found(&self) -> String {
        let Self { host, boot_file, place, because, .. } = self;
        let because = because.as_ref().map_or_else(String::new, |because| format!("; {because}"));
        format!(
            "{host}: DHCP offers it the boot file {boot_file} ({place}) and no job is responsible for that{because}"
        )
    }

    pub(crate) fn mend(&self) -> String {
        let mend = match &self.original {
            Some(_) => {
                format!("'ghostctl dhcp revert {}' puts back what it was offered before its last job", self.host)
            }
            None => "nothing tells what it was offered before: write its own boot file there by hand, and have the DHCP server take that up"
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
    let configuration = site.dhcp().read()?;
    let state_folder = &site.ghostrc.state_folder;
    let records = record::all(state_folder)?;
    let pasts = pasts(site, records.whole);
    let set_aside = damaged::all(state_folder);
    let lost = lost(state_folder, records.damaged, &set_aside);
    let swapped_to: BTreeSet<&[u8]> =
        pasts.iter().filter_map(|past| Some(past.swap.as_ref()?.boot_file.as_bytes())).collect();
    let is_meant = |name: &str, offered: &[u8]| {
        let is_lost = |lost: &Lost| lost.boot_file.as_ref().is_some_and(|file| file.as_bytes() == offered);
        swapped_to.contains(offered)
            || boot_file_of(site, name).as_bytes() == offered
            || lost.iter().any(is_lost)
    };
    let mut offered = configuration.booting(&is_meant).peekable();
    if offered.peek().is_none() {
        return Ok(Vec::new());
    }
    let known = Known {
        site,
        has_a_job: journal::look_at_all(state_folder)?.into_iter().filter_map(Busy::of).collect(),
        damaged: set_aside.iter().filter_map(|path| Some((address(path)?, damaged::whose(path)))).collect(),
        lost: &lost,
        by_hand: by_hand::all(state_folder),
        pasts: &pasts,
    };
    Ok(offered.filter_map(|one| known.stray(&one)).collect())
}

/// Who is offered the boot file now, and was not before the last swap that there was: in words. A person may have taken the entry that
/// was swapped for a template. From the next swap on such an entry counts as one that is meant so.
pub(crate) fn newcomers(site: &Site) -> anyhow::Result<Vec<String>> {
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    let last = pasts(site, records).into_iter().filter_map(|past| Some((past.host, past.swap?)));
    let Some(last) = last.filter(|(_, swap)| swap.before.is_some()).last() else { return Ok(Vec::new()) };
    let configuration = site.dhcp().read()?;
    let strays = strays(site)?;
    let swapped = [last];
    let found = others::newcomers(site, configuration.as_ref(), &swapped).into_iter();
    let others = found.filter(|(one, _)| strays.iter().all(|stray| stray.host != one.name));
    Ok(others.map(|one| others::told(&one)).collect())
}

/// The boot file that a host of this name would be swapped to now.
pub(super) fn boot_file_of(site: &Site, name: &str) -> String {
    let settings = name.parse().map(|name| site.ghostrc.for_host(&name).boot_file);
    settings.unwrap_or_else(|_| site.ghostrc.settings().boot_file.clone())
}

/// A swap that there was, of a job that is over or of one that a person has given up or whose record was damaged.
struct Past {
    host: HostName,
    mac: Option<MacAddress>,
    ip: Option<Ipv4Addr>,
    at: UnixTime,
    swap: Option<Swap>,
}

impl Past {
    fn is_of(&self, one: &Booting) -> bool {
        self.host.as_str() == one.name || (self.mac.is_some() && one.mac == self.mac)
    }

    /// Whether this is what the entry is offered from.
    fn swapped_to(&self, boot_file: &str) -> bool {
        self.swap.as_ref().is_some_and(|swap| swap.boot_file == boot_file)
    }

    fn was_booting(&self, one: &Booting) -> bool {
        self.swap.as_ref().is_some_and(|swap| swap.was_booting(&one.name, one.mac))
    }
}

/// The oldest first.
fn pasts(site: &Site, records: Vec<record::Record>) -> Vec<Past> {
    let state_folder = &site.ghostrc.state_folder;
    let of_jobs = records.into_iter().map(|record| {
        let Identity { host, mac, ip, .. } = record.identity;
        let swap = record.swap.map(|swap| Swap { mac: swap.mac.or(Some(mac)), ..swap });
        Past { host, mac: Some(mac), ip: Some(ip), at: record.ended, swap }
    });
    let damaged = by_hand::all(state_folder).into_iter().filter(|kept| kept.damage.is_some());
    let by_hand = by_hand::given_up(state_folder).into_iter().chain(damaged).filter_map(|kept| {
        let by_hand::Record { swap, at, .. } = kept.record?;
        let at = at.unwrap_or_else(|| UnixTime::from_millis(0));
        Some(Past { host: kept.host, mac: swap.mac, ip: swap.ip, at, swap: Some(swap) })
    });
    let mut pasts: Vec<Past> = of_jobs.chain(by_hand).collect();
    pasts.sort_by_key(|past| past.at);
    pasts
}

/// What is known of the jobs that there were and are.
struct Known<'a> {
    site: &'a Site,
    has_a_job: Vec<Busy>,
    by_hand: Vec<by_hand::Kept>,
    pasts: &'a [Past],
    /// The addresses of entries that could not be read, and whose they were, if that is known.
    damaged: Vec<(Ipv4Addr, Option<(HostName, MacAddress)>)>,
    lost: &'a [Lost],
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

    fn is(&self, one: &Booting) -> bool {
        match self {
            Self::Host(identity) => is_of(identity.host.as_str(), identity.mac, one),
            Self::Address(ip) => one.ip == Some(*ip),
        }
    }
}

impl Known<'_> {
    fn stray(&self, one: &Booting) -> Option<Stray> {
        let by_hand = |kept: &by_hand::Kept| kept.is_responsible_for(&one.name, one.mac);
        if self.has_a_job.iter().any(|busy| busy.is(one)) || self.by_hand.iter().any(by_hand) {
            return None;
        }
        let is_todays = boot_file_of(self.site, &one.name) == one.boot_file;
        let mut own = self.pasts.iter().filter(|past| past.is_of(one));
        let last = own.rfind(|past| is_todays || past.swapped_to(&one.boot_file));
        if last.is_some_and(|last| last.was_booting(one)) {
            return None;
        }
        let of_its_address = self.of_its_address(one);
        let (order, is_anothers) = if is_todays { self.order(one) } else { (None, false) };
        let is_damaged = is_todays && self.is_damaged(one) && !is_anothers;
        let lost = self.lost(one, is_todays);
        if last.is_none() && of_its_address.is_none() && order.is_none() && !is_damaged && lost.is_none() {
            return None;
        }
        let swap = self.swap(one);
        Some(Stray {
            host: one.name.clone(),
            boot_file: one.boot_file.clone(),
            place: one.place.to_string(),
            original: swap
                .as_ref()
                .map(|swap| String::from_utf8_lossy(swap.original.as_bytes()).into_owned()),
            order,
            because: self.because(one, of_its_address, lost),
            swap,
        })
    }

    /// What is lost of this host, if that may have been a swap to what it is offered.
    fn lost(&self, one: &Booting, is_todays: bool) -> Option<&Lost> {
        let is_its = |lost: &&Lost| {
            let is_swapped_to = lost.boot_file.as_ref().map_or(is_todays, |file| *file == one.boot_file);
            lost.host.as_str() == one.name && is_swapped_to
        };
        self.lost.iter().find(is_its)
    }

    /// Whether an entry of the journal that could not be read was, or may have been, about this host.
    fn is_damaged(&self, one: &Booting) -> bool {
        let may_be_its = |whose: &Option<(HostName, MacAddress)>| {
            whose.as_ref().is_none_or(|(host, mac)| is_of(host.as_str(), *mac, one))
        };
        self.damaged.iter().any(|(ip, whose)| one.ip == Some(*ip) && may_be_its(whose))
    }

    /// The last swap of a host with this address, if this entry was not offered the boot file before it already. What was swapped
    /// before that was looked at may have had its address for good.
    fn of_its_address(&self, one: &Booting) -> Option<&Past> {
        let of_it = |past: &&Past| past.ip.is_some() && past.ip == one.ip && past.swapped_to(&one.boot_file);
        let last = self.pasts.iter().rfind(of_it)?;
        let is_new = last.swap.as_ref().is_some_and(|swap| swap.before.is_some()) && !last.was_booting(one);
        (is_new && !last.is_of(one)).then_some(last)
    }

    fn because(&self, one: &Booting, of_its_address: Option<&Past>, lost: Option<&Lost>) -> Option<String> {
        let damaged =
            self.by_hand.iter().find(|kept| kept.host.as_str() == one.name && kept.damage.is_some());
        let damage = damaged.and_then(|kept| kept.damage.as_ref());
        let damage = damage.map(|why| format!("the record of its swap by hand cannot be used: {why}"));
        let has_past = self.pasts.iter().any(|past| past.is_of(one) && past.swap.is_some());
        let damage = damage.or_else(|| lost.filter(|_| !has_past).map(|lost| lost.why.clone()));
        let address = of_its_address.and_then(|past| {
            let original = String::from_utf8_lossy(past.swap.as_ref()?.original.as_bytes()).into_owned();
            Some(format!(
                "it has the address of {}, which was offered {original} before it was swapped",
                past.host
            ))
        });
        damage.or(address)
    }

    /// What was swapped last of a host of this name: by hand only such a host can be reverted. What is put back is what it is offered
    /// now, whatever the settings said then.
    fn swap(&self, one: &Booting) -> Option<Swap> {
        let swaps = || self.pasts.iter().filter(|past| past.host.as_str() == one.name && past.swap.is_some());
        let exact = swaps().rfind(|past| past.swapped_to(&one.boot_file));
        let swap = exact.or_else(|| swaps().next_back())?.swap.clone()?;
        Some(Swap { boot_file: one.boot_file.clone(), ..swap })
    }

    /// The order in the tree of its address, and whether it is another host's. One that cannot be read may be anybody's.
    fn order(&self, one: &Booting) -> (Option<PathBuf>, bool) {
        let Some(ip) = one.ip else { return (None, false) };
        let tree = self.site.tree(ip);
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

fn is_of(host: &str, mac: MacAddress, one: &Booting) -> bool {
    host == one.name || one.mac == Some(mac)
}

/// The address that the journal's entry has its name from, wherever it lies.
pub(super) fn address(entry: &Path) -> Option<Ipv4Addr> {
    entry.file_name()?.to_str()?.split_once(".jsonl")?.0.parse().ok()
}
