//! The magic packet (AMD white paper 20213, "Magic Packet Technology"), as bytes and on the wire.
//!
//! It is sent twice, since networks differ in what they let through: as a bare Ethernet frame, the way ether-wake does, and
//! as UDP to port 9 of the network's broadcast address. A client behind a router is sent a third one, which is routed.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use anyhow::Context as _;
use ghost_contract::MacAddress;

use crate::dhcp::Network;
use crate::sys::interface::Interface;
use crate::sys::packet::PacketSocket;

/// EtherType that ether-wake and IEEE's list give to Wake-on-LAN.
pub const ETHERTYPE: u16 = 0x0842;
/// The discard port (RFC 863), which nobody answers from.
const PORT: u16 = 9;

/// Six bytes of ones, sixteen times the address, and the SecureOn password of four or six bytes if there is one.
pub fn magic(mac: MacAddress, password: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![0xff; 6];
    for _ in 0..16 {
        bytes.extend(mac.bytes());
    }
    bytes.extend(password.unwrap_or_default());
    bytes
}

/// The whole frame that carries it. Addressed to everybody: a switch may have forgotten the port of a machine
/// that has been off for a while.
pub fn frame(from: MacAddress, mac: MacAddress, password: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![0xff; 6];
    bytes.extend(from.bytes());
    bytes.extend(ETHERTYPE.to_be_bytes());
    bytes.extend(magic(mac, password));
    bytes
}

/// Where a packet goes besides the own network: a broadcast stops at a router, behind which the client may be.
///
/// A relay that an administrator names comes first. Otherwise the broadcast address of the client's network (RFC 919 §7), which
/// a router sends on if it is told to. None for a neighbour, and where neither is known.
pub fn beyond(relay: Option<Ipv4Addr>, is_neighbour: bool, network: Option<Network>) -> Option<Ipv4Addr> {
    relay.or_else(|| network.filter(|_| !is_neighbour).map(|network| network.broadcast()))
}

/// Sends magic packets out of one interface.
#[derive(Debug)]
pub struct Waker {
    interface: Interface,
    frames: PacketSocket,
    datagrams: UdpSocket,
}

impl Waker {
    /// Opens what is needed once for any number of packets.
    pub fn open(interface: &Interface) -> anyhow::Result<Self> {
        let frames =
            PacketSocket::open(interface.index, ETHERTYPE).map_err(|error| frame_error(interface, error))?;
        let own = interface.address.map_or(Ipv4Addr::UNSPECIFIED, |(ip, _)| ip);
        let datagrams = UdpSocket::bind((own, 0)).and_then(|socket| {
            socket.set_broadcast(true)?;
            Ok(socket)
        });
        let datagrams = datagrams.with_context(|| format!("cannot send UDP from {own}"))?;
        Ok(Self { interface: interface.clone(), frames, datagrams })
    }

    /// Wakes a machine. An interface without IPv4 sends the frame only, and what goes `beyond` the own network.
    pub fn wake(
        &self,
        mac: MacAddress,
        password: Option<&[u8]>,
        beyond: Option<Ipv4Addr>,
    ) -> anyhow::Result<()> {
        self.frames
            .send(&frame(self.interface.mac, mac, password))
            .map_err(|error| frame_error(&self.interface, error))?;
        for to in self.interface.broadcast().into_iter().chain(beyond) {
            self.datagrams
                .send_to(&magic(mac, password), (to, PORT))
                .with_context(|| format!("cannot send UDP to {to}"))?;
        }
        Ok(())
    }
}

fn frame_error(interface: &Interface, error: io::Error) -> anyhow::Error {
    let missing = match error.kind() {
        io::ErrorKind::PermissionDenied => " (the capability CAP_NET_RAW is missing: run as root)",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("cannot send an Ethernet frame on {}{missing}", interface.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOHN: MacAddress = MacAddress::new([0x00, 0x0a, 0xeb, 0x12, 0x34, 0x5f]);
    const SERVER: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);

    #[test]
    fn six_ones_and_sixteen_times_the_address() {
        let packet = magic(JOHN, None);
        assert_eq!(packet.len(), 102);
        assert_eq!(packet[..6], [0xff; 6]);
        assert!(packet[6..].chunks(6).all(|address| address == JOHN.bytes()));
    }

    #[test]
    fn what_goes_beyond_a_router() {
        let relay = Ipv4Addr::new(10, 0, 9, 5);
        let network = Network { address: [10, 0, 9, 0].into(), netmask: [255, 255, 255, 0].into() };
        let broadcast = Ipv4Addr::new(10, 0, 9, 255);
        assert_eq!(beyond(None, false, Some(network)), Some(broadcast));
        assert_eq!(beyond(None, true, Some(network)), None, "a neighbour hears the own network's broadcast");
        assert_eq!(beyond(Some(relay), false, Some(network)), Some(relay));
        assert_eq!(beyond(Some(relay), true, None), Some(relay));
        assert_eq!(beyond(None, false, None), None);
    }

    #[test]
    fn the_password_stands_at_the_end() {
        let packet = magic(JOHN, Some(&SERVER.bytes()));
        assert_eq!((packet.len(), &packet[102..]), (108, &SERVER.bytes()[..]));
    }

    #[test]
    fn the_frame_is_for_everybody_from_us_of_type_0842() {
        let bytes = frame(SERVER, JOHN, None);
        assert_eq!(bytes[..14], [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x08, 0x42]);
        assert_eq!(bytes[14..], magic(JOHN, None));
    }
}
