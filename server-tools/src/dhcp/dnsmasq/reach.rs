//! How far a swap gets: what else in the configuration decides what the client boots from, and where. Pure.

use std::net::Ipv4Addr;

use ghost_contract::HostName;

use super::boots::{Decides, tags};
use super::hosts::{Code, Given, Host};
use super::table::HostTable;
use crate::dhcp::{Network, Reach, Said};

impl HostTable {
    /// Every network that a range is in. The address of a range is any of its network.
    pub(in crate::dhcp) fn networks(&self) -> Vec<Network> {
        let all = self.networks.iter();
        all.map(|(Network { address, netmask }, _)| Network::around(*address, *netmask)).collect()
    }

    /// What stands in the way of these hosts' swaps, in their order.
    pub(super) fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        hosts.iter().map(|(name, ip)| self.reach(self.by_name(name.as_str()).next(), *ip)).collect()
    }

    fn reach(&self, host: Option<&Host>, ip: Ipv4Addr) -> Reach {
        let tags = host.map(tags).unwrap_or_default();
        let network = self.networks.iter().find(|(network, _)| network.contains(ip));
        let decides = self.decides(&tags);
        let option = |code| self.given(code, &tags);
        let said = |given: &Given| self.said(given.entry, self.sources.meant(given.entry, &given.value));
        let by_boot = match decides {
            Some(Decides::Boot(boot)) => Some(boot),
            _ => None,
        };
        let named =
            by_boot.map(|boot| boot.server.as_ref().map(|server| self.said(boot.entry, server.clone())));
        // Where dhcp-boot says no machine, and where nothing does, it is the server's own address that is told.
        let next_server = match named {
            Some(named) => named,
            None => option(Code::NextServer).map(said),
        };
        let own = || {
            let entry = decides.map(|decides| match decides {
                Decides::Boot(boot) => boot.entry,
                Decides::Option(given) => given.entry,
            });
            Some(self.said(entry?, self.server?.to_string()))
        };
        Reach {
            network: network.map(|(network, _)| *network),
            next_server: next_server.or_else(own),
            // Beside dhcp-boot it is told a second time, and which of them counts is the boot ROM's own affair.
            boot_file_option: by_boot.and_then(|_| option(Code::BootFile)).map(said),
            tftp_server_option: option(Code::TftpServer).map(said),
            has_no_router: network.is_some_and(|(_, range)| self.has_no_router(&tags, *range)),
            booting_denied: self.denied(&tags),
        }
    }

    /// Whether an option of the host's or of its range takes the router away. Where none says anything, dnsmasq names itself.
    fn has_no_router(&self, tags: &[&str], range: usize) -> bool {
        let items = self.sources.named(range);
        let of_range = items.iter().filter_map(|item| item.strip_prefix("set:"));
        let tags: Vec<&str> = tags.iter().copied().chain(of_range).collect();
        self.given(Code::Router, &tags).is_some_and(|given| given.value.is_empty())
    }

    fn said(&self, entry: usize, value: String) -> Said {
        Said { value, is_certain: true, place: Box::new(self.sources.place(entry)) }
    }

    /// `dhcp-ignore=tag:x`, where that may hold for the host.
    fn denied(&self, tags: &[&str]) -> Option<Said> {
        let entries = self.sources.entries.iter().enumerate();
        let ignored = entries.filter(|(_, entry)| entry.option == "dhcp-ignore");
        let holds = |place: &usize| {
            self.sources.named(*place).iter().all(|item| {
                let tag = item.split_once(':').map_or(item.as_str(), |(_, tag)| tag);
                match tag.strip_prefix(['!', '#']) {
                    Some("known") => false,
                    Some(tag) => !tags.contains(&tag),
                    None => tags.contains(&tag) || tag == "known",
                }
            })
        };
        let place = ignored.map(|(place, _)| place).find(holds)?;
        let value = format!("dhcp-ignore={}", self.sources.named(place).join(","));
        Some(self.said(place, value))
    }
}
