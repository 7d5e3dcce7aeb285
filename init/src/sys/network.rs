//! Network interfaces and routes, as the kernel has them now.

use std::collections::BTreeMap;

use anyhow::Context as _;
use ghost_contract::MacAddress;
use nix::ifaddrs::getifaddrs;

use crate::network::{Interface, Route};

/// All interfaces with their addresses.
pub(crate) fn interfaces() -> anyhow::Result<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs().context("cannot list the network interfaces")? {
        let name = entry.interface_name;
        let interface =
            found.entry(name.clone()).or_insert(Interface { name, mac: None, addresses: Vec::new() });
        let Some(address) = entry.address else { continue };
        if let Some(ip) = address.as_sockaddr_in() {
            interface.addresses.push(ip.ip());
        }
        if let Some(mac) = address.as_link_addr().and_then(nix::sys::socket::LinkAddr::addr) {
            interface.mac = Some(MacAddress::new(mac)).filter(|mac| mac.bytes() != [0; 6]);
        }
    }
    Ok(found.into_values().collect())
}

pub(crate) fn routes() -> anyhow::Result<Vec<Route>> {
    let entries = procfs::net::route().context("cannot list the routes")?;
    let route = |entry: procfs::net::RouteEntry| Route {
        interface: entry.iface,
        destination: entry.destination,
        mask: entry.mask,
    };
    Ok(entries.into_iter().map(route).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_loopback_is_seen_with_its_address_and_without_a_mac() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(loopback.addresses.contains(&Ipv4Addr::LOCALHOST), "{loopback:?}");
        assert_eq!(loopback.mac, None);
    }

    #[test]
    fn routes_lead_through_interfaces_that_are_there() {
        let interfaces = interfaces().unwrap();
        for route in routes().unwrap() {
            assert!(interfaces.iter().any(|interface| interface.name == route.interface), "{route:?}");
        }
    }
}
