//! Is it really served? Asks as the client's boot ROM would, and sees what the servers offer it.
//!
//! ```text
//! clients ─▶ interfaces ─▶ a DHCPDISCOVER each, by broadcast ─▶ offers ─▶ ours, of the client's own address │ others'
//! ```
//! Nothing is ever requested, so that no server gives anything away. Of a host with a fixed address no server keeps even the
//! offer; one that has none may reserve an address for some seconds, and is not asked about. Where the answer cannot be
//! heard (behind a router, without the right to send frames) it is not known, and that is said.

mod asking;
mod packet;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, MacAddress};
use rustix::event::{PollFd, PollFlags, poll};

pub use packet::Offer;

use super::Running;
use crate::site::Site;
use crate::sys::dhcp_wire::DhcpWire;
use crate::sys::interface::Interface;
use crate::sys::{clock, own_address, random};
use asking::Asking;

/// How long a server may take that has just been restarted.
const AFTER_RESTART: Duration = Duration::from_secs(3);

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
}

/// What the clients are offered, in their order; of each whose offers cannot be heard from here, why. A server that has not
/// answered after this time is believed to be silent.
pub fn offered(site: &Site, clients: &[Client], patience: Duration) -> Vec<anyhow::Result<Offered>> {
    let mut each: Vec<anyhow::Result<Offered>> = clients.iter().map(|_| Ok(Offered::default())).collect();
    let mut by_interface: BTreeMap<u32, (Interface, Vec<usize>)> = BTreeMap::new();
    for (place, client) in clients.iter().enumerate() {
        match interface(site, client) {
            Ok(found) => by_interface.entry(found.index).or_insert((found, Vec::new())).1.push(place),
            Err(error) => each[place] = Err(error),
        }
    }
    for (interface, places) in by_interface.into_values() {
        let macs: Vec<MacAddress> = places.iter().map(|place| clients[*place].mac).collect();
        match ask(&interface, &macs, patience) {
            Ok(offers) => places.into_iter().zip(offers).for_each(|(place, offers)| {
                each[place] =
                    Ok(sorted(clients[place].ip, offers, &|server| own_address::is_own(server.into())));
            }),
            Err(error) => places.into_iter().for_each(|place| each[place] = Err(anyhow!("{error:#}"))),
        }
    }
    each
}

/// What is seen of a client's offers after the server has taken a configuration up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    AsMeant,
    /// It is offered something else, in words.
    Otherwise(String),
    /// A server is seen to run here and does not answer, in words.
    Silent(String),
    /// From here it cannot be seen.
    Unseen,
}

/// What is seen of clients, each with the boot file of its swap: [`after_swap`] or [`after_revert`].
pub type Look = fn(&Site, &[(Client, &str)]) -> Vec<Seen>;

/// Whether the clients are offered these boot files, after a swap.
pub fn after_swap(site: &Site, clients: &[(Client, &str)]) -> Vec<Seen> {
    after_restart(site, clients, &|offer, boot_file| offer.may_boot(boot_file.as_bytes()))
}

/// Whether the clients are not offered these boot files any more, after a revert.
pub fn after_revert(site: &Site, clients: &[(Client, &str)]) -> Vec<Seen> {
    after_restart(site, clients, &|offer, boot_file| !offer.may_boot(boot_file.as_bytes()))
}

fn after_restart(
    site: &Site,
    clients: &[(Client, &str)],
    is_meant: &dyn Fn(&Offer, &str) -> bool,
) -> Vec<Seen> {
    if site.dhcp().running() == Running::Nobody {
        return vec![Seen::Unseen; clients.len()];
    }
    let asked: Vec<Client> = clients.iter().map(|(client, _)| client.clone()).collect();
    let offers = offered(site, &asked, AFTER_RESTART).into_iter();
    let seen = |((client, boot_file), offered): (&(Client, &str), anyhow::Result<Offered>)| {
        let Ok(Offered { ours, .. }) = offered else { return Seen::Unseen };
        if ours.is_empty() {
            return Seen::Silent(format!(
                "the DHCP server that runs does not answer when it is asked for {} from here, so that what it serves is not seen",
                client.host
            ));
        }
        let Some(other) = ours.iter().find(|offer| !is_meant(offer, boot_file)) else { return Seen::AsMeant };
        Seen::Otherwise(format!("the DHCP server offers {} {}", client.host, other.words()))
    };
    clients.iter().zip(offers).map(seen).collect()
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

fn ask(interface: &Interface, clients: &[MacAddress], patience: Duration) -> anyhow::Result<Vec<Vec<Offer>>> {
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

/// Ours are those that come from an address of this machine. Where none does, those are that give the client its own address: the
/// server may tell another one than it has.
fn sorted(ip: Ipv4Addr, offers: Vec<Offer>, is_own: &dyn Fn(Ipv4Addr) -> bool) -> Offered {
    let (ours, others): (Vec<Offer>, Vec<Offer>) =
        offers.into_iter().partition(|offer| offer.server.is_some_and(is_own));
    if !ours.is_empty() {
        return Offered { ours, others };
    }
    let (ours, others) = others.into_iter().partition(|offer| offer.address == ip);
    Offered { ours, others }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(server: u8, address: u8) -> Offer {
        Offer {
            server: Some([192, 168, 7, server].into()),
            address: [192, 168, 7, address].into(),
            next_server: [192, 168, 7, 1].into(),
            file: b"nobackup".to_vec(),
            file_option: None,
        }
    }

    #[test]
    fn an_offer_is_ours_by_its_server_or_by_the_clients_address() {
        let own = |server: Ipv4Addr| server.octets()[3] == 1;
        let of = |offers: &[Offer]| sorted([192, 168, 7, 2].into(), offers.to_vec(), &own);
        let (ours, router, like_ours) = (offer(1, 2), offer(9, 77), offer(8, 2));
        let all = of(&[router.clone(), ours.clone(), like_ours.clone()]);
        assert_eq!(all, Offered { ours: vec![ours], others: vec![router.clone(), like_ours.clone()] });
        let told_another = of(&[router.clone(), like_ours.clone()]);
        assert_eq!(told_another, Offered { ours: vec![like_ours], others: vec![router.clone()] });
        assert_eq!(of(std::slice::from_ref(&router)), Offered { ours: vec![], others: vec![router] });
    }
}
