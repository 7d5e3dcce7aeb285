//! Network interfaces and routes, as the kernel has them now.
#![allow(unsafe_code, reason = "ioctl(2) takes pointers")]

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use anyhow::Context as _;
use ghost_contract::MacAddress;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc::{self, c_char, c_short};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

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

/// Brings `lo` up; the kernel gives it its address then.
pub(crate) fn raise_loopback() -> anyhow::Result<()> {
    let fails = "cannot bring up lo";
    let socket =
        socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).context(fails)?;
    // SAFETY: `ifreq` is a plain C structure for which all zeroes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *slot = c_char::from_ne_bytes([byte]);
    }
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = c_short::try_from(flags).context(fails)?;
    // SAFETY: the socket is open, and `request` lives until the call returns.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    Errno::result(result).map(drop).context(fails)
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
