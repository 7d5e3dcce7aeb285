//! What a host needs to be usable, and what to write where it is not. Nothing is guessed.

use std::net::Ipv4Addr;

use ghost_contract::{HostName, MacAddress};

use super::table::{Host, HostTable, IDENTIFIERS};
use super::tree::NodeKind;
use crate::dhcp::{Fault, is_a_cards};
use crate::place::Place;

/// A host that a job can be done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableHost {
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    /// The boot file that it is offered.
    pub boot_file: Vec<u8>,
    /// Where that is written, as a value in the table.
    pub(super) value: usize,
    /// Other hosts with the same address, which must not be on together.
    pub shares_ip_with: Vec<String>,
}

/// What is wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("is not in the DHCP configuration{}", .0.as_ref().map_or_else(String::new, |name| format!("; is {name} meant?")))]
    Unknown(Option<String>),
    #[error(
        "is not in the DHCP configuration; Kea looks for reservations in a database too (hosts-database), which is not edited: write \
         its reservation into the configuration"
    )]
    InDatabase,
    #[error("has no hostname; write into its reservation: \"hostname\": \"john\"")]
    NoName,
    #[error("has a second reservation, the first one is at {0}; leave one")]
    Twice(Box<Place>),
    #[error(
        "is known by '{0}', and a client is woken by its hardware address; write in its place: \"hw-address\": \
         \"00:11:22:33:44:55\""
    )]
    NoMac(&'static str),
    #[error("has no Ethernet address here; write six bytes: \"hw-address\": \"00:11:22:33:44:55\"")]
    NotMac,
    #[error("has the hardware address {0}, which no network card has; write its own")]
    NoCards(MacAddress),
    #[error("has the hardware address of {other} at {at}; each client has its own")]
    SameMac { other: String, at: Box<Place> },
    #[error("has no address; write, with its own: \"ip-address\": \"192.168.7.2\"")]
    NoAddress,
    #[error("has no IPv4 address here; write, with its own: \"ip-address\": \"192.168.7.2\"")]
    NotAddress,
    #[error("has no boot-file-name; write into its reservation: \"boot-file-name\": \"nobackup\"")]
    NoBootFile,
    #[error(
        "has no boot-file-name of its own, it inherits this one, which cannot be changed for one host; write into its reservation at \
         {0} the same line"
    )]
    Inherited(Box<Place>),
    #[error("has a second boot-file-name here; remove one")]
    BootFileTwice,
    #[error("has a boot file here that is no string; write: \"boot-file-name\": \"nobackup\"")]
    NotText,
    #[error(
        "has a reservation that Kea does not look at: {0}; move it into its subnet, or have Kea look at it"
    )]
    NotLookedAt(&'static str),
}

/// A flaw, and the value that it is about; none if what is meant is missing.
pub(super) type Flawed = (Flaw, Option<usize>);

impl HostTable {
    /// The host of this name with all that a job needs.
    pub fn usable(&self, name: &HostName) -> Result<UsableHost, Fault> {
        self.sound(name).map_err(|(flaw, at)| self.fault(name.as_str(), &flaw, at))
    }

    pub(super) fn fault(&self, name: &str, flaw: &Flaw, at: Option<usize>) -> Fault {
        let place = at.map(|node| Box::new(self.values.place(node)));
        Fault { what: format!("host {name} {flaw}"), place }
    }

    /// What is wrong with a host, if anything is.
    pub(super) fn flaw(&self, host: &Host) -> Option<Flaw> {
        match host.name.parse() {
            Ok(name) => self.sound(&name).err().map(|(flaw, _)| flaw),
            Err(_) => Some(Flaw::NoName),
        }
    }

    fn sound(&self, name: &HostName) -> Result<UsableHost, Flawed> {
        let mut of_name = self.by_name(name.as_str());
        let host = of_name.next().ok_or_else(|| (self.unknown(name), None))?;
        if let Some(second) = of_name.next() {
            return Err((Flaw::Twice(self.place_of(host)), Some(second.node)));
        }
        let mac = self.mac(host)?;
        if let Some(other) = self.by_mac(mac).find(|other| other.node != host.node) {
            let flaw = Flaw::SameMac { other: self.shown(other), at: self.place_of(other) };
            return Err((flaw, Some(host.node)));
        }
        let ip = self.address(host)?;
        if let Some(why) = self.passed_over(host) {
            return Err((Flaw::NotLookedAt(why), Some(host.node)));
        }
        let value = self.own_boot_file(host)?;
        let others = self.by_address(ip).filter(|other| other.node != host.node);
        let boot_file = self.values.text(value).unwrap_or_default();
        Ok(UsableHost {
            mac,
            ip,
            boot_file,
            value,
            shares_ip_with: others.map(|other| self.shown(other)).collect(),
        })
    }

    fn unknown(&self, name: &HostName) -> Flaw {
        let has_database = ["hosts-database", "hosts-databases"]
            .iter()
            .filter_map(|key| self.values.member(self.all, key))
            .any(|node| !self.values.node(node).children.is_empty());
        if has_database {
            return Flaw::InDatabase;
        }
        let similar = self.hosts.iter().find(|host| host.name.eq_ignore_ascii_case(name.as_str()));
        Flaw::Unknown(similar.map(|host| host.name.clone()))
    }

    /// Its name, or else what it is known by.
    pub(super) fn shown(&self, host: &Host) -> String {
        let text = |key: &&str| self.values.text_of(host.node, key);
        let known_by = || IDENTIFIERS.iter().find_map(text).unwrap_or_default();
        if host.name.is_empty() { known_by() } else { host.name.clone() }
    }

    pub(super) fn place_of(&self, host: &Host) -> Box<Place> {
        Box::new(self.values.place(host.node))
    }

    fn mac(&self, host: &Host) -> Result<MacAddress, Flawed> {
        if let Some(mac) = host.mac.filter(|mac| is_a_cards(*mac)) {
            return Ok(mac);
        }
        if let Some(own) = self.values.member(host.node, "hw-address") {
            return Err((host.mac.map_or(Flaw::NotMac, Flaw::NoCards), Some(own)));
        }
        let other = IDENTIFIERS.into_iter().find_map(|key| Some((key, self.values.member(host.node, key)?)));
        let (key, at) = other.unwrap_or(("nothing", host.node));
        Err((Flaw::NoMac(key), Some(at)))
    }

    fn address(&self, host: &Host) -> Result<Ipv4Addr, Flawed> {
        let own = self.values.member(host.node, "ip-address").ok_or((Flaw::NoAddress, Some(host.node)))?;
        host.address.filter(|ip| !ip.is_unspecified()).ok_or((Flaw::NotAddress, Some(own)))
    }

    /// The value of a reservation's own `boot-file-name`, whatever else it lacks. To Kea an empty one is none.
    pub(super) fn own_boot_file(&self, host: &Host) -> Result<usize, Flawed> {
        let mut all = self.values.members(host.node, "boot-file-name");
        let Some(own) = all.next() else { return Err(self.without_boot_file(host, host.node)) };
        if let Some(second) = all.next() {
            return Err((Flaw::BootFileTwice, Some(second)));
        }
        if self.values.node(own).kind != NodeKind::Text {
            return Err((Flaw::NotText, Some(own)));
        }
        let is_empty = self.values.text(own).is_some_and(|text| text.is_empty());
        if is_empty { Err(self.without_boot_file(host, own)) } else { Ok(own) }
    }

    fn without_boot_file(&self, host: &Host, at: usize) -> Flawed {
        let classes = self.values.maps(self.all, "client-classes");
        let scopes = host.around.iter().copied();
        let inherited = classes.chain(scopes).find_map(|map| self.boot_file_in(map));
        match inherited {
            Some(at) => (Flaw::Inherited(self.place_of(host)), Some(at)),
            None => (Flaw::NoBootFile, Some(at)),
        }
    }

    /// The `boot-file-name` that a class or a scope says.
    pub(super) fn boot_file_in(&self, map: usize) -> Option<usize> {
        let own = self.values.member(map, "boot-file-name")?;
        self.values.text(own).filter(|text| !text.is_empty()).map(|_| own)
    }

    /// Why Kea does not look at this reservation when its client asks.
    fn passed_over(&self, host: &Host) -> Option<&'static str> {
        if !self.is_known_by_hardware() {
            return Some("host-reservation-identifiers does not name hw-address");
        }
        let of_a_subnet = host.around.first() != Some(&self.all);
        if of_a_subnet {
            let is_off = !self.looks(&host.around, "reservations-in-subnet", true, &["all", "out-of-pool"]);
            return is_off.then_some("its subnet has reservations switched off");
        }
        let network =
            self.subnets.iter().find(|(network, _)| host.address.is_some_and(|ip| network.contains(ip)));
        let is_on =
            network.is_some_and(|(_, around)| self.looks(around, "reservations-global", false, &["global"]));
        (!is_on).then_some("it is a global one, and its subnet does not say \"reservations-global\": true")
    }

    fn is_known_by_hardware(&self) -> bool {
        let Some(named) = self.values.member(self.all, "host-reservation-identifiers") else { return true };
        let names = self.values.node(named).children.iter().filter_map(|name| self.values.text(*name));
        names.into_iter().any(|name| name == b"hw-address")
    }

    /// Whether Kea looks for reservations of a kind in the innermost of these scopes; by the key of today, or by the one that older
    /// versions had.
    fn looks(&self, around: &[usize], key: &str, default: bool, modes: &[&str]) -> bool {
        let said = |map: &usize| {
            let values = &self.values;
            if let Some(node) = values.member(*map, key) {
                return Some(values.sources.bytes_of(values.node(node).first) == b"true");
            }
            let mode = values.text_of(*map, "reservation-mode")?;
            Some(modes.contains(&mode.as_str()))
        };
        around.iter().find_map(said).unwrap_or(default)
    }
}
