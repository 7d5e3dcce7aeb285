//! ISC dhcpd as a server: its files, its checker, and its restart. It cannot reload, so that it is restarted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghost_contract::{HostName, MacAddress};

use super::check::private_copy;
use super::running::PROGRAM;
use super::{HostTable, adding, edit, served};
use crate::dhcp::adding::{Added, Additions, Draft};
use crate::dhcp::checker::Checker;
use crate::dhcp::restarted::Restarted;
use crate::dhcp::text::absolute;
use crate::dhcp::{
    Advice, Booting, Change, Configuration, Edit, Fault, Host, IsMeant, Kind, Listed, Network, PrivateCopy,
    PutBack, Reach, Reverts, Running, Server, Swap, Wanted,
};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;

/// The dhcpd of a boot server.
#[derive(Debug)]
pub struct Dhcpd {
    checker: Checker,
    restarted: Restarted,
}

impl Dhcpd {
    pub fn new(ghostrc: &Ghostrc, configuration: &Path) -> Self {
        // `-t` tests the configuration that `-cf` names.
        let named = ghostrc.dhcp_check.clone();
        Self {
            checker: Checker::new(configuration, named, "dhcpd", &["-t", "-cf", "FILE"]),
            restarted: Restarted::new(&PROGRAM, ghostrc, configuration),
        }
    }

    /// The configuration with all that it includes, some of the files with other contents than they have.
    fn table(&self, changes: &[Change]) -> anyhow::Result<HostTable> {
        self.checker
            .read_with(changes, |bytes, content| HostTable::read(&self.checker.configuration, bytes, content))
    }
}

impl Server for Dhcpd {
    fn kind(&self) -> Kind {
        Kind::Isc
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
        let missing = (!self.checker.configuration.exists()).then(|| Change {
            file: absolute(&self.checker.configuration),
            read: Vec::new(),
            contents: Vec::new(),
        });
        let table = |changes: &[Change]| match (&missing, changes) {
            (Some(empty), []) => self.table(std::slice::from_ref(empty)),
            _ => self.table(changes),
        };
        let before = table(&[]).exit_by_default(Exit::Configuration)?;
        let first = match &asked.network {
            Some(network) => adding::network(&before, asked.boot_server, network)?,
            None => Draft::default(),
        };
        let second = adding::hosts(&table(&first.changes)?, asked)?;
        let draft = first.then(second);
        let configuration = table(&draft.changes)?;
        Ok(draft.comes_to(Box::new(configuration), None))
    }

    fn take_up(&self) -> anyhow::Result<()> {
        self.restarted.take_up(self.table(&[]).ok().map(|table| Configuration::files(&table)))
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

impl Configuration for HostTable {
    fn files(&self) -> Vec<PathBuf> {
        Self::files(self).map(|(path, _)| absolute(path)).collect()
    }

    fn list(&self) -> Vec<Listed> {
        self.hosts().iter().map(|host| self.listed(host)).collect()
    }

    fn clients(&self) -> Vec<(HostName, MacAddress)> {
        Self::clients(self).collect()
    }

    fn host(&self, name: &HostName) -> Result<Host, Fault> {
        let host = self.usable(name)?;
        Ok(Host {
            place: Box::new(self.place_at(host.source, host.value.start)),
            name: host.name,
            mac: host.mac,
            ip: host.ip,
            offered: host.filename,
            file: absolute(&host.file),
            shares_ip_with: host.shares_ip_with,
        })
    }

    fn booting<'a>(&'a self, is_meant: IsMeant<'a>) -> Box<dyn Iterator<Item = Booting> + 'a> {
        Box::new(self.hosts().iter().filter_map(move |host| {
            let boot_file = self.offered_file(host).filter(|file| is_meant(&host.name, file))?;
            let value = self.own_filename(host);
            let place =
                value.map_or_else(|_| self.place_of(host), |value| self.place_at(host.file, value.start));
            Some(Booting {
                name: host.name.clone(),
                mac: host.mac,
                ip: host.address,
                boot_file: String::from_utf8_lossy(&boot_file).into_owned(),
                place: Box::new(place),
            })
        }))
    }

    fn networks(&self) -> Vec<Network> {
        Self::networks(self)
    }

    fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        Self::reaches(self, hosts)
    }

    fn put_back(&self, swapped: &[(HostName, Swap)]) -> PutBack {
        served::put_back(self, swapped)
    }

    fn swap(&self, wanted: &[Wanted]) -> Edit {
        edit::swap(self, wanted)
    }
}

impl HostTable {
    fn listed(&self, host: &super::Host) -> Listed {
        let problem = match host.name.parse() {
            Ok(name) => self.flaw(&name).map(|flaw| flaw.to_string()),
            Err(_) => Some("its name is not one that a job can use".to_owned()),
        };
        Listed {
            name: host.name.clone(),
            mac: host.mac,
            ip: host.address,
            offered: self.offered_file(host),
            problem,
        }
    }
}
