//! Who is on behind a gateway: ICMP echo (RFC 792), as bytes and on the wire.
//!
//! ARP ends at the gateway. An echo tells that somebody has the address, but not with which hardware address;
//! a machine that is told not to answer echoes cannot be seen by it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto, socket_with,
};

use super::asking::ask_until;
use super::random;

/// Types of message, each with code 0 (RFC 792).
const ECHO_REPLY: u8 = 0;
const ECHO: u8 = 8;
/// Type, code, checksum, identifier and sequence number (RFC 792).
const MESSAGE_LENGTH: usize = 8;
/// An IPv4 header without options (RFC 791 §3.1).
const SHORTEST_IP_HEADER: usize = 20;

/// Asks and listens, wherever the routes lead.
#[derive(Debug)]
pub(crate) struct Icmp {
    socket: OwnedFd,
    identifier: [u8; 2],
}

impl Icmp {
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP))?;
        Ok(Self { socket, identifier: random::bytes()? })
    }

    /// Asks this address for an echo.
    pub(crate) fn ask(&self, ip: Ipv4Addr) -> io::Result<()> {
        sendto(&self.socket, &echo(self.identifier), SendFlags::empty(), &SocketAddr::from((ip, 0)))?;
        Ok(())
    }

    /// Asks until this address has answered; whether it has by then.
    pub(crate) fn find(&self, ip: Ipv4Addr, patience: Duration) -> bool {
        // A question that was not sent gets no answer, so this goes on until the deadline.
        let ask = || drop(self.ask(ip));
        let answers = || std::iter::from_fn(|| self.answer().ok().flatten()).find(|from| *from == ip);
        ask_until(&self.socket, patience, ask, answers).is_some()
    }

    /// The next address that has answered. `None`: there is no answer yet.
    pub(crate) fn answer(&self) -> io::Result<Option<Ipv4Addr>> {
        let mut buffer = [0; 256];
        loop {
            let length = match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((_, length)) => length.min(buffer.len()),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            if let Some(from) = echoed(&buffer[..length], self.identifier) {
                return Ok(Some(from));
            }
        }
    }
}

impl AsFd for Icmp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The message that asks for an echo. One number is enough for all: which question is answered does not matter.
fn echo(identifier: [u8; 2]) -> [u8; MESSAGE_LENGTH] {
    let [high, low] = identifier;
    let mut message = [ECHO, 0, 0, 0, high, low, 0, 1];
    let sum = checksum(&message).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    message
}

/// Who answers our question, if this IP packet is such an answer.
pub(crate) fn echoed(packet: &[u8], identifier: [u8; 2]) -> Option<Ipv4Addr> {
    // The header's length is counted in words of 4 bytes (RFC 791 §3.1).
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let message = packet.get(header..).filter(|_| header >= SHORTEST_IP_HEADER)?;
    let is_ours = message.len() >= MESSAGE_LENGTH
        && message[..2] == [ECHO_REPLY, 0]
        && message[4..6] == identifier
        && checksum(message) == 0;
    let source: [u8; 4] = packet[12..16].try_into().ok()?;
    is_ours.then(|| Ipv4Addr::from(source))
}

/// The one's complement of the one's complement sum of all 16-bit words (RFC 1071); zero over a message that
/// holds its own.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]));
    let sum = words.fold(0_u16, |sum, word| {
        let (sum, carried) = sum.overflowing_add(word);
        sum + u16::from(carried)
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOHN: Ipv4Addr = Ipv4Addr::new(10, 0, 9, 2);

    /// John's answer, in an IP packet with so many words of header.
    fn answer(header_words: u8) -> Vec<u8> {
        let mut packet = vec![0; usize::from(header_words) * 4];
        packet[0] = 0x40 | header_words;
        packet[12..16].copy_from_slice(&JOHN.octets());
        packet.extend([0, 0, 0xed, 0xca, 0x12, 0x34, 0, 1]);
        packet
    }

    #[test]
    fn the_checksum_of_the_example_in_rfc_1071() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[]), 0xffff);
        assert_eq!(checksum(&[0xff, 0xff, 0x01]), !0x0100, "an odd byte is a word's high byte");
    }

    #[test]
    fn a_question_is_these_8_bytes() {
        assert_eq!(echo([0x12, 0x34]), [8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1]);
        assert_eq!(checksum(&echo([0xff, 0xff])), 0);
    }

    #[test]
    fn an_answer_tells_who_is_on() {
        for header_words in [5, 6, 15] {
            assert_eq!(echoed(&answer(header_words), [0x12, 0x34]), Some(JOHN), "{header_words}");
        }
    }

    #[test]
    fn anything_else_tells_nothing() {
        let changed = |at: usize, to: u8| {
            let mut packet = answer(5);
            packet[at] = to;
            packet
        };
        let cases = [
            ("our own question", changed(20, ECHO)),
            ("an answer to another program", changed(24, 0x13)),
            ("a wrong checksum", changed(23, 0)),
            ("a header that is too short", changed(0, 0x44)),
            ("a header that is longer than the packet", changed(0, 0x4f)),
            ("a packet that is cut off", answer(5)[..27].to_vec()),
            ("nothing", Vec::new()),
        ];
        for (case, packet) in cases {
            assert_eq!(echoed(&packet, [0x12, 0x34]), None, "{case}");
        }
    }

    #[test]
    fn the_own_machine_answers_and_a_place_without_route_does_not() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // The network is a namespace of this thread's own: it goes away with the thread.
        let seen = std::thread::spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let icmp = Icmp::open().unwrap();
            let before = icmp.find(Ipv4Addr::LOCALHOST, Duration::from_millis(1));
            let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
            assert!(up.success());
            (before, icmp.find(Ipv4Addr::LOCALHOST, Duration::from_secs(30)), icmp.ask(JOHN).is_err())
        });
        assert_eq!(seen.join().unwrap(), (false, true, true));
    }
}
