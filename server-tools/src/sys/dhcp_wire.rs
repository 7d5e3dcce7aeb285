//! Asks DHCP servers and hears their answers on one interface, as a client would: this machine's own servers and those on its
//! network.
//!
//! A question goes through the kernel's IP, which gives it to servers that read a UDP socket here, to those that read
//! frames, and to the wire. The answers are seen as frames, also those that leave this machine: a local DHCP client keeps its port.
#![allow(unsafe_code, reason = "no crate attaches a socket filter without it")]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
    sockopt::set_socket_broadcast,
};

use super::interface::Interface;
use super::packet::PacketSocket;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Frames of every kind, the only ones of which a socket is shown those that leave too (packet(7)).
const EVERY_KIND: u16 = 0x0003;
const ETHERNET_HEADER: usize = 14;
/// An IPv4 header without options (RFC 791 §3.1), and the one of UDP (RFC 768).
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;

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
        keep_answers(answers.as_fd())?;
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
        Ok(frame.map(|frame| message(frame).unwrap_or_default()))
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

/// What a frame to a client's port carries.
fn message(frame: &[u8]) -> Option<&[u8]> {
    let ip = frame.get(ETHERNET_HEADER..)?;
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let udp = ip.get(header..).filter(|_| header >= IP_HEADER && ip.get(9) == Some(&UDP))?;
    if udp.get(2..4)? != CLIENT_PORT.to_be_bytes() {
        return None;
    }
    // Behind it a short frame is filled up.
    let length = usize::from(u16::from_be_bytes(udp.get(4..6)?.try_into().ok()?));
    udp.get(UDP_HEADER..length.min(udp.len()))
}

/// Lets the kernel throw away all frames but the answers: while machines are saved there are more of them than can be read.
fn keep_answers(socket: BorrowedFd<'_>) -> io::Result<()> {
    const IPV4: u32 = 0x0800;
    const IS_FRAGMENT: u32 = 0x1fff;
    // Load a half word, a byte, the IP header's length into X, a half word behind that; compare, test bits, end (bpf(4)).
    let (half, byte, header, behind, equal, any, end) = (0x28, 0x30, 0xb1, 0x48, 0x15, 0x45, 0x06);
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        step(half, 0, 0, 12),
        step(equal, 0, 8, IPV4),
        step(byte, 0, 0, 23),
        step(equal, 0, 6, UDP.into()),
        step(half, 0, 0, 20),
        step(any, 4, 0, IS_FRAGMENT),
        step(header, 0, 0, 14),
        step(behind, 0, 0, 16),
        step(equal, 0, 1, CLIENT_PORT.into()),
        step(end, 0, 0, u32::MAX),
        step(end, 0, 0, 0),
    ];
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_mut_ptr(),
    };
    let length = libc::socklen_t::try_from(mem::size_of_val(&filter)).unwrap_or_default();
    // SAFETY: the pointer and the length describe `filter`, whose own pointer and length describe `program`; both live until the
    // call is over, and the kernel copies them (socket(7)).
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_found_whatever_the_headers_and_the_padding() {
        let mut packet = packet(b"words").unwrap();
        packet[22..24].copy_from_slice(&CLIENT_PORT.to_be_bytes());
        let frame = [&[0; ETHERNET_HEADER][..], &packet, b"padding"].concat();
        assert_eq!(message(&frame), Some(&b"words"[..]));
        let mut with_options = [&frame[..34], &[1; 4], &frame[34..]].concat();
        with_options[ETHERNET_HEADER] = 0x46;
        assert_eq!(message(&with_options), Some(&b"words"[..]));
        for length in 0..frame.len() {
            assert_ne!(message(&frame[..length.min(46)]), Some(&b"words"[..]));
        }
        with_options[ETHERNET_HEADER] = 0x4f;
        assert_eq!(message(&with_options[..40]), None);
    }
}
