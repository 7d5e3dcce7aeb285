//! How far a swap gets: where the boot file is, and whether the proxy answers in the client's network. Pure.

use std::net::Ipv4Addr;

use ghost_contract::HostName;

use super::table::ClientTable;
use crate::dhcp::{Reach, Said};

impl ClientTable {
    /// What stands in the way of these hosts' swaps, in their order.
    pub(super) fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        hosts.iter().map(|(name, ip)| self.reach(name, *ip)).collect()
    }

    fn reach(&self, name: &HostName, ip: Ipv4Addr) -> Reach {
        let network = self.lines.networks.iter().find(|(network, _)| network.contains(ip));
        let boot_file = self.boot_file(name).unwrap_or_default();
        let mut services = self.services(&boot_file);
        let next_server = services.next().and_then(|service| {
            let own = || self.lines.server.map(|server| server.to_string());
            let value = service.server.clone().or_else(own)?;
            let place = Box::new(self.lines.sources.place(service.entry));
            Some(Said { value, is_certain: true, place })
        });
        Reach { network: network.map(|(network, _)| *network), next_server, ..Reach::default() }
    }
}
