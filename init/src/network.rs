//! Which interface the client booted from.
//!
//! Does not ask the kernel: interfaces and routes are arguments.

pub(crate) mod address_check;
pub(crate) mod missing_card;

use std::net::Ipv4Addr;

use anyhow::Context as _;
use ghost_contract::MacAddress;

/// A network interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// The kernel's name for it, `eth0`.
    pub name: String,
    /// Its hardware address; a loopback has none.
    pub mac: Option<MacAddress>,
    pub addresses: Vec<Ipv4Addr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The interface that leads there.
    pub interface: String,
    pub destination: Ipv4Addr,
    /// Its mask; 0.0.0.0 for the default route.
    pub mask: Ipv4Addr,
}

/// The interface that the client booted from, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootInterface {
    /// The kernel's name for it.
    pub name: String,
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
}

/// The address that a boot loader got by DHCP and hands over: `ip=CLIENT:SERVER:GATEWAY:NETMASK` (Linux,
/// Documentation/admin-guide/nfs/nfsroot.rst). GRUB knows some of them in hexadecimal only: `0xffffff80`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GivenAddress {
    pub ip: Ipv4Addr,
    /// Where the boot files came from.
    pub server: Option<Ipv4Addr>,
    pub mask: Ipv4Addr,
    pub gateway: Option<Ipv4Addr>,
}

impl GivenAddress {
    /// None if the value asks for DHCP, or lacks what an interface needs.
    pub(crate) fn parse(given: &str) -> Option<Self> {
        let mut fields = given.split(':');
        let mut address = || written(fields.next()?).filter(|address| !address.is_unspecified());
        let (ip, server, gateway, mask) = (address(), address(), address(), address());
        Some(Self { ip: ip?, server, mask: mask?, gateway })
    }
}

impl GivenAddress {
    /// The machine on the same wire by which another one is reached.
    pub(crate) fn next_hop(&self, to: Ipv4Addr) -> Ipv4Addr {
        if to & self.mask == self.ip & self.mask { to } else { self.gateway.unwrap_or(to) }
    }
}

/// An address as boot loaders write it, with dots or in hexadecimal.
fn written(address: &str) -> Option<Ipv4Addr> {
    match address.strip_prefix("0x") {
        Some(digits) => {
            let is_whole = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_whole.then(|| u32::from_str_radix(digits, 16).ok().map(Ipv4Addr::from))?
        }
        None => address.parse().ok(),
    }
}

/// The interface whose address the boot loader gave, else the one with the route to the boot server.
pub(crate) fn boot_interface(
    bootif: Option<MacAddress>,
    server: Option<Ipv4Addr>,
    interfaces: &[Interface],
    routes: &[Route],
) -> anyhow::Result<BootInterface> {
    let booted = interfaces.iter().find(|interface| bootif.is_some() && interface.mac == bootif);
    let chosen = booted
        .or_else(|| towards(server?, interfaces, routes))
        .context("no interface has the boot loader's address, and none leads to the boot server")?;
    let name = chosen.name.clone();
    let mac = chosen.mac.with_context(|| format!("{name} has no hardware address"))?;
    let ip = chosen.addresses.first().copied().with_context(|| format!("{name} has no IPv4 address"))?;
    Ok(BootInterface { name, mac, ip })
}

/// The interface of the most specific route to the server.
fn towards<'a>(server: Ipv4Addr, interfaces: &'a [Interface], routes: &[Route]) -> Option<&'a Interface> {
    let leads_there = |route: &&Route| server & route.mask == route.destination & route.mask;
    let best = routes.iter().filter(leads_there).max_by_key(|route| route.mask)?;
    interfaces.iter().find(|interface| interface.name == best.interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddress {
        MacAddress::new([0x52, 0x54, 0, 0, 0, last])
    }

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 7, last)
    }

    fn interface(name: &str, address: u8) -> Interface {
        Interface { name: name.to_owned(), mac: Some(mac(address)), addresses: vec![ip(address)] }
    }

    fn route(interface: &str, destination: Ipv4Addr, mask: [u8; 4]) -> Route {
        Route { interface: interface.to_owned(), destination, mask: Ipv4Addr::from(mask) }
    }

    #[test]
    fn an_address_that_was_handed_over_is_usable_with_or_without_a_gateway() {
        let mask = Ipv4Addr::new(255, 255, 255, 0);
        let given = |gateway| GivenAddress { ip: ip(2), server: Some(ip(1)), mask, gateway };
        let parse = GivenAddress::parse;
        assert_eq!(parse("192.168.7.2:192.168.7.1:192.168.7.254:255.255.255.0"), Some(given(Some(ip(254)))));
        assert_eq!(parse("192.168.7.2:192.168.7.1:0.0.0.0:255.255.255.0"), Some(given(None)));
        let no_server = GivenAddress { server: None, ..given(None) };
        assert_eq!(parse("192.168.7.2:::255.255.255.0:john:eth0:off"), Some(no_server));
        for useless in ["dhcp", "", ":::", "192.168.7.2", "192.168.7.2:::", "0.0.0.0:1.2.3.4::255.0.0.0"] {
            assert_eq!(parse(useless), None, "{useless}");
        }
    }

    #[test]
    fn gateway_and_mask_may_be_in_hexadecimal_as_grub_knows_them() {
        let mask = Ipv4Addr::new(255, 255, 255, 128);
        let given = |gateway| GivenAddress { ip: ip(2), server: Some(ip(1)), mask, gateway };
        let parse = GivenAddress::parse;
        assert_eq!(parse("192.168.7.2:192.168.7.1:0xc0a807fe:0xffffff80"), Some(given(Some(ip(254)))));
        assert_eq!(
            parse("192.168.7.2:192.168.7.1:0x:0xffffff80"),
            Some(given(None)),
            "DHCP named no gateway"
        );
        for useless in ["0x", "0xffffff", "0xffffff8000", "0x+fffff80", "ffffff80"] {
            assert_eq!(parse(&format!("192.168.7.2:::{useless}")), None, "{useless}");
        }
    }

    #[test]
    fn the_next_hop_to_another_network_is_the_gateway() {
        let mask = Ipv4Addr::new(255, 255, 255, 128);
        let given = GivenAddress { ip: ip(2), server: None, mask, gateway: Some(ip(126)) };
        assert_eq!(given.next_hop(ip(1)), ip(1));
        assert_eq!(given.next_hop(ip(129)), ip(126));
        assert_eq!(GivenAddress { gateway: None, ..given }.next_hop(ip(129)), ip(129));
    }

    #[test]
    fn the_boot_loaders_word_counts_first() {
        let interfaces = [interface("eth0", 2), interface("eth1", 3)];
        let routes = [route("eth0", ip(0), [255, 255, 255, 128])];
        let chosen = boot_interface(Some(mac(3)), Some(ip(1)), &interfaces, &routes).unwrap();
        assert_eq!(chosen, BootInterface { name: "eth1".to_owned(), mac: mac(3), ip: ip(3) });
    }

    #[test]
    fn else_the_most_specific_route_to_the_boot_server_leads_to_it() {
        let interfaces = [interface("eth0", 2), interface("eth1", 3)];
        let everywhere = route("eth0", Ipv4Addr::UNSPECIFIED, [0; 4]);
        let near = route("eth1", ip(0), [255, 255, 255, 128]);
        let chosen = |routes: &[Route]| boot_interface(None, Some(ip(1)), &interfaces, routes).unwrap().name;
        assert_eq!(chosen(&[everywhere.clone(), near.clone()]), "eth1");
        assert_eq!(chosen(&[near, everywhere.clone()]), "eth1");
        assert_eq!(chosen(&[everywhere]), "eth0");
    }

    #[test]
    fn an_address_of_another_machine_does_not_hide_the_route() {
        let routes = [route("eth0", ip(0), [255, 255, 255, 128])];
        let chosen = boot_interface(Some(mac(9)), Some(ip(1)), &[interface("eth0", 2)], &routes);
        assert_eq!(chosen.unwrap().name, "eth0");
    }

    #[test]
    fn an_interface_without_an_address_is_an_error_that_names_it() {
        let mut bare = interface("eth0", 2);
        bare.addresses.clear();
        let chosen = boot_interface(Some(mac(2)), None, &[bare], &[]);
        assert_eq!(chosen.unwrap_err().to_string(), "eth0 has no IPv4 address");
        let none = boot_interface(None, None, &[], &[]).unwrap_err().to_string();
        assert!(none.starts_with("no interface has the boot loader's address"), "{none}");
    }
}
