//! How far a swap of a host's `boot-file-name` gets: what else in the configuration decides what the client boots from, and where.
//!
//! ```text
//! fields:  reservation ─▶ classes ─▶ subnet ─▶ shared network ─▶ all
//! options: reservation ─▶ subnet ─▶ shared network ─▶ classes ─▶ all
//! ```
//! The first that says something wins (tried with Kea 2.2). Which clients are in a class is not known here, so that what a class
//! says is possible and not certain.

use std::net::Ipv4Addr;

use ghost_contract::HostName;

use super::table::{Host, HostTable};
use crate::dhcp::{Network, Reach, Said};

/// An option of DHCPv4, by its name and its number.
type Code = (&'static str, &'static str);
const BOOT_FILE: Code = ("boot-file-name", "67");
const TFTP_SERVER: Code = ("tftp-server-name", "66");
const ROUTER: Code = ("routers", "3");
/// The boot file of Kea's own example, which is there to show how a comma is written.
const OF_EXAMPLE: &[u8] = b"EST5EDT4";
/// The class whose members are not answered.
const DROP: &str = "DROP";

impl HostTable {
    /// Every subnet, the smallest first.
    pub(super) fn networks(&self) -> Vec<Network> {
        self.subnets.iter().map(|(network, _)| *network).collect()
    }

    /// Whether this is what Kea's package brings, as far as it matters.
    pub(super) fn is_example(&self) -> bool {
        let boot_file = self.option(self.all, BOOT_FILE).and_then(|node| self.values.text(node));
        boot_file.is_some_and(|file| file.starts_with(OF_EXAMPLE))
    }

    /// What stands in the way of these hosts' swaps, in their order.
    pub(super) fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        let classes: Vec<usize> = self.values.maps(self.all, "client-classes").collect();
        let reach = |(name, ip): &(HostName, Ipv4Addr)| {
            let host = self.by_name(name.as_str()).next();
            self.reach(host, *ip, &classes)
        };
        hosts.iter().map(reach).collect()
    }

    fn reach(&self, host: Option<&Host>, ip: Ipv4Addr, classes: &[usize]) -> Reach {
        let of_its_subnet =
            host.map(|host| host.around.as_slice()).filter(|around| around.first() != Some(&self.all));
        let is_its = |around: &[usize]| of_its_subnet.is_none_or(|own| own == around);
        let subnet = self.subnets.iter().find(|(network, around)| network.contains(ip) && is_its(around));
        let around = subnet.map_or(&[][..], |(_, around)| around);
        let (inner, outer) = around.split_at(around.len().saturating_sub(1));
        let own = host.map(|host| host.node);
        let certain = |maps: &[usize], find: &dyn Fn(usize) -> Option<usize>| {
            maps.iter().find_map(|map| Some(self.said(find(*map)?, true)))
        };
        let of_a_class = |find: &dyn Fn(usize) -> Option<usize>| {
            classes.iter().find_map(|class| Some(self.said(find(*class)?, false)))
        };
        let own_says =
            |find: &dyn Fn(usize) -> Option<usize>| own.and_then(|own| Some(self.said(find(own)?, true)));
        let option = |code: Code| {
            let find = |map| self.option(map, code);
            own_says(&find)
                .or_else(|| certain(inner, &find))
                .or_else(|| of_a_class(&find))
                .or_else(|| certain(outer, &find))
        };
        let next_server = |map| self.next_server(map);
        Reach {
            network: subnet.map(|(network, _)| *network),
            next_server: own_says(&next_server)
                .or_else(|| of_a_class(&next_server))
                .or_else(|| certain(around, &next_server)),
            boot_file_option: option(BOOT_FILE),
            tftp_server_option: option(TFTP_SERVER),
            has_no_router: option(ROUTER).is_none(),
            booting_denied: self.denied(own, inner, classes),
        }
    }

    fn said(&self, node: usize, is_certain: bool) -> Said {
        let value = self.values.text(node).unwrap_or_default();
        let value = String::from_utf8_lossy(&value).into_owned();
        Said { value, is_certain, place: Box::new(self.values.place(node)) }
    }

    /// To Kea 0.0.0.0 is none.
    fn next_server(&self, map: usize) -> Option<usize> {
        let own = self.values.member(map, "next-server")?;
        let is_none = |text: &[u8]| text.is_empty() || text == b"0.0.0.0";
        self.values.text(own).filter(|text| !is_none(text)).map(|_| own)
    }

    /// The value of an option that a map sets.
    fn option(&self, map: usize, (name, code): Code) -> Option<usize> {
        let values = &self.values;
        let is_meant = |option: &usize| {
            let is_named = values.text_of(*option, "name").is_some_and(|own| own == name);
            let own_code =
                values.member(*option, "code").map(|node| values.sources.bytes_of(values.node(node).first));
            let is_of_dhcp = values.text_of(*option, "space").is_none_or(|space| space == "dhcp4");
            is_of_dhcp && (is_named || own_code == Some(code.as_bytes()))
        };
        let option = values.maps(map, "option-data").find(is_meant)?;
        Some(values.member(option, "data").unwrap_or(option))
    }

    /// That the host is put into the class that is not answered, that others may be, or that its subnet is for some class only.
    fn denied(&self, own: Option<usize>, subnet: &[usize], classes: &[usize]) -> Option<Said> {
        let values = &self.values;
        let named = own.and_then(|own| values.member(own, "client-classes"));
        let names = named.into_iter().flat_map(|list| values.node(list).children.iter().copied());
        let own_drop = names.into_iter().find(|name| values.text(*name).as_deref() == Some(DROP.as_bytes()));
        if let Some(own_drop) = own_drop {
            return Some(self.said(own_drop, true));
        }
        let drop = classes.iter().filter_map(|class| values.member(*class, "name"));
        let drop = drop.into_iter().find(|name| values.text(*name).as_deref() == Some(DROP.as_bytes()));
        let reserved_for = subnet.iter().find_map(|map| values.member(*map, "client-class"));
        drop.or(reserved_for).map(|node| self.said(node, false))
    }
}
