//! Asks DHCP servers and hears their answers on one interface, as a client would: this machine's own servers and those on its
//! network.
//!
//! A question goes through the kernel's IP, which gives it to servers that read a UDP socket here, to those that read
//! frames, and to the wire. The answers are seen as frames, also those that leave this machine: a local DHCP client keeps its port.
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
    sockopt::set_socket_broadcast,
};

use super::interface::Interface;
use super::packet::PacketSocket;
use super::udp_frame::{Datagram, IP_HEADER, UDP, UDP_HEADER, keep_ports};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Frames of every kind, the only ones of which a socket is shown those that leave too (packet(7)).
const EVERY_KIND: u16 = 0x0003;

#[derive(Debug)]
pub(crate) struct DhcpWire {
    questions: OwnedFd,
    answers: PacketSocket,
}

impl DhcpWire {
    pub(crate) fn open(interface: &Interface) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let questions = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::RAW))?;
        set_socket_broadcast(&questions, true)?;
        setsockopt(&questions, sockopt::BindToDevice, &interface.name.clone().into())?;
        let answers = PacketSocket::open(interface.index, EVERY_KIND)?;
        keep_ports(answers.as_fd(), &[CLIENT_PORT])?;
        Ok(Self { questions, answers })
    }

    /// Broadcasts a message from a client's port to the servers'.
    pub(crate) fn send(&self, message: &[u8]) -> io::Result<()> {
        let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 0));
        sendto(&self.questions, &packet(message)?, SendFlags::empty(), &everybody)?;
        Ok(())
    }

    /// The next message to a client's port that was sent, if there is one.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        let frame = self.answers.receive(buffer)?;
        Ok(frame.map(|frame| Datagram::of(frame).map(|answer| answer.payload).unwrap_or_default()))
    }
}

impl AsFd for DhcpWire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.answers.as_fd()
    }
}

/// The kernel puts in what is 0 here: lengths, checksum and the interface's address (raw(7)).
fn packet(message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(UDP_HEADER + message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut packet = vec![0; IP_HEADER];
    (packet[0], packet[8], packet[9]) = (0x45, 64, UDP);
    packet[16..20].copy_from_slice(&Ipv4Addr::BROADCAST.octets());
    for field in [CLIENT_PORT, SERVER_PORT, length, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(message);
    Ok(packet)
}
