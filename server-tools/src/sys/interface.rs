//! Which of this machine's interfaces routes to a client, and what is needed to speak from it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use ghost_contract::MacAddress;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::if_nametoindex;

/// An interface that routes to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    pub mac: MacAddress,
    /// Its address, from which the client is spoken to.
    pub ip: Ipv4Addr,
    pub netmask: Ipv4Addr,
    /// Where everybody on its network listens.
    pub broadcast: Ipv4Addr,
}

/// Why there is no such interface.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    #[error("no route leads to {0}")]
    Route(Ipv4Addr, #[source] io::Error),
    /// The kernel's list of interfaces cannot be had.
    #[error("cannot list the network interfaces")]
    List(#[source] io::Error),
    /// No interface of this name has an IPv4 address.
    #[error("there is no interface {0} with an IPv4 address")]
    Unknown(String),
    /// The route leads over something that has no hardware address.
    #[error("the route to {0} leads over no Ethernet interface")]
    NotEthernet(Ipv4Addr),
}

impl Interface {
    /// The interface that packets to `client` leave by.
    pub fn towards(client: Ipv4Addr) -> Result<Self, InterfaceError> {
        let ip = source_address(client).map_err(|error| InterfaceError::Route(client, error))?;
        let all = list()?;
        let own = all.iter().find(|entry| ipv4(entry.address.as_ref()) == Some(ip));
        own.and_then(|own| Self::described(own, &all)).ok_or(InterfaceError::NotEthernet(client))
    }

    /// The interface of this name.
    pub fn named(name: &str) -> Result<Self, InterfaceError> {
        let all = list()?;
        let of_name = |entry: &&InterfaceAddress| {
            entry.interface_name == name && ipv4(entry.address.as_ref()).is_some()
        };
        let own = all.iter().find(of_name);
        own.and_then(|own| Self::described(own, &all)).ok_or_else(|| InterfaceError::Unknown(name.to_owned()))
    }

    /// The interface that has this address itself.
    pub fn with_address(ip: Ipv4Addr) -> Result<Self, InterfaceError> {
        let all = list()?;
        let own = all.iter().find(|entry| ipv4(entry.address.as_ref()) == Some(ip));
        own.and_then(|own| Self::described(own, &all)).ok_or(InterfaceError::NotEthernet(ip))
    }

    fn described(own: &InterfaceAddress, all: &[InterfaceAddress]) -> Option<Self> {
        let ip = ipv4(own.address.as_ref())?;
        let mac = all.iter().filter(|entry| entry.interface_name == own.interface_name).find_map(hardware);
        let mac = mac.filter(|mac| mac.bytes() != [0; 6])?;
        let netmask = ipv4(own.netmask.as_ref()).unwrap_or(Ipv4Addr::BROADCAST);
        Some(Self {
            index: if_nametoindex(own.interface_name.as_str()).ok()?,
            name: own.interface_name.clone(),
            mac,
            ip,
            netmask,
            broadcast: directed_broadcast(ip, netmask),
        })
    }

    /// Whether this address is on the interface's own network, so that ARP reaches it.
    pub fn is_neighbour(&self, other: Ipv4Addr) -> bool {
        let mask = u32::from(self.netmask);
        u32::from(self.ip) & mask == u32::from(other) & mask
    }
}

fn list() -> Result<Vec<InterfaceAddress>, InterfaceError> {
    Ok(getifaddrs().map_err(|error| InterfaceError::List(error.into()))?.collect())
}

/// The address in which all host bits are set (RFC 919 §7).
fn directed_broadcast(ip: Ipv4Addr, netmask: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip) | !u32::from(netmask))
}

/// What the kernel would put as sender into a packet to `client`; none is sent.
fn source_address(client: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(SocketAddr::from((client, 9)))?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

fn ipv4(address: Option<&nix::sys::socket::SockaddrStorage>) -> Option<Ipv4Addr> {
    Some(address?.as_sockaddr_in()?.ip())
}

fn hardware(entry: &InterfaceAddress) -> Option<MacAddress> {
    entry.address.as_ref()?.as_link_addr()?.addr().map(MacAddress::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broadcast_address_of_the_howtos_network() {
        let (ip, mask) = (Ipv4Addr::new(192, 168, 7, 1), Ipv4Addr::new(255, 255, 255, 128));
        assert_eq!(directed_broadcast(ip, mask), Ipv4Addr::new(192, 168, 7, 127));
    }

    #[test]
    fn loopback_is_no_ethernet() {
        let client = Ipv4Addr::LOCALHOST;
        assert!(matches!(Interface::towards(client), Err(InterfaceError::NotEthernet(_))));
    }
}
