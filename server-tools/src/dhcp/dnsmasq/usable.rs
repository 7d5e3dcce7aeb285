//! What a host needs to be usable, and what to write where it is not. Nothing is guessed.

use std::net::Ipv4Addr;
use std::ops::Range;

use ghost_contract::{HostName, MacAddress};

use super::boots::{Decides, tags};
use super::hosts::{Given, Host};
use super::table::HostTable;
use crate::dhcp::{Fault, is_a_cards};
use crate::place::Place;

/// A host with the addresses that a job needs.
#[derive(Debug)]
pub(in crate::dhcp) struct Addressed<'a> {
    pub(in crate::dhcp) host: &'a Host,
    pub(in crate::dhcp) mac: MacAddress,
    pub(in crate::dhcp) ip: Ipv4Addr,
}

/// A host that a job can be done for.
#[derive(Debug)]
pub(super) struct Usable<'a> {
    pub(super) host: &'a Host,
    pub(super) mac: MacAddress,
    pub(super) ip: Ipv4Addr,
    /// Its own line among the options.
    pub(super) given: &'a Given,
}

/// What is wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("is not in the DHCP configuration{}", .0.as_ref().map_or_else(String::new, |name| format!("; is {name} meant?")))]
    Unknown(Option<String>),
    #[error("has no name; write it behind the address: 00:11:22:33:44:55,192.168.7.2,john")]
    NoName,
    #[error("has a second line, the first one is at {0}; leave one")]
    Twice(Box<Place>),
    #[error("has no Ethernet address here; write it first: 00:11:22:33:44:55,192.168.7.2,john")]
    NoMac,
    #[error("has a second hardware address; a client is woken by one, remove the others")]
    MacTwice,
    #[error("has the hardware address {0}, which no network card has; write its own")]
    NoCards(MacAddress),
    #[error("has the hardware address of {other} at {at}; each client has its own")]
    SameMac { other: String, at: Box<Place> },
    #[error("has no address; write it behind the hardware address: 00:11:22:33:44:55,192.168.7.2,john")]
    NoAddress,
    #[error("is not answered, its line says 'ignore'; remove that")]
    Ignored,
    #[error(
        "is offered no boot file; write into a file that dhcp-optsdir names: tag:{name},option:bootfile-name,nobackup; and set:{name} into \
         this line, behind the hardware address",
        name = .0
    )]
    NoBootFile(String),
    #[error(
        "is offered its boot file by this, which others may be offered too; write into a file that dhcp-optsdir names: \
         tag:{name},option:bootfile-name,nobackup; into its line at {at} set:{name}; and have no dhcp-boot hold for it",
        name = .name
    )]
    NotOwn { name: String, at: Box<Place> },
    #[error(
        "has its boot file where dnsmasq reads it again by a signal only, and may crash by that while host {0} has a tag in a file that \
         dhcp-hostsfile names (dnsmasq 2.90 does); have dhcp-optsdir name the folder of this file, and restart dnsmasq once"
    )]
    SignalHarms(String),
    #[error("has a second boot file here; remove one")]
    BootFileTwice,
}

/// A flaw, and the entry that it is about with the place there; none if what is meant is missing.
pub(in crate::dhcp) type Flawed = (Flaw, Option<(usize, usize)>);

impl HostTable {
    /// The host of this name with all that a job needs.
    pub(super) fn usable(&self, name: &HostName) -> Result<Usable<'_>, Fault> {
        self.sound(name).map_err(|(flaw, at)| self.fault(name.as_str(), &flaw, at))
    }

    pub(in crate::dhcp) fn fault(&self, name: &str, flaw: &Flaw, at: Option<(usize, usize)>) -> Fault {
        let place = at.map(|(entry, offset)| Box::new(self.sources.place_at(entry, offset)));
        Fault { what: format!("host {name} {flaw}"), place }
    }

    /// What is wrong with a host, if anything is.
    pub(super) fn flaw(&self, host: &Host) -> Option<Flaw> {
        match host.name.parse() {
            Ok(name) => self.sound(&name).err().map(|(flaw, _)| flaw),
            Err(_) => Some(Flaw::NoName),
        }
    }

    fn sound(&self, name: &HostName) -> Result<Usable<'_>, Flawed> {
        let Addressed { host, mac, ip } = self.addressed(name)?;
        Ok(Usable { host, mac, ip, given: self.own(host)? })
    }

    /// The one host of this name, if its line says its addresses and no other line has them.
    pub(in crate::dhcp) fn addressed(&self, name: &HostName) -> Result<Addressed<'_>, Flawed> {
        let mut of_name = self.by_name(name.as_str());
        let host = of_name.next().ok_or_else(|| (self.unknown(name), None))?;
        let at = |host: &Host| Some(self.at_of(host));
        if let Some(second) = of_name.next() {
            return Err((Flaw::Twice(self.place_of(host)), at(second)));
        }
        let mac = match host.macs.as_slice() {
            [] => return Err((Flaw::NoMac, at(host))),
            [mac] if is_a_cards(*mac) => *mac,
            [mac] => return Err((Flaw::NoCards(*mac), at(host))),
            _ => return Err((Flaw::MacTwice, at(host))),
        };
        if let Some(other) = self.by_mac(mac).find(|other| other.entry != host.entry) {
            let flaw = Flaw::SameMac { other: self.shown(other), at: self.place_of(other) };
            return Err((flaw, at(host)));
        }
        let ip = host.address.filter(|ip| !ip.is_unspecified()).ok_or((Flaw::NoAddress, at(host)))?;
        if host.is_ignored {
            return Err((Flaw::Ignored, at(host)));
        }
        Ok(Addressed { host, mac, ip })
    }

    /// The line of the options that is the host's own, and decides.
    fn own(&self, host: &Host) -> Result<&Given, Flawed> {
        let name = || host.name.clone();
        let not_own =
            |entry, offset| (Flaw::NotOwn { name: name(), at: self.place_of(host) }, Some((entry, offset)));
        let given = match self.decides(&tags(host)) {
            None => return Err((Flaw::NoBootFile(name()), Some(self.at_of(host)))),
            Some(Decides::Boot(boot)) => {
                return Err(not_own(boot.entry, self.sources.entries[boot.entry].value.start));
            }
            Some(Decides::Option(given)) => given,
        };
        if !self.own_option(&host.name).any(|own| own == given) {
            return Err(not_own(given.entry, given.value.start));
        }
        if let Some(other) = self.own_option(&host.name).find(|own| *own != given) {
            return Err((Flaw::BootFileTwice, Some((other.entry, other.value.start))));
        }
        match self.tagged_again() {
            Some(tagged) if !self.sources.source(given.entry).is_watched => {
                Err((Flaw::SignalHarms(self.shown(tagged)), Some((given.entry, given.value.start))))
            }
            _ => Ok(given),
        }
    }

    /// A host with a tag among those that a signal has dnsmasq read again.
    pub(super) fn tagged_again(&self) -> Option<&Host> {
        self.hosts.iter().find(|host| !host.tags.is_empty() && self.is_read_again(host.entry))
    }

    fn unknown(&self, name: &HostName) -> Flaw {
        let similar = self.hosts.iter().find(|host| host.name.eq_ignore_ascii_case(name.as_str()));
        Flaw::Unknown(similar.map(|host| host.name.clone()))
    }

    /// Its name, or else what it is known by.
    pub(in crate::dhcp) fn shown(&self, host: &Host) -> String {
        let known_by = |item: &Range<usize>| self.sources.meant(host.entry, item);
        if host.name.is_empty() {
            host.known_by.as_ref().map(known_by).unwrap_or_default()
        } else {
            host.name.clone()
        }
    }

    fn at_of(&self, host: &Host) -> (usize, usize) {
        (host.entry, self.sources.entries[host.entry].value.start)
    }

    pub(in crate::dhcp) fn place_of(&self, host: &Host) -> Box<Place> {
        Box::new(self.sources.place(host.entry))
    }
}

impl Usable<'_> {
    pub(super) fn boot_file(&self, table: &HostTable) -> String {
        table.sources.meant(self.given.entry, &self.given.value)
    }

    /// Where it is said what the host is offered.
    pub(super) fn place(&self, table: &HostTable) -> Box<Place> {
        Box::new(table.sources.place_at(self.given.entry, self.given.value.start))
    }
}
