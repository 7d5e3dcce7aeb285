//! The hosts of a configuration, its reservations: by name, by hardware address.
//!
//! ```text
//! Dhcp4 ─┬─ reservations (looked at where reservations-global says so)
//!        ├─ subnet4 ── reservations
//!        └─ shared-networks ── subnet4 ── reservations
//! ```
//! A host's name is its `hostname`. Kea knows keys by their bytes, so that an escape in one makes it another key.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;

use ghost_contract::{HostName, MacAddress};

use super::lexer::unquote;
use super::sources::{Content, ReadError, Sources};
use super::tree::{Node, NodeKind, Tree};
use crate::dhcp::{Network, is_a_cards};
use crate::place::Place;

/// The keys that say whose a reservation is.
pub(super) const IDENTIFIERS: [&str; 5] = ["hw-address", "client-id", "duid", "circuit-id", "flex-id"];

/// One reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// As it is written; empty if it has none.
    pub name: String,
    /// Its hardware address, if that is one of Ethernet.
    pub mac: Option<MacAddress>,
    pub address: Option<Ipv4Addr>,
    pub(super) node: usize,
    /// The maps around it, the innermost first: subnet, shared network, all.
    pub(super) around: Vec<usize>,
}

/// A configuration's values, those of one file or of all.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub(super) sources: Sources,
    pub(super) tree: Tree,
}

/// All reservations of a configuration. A [`Host`] belongs to the table that it was got from.
#[derive(Debug, Clone)]
pub struct HostTable {
    pub(super) values: Values,
    /// The map that all is in.
    pub(super) all: usize,
    pub(super) hosts: Vec<Host>,
    /// With the maps around each, the innermost first.
    pub(super) subnets: Vec<(Network, Vec<usize>)>,
    by_name: HashMap<String, Vec<usize>>,
    by_mac: HashMap<MacAddress, Vec<usize>>,
    by_address: HashMap<Ipv4Addr, Vec<usize>>,
}

impl Values {
    pub(super) fn node(&self, node: usize) -> &Node {
        &self.tree.nodes[node]
    }

    /// The key of a value, without its quotes. None where the value has none.
    pub(super) fn key_of(&self, node: usize) -> Option<&[u8]> {
        let bytes = self.sources.bytes_of(self.node(node).key?);
        bytes.strip_prefix(b"\"")?.strip_suffix(b"\"")
    }

    /// The values of a map that have this key.
    pub(super) fn members(&self, map: usize, key: &str) -> impl Iterator<Item = usize> {
        let is_meant = move |node: &usize| self.key_of(*node) == Some(key.as_bytes());
        self.node(map).children.iter().copied().filter(is_meant)
    }

    pub(super) fn member(&self, map: usize, key: &str) -> Option<usize> {
        self.members(map, key).next()
    }

    /// The maps of the list that a map has under this key.
    pub(super) fn maps(&self, map: usize, key: &str) -> impl Iterator<Item = usize> {
        let list = self.member(map, key).filter(|list| self.node(*list).kind == NodeKind::List);
        let items = list.into_iter().flat_map(|list| self.node(list).children.iter().copied());
        items.filter(|item| self.node(*item).kind == NodeKind::Map)
    }

    /// What a string means.
    pub(super) fn text(&self, node: usize) -> Option<Vec<u8>> {
        let is_text = self.node(node).kind == NodeKind::Text;
        is_text.then(|| unquote(self.sources.bytes_of(self.node(node).first)))
    }

    pub(super) fn text_of(&self, map: usize, key: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.text(self.member(map, key)?)?).into_owned())
    }

    /// Where a value that is one token stands: its file, and its bytes there.
    pub(super) fn stretch(&self, node: usize) -> (usize, Range<usize>) {
        let piece = self.sources.pieces.get(self.node(node).first);
        piece.map_or((0, 0..0), |piece| (piece.file, piece.range.clone()))
    }

    pub(super) fn place(&self, node: usize) -> Place {
        self.sources.place_of(self.node(node).first)
    }

    /// The hardware address of a reservation, where it has one of Ethernet.
    pub(super) fn mac(&self, reservation: usize) -> Option<MacAddress> {
        mac_address(&self.text_of(reservation, "hw-address")?)
    }
}

impl HostTable {
    /// Reads a configuration with all that it includes. `content` gives the bytes of an included file, whose path comes as it
    /// is written.
    pub fn read(path: &Path, bytes: Vec<u8>, content: &mut Content<'_>) -> Result<Self, ReadError> {
        let sources = Sources::read(path, bytes, content)?;
        let tree = sources.whole()?;
        let values = Values { sources, tree };
        let all = values.member(0, "Dhcp4").filter(|all| values.node(*all).kind == NodeKind::Map);
        let Some(all) = all else {
            return Err(ReadError::NotDhcp4 { place: Box::new(values.sources.place_of(0)) });
        };
        let mut table = Self {
            all,
            hosts: Vec::new(),
            subnets: Vec::new(),
            by_name: HashMap::new(),
            by_mac: HashMap::new(),
            by_address: HashMap::new(),
            values,
        };
        table.collect();
        Ok(table)
    }

    fn collect(&mut self) {
        let (all, values) = (self.all, &self.values);
        let mut scopes = vec![vec![all]];
        scopes.extend(values.maps(all, "subnet4").map(|subnet| vec![subnet, all]));
        for shared in values.maps(all, "shared-networks") {
            scopes.extend(values.maps(shared, "subnet4").map(|subnet| vec![subnet, shared, all]));
        }
        let mut hosts = Vec::new();
        for around in scopes {
            let innermost = around[0];
            if let Some(network) = values.text_of(innermost, "subnet").and_then(|text| network(&text)) {
                self.subnets.push((network, around.clone()));
            }
            hosts.extend(values.maps(innermost, "reservations").map(|node| Host {
                name: values.text_of(node, "hostname").unwrap_or_default(),
                mac: values.mac(node),
                address: values.text_of(node, "ip-address").and_then(|text| text.parse().ok()),
                node,
                around: around.clone(),
            }));
        }
        // In the order in which they are written.
        hosts.sort_by_key(|host| host.node);
        // The smallest network first: it is the one that an address belongs to.
        self.subnets.sort_by_key(|(network, _)| std::cmp::Reverse(u32::from(network.netmask)));
        for (place, host) in hosts.iter().enumerate() {
            self.by_name.entry(host.name.clone()).or_default().push(place);
            if let Some(mac) = host.mac {
                self.by_mac.entry(mac).or_default().push(place);
            }
            if let Some(address) = host.address {
                self.by_address.entry(address).or_default().push(place);
            }
        }
        self.hosts = hosts;
    }

    /// In the order in which they are written.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub(super) fn by_name(&self, name: &str) -> impl Iterator<Item = &Host> {
        self.at(self.by_name.get(name))
    }

    pub(super) fn by_mac(&self, mac: MacAddress) -> impl Iterator<Item = &Host> {
        self.at(self.by_mac.get(&mac))
    }

    pub(super) fn by_address(&self, address: Ipv4Addr) -> impl Iterator<Item = &Host> {
        self.at(self.by_address.get(&address))
    }

    fn at<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Host> {
        places.into_iter().flatten().filter_map(|place| self.hosts.get(*place))
    }

    /// Every host with a name that a client can have, and a hardware address.
    pub fn clients(&self) -> impl Iterator<Item = (HostName, MacAddress)> {
        let mac = |host: &Host| host.mac.filter(|mac| is_a_cards(*mac));
        self.hosts.iter().filter_map(move |host| Some((host.name.parse().ok()?, mac(host)?)))
    }
}

/// `01:02:03:04:05:06`, also with single digits, with blanks, without anything, or with `0x`: all of which Kea takes.
pub(super) fn mac_address(text: &str) -> Option<MacAddress> {
    let parts: Vec<&str> = text.split([':', ' ']).collect();
    let plain = text.strip_prefix("0x").unwrap_or(text);
    let parts = match parts.len() {
        1 if plain.len() == 12 && plain.is_ascii() => (0..6).map(|at| &plain[2 * at..2 * at + 2]).collect(),
        _ => parts,
    };
    let byte = |part: &&str| {
        let is_hexadecimal =
            (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hexadecimal.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    let bytes: Option<Vec<u8>> = parts.iter().map(byte).collect();
    Some(MacAddress::new(bytes?.try_into().ok()?))
}

/// `192.168.7.0/24`
fn network(text: &str) -> Option<Network> {
    let (address, bits) = text.trim().split_once('/')?;
    let bits: u32 = bits.trim().parse().ok().filter(|bits| *bits <= 32)?;
    let netmask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some(Network { address: address.trim().parse().ok()?, netmask: netmask.into() })
}
