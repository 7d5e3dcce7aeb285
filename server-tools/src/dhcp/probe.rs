//! Is it really served? Asks as the client's boot ROM would, and sees what the servers offer it.
//!
//! ```text
//! clients ─▶ interfaces ─▶ a DHCPDISCOVER each, by broadcast ─▶ offers ─▶ ours, by the server's address │ others'
//! ```
//! No address is ever requested, so that no server gives anything away. Of a host with a fixed address no server keeps even the
//! offer; one that has none may reserve an address for some seconds, and is not asked about. Where the answer cannot be
//! heard (behind a router, without the right to send frames) it is not known, and that is said.

mod asking;
mod message;
pub(crate) mod packet;
mod proxied;
mod seen;
mod whose;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, MacAddress};
use rustix::event::{PollFd, PollFlags, poll};

pub use packet::{Asked, Offer, asked};
pub use proxied::MenuEntry;
pub use seen::{Look, Seen, after_revert, after_swap};

use crate::ghostrc::Firmware;
use crate::site::Site;
use crate::sys::dhcp_wire::DhcpWire;
use crate::sys::interface::Interface;
use crate::sys::{clock, proxy_port, random};
use asking::Asking;
use whose::Known;

/// How long a proxy may take to name the boot file. It has just answered.
const OF_A_PROXY: Duration = Duration::from_secs(5);

/// How long a server of another machine may take: one that looks whether the address is free takes a second.
const OF_ANOTHER: Duration = Duration::from_secs(5);

/// What to do about a server that leads clients astray.
pub(crate) const KEEP_AWAY: &str = "take that server off this network, or have it leave the clients alone";
/// How long a server that this boot server does not know of may take.
const OF_A_STRANGER: Duration = Duration::from_secs(3);

/// Whom to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub host: HostName,
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
}

/// What a client is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offered {
    /// By this boot server's DHCP server.
    pub ours: Vec<Offer>,
    /// By others on the network.
    pub others: Vec<Offer>,
    /// Whether ours are only taken for ours because they give the client its own address.
    pub is_guessed: bool,
}

/// What the clients are offered, in their order; of each whose offers cannot be heard from here, why. A server that has not
/// answered after this time is believed to be silent.
pub fn offered(site: &Site, clients: &[Client], patience: Duration) -> Vec<anyhow::Result<Offered>> {
    let known = Known::of(site);
    offered_by(&known, site, clients, patience, |offer| known.is_awaited(offer))
}

/// Of each client, what another DHCP server offers it that would lead it astray: another address than its own. It is waited for
/// longer than ours: one that looks whether the address is free takes its time. Where this boot server is a proxy beside another
/// server, that one gives the addresses, and leads none astray.
pub(crate) fn astray(site: &Site, clients: &[Client]) -> Vec<Option<Offer>> {
    let known = Known::of(site);
    if known.is_beside_another {
        return clients.iter().map(|_| None).collect();
    }
    let leads_astray = |client: &Client, offer: &Offer| {
        offer.is_of_another_address(client.ip) && !known.is_of_this_machine(offer)
    };
    let is_awaited = |offer: &Offer| clients.iter().all(|client| leads_astray(client, offer));
    let offered = offered_by(&known, site, clients, OF_A_STRANGER, is_awaited);
    // Where it cannot be heard, nothing is known of it.
    let of_one = |(client, offered): (&Client, anyhow::Result<Offered>)| {
        offered.ok()?.others.into_iter().find(|offer| leads_astray(client, offer))
    };
    clients.iter().zip(offered).map(of_one).collect()
}

fn offered_by(
    known: &Known,
    site: &Site,
    clients: &[Client],
    patience: Duration,
    is_awaited: impl Fn(&Offer) -> bool,
) -> Vec<anyhow::Result<Offered>> {
    let mut each: Vec<anyhow::Result<Offered>> = clients.iter().map(|_| Ok(Offered::default())).collect();
    let mut by_interface: BTreeMap<u32, (Interface, Vec<usize>)> = BTreeMap::new();
    for (place, client) in clients.iter().enumerate() {
        match interface(site, client) {
            Ok(found) => by_interface.entry(found.index).or_insert((found, Vec::new())).1.push(place),
            Err(error) => each[place] = Err(error),
        }
    }
    for (interface, places) in by_interface.into_values() {
        let asked = places.iter().map(|place| &clients[*place]);
        let asked: Vec<_> =
            asked.map(|client| (client.mac, site.ghostrc.for_host(&client.host).firmware)).collect();
        match ask(&interface, &asked, patience, &is_awaited) {
            Ok(offers) => {
                places.into_iter().zip(asked).zip(offers).for_each(|((place, asked), mut offers)| {
                    offers
                        .iter_mut()
                        .filter(|offer| known.is_of_this_machine(offer))
                        .for_each(|offer| complete(offer, asked, known.boot_server));
                    each[place] = Ok(known.sorted(clients[place].ip, offers));
                })
            }
            Err(error) => places.into_iter().for_each(|place| each[place] = Err(anyhow!("{error:#}"))),
        }
    }
    each
}

/// The address that another DHCP server than this machine's gives a machine, and that server. Takes no lease; the other server may
/// keep the address for the machine for some seconds.
pub fn given(site: &Site, host: &HostName, mac: MacAddress) -> anyhow::Result<(Ipv4Addr, Ipv4Addr)> {
    let settings = site.ghostrc.for_host(host);
    let own = || Interface::with_address(site.ghostrc.boot_server);
    let interface = settings.interface.as_deref().map_or_else(own, Interface::named)?;
    interface.require_link()?;
    let known = Known::of(site);
    let gives = |offer: &Offer| !offer.address.is_unspecified() && !known.is_of_this_machine(offer);
    let offers = ask(&interface, &[(mac, settings.firmware)], OF_ANOTHER, gives)?;
    let mut given: Vec<(Ipv4Addr, Ipv4Addr)> = offers
        .concat()
        .iter()
        .filter(|offer| gives(offer))
        .map(|offer| (offer.address, offer.server.unwrap_or(Ipv4Addr::UNSPECIFIED)))
        .collect();
    given.dedup_by_key(|(address, _)| *address);
    match given.as_slice() {
        [one] => Ok(*one),
        [] => Err(anyhow!(
            "no other DHCP server on {} offers {mac} an address; check that one runs and knows it, or give the address",
            interface.name
        )),
        [..] => {
            let all: Vec<String> = given.iter().map(|(ip, server)| format!("{ip} (says {server})")).collect();
            Err(anyhow!("{mac} would get {}, whichever is faster; give the address", all.join(" or ")))
        }
    }
}

/// The interface that a client's broadcasts come in by. `INTERFACE` may name one for other clients.
fn interface(site: &Site, client: &Client) -> anyhow::Result<Interface> {
    let settings = site.ghostrc.for_host(&client.host);
    let named = settings.interface.as_deref().map(Interface::named).transpose()?;
    let found = match named {
        Some(named) if named.is_neighbour(client.ip) => named,
        Some(named) => {
            let nearer = Interface::towards(client.ip).ok();
            nearer.filter(|found| found.is_neighbour(client.ip)).unwrap_or(named)
        }
        None => Interface::towards(client.ip)?,
    };
    found.require_link()?;
    match found.is_neighbour(client.ip) {
        true => Ok(found),
        false => Err(anyhow!("{} is behind a router, whose relay asks the DHCP server for it", client.host)),
    }
}

/// Completes a proxy's offer with the boot file that it names. Where it does not answer, it names none.
fn complete(offer: &mut Offer, (mac, firmware): (MacAddress, Firmware), own_address: Ipv4Addr) {
    let is_a_proxys = offer.address.is_unspecified() && offer.boot_file().is_empty();
    let Some(server) = offer.server.filter(|_| is_a_proxys) else { return };
    let Ok(transaction) = random::bytes().map(u32::from_ne_bytes) else { return };
    let question = proxied::which_file(mac, firmware, transaction, (own_address, offer.menu_entry));
    let understand = |answer: &[u8]| proxied::named_file(answer, mac, transaction);
    let answer = proxy_port::ask(server, &question, OF_A_PROXY, understand);
    // What is not said stays empty, and an offer without a file is not what a swap means.
    offer.file = answer.ok().flatten().unwrap_or_default();
}

fn ask(
    interface: &Interface,
    clients: &[(MacAddress, Firmware)],
    patience: Duration,
    is_awaited: impl Fn(&Offer) -> bool,
) -> anyhow::Result<Vec<Vec<Offer>>> {
    let cannot = || format!("cannot ask DHCP servers on {}", interface.name);
    let wire = DhcpWire::open(interface).with_context(cannot)?;
    let first = u32::from_ne_bytes(random::bytes().with_context(cannot)?);
    let mut asking = Asking::new(clients, first, patience, is_awaited);
    let mut buffer = [0; 2048];
    loop {
        let now = clock::uptime();
        asking.due(now).iter().try_for_each(|message| wire.send(message)).with_context(cannot)?;
        let Some(next) = asking.next(now) else { return Ok(asking.end()) };
        let timeout = next.saturating_sub(now).try_into().with_context(cannot)?;
        let _ready = poll(&mut [PollFd::new(&wire, PollFlags::IN)], Some(&timeout));
        while let Some(message) = wire.receive(&mut buffer).with_context(cannot)? {
            asking.heard(message, clock::uptime());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An offer by the server with this last number of its address, of the address with that one.
    pub(crate) fn offer(server: u8, address: u8) -> Offer {
        let address = if address == 0 { Ipv4Addr::UNSPECIFIED } else { [192, 168, 7, address].into() };
        Offer {
            server: Some([192, 168, 7, server].into()),
            address,
            next_server: [192, 168, 7, 1].into(),
            file: b"nobackup".to_vec(),
            file_option: None,
            menu_entry: None,
        }
    }

    pub(crate) fn client() -> Client {
        let mac = MacAddress::new([2, 0, 0, 0, 0, 2]);
        Client { host: "pc2".parse().unwrap(), mac, ip: [192, 168, 7, 2].into() }
    }
}
