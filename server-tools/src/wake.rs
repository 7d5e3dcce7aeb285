//! The magic packet (AMD white paper 20213, "Magic Packet Technology"), as bytes and on the wire.
//!
//! It is sent twice, since networks differ in what they let through: as a bare Ethernet frame, the way
//! ether-wake does, and as UDP to port 9 of the network's broadcast address.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use ghost_contract::MacAddress;

use crate::sys::interface::Interface;
use crate::sys::packet::PacketSocket;

/// EtherType that ether-wake and IEEE's list give to Wake-on-LAN.
pub const ETHERTYPE: u16 = 0x0842;
/// The discard port (RFC 863), which nobody answers from.
const PORT: u16 = 9;

/// Why a packet was not sent.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    #[error("cannot send an Ethernet frame on {interface}{}", missing_capability(.source))]
    Frame { interface: String, source: io::Error },
    #[error("cannot send UDP to the broadcast address {0}")]
    Datagram(Ipv4Addr, #[source] io::Error),
}

fn missing_capability(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        " (the capability CAP_NET_RAW is missing: run as root)"
    } else {
        ""
    }
}

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

/// Sends magic packets out of one interface.
#[derive(Debug)]
pub struct Waker {
    interface: Interface,
    frames: PacketSocket,
    datagrams: UdpSocket,
}

impl Waker {
    /// Opens what is needed once for any number of packets.
    pub fn open(interface: &Interface) -> Result<Self, WakeError> {
        let frame_error = |source| WakeError::Frame { interface: interface.name.clone(), source };
        let datagram_error = |error| WakeError::Datagram(interface.broadcast, error);
        let frames = PacketSocket::open(interface.index, ETHERTYPE).map_err(frame_error)?;
        let datagrams = UdpSocket::bind((interface.ip, 0)).map_err(datagram_error)?;
        datagrams.set_broadcast(true).map_err(datagram_error)?;
        Ok(Self { interface: interface.clone(), frames, datagrams })
    }

    pub fn wake(&self, mac: MacAddress, password: Option<&[u8]>) -> Result<(), WakeError> {
        self.frames
            .send(&frame(self.interface.mac, mac, password))
            .map_err(|source| WakeError::Frame { interface: self.interface.name.clone(), source })?;
        self.datagrams
            .send_to(&magic(mac, password), (self.interface.broadcast, PORT))
            .map_err(|error| WakeError::Datagram(self.interface.broadcast, error))?;
        Ok(())
    }
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
