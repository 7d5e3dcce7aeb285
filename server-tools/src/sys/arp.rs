//! Who answers for an IP address on this machine's network: ARP (RFC 826), on the wire.
//!
//! Asking by hand and not through the kernel's neighbour table: that table remembers a machine for a while
//! after it has gone off.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::MacAddress;
use ghost_contract::arp::{Answer, ETHERTYPE, request, spoken};

use super::asking::ask_until;
use super::interface::Interface;
use super::packet::PacketSocket;

/// Asks and listens on one interface.
#[derive(Debug)]
pub(crate) struct Arp {
    /// The socket, to be polled.
    pub socket: PacketSocket,
    interface: Interface,
}

impl Arp {
    pub(crate) fn open(interface: &Interface) -> io::Result<Self> {
        let socket = PacketSocket::open(interface.index, ETHERTYPE)?;
        Ok(Self { socket, interface: interface.clone() })
    }

    /// Asks everybody who has this address.
    pub(crate) fn ask(&self, ip: Ipv4Addr) -> io::Result<()> {
        // Without an own address it is a probe, which is answered all the same (RFC 5227 §2.1.1).
        let own = self.interface.address.map_or(Ipv4Addr::UNSPECIFIED, |(own, _)| own);
        self.socket.send(&request(self.interface.mac, own, ip))
    }

    /// Asks until a machine says that it has this address. `None`: none has said so in time.
    pub(crate) fn find(&self, ip: Ipv4Addr, patience: Duration) -> Option<MacAddress> {
        // A question that was not sent gets no answer, so this goes on until the deadline.
        let ask = || drop(self.ask(ip));
        let has_it = |answer: Answer| (answer.ip == ip).then_some(answer.mac);
        let answers = || std::iter::from_fn(|| self.answer().ok().flatten()).find_map(has_it);
        ask_until(&self.socket, patience, ask, answers)
    }

    /// The next machine that has answered. `None`: there is no answer yet.
    pub(crate) fn answer(&self) -> io::Result<Option<Answer>> {
        let mut buffer = [0; 256];
        while let Some(frame) = self.socket.receive(&mut buffer)? {
            if let Some(answer) = spoken(frame) {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}
