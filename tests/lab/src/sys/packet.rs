//! A socket that receives all frames of an interface that can be magic packets, and sends frames.
#![allow(unsafe_code, reason = "no safe crate binds packet sockets or attaches filters")]

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::magic::{ETHERTYPE_IPV4, ETHERTYPE_WAKE_ON_LAN, PROTOCOL_UDP};

/// A bound packet socket (packet(7)).
#[derive(Debug)]
pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Listens on this interface. The kernel hands over only Wake-on-LAN and UDP frames, so that the traffic
    /// of the clients' disks never makes one get lost.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let index = nix::net::if_::if_nametoindex(interface)?;
        // SAFETY: socket(2) takes no pointers. Protocol 0 receives nothing until bound.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh from socket(2) and nobody else owns it.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(raw) });
        socket.attach_filter()?;
        socket.bind(index)?;
        Ok(socket)
    }

    fn attach_filter(&self) -> io::Result<()> {
        let mut filter = wake_or_udp();
        let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
        // SAFETY: `program` and the instructions that it points to live until the call returns, and the kernel
        // copies them; the length given is that of `program`.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                socket_length(&program)?,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn bind(&self, index: u32) -> io::Result<()> {
        // SAFETY: sockaddr_ll is plain numbers, for which all zeros is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
        // All protocols: what this machine sends itself is shown to no other kind of packet socket.
        address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
        address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
        // SAFETY: the pointer and the length are those of a sockaddr_ll that lives until the call returns.
        let result =
            unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), socket_length(&address)?) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// The next frame that is there, cut to the buffer's size; waits for one if there is none.
    pub(crate) fn receive<'buffer>(&self, buffer: &'buffer mut [u8]) -> io::Result<&'buffer [u8]> {
        let length = nix::sys::socket::recv(self.0.as_raw_fd(), buffer, nix::sys::socket::MsgFlags::empty())?;
        Ok(&buffer[..length])
    }

    /// Sends a whole frame, Ethernet header included.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        nix::sys::socket::send(self.0.as_raw_fd(), frame, nix::sys::socket::MsgFlags::empty())?;
        Ok(())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket_length<T>(value: &T) -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(size_of_val(value)).map_err(io::Error::other)
}

/// A filter (linux/filter.h) that passes EtherType 0842h and UDP over IPv4, and nothing else.
fn wake_or_udp() -> [libc::sock_filter; 7] {
    // linux/bpf_common.h: load half-word and byte at an absolute offset, jump if equal, return a constant.
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ETHERTYPE_AT: u32 = 12;
    const IP_PROTOCOL_AT: u32 = 23;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    [
        step(LOAD_HALF, 0, 0, ETHERTYPE_AT),
        step(JUMP_EQUAL, 3, 0, ETHERTYPE_WAKE_ON_LAN.into()),
        step(JUMP_EQUAL, 0, 3, ETHERTYPE_IPV4.into()),
        step(LOAD_BYTE, 0, 0, IP_PROTOCOL_AT),
        step(JUMP_EQUAL, 0, 1, PROTOCOL_UDP.into()),
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0),
    ]
}
