//! What a datagram of a client's means, and whose it is.
//!
//! Pure: everything in it is anybody's on the network, so every length is checked.

use std::net::Ipv4Addr;

use ghost_contract::{MacAddress, early};

use crate::dhcp::probe::{Asked, asked};
use crate::job::Heard;
use crate::sys::earshot::{DHCP, TFTP};
use crate::sys::udp_frame::Datagram;

/// A request to read a file (RFC 1350 §5).
const READ: [u8; 2] = [0, 1];
/// The longest name of a file that is told, bytes.
const NAME: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overheard {
    /// The client's card, as DHCP says it; else that of the machine on the wire, which may be a gateway.
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    pub heard: Heard,
}

pub(crate) fn understood(said: Datagram<'_>) -> Option<Overheard> {
    let (mac, heard) = match said.port {
        DHCP => {
            // Whoever has no address yet sends from none (RFC 2131 §4.1), or a relay passes it on. All else is a question of
            // our own about what DHCP offers.
            if !said.from.is_unspecified() && !is_relayed(said.payload) {
                return None;
            }
            let (mac, asked) = asked(said.payload)?;
            let heard = match asked {
                Asked::WhoHasAnAddress => Heard::AsksForAddress,
                Asked::ForThisAddress { address, of } => Heard::TakesAddress { address, of },
            };
            (mac, heard)
        }
        TFTP => (said.mac, Heard::AsksForFile { file: file(said.payload)? }),
        early::PORT => (said.mac, Heard::Says { words: early::words(said.payload)? }),
        _ => return None,
    };
    Some(Overheard { mac, ip: said.from, heard })
}

fn is_relayed(message: &[u8]) -> bool {
    message.get(24..28).is_some_and(|relay| relay != [0; 4])
}

fn file(request: &[u8]) -> Option<String> {
    let rest = request.strip_prefix(&READ)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..length.min(NAME)]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOHN: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 2]);
    const IP: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);

    fn heard(port: u16, payload: &[u8]) -> Option<Heard> {
        let said = understood(Datagram { mac: JOHN, from: IP, port, payload })?;
        assert_eq!((said.mac, said.ip), (JOHN, IP));
        Some(said.heard)
    }

    #[test]
    fn a_file_is_told_by_its_name_and_no_more_of_it_than_fits_a_line() {
        let file = |name: &str| Some(Heard::AsksForFile { file: name.to_owned() });
        assert_eq!(heard(69, b"\0\x01pxelinux.0\0octet\0tsize\0\x30\0"), file("pxelinux.0"));
        assert_eq!(heard(69, &[b"\0\x01", &[b'x'; 400][..], b"\0octet\0"].concat()), file(&"x".repeat(NAME)));
        for other in [&b""[..], b"\0\x01", b"\0\x01no-end", b"\0\x02written\0octet\0", b"\0\x04\0\x01"] {
            assert_eq!(heard(69, other), None, "{other:?}");
        }
    }

    #[test]
    fn a_client_asks_from_no_address_or_by_a_relay_and_what_ghostctl_asks_itself_is_not_its() {
        // Its first bytes, its card, and the options: a DHCPDISCOVER (RFC 2131 §2, RFC 2132 §9.6).
        let mut asks = vec![0; 236];
        asks[..3].copy_from_slice(&[1, 1, 6]);
        asks[28..34].copy_from_slice(&JOHN.bytes());
        asks.extend([99, 130, 83, 99, 53, 1, 1, 255]);
        let of = |from: Ipv4Addr, payload: &[u8]| {
            understood(Datagram { mac: JOHN, from, port: 67, payload }).map(|overheard| overheard.heard)
        };
        assert_eq!(of(Ipv4Addr::UNSPECIFIED, &asks), Some(Heard::AsksForAddress));
        assert_eq!(of([192, 168, 7, 1].into(), &asks), None);
        let mut relayed = asks;
        relayed[24..28].copy_from_slice(&[192, 168, 9, 1]);
        assert_eq!(of([192, 168, 9, 1].into(), &relayed), Some(Heard::AsksForAddress));
        assert_eq!(of([192, 168, 9, 1].into(), b"short"), None);
    }

    #[test]
    fn a_word_is_heard_and_what_other_programs_write_to_syslog_is_not() {
        let words = "cannot mount it".to_owned();
        assert_eq!(heard(514, &early::datagram(&words)), Some(Heard::Says { words }));
        assert_eq!(heard(514, b"<13>root: hello"), None);
        assert_eq!(heard(2049, &early::datagram("x")), None);
    }
}
