//! The proxy as a server: its one file, its checker, and its restart.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::{HostName, MacAddress};

use super::table::{Around, ClientTable, is_a_proxys};
use super::{adding, edit};
use crate::dhcp::adding::{Added, Additions};
use crate::dhcp::checker::Checker;
use crate::dhcp::dnsmasq::server::{PROGRAM as DNSMASQ, served_by};
use crate::dhcp::private_copy::Part;
use crate::dhcp::restarted::{Program, Restarted};
use crate::dhcp::text::absolute;
use crate::dhcp::{
    Advice, Booting, Change, Configuration, Edit, Fault, Host, IsMeant, Kind, Listed, Network, PrivateCopy,
    PutBack, Reach, Reverts, Running, Server, Swap, Wanted,
};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;
use crate::sys::{interface, regular};

pub(in crate::dhcp) const PROGRAM: Program =
    Program { name: DNSMASQ, unit: "ghost4linux-proxy", read_by: served_by };

/// The proxy of a boot server.
#[derive(Debug)]
pub struct Proxy {
    checker: Checker,
    restarted: Restarted,
    settings: Ghostrc,
}

/// Whether it is a proxy's, and knows any client.
pub(super) fn has_clients(configuration: &Path) -> bool {
    let table = |bytes| ClientTable::read(configuration, bytes, &Around::default());
    let Ok(bytes) = regular::read(configuration) else { return false };
    is_a_proxys(&bytes) && table(bytes).lines.clients().next().is_some()
}

impl Proxy {
    pub fn new(ghostrc: &Ghostrc, configuration: &Path) -> Self {
        let named = ghostrc.dhcp_check.clone();
        Self {
            checker: Checker::new(configuration, named, DNSMASQ, &["--test", "-C", "FILE"]),
            restarted: Restarted::new(&PROGRAM, ghostrc, configuration),
            settings: ghostrc.clone(),
        }
    }

    fn around(&self) -> Around {
        let network = |(address, netmask)| Network { address, netmask };
        let networks = interface::networks().into_iter().map(network).collect();
        Around { networks, settings: Some(self.settings.clone()) }
    }

    /// The configuration as it would be with these changes.
    fn table(&self, changes: &[Change]) -> anyhow::Result<ClientTable> {
        let around = self.around();
        self.checker.read_with(changes, |bytes, _| {
            anyhow::Ok(ClientTable::read(&self.checker.configuration, bytes, &around))
        })
    }
}

fn private_copy(table: &ClientTable, changes: &[Change]) -> anyhow::Result<PrivateCopy> {
    let Some(main) = table.lines.sources.files.first() else { return Ok(PrivateCopy::default()) };
    let parts = [Part { path: &main.path, bytes: &main.bytes, included_by: None }];
    let file = absolute(&main.path);
    PrivateCopy::of(&parts, changes, file.parent().unwrap_or(Path::new("/")), <[u8]>::to_vec)
}

impl Server for Proxy {
    fn kind(&self) -> Kind {
        Kind::Proxy
    }

    fn checker(&self) -> &Checker {
        &self.checker
    }

    fn read_with(&self, changes: &[Change]) -> anyhow::Result<Box<dyn Configuration>> {
        Ok(Box::new(self.table(changes).exit_by_default(Exit::Configuration)?))
    }

    fn revert(&self, file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
        edit::revert(file, now, swapped)
    }

    fn private_copy(&self, changes: &[Change]) -> anyhow::Result<PrivateCopy> {
        let table = self.table(changes).exit_by_default(Exit::Configuration)?;
        private_copy(&table, changes)
    }

    fn add(&self, asked: &Additions) -> anyhow::Result<Added> {
        let file = absolute(&self.checker.configuration);
        let there = match regular::read(&file) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        let (draft, table) = adding::added(&file, there.as_deref(), asked, &self.around())?;
        Ok(draft.comes_to(Box::new(table), None))
    }

    fn take_up(&self) -> anyhow::Result<()> {
        self.restarted.take_up(Some(vec![absolute(&self.checker.configuration)]))
    }

    fn way(&self) -> Result<String, Advice> {
        self.restarted.way()
    }

    fn running(&self) -> Running {
        self.restarted.running()
    }

    fn has_gone(&self) -> Option<String> {
        self.restarted.has_gone()
    }

    fn distance(&self) -> Duration {
        self.restarted.distance()
    }
}

impl Configuration for ClientTable {
    fn files(&self) -> Vec<PathBuf> {
        self.lines.sources.files.iter().map(|source| absolute(&source.path)).collect()
    }

    fn list(&self) -> Vec<Listed> {
        self.lines.hosts.iter().map(|host| self.listed(host)).collect()
    }

    fn clients(&self) -> Vec<(HostName, MacAddress)> {
        self.lines.clients().collect()
    }

    fn host(&self, name: &HostName) -> Result<Host, Fault> {
        let usable = self.usable(name)?;
        let (entry, sources) = (usable.host.entry, &self.lines.sources);
        let others = self.lines.by_address(usable.ip).filter(|other| other.entry != entry);
        Ok(Host {
            name: name.clone(),
            mac: usable.mac,
            ip: usable.ip,
            offered: self.offered(usable.host).map(String::into_bytes).unwrap_or_default(),
            file: absolute(&sources.source(entry).path),
            place: Box::new(sources.place_at(entry, usable.value.start)),
            shares_ip_with: others.map(|other| self.lines.shown(other)).collect(),
        })
    }

    fn booting<'a>(&'a self, is_meant: IsMeant<'a>) -> Box<dyn Iterator<Item = Booting> + 'a> {
        Box::new(self.lines.hosts.iter().filter_map(move |host| {
            let name = self.lines.shown(host);
            let boot_file = self.offered(host).filter(|file| is_meant(&name, file.as_bytes()))?;
            let (mac, ip) = (host.macs.first().copied(), host.address);
            Some(Booting { name, mac, ip, boot_file, place: self.lines.place_of(host) })
        }))
    }

    fn networks(&self) -> Vec<Network> {
        self.lines.networks()
    }

    fn listens_on(&self) -> Vec<String> {
        self.lines.sources.listens_on()
    }

    fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        Self::reaches(self, hosts)
    }

    fn put_back(&self, swapped: &[(HostName, Swap)]) -> PutBack {
        edit::put_back(self, swapped)
    }

    fn swap(&self, wanted: &[Wanted]) -> Edit {
        edit::swap(self, wanted)
    }
}

impl ClientTable {
    fn listed(&self, host: &crate::dhcp::dnsmasq::hosts::Host) -> Listed {
        let problem = match host.name.parse() {
            Ok(name) => self.usable(&name).err().map(|fault| problem(&fault, &host.name)),
            Err(_) => Some("has no name; write it behind the address".to_owned()),
        };
        Listed {
            name: self.lines.shown(host),
            mac: host.macs.first().copied(),
            ip: host.address,
            offered: self.offered(host).map(String::into_bytes),
            problem,
        }
    }
}

/// A fault's words, to follow the host's name.
fn problem(fault: &Fault, name: &str) -> String {
    let words = fault.what.strip_prefix(&format!("host {name} "));
    words.unwrap_or(&fault.what).to_owned()
}
