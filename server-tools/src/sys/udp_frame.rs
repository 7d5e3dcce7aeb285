//! UDP in whole Ethernet frames: what a frame carries, and a filter with which the kernel passes those to some ports only.
#![allow(unsafe_code, reason = "no crate attaches a socket filter without it")]

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use ghost_contract::MacAddress;

pub(super) const ETHERNET_HEADER: usize = 14;
/// An IPv4 header without options (RFC 791 §3.1), and the one of UDP (RFC 768).
pub(super) const IP_HEADER: usize = 20;
pub(super) const UDP_HEADER: usize = 8;
pub(super) const UDP: u8 = 17;
pub(super) const IPV4: u16 = 0x0800;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    /// The machine on the wire that sent it: the client, or a gateway.
    pub mac: MacAddress,
    pub from: Ipv4Addr,
    pub port: u16,
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// What a frame carries, if that is UDP over IPv4.
    pub(crate) fn of(frame: &'a [u8]) -> Option<Self> {
        let mac = MacAddress::new(frame.get(6..12)?.try_into().ok()?);
        let ip = frame.get(ETHERNET_HEADER..)?;
        let header = usize::from(ip.first()? & 0x0f) * 4;
        let udp = ip.get(header..).filter(|_| header >= IP_HEADER && ip.get(9) == Some(&UDP))?;
        let from = <[u8; 4]>::try_from(ip.get(12..16)?).ok()?.into();
        let half = |at: usize| Some(u16::from_be_bytes(udp.get(at..at + 2)?.try_into().ok()?));
        // Behind it a short frame is filled up.
        let (port, length) = (half(2)?, usize::from(half(4)?));
        Some(Self { mac, from, port, payload: udp.get(UDP_HEADER..length.min(udp.len()))? })
    }
}

/// Lets the kernel throw away all frames but UDP to these ports: while machines are saved there are more frames than can be read.
pub(super) fn keep_ports(socket: BorrowedFd<'_>, ports: &[u16]) -> io::Result<()> {
    let mut program = filter(ports)?;
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

fn filter(ports: &[u16]) -> io::Result<Vec<libc::sock_filter>> {
    const IS_FRAGMENT: u32 = 0x1fff;
    // Load a half word, a byte, the IP header's length into X, a half word behind that; compare, test bits, end (bpf(4)).
    let (half, byte, header, behind, equal, any, end) = (0x28, 0x30, 0xb1, 0x48, 0x15, 0x45, 0x06);
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // How many steps lie between one and the last, which refuses.
    let ports_left = u8::try_from(ports.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let refuse = |behind_it: u8| ports_left + 1 + behind_it;
    let mut program = vec![
        step(half, 0, 0, 12),
        step(equal, 0, refuse(6), IPV4.into()),
        step(byte, 0, 0, 23),
        step(equal, 0, refuse(4), UDP.into()),
        step(half, 0, 0, 20),
        step(any, refuse(2), 0, IS_FRAGMENT),
        step(header, 0, 0, 14),
        step(behind, 0, 0, 16),
    ];
    for (place, port) in (0_u8..).zip(ports) {
        let left = ports_left - place - 1;
        program.push(step(equal, left, u8::from(left == 0), u32::from(*port)));
    }
    program.push(step(end, 0, 0, u32::MAX));
    program.push(step(end, 0, 0, 0));
    Ok(program)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A frame of this EtherType and protocol, with so many words of options in the IP header.
    fn frame(ethertype: u16, protocol: u8, options: u8, port: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; ETHERNET_HEADER + IP_HEADER + 4 * usize::from(options)];
        frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        (frame[14], frame[23]) = (0x45 + options, protocol);
        frame[26..30].copy_from_slice(&[192, 168, 7, 2]);
        let length = u16::try_from(UDP_HEADER + payload.len()).unwrap();
        [1024, port, length, 0].iter().for_each(|field| frame.extend(field.to_be_bytes()));
        frame.extend(payload);
        frame
    }

    #[test]
    fn what_is_carried_is_found_whatever_the_headers_and_the_padding() {
        let expected = Datagram {
            mac: MacAddress::new([2, 0, 0, 0, 0, 2]),
            from: Ipv4Addr::new(192, 168, 7, 2),
            port: 69,
            payload: b"words",
        };
        for options in [0, 1, 10] {
            let mut frame = frame(IPV4, UDP, options, 69, b"words");
            for length in 0..frame.len() {
                assert_ne!(Datagram::of(&frame[..length]), Some(expected));
            }
            frame.extend(b"padding");
            assert_eq!(Datagram::of(&frame), Some(expected));
        }
        let mut cut = frame(IPV4, UDP, 0, 69, b"words");
        cut[14] = 0x4f;
        assert_eq!(Datagram::of(&cut), None);
        cut[14] = 0x44;
        assert_eq!(Datagram::of(&cut), None, "a header that is too short");
        assert_eq!(Datagram::of(&frame(IPV4, 6, 0, 69, b"words")), None);
    }

    #[test]
    fn the_kernel_passes_udp_to_the_ports_and_nothing_else() {
        for ports in [&[68][..], &[67, 69, 514]] {
            let (sender, receiver) = UnixDatagram::pair().unwrap();
            keep_ports(receiver.as_fd(), ports).unwrap();
            receiver.set_nonblocking(true).unwrap();
            let passes = |frame: &[u8]| {
                // The kernel tells the sender of a frame that it threw away.
                let _thrown_away = sender.send(frame);
                receiver.recv(&mut [0; 256]).is_ok()
            };
            for port in [67, 68, 69, 514, 53, 2049] {
                for options in [0, 3] {
                    let is_wanted = ports.contains(&port);
                    assert_eq!(
                        passes(&frame(IPV4, UDP, options, port, b"words")),
                        is_wanted,
                        "{port} of {ports:?}"
                    );
                }
            }
            let wanted = ports[0];
            assert!(!passes(&frame(0x86dd, UDP, 0, wanted, b"words")), "IPv6");
            assert!(!passes(&frame(IPV4, 6, 0, wanted, b"words")), "TCP");
            let mut fragment = frame(IPV4, UDP, 0, wanted, b"words");
            fragment[21] = 1;
            assert!(!passes(&fragment), "a later part of a packet has no port");
            assert!(!passes(&frame(IPV4, UDP, 0, wanted, b"")[..30]));
        }
    }
}
