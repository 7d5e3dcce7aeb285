//! Hears what clients say before they have a report: to DHCP servers, to a TFTP server, and to the boot server by syslog's port. It
//! takes no port of these servers, since it reads whole frames.
//!
//! It hears all interfaces: where several are on one network, each of them answers ARP for all addresses of this machine, and a client
//! sends to the one that it heard first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ghost_contract::early;

use super::packet::PacketSocket;
use super::udp_frame::{Datagram, IPV4, keep_ports};

/// The ports of the servers (RFC 2131 §4.1, RFC 1350 §4).
pub(crate) const DHCP: u16 = 67;
pub(crate) const TFTP: u16 = 69;
/// The number that is no interface's (packet(7)).
const ALL_INTERFACES: u32 = 0;
/// Whole frames of an Ethernet without large ones.
const FRAME: usize = 1_514;

#[derive(Debug)]
pub(crate) struct Earshot(PacketSocket);

impl Earshot {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = PacketSocket::open(ALL_INTERFACES, IPV4)?;
        keep_ports(socket.as_fd(), &[DHCP, TFTP, early::PORT])?;
        Ok(Self(socket))
    }

    /// The next thing that was said, as `understand` makes of it. `None`: nothing more is there; `Some(None)`: it means nothing.
    pub(crate) fn next<T>(
        &self,
        understand: impl Fn(Datagram<'_>) -> Option<T>,
    ) -> io::Result<Option<Option<T>>> {
        let mut buffer = [0; FRAME];
        let frame = self.0.receive(&mut buffer)?;
        Ok(frame.map(|frame| Datagram::of(frame).and_then(understand)))
    }
}

impl AsFd for Earshot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
