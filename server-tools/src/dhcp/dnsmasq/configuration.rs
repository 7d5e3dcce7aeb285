//! What the table of dnsmasq's hosts says to those who know no server.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ghost_contract::{HostName, MacAddress};

use super::boots::{Decides, tags};
use super::edit;
use super::table::HostTable;
use crate::dhcp::text::absolute;
use crate::dhcp::{
    Booting, Configuration, Edit, Fault, Host, IsMeant, Listed, Network, PutBack, Reach, Swap, Wanted,
};

impl Configuration for HostTable {
    fn files(&self) -> Vec<PathBuf> {
        self.sources.files.iter().map(|source| absolute(&source.path)).collect()
    }

    fn list(&self) -> Vec<Listed> {
        self.hosts.iter().map(|host| self.listed(host)).collect()
    }

    fn clients(&self) -> Vec<(HostName, MacAddress)> {
        Self::clients(self).collect()
    }

    fn host(&self, name: &HostName) -> Result<Host, Fault> {
        let usable = self.usable(name)?;
        let others = self.by_address(usable.ip).filter(|other| other.entry != usable.host.entry);
        Ok(Host {
            name: name.clone(),
            mac: usable.mac,
            ip: usable.ip,
            file: absolute(&self.sources.source(usable.given.entry).path),
            place: usable.place(self),
            shares_ip_with: others.map(|other| self.shown(other)).collect(),
            offered: usable.boot_file(self).into_bytes(),
        })
    }

    fn booting<'a>(&'a self, is_meant: IsMeant<'a>) -> Box<dyn Iterator<Item = Booting> + 'a> {
        Box::new(self.hosts.iter().filter_map(move |host| {
            let tags = tags(host);
            let decides = self.decides(&tags)?;
            // A boot file that every host is offered was not chosen for this one.
            let is_own = decides.tags().iter().any(|tag| tags.contains(&tag.as_str()));
            let boot_file = self.boot_file(decides);
            (is_own && is_meant(&self.shown(host), boot_file.as_bytes())).then(|| Booting {
                name: self.shown(host),
                mac: host.macs.first().copied(),
                ip: host.address,
                boot_file,
                place: match decides {
                    Decides::Option(given) => Box::new(self.sources.place_at(given.entry, given.value.start)),
                    Decides::Boot(boot) => Box::new(self.sources.place(boot.entry)),
                },
            })
        }))
    }

    fn networks(&self) -> Vec<Network> {
        Self::networks(self)
    }

    fn listens_on(&self) -> Vec<String> {
        self.sources.listens_on()
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

impl HostTable {
    fn listed(&self, host: &super::hosts::Host) -> Listed {
        Listed {
            name: self.shown(host),
            mac: host.macs.first().copied(),
            ip: host.address,
            offered: self.offered(host).map(String::into_bytes),
            problem: self.flaw(host).map(|flaw| flaw.to_string()),
        }
    }
}
