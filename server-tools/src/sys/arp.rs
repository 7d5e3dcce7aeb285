//! Who answers for an IP address on this machine's network: ARP (RFC 826), on the wire.
//!
//! Asking by hand and not through the kernel's neighbour table: that table remembers a machine for a while
//! after it has gone off.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::MacAddress;
use ghost_contract::arp::{Answer, ETHERTYPE, request, spoken};
use rustix::event::{PollFd, PollFlags, poll};

use super::clock;
use super::interface::Interface;
use super::packet::PacketSocket;

/// How often a question is asked again.
const ASK_EVERY: Duration = Duration::from_millis(300);

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
        let deadline = clock::uptime() + patience;
        while clock::uptime() < deadline {
            // A question that was not sent gets no answer, so this goes on until the deadline.
            let _unasked = self.ask(ip);
            let left = deadline.saturating_sub(clock::uptime()).min(ASK_EVERY);
            let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
            let timeout = left.try_into().ok()?;
            let _ready = poll(&mut polled, Some(&timeout));
            while let Ok(Some(answer)) = self.answer() {
                if answer.ip == ip {
                    return Some(answer.mac);
                }
            }
        }
        None
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
