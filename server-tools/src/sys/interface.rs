//! Which of this machine's interfaces leads to a client, and what is needed to speak from it.
//!
//! The kernel's routing table names the device (`/proc/net/route`, proc(5)). A source address would not do: one address can
//! be on several devices, and raw Ethernet needs none at all, as on the port of a bridge.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::{Context as _, anyhow, bail};
use ghost_contract::MacAddress;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::{InterfaceFlags, if_nametoindex};

use super::own_address;
use crate::dhcp::network::Network;

/// A thread can be in a network of its own.
const ROUTES: &str = "/proc/thread-self/net/route";

/// An interface that a client is reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    pub mac: MacAddress,
    /// Its address, from which clients are spoken to, with the network's mask; none if it has no IPv4.
    pub address: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The networks that it leads to without a gateway, each with its mask.
    on_link: Vec<(Ipv4Addr, Ipv4Addr)>,
}

impl Interface {
    /// The interface that packets to `client` leave by.
    pub fn towards(client: Ipv4Addr) -> anyhow::Result<Self> {
        let ethernet = || format!("the route to {client} leads over no Ethernet interface");
        if own_address::is_own(client.into()) {
            return Err(anyhow!("it is an address of this machine itself").context(ethernet()));
        }
        let routes = routes();
        let name = match nearest(&routes, client) {
            Some(route) => route.device.clone(),
            // Rules may lead to other tables than the main one.
            None => device_of(source_address(client).with_context(|| format!("no route leads to {client}"))?)
                .with_context(ethernet)?,
        };
        described(&name, &routes, Some(client))?.with_context(ethernet)
    }

    /// The interface of this name.
    pub fn named(name: &str) -> anyhow::Result<Self> {
        described(name, &routes(), None)?.with_context(|| format!("there is no Ethernet interface {name}"))
    }

    /// The interface that has this address itself.
    pub fn with_address(ip: Ipv4Addr) -> anyhow::Result<Self> {
        let none = || format!("no Ethernet interface has the address {ip}");
        described(&device_of(ip).with_context(none)?, &routes(), Some(ip))?.with_context(none)
    }

    /// Whether this address is on a network of the interface's own, so that ARP reaches it.
    pub fn is_neighbour(&self, other: Ipv4Addr) -> bool {
        self.address.is_none() || self.on_link.iter().any(|(network, mask)| is_in(other, *network, *mask))
    }

    /// Whether this is an address of the interface itself.
    pub(crate) fn has(&self, ip: Ipv4Addr) -> bool {
        self.on_link.iter().any(|(own, _)| *own == ip)
    }

    /// The network of its address.
    pub(crate) fn network(&self) -> Option<Network> {
        let (ip, netmask) = self.address?;
        Some(Network { address: Ipv4Addr::from(u32::from(ip) & u32::from(netmask)), netmask })
    }

    /// Where everybody on its network listens.
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        self.address.map(|(ip, mask)| Ipv4Addr::from(u32::from(ip) | !u32::from(mask)))
    }

    /// Fails with what is to be done if nothing that is sent would leave it now.
    pub fn require_link(&self) -> anyhow::Result<()> {
        let name = &self.name;
        let all = list()?;
        let flags = all.iter().find(|entry| entry.interface_name == *name).map(|entry| entry.flags);
        match flags {
            None => bail!("the interface {name} has gone away"),
            Some(flags) if !flags.contains(InterfaceFlags::IFF_UP) => {
                bail!("the interface {name} is down; 'ip link set {name} up' starts it")
            }
            // The carrier itself; IFF_RUNNING says the same, up to a second later.
            Some(flags) if !flags.contains(InterfaceFlags::IFF_LOWER_UP) => {
                bail!(
                    "the interface {name} has no carrier, so that nothing leaves it; see whether its cable is plugged in"
                )
            }
            Some(_) => Ok(()),
        }
    }
}

/// The interface that packets to everywhere leave by; else the first one with an address.
pub(crate) fn of_default_route() -> Option<Interface> {
    let routes = routes();
    let default =
        routes.iter().filter(|route| route.mask == Ipv4Addr::UNSPECIFIED).min_by_key(|route| route.metric);
    let named = default.map(|route| route.device.clone());
    let all = || list().unwrap_or_default().into_iter().map(|entry| entry.interface_name);
    let described =
        named.into_iter().chain(all()).filter_map(|name| described(&name, &routes, None).ok().flatten());
    described.into_iter().find(|interface| interface.address.is_some())
}

/// The interface with an address in this network.
pub(crate) fn in_network(network: Network) -> Option<Interface> {
    let routes = routes();
    let names = list().unwrap_or_default().into_iter().map(|entry| entry.interface_name);
    let described = names.filter_map(|name| described(&name, &routes, Some(network.address)).ok().flatten());
    described.into_iter().find(|interface| interface.address.is_some_and(|(ip, _)| network.contains(ip)))
}

/// The machine that packets of this interface to everywhere go through.
pub(crate) fn router_of(name: &str) -> Option<Ipv4Addr> {
    routes().into_iter().find(|route| route.device == name && route.mask == Ipv4Addr::UNSPECIFIED)?.gateway
}

/// A line of the routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    device: String,
    network: Ipv4Addr,
    mask: Ipv4Addr,
    has_gateway: bool,
    gateway: Option<Ipv4Addr>,
    metric: u32,
}

/// The networks that are reached without a router, each with its mask.
pub(crate) fn networks() -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let direct = routes().into_iter().filter(|route| !route.has_gateway);
    direct.map(|route| (route.network, route.mask)).collect()
}

/// The interfaces with the networks that are reached by them without a router.
pub(crate) fn with_networks() -> Vec<(String, Network)> {
    let direct = routes().into_iter().filter(|route| !route.has_gateway && !route.mask.is_unspecified());
    direct.map(|route| (route.device, Network { address: route.network, netmask: route.mask })).collect()
}

fn routes() -> Vec<Route> {
    fs::read_to_string(ROUTES).map(|table| parse(&table)).unwrap_or_default()
}

/// Addresses are the bytes of the network in hexadecimal, read as a number of this machine's byte order.
fn parse(table: &str) -> Vec<Route> {
    const UP: u32 = 0x1;
    const GATEWAY: u32 = 0x2;
    const REJECT: u32 = 0x200;
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
        let address = |at: usize| Some(Ipv4Addr::from(hex(at)?.to_ne_bytes()));
        let flags = hex(3)?;
        (flags & UP != 0 && flags & REJECT == 0).then_some(Route {
            device: (*words.first()?).to_owned(),
            network: address(1)?,
            mask: address(7)?,
            has_gateway: flags & GATEWAY != 0,
            gateway: address(2).filter(|_| flags & GATEWAY != 0),
            metric: words.get(6)?.parse().ok()?,
        })
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// The route that the kernel takes: the smallest network with the address, and of these the least metric.
fn nearest(routes: &[Route], client: Ipv4Addr) -> Option<&Route> {
    let leads_there = routes.iter().filter(|route| is_in(client, route.network, route.mask));
    leads_there.min_by_key(|route| (std::cmp::Reverse(u32::from(route.mask)), route.metric))
}

fn is_in(ip: Ipv4Addr, network: Ipv4Addr, mask: Ipv4Addr) -> bool {
    u32::from(ip) & u32::from(mask) == u32::from(network) & u32::from(mask)
}

/// The interface with its hardware address; none if it has none, or is not there. Of several IPv4 addresses the one in the
/// client's network is taken.
fn described(name: &str, routes: &[Route], client: Option<Ipv4Addr>) -> anyhow::Result<Option<Interface>> {
    let all = list()?;
    let own = || all.iter().filter(|entry| entry.interface_name == name);
    let Some(mac) = own().find_map(hardware).filter(|mac| mac.bytes() != [0; 6]) else { return Ok(None) };
    let Ok(index) = if_nametoindex(name) else { return Ok(None) };
    let mask = |entry: &InterfaceAddress| ipv4(entry.netmask.as_ref()).unwrap_or(Ipv4Addr::BROADCAST);
    let addresses: Vec<(Ipv4Addr, Ipv4Addr)> =
        own().filter_map(|entry| Some((ipv4(entry.address.as_ref())?, mask(entry)))).collect();
    let in_its_network =
        |(ip, mask): &&(Ipv4Addr, Ipv4Addr)| client.is_some_and(|client| is_in(client, *ip, *mask));
    let address = addresses.iter().find(in_its_network).or_else(|| addresses.first()).copied();
    let direct = routes.iter().filter(|route| route.device == name && !route.has_gateway);
    let on_link = direct.map(|route| (route.network, route.mask)).chain(addresses.iter().copied()).collect();
    Ok(Some(Interface { name: name.to_owned(), index, mac, address, on_link }))
}

fn list() -> anyhow::Result<Vec<InterfaceAddress>> {
    Ok(getifaddrs().context("cannot list the network interfaces")?.collect())
}

/// The device that has this address.
fn device_of(ip: Ipv4Addr) -> Option<String> {
    let all = list().ok()?;
    let own = all.into_iter().find(|entry| ipv4(entry.address.as_ref()) == Some(ip));
    own.map(|entry| entry.interface_name)
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
    use std::process::Command;

    /// Runs it in a network of its own that these commands have set up; nothing without root.
    fn in_a_network<T: Send + 'static>(commands: &'static str, seen: fn() -> T) -> Option<T> {
        rustix::process::geteuid().is_root().then(|| {
            let network = std::thread::spawn(move || {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                assert!(Command::new("sh").args(["-ec", commands]).status().unwrap().success(), "{commands}");
                seen()
            });
            network.join().unwrap()
        })
    }

    #[test]
    fn loopback_is_no_ethernet() {
        let error = Interface::towards(Ipv4Addr::LOCALHOST).unwrap_err();
        assert!(error.to_string().contains("leads over no Ethernet interface"), "{error:#}");
    }

    #[test]
    fn the_smallest_network_and_the_least_metric_decide() {
        let line = |device: &str, network: [u8; 4], flags: &str, metric: u32, mask: [u8; 4]| {
            let hex = |bytes| format!("{:08X}", u32::from_ne_bytes(bytes));
            format!("{device}\t{}\t00000000\t{flags}\t0\t0\t{metric}\t{}\t0\t0\t0\n", hex(network), hex(mask))
        };
        let table = [
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n".to_owned(),
            line("eth9", [0; 4], "0003", 0, [0; 4]),
            line("eth0", [192, 168, 0, 0], "0001", 0, [255, 255, 0, 0]),
            line("eth2", [192, 168, 7, 0], "0001", 200, [255, 255, 255, 0]),
            line("eth1", [192, 168, 7, 0], "0001", 100, [255, 255, 255, 0]),
            line("*", [192, 168, 8, 0], "0201", 0, [255, 255, 255, 0]),
        ];
        let routes = parse(&table.concat());
        let device =
            |ip: [u8; 4]| nearest(&routes, ip.into()).map(|route| (route.device.as_str(), route.has_gateway));
        assert_eq!(device([192, 168, 7, 2]), Some(("eth1", false)));
        assert_eq!(device([192, 168, 8, 2]), Some(("eth0", false)));
        assert_eq!(device([10, 0, 0, 1]), Some(("eth9", true)));
    }

    #[test]
    fn an_address_that_two_interfaces_have_does_not_mislead() {
        let commands = "ip link add one type veth peer name two; ip link add three type veth peer name four; \
             for each in one two three four; do ip link set $each up; done; \
             ip addr add 192.168.7.1/32 dev one; ip addr add 192.168.7.1/32 dev three; ip route add 192.168.9.0/24 dev three";
        let seen = in_a_network(commands, || {
            let found = Interface::towards(Ipv4Addr::new(192, 168, 9, 2)).unwrap();
            (
                found.name.clone(),
                found.is_neighbour(Ipv4Addr::new(192, 168, 9, 2)),
                found.require_link().is_ok(),
            )
        });
        assert!(seen.is_none_or(|seen| seen == ("three".to_owned(), true, true)));
    }

    #[test]
    fn an_interface_without_ipv4_speaks_ethernet() {
        let seen = in_a_network(
            "ip link add one type veth peer name two; ip link set one up; ip link set two up",
            || {
                let found = Interface::named("one").unwrap();
                (
                    found.address,
                    found.is_neighbour(Ipv4Addr::new(192, 168, 9, 2)),
                    crate::wake::Waker::open(&found).is_ok(),
                )
            },
        );
        assert!(seen.is_none_or(|seen| seen == (None, true, true)));
    }

    #[test]
    fn an_interface_that_is_down_and_one_without_carrier_are_told_apart() {
        let commands =
            "ip link add one type veth peer name two; ip link set one up; ip addr add 192.168.7.1/24 dev one";
        let seen = in_a_network(commands, || {
            let without_carrier = Interface::named("one").unwrap().require_link().unwrap_err();
            (
                without_carrier.to_string(),
                Interface::named("two").unwrap().require_link().unwrap_err().to_string(),
            )
        });
        if let Some((without_carrier, down)) = seen {
            assert!(without_carrier.starts_with("the interface one has no carrier"), "{without_carrier}");
            assert_eq!(down, "the interface two is down; 'ip link set two up' starts it");
        }
    }

    #[test]
    fn the_broadcast_address_of_the_howtos_network() {
        let interface = Interface {
            name: "eth0".to_owned(),
            index: 1,
            mac: MacAddress::new([2, 0, 0, 0, 0, 1]),
            address: Some((Ipv4Addr::new(192, 168, 7, 1), Ipv4Addr::new(255, 255, 255, 128))),
            on_link: Vec::new(),
        };
        assert_eq!(interface.broadcast(), Some(Ipv4Addr::new(192, 168, 7, 127)));
    }
}
