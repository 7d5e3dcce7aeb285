//! Who answers for an IP address on this machine's network: ARP (RFC 826), as bytes and on the wire.
//!
//! Asking by hand and not through the kernel's neighbour table: that table remembers a machine for a while
//! after it has gone off.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::MacAddress;
use rustix::event::{PollFd, PollFlags, poll};

use super::clock;
use super::interface::Interface;
use super::packet::PacketSocket;

/// EtherType of ARP (RFC 826).
pub(crate) const ETHERTYPE: u16 = 0x0806;
/// Hardware type Ethernet, protocol type IPv4, six and four bytes of address (RFC 826).
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const FRAME_LENGTH: usize = 42;
/// How often a question is asked again.
const ASK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The address that was asked for.
    pub ip: Ipv4Addr,
    pub mac: MacAddress,
}

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

/// The frame that asks all machines for the owner of `wanted`.
fn request(own_mac: MacAddress, own_ip: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_LENGTH);
    frame.extend([0xff; 6]);
    frame.extend(own_mac.bytes());
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend(ETHERNET_IPV4);
    frame.extend(REQUEST);
    frame.extend(own_mac.bytes());
    frame.extend(own_ip.octets());
    frame.extend([0; 6]);
    frame.extend(wanted.octets());
    frame
}

/// Whose address a frame tells. A question tells its asker's as well as an answer does; an asker that does not
/// have an address yet (RFC 5227 §2.1.1, all zero) tells nothing.
pub(crate) fn spoken(frame: &[u8]) -> Option<Answer> {
    let well_formed = frame.len() >= FRAME_LENGTH && frame[12..14] == ETHERTYPE.to_be_bytes();
    if !well_formed || frame[14..20] != ETHERNET_IPV4 {
        return None;
    }
    let mac = MacAddress::new(frame[22..28].try_into().ok()?);
    let ip = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[28..32]).ok()?);
    (!ip.is_unspecified()).then_some(Answer { ip, mac })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    const JOHN: MacAddress = MacAddress::new([0, 10, 235, 1, 2, 3]);
    const SERVER_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
    const JOHN_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);

    #[test]
    fn a_question_is_these_42_bytes() {
        let expected = [
            255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, // Ethernet
            0, 1, 8, 0, 6, 4, 0, 1, // who has
            2, 0, 0, 0, 0, 1, 192, 168, 7, 1, // the server
            0, 0, 0, 0, 0, 0, 192, 168, 7, 2, // john
        ];
        assert_eq!(request(SERVER, SERVER_IP, JOHN_IP), expected);
    }

    #[test]
    fn an_answer_tells_who_has_the_address() {
        let mut frame = request(JOHN, JOHN_IP, SERVER_IP);
        frame[21] = 2;
        frame.extend([0; 18]);
        assert_eq!(spoken(&frame), Some(Answer { ip: JOHN_IP, mac: JOHN }));
    }

    #[test]
    fn a_probe_without_an_address_and_a_short_frame_tell_nothing() {
        assert_eq!(spoken(&request(JOHN, Ipv4Addr::UNSPECIFIED, JOHN_IP)), None);
        assert_eq!(spoken(&request(JOHN, JOHN_IP, SERVER_IP)[..41]), None);
        assert_eq!(spoken(&[]), None);
    }
}
