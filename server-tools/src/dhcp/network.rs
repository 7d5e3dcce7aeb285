//! A network that a DHCP server gives addresses in. Pure.

use std::fmt;
use std::net::Ipv4Addr;

/// A network that the server gives addresses in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub address: Ipv4Addr,
    pub netmask: Ipv4Addr,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, u32::from(self.netmask).count_ones())
    }
}

impl Network {
    /// The network of this mask that an address is in.
    pub(crate) fn around(ip: Ipv4Addr, netmask: Ipv4Addr) -> Self {
        Self { address: Ipv4Addr::from(u32::from(ip) & u32::from(netmask)), netmask }
    }

    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        u32::from(ip) & u32::from(self.netmask) == u32::from(self.address) & u32::from(self.netmask)
    }

    /// Whether an address can be in both.
    pub(crate) fn overlaps(&self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The address in which all host bits are set (RFC 919 §7).
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !u32::from(self.netmask))
    }
}
