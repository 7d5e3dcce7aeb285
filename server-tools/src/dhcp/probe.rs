//! Is it really served? Asks as the client's boot ROM would, and sees what the servers offer it.
//!
//! ```text
//! clients ─▶ interfaces ─▶ a DHCPDISCOVER each, by broadcast ─▶ offers ─▶ ours, by the server's address │ others'
//! ```
//! Nothing is ever requested, so that no server gives anything away. Of a host with a fixed address no server keeps even the
//! offer; one that has none may reserve an address for some seconds, and is not asked about. Where the answer cannot be
//! heard (behind a router, without the right to send frames) it is not known, and that is said.

mod asking;
mod packet;
mod seen;
mod whose;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, MacAddress};
use rustix::event::{PollFd, PollFlags, poll};

pub use packet::{Asked, Offer, asked};
pub use seen::{Look, Seen, after_revert, after_swap};

use crate::ghostrc::Firmware;
use crate::site::Site;
use crate::sys::dhcp_wire::DhcpWire;
use crate::sys::interface::Interface;
use crate::sys::{clock, random};
use asking::Asking;
use whose::Known;

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
    offered_by(&Known::of(site), site, clients, patience)
}

fn offered_by(
    known: &Known,
    site: &Site,
    clients: &[Client],
    patience: Duration,
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
        match ask(&interface, &asked, patience) {
            Ok(offers) => places
                .into_iter()
                .zip(offers)
                .for_each(|(place, offers)| each[place] = Ok(known.sorted(clients[place].ip, offers))),
            Err(error) => places.into_iter().for_each(|place| each[place] = Err(anyhow!("{error:#}"))),
        }
    }
    each
}

/// The interface that a client's broadcasts come in by.
fn interface(site: &Site, client: &Client) -> anyhow::Result<Interface> {
    let settings = site.ghostrc.for_host(&client.host);
    let found =
        settings.interface.as_deref().map_or_else(|| Interface::towards(client.ip), Interface::named)?;
    found.require_link()?;
    match found.is_neighbour(client.ip) {
        true => Ok(found),
        false => Err(anyhow!("{} is behind a router, whose relay asks the DHCP server for it", client.host)),
    }
}

fn ask(
    interface: &Interface,
    clients: &[(MacAddress, Firmware)],
    patience: Duration,
) -> anyhow::Result<Vec<Vec<Offer>>> {
    let cannot = || format!("cannot ask DHCP servers on {}", interface.name);
    let wire = DhcpWire::open(interface).with_context(cannot)?;
    let first = u32::from_ne_bytes(random::bytes().with_context(cannot)?);
    let mut asking = Asking::new(clients, first, patience);
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
        }
    }

    pub(crate) fn client() -> Client {
        let mac = MacAddress::new([2, 0, 0, 0, 0, 2]);
        Client { host: "pc2".parse().unwrap(), mac, ip: [192, 168, 7, 2].into() }
    }
}
