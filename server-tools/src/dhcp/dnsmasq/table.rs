//! The hosts of a configuration: by name, by hardware address.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;

use ghost_contract::{HostName, MacAddress};

use super::hosts::{Boot, Code, Given, Host, boot, given, host};
use super::sources::{Content, ReadError, Role, Sources};
use crate::dhcp::{Network, is_a_cards};

/// All hosts of a configuration. A host belongs to the table that it was got from.
#[derive(Debug, Clone, Default)]
pub struct HostTable {
    pub(in crate::dhcp) sources: Sources,
    pub(in crate::dhcp) hosts: Vec<Host>,
    pub(super) boots: Vec<Boot>,
    pub(super) given: Vec<Given>,
    /// The networks that addresses are given in, each with the entry that says so.
    pub(in crate::dhcp) networks: Vec<(Network, usize)>,
    /// The machine that boot files are on where no other is named: the server itself.
    pub(in crate::dhcp) server: Option<Ipv4Addr>,
    pub(super) own_options: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
    by_mac: HashMap<MacAddress, Vec<usize>>,
    by_address: HashMap<Ipv4Addr, Vec<usize>>,
}

/// What is known of a boot server besides its files.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    /// A folder with more of the configuration, named where the server is started.
    pub besides: Option<&'a Path>,
    /// The networks that this machine is in, for ranges that do not say theirs.
    pub networks: Vec<Network>,
    /// The boot server's address as clients see it.
    pub server: Option<Ipv4Addr>,
}

impl HostTable {
    /// Reads a configuration with all that belongs to it.
    pub fn read(
        path: &Path,
        bytes: Vec<u8>,
        around: &Around<'_>,
        content: &mut Content<'_>,
    ) -> Result<Self, ReadError> {
        let sources = Sources::read(path, bytes, around.besides, content)?;
        let mut table = Self::of(sources);
        table.server = around.server;
        table.networks = table.ranges(&around.networks);
        Ok(table)
    }

    /// The hosts and options of one file alone.
    pub(super) fn of_one_file(path: &Path, bytes: Vec<u8>) -> Self {
        Self::of(Sources::of_one_file(path, bytes))
    }

    pub(in crate::dhcp) fn of(sources: Sources) -> Self {
        let mut table = Self { sources, ..Self::default() };
        for entry in 0..table.sources.entries.len() {
            match table.sources.entries[entry].option.as_str() {
                "dhcp-host" => table.hosts.push(host(&table.sources, entry)),
                "dhcp-boot" => table.boots.extend(boot(&table.sources, entry)),
                "dhcp-option" | "dhcp-option-force" => table.given.extend(given(&table.sources, entry)),
                _ => {}
            }
        }
        for (place, host) in table.hosts.iter().enumerate() {
            table.by_name.entry(host.name.clone()).or_default().push(place);
            host.macs.iter().for_each(|mac| table.by_mac.entry(*mac).or_default().push(place));
            host.address.iter().for_each(|ip| table.by_address.entry(*ip).or_default().push(place));
        }
        for (place, given) in table.given.iter().enumerate() {
            let is_own = given.code == Code::BootFile && table.is_read_again(given.entry);
            for tag in given.tags.iter().filter(|_| is_own) {
                table.own_options.entry(tag.clone()).or_default().push(place);
            }
        }
        table
    }

    /// `[tag:x,][set:y,]192.168.7.10,192.168.7.20[,255.255.255.0]`, with a word in the place of the second address where none is given
    /// to machines that are not known.
    pub(in crate::dhcp) fn ranges(&self, own: &[Network]) -> Vec<(Network, usize)> {
        let range = |entry: usize| {
            let mut addresses =
                self.sources.named(entry).into_iter().filter_map(|item| item.parse::<Ipv4Addr>().ok());
            let first = addresses.next()?;
            let netmask = addresses.find(|address| is_netmask(*address));
            let said = netmask.map(|netmask| Network { address: first, netmask });
            let found = said.or_else(|| own.iter().find(|network| network.contains(first)).copied())?;
            Some((found, entry))
        };
        let entries = self.sources.entries.iter().enumerate();
        entries
            .filter(|(_, entry)| entry.option == "dhcp-range")
            .filter_map(|(place, _)| range(place))
            .collect()
    }

    pub(super) fn is_read_again(&self, entry: usize) -> bool {
        self.sources.source(entry).role != Role::Configuration
    }

    pub(in crate::dhcp) fn by_name(&self, name: &str) -> impl Iterator<Item = &Host> {
        self.at(self.by_name.get(name))
    }

    pub(in crate::dhcp) fn by_mac(&self, mac: MacAddress) -> impl Iterator<Item = &Host> {
        self.at(self.by_mac.get(&mac))
    }

    pub(in crate::dhcp) fn by_address(&self, address: Ipv4Addr) -> impl Iterator<Item = &Host> {
        self.at(self.by_address.get(&address))
    }

    fn at<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Host> {
        places.into_iter().flatten().filter_map(|place| self.hosts.get(*place))
    }

    /// Every host with a name that a client can have, and a hardware address.
    pub fn clients(&self) -> impl Iterator<Item = (HostName, MacAddress)> {
        let mac = |host: &Host| host.macs.first().copied().filter(|mac| is_a_cards(*mac));
        self.hosts.iter().filter_map(move |host| Some((host.name.parse().ok()?, mac(host)?)))
    }
}

fn is_netmask(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    bits != 0 && bits.leading_ones() + bits.trailing_zeros() == 32
}
