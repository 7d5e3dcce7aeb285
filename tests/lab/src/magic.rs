//! Which PC a frame on the wire would wake.
//!
//! A magic packet holds, anywhere in its payload, six bytes FFh and then sixteen times the hardware address
//! (AMD, "Magic Packet Technology", 1995). A SecureOn password of four or six bytes may follow; the lab's cards ignore it.
//! Pure; knows no socket.

use ghost_contract::MacAddress;
use serde::{Deserialize, Serialize};

/// EtherType that is registered for Wake-on-LAN; `ether-wake` uses it.
pub const ETHERTYPE_WAKE_ON_LAN: u16 = 0x0842;
/// EtherType of IPv4 (RFC 894).
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// IP protocol number of UDP (RFC 768).
pub const PROTOCOL_UDP: u8 = 17;

/// Destination, source and EtherType of an Ethernet II frame.
const ETHERNET_HEADER: usize = 14;
/// The IPv4 header without options (RFC 791).
const IPV4_HEADER: usize = 20;
/// The UDP header (RFC 768).
const UDP_HEADER: usize = 8;
/// The synchronisation stream at the beginning of the pattern.
const SYNC: [u8; 6] = [0xff; 6];
/// How often the address follows it.
const REPETITIONS: usize = 16;

/// In what kind of packet the pattern came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Right behind the Ethernet header, EtherType 0842h.
    Raw,
    /// In an IPv4 UDP datagram, any port.
    Udp,
}

/// A magic packet that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MagicPacket {
    /// The card that it wakes.
    pub target: MacAddress,
    pub kind: Kind,
}

/// The magic packet in this Ethernet frame, if it is one.
pub fn parse(frame: &[u8]) -> Option<MagicPacket> {
    let ethertype = u16::from_be_bytes(frame.get(12..ETHERNET_HEADER)?.try_into().ok()?);
    let payload = &frame[ETHERNET_HEADER..];
    match ethertype {
        ETHERTYPE_WAKE_ON_LAN => find_pattern(payload).map(|target| MagicPacket { target, kind: Kind::Raw }),
        ETHERTYPE_IPV4 => {
            find_pattern(udp_payload(payload)?).map(|target| MagicPacket { target, kind: Kind::Udp })
        }
        _ => None,
    }
}

/// What a UDP datagram carries, bounded by its own length field.
fn udp_payload(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    let header = usize::from(first & 0x0f) * 4;
    let is_udp = first >> 4 == 4 && header >= IPV4_HEADER && *packet.get(9)? == PROTOCOL_UDP;
    if !is_udp {
        return None;
    }
    let datagram = packet.get(header..)?;
    let length = usize::from(u16::from_be_bytes(datagram.get(4..6)?.try_into().ok()?));
    datagram.get(UDP_HEADER..length)
}

/// The address that stands sixteen times behind a synchronisation stream, wherever that begins.
fn find_pattern(payload: &[u8]) -> Option<MacAddress> {
    payload.windows(SYNC.len() + REPETITIONS * 6).find_map(|window| {
        let (sync, addresses) = window.split_at(SYNC.len());
        let target: [u8; 6] = addresses.get(..6)?.try_into().ok()?;
        let good = sync == SYNC && target != SYNC && addresses.chunks_exact(6).all(|chunk| chunk == target);
        good.then(|| MacAddress::new(target))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOHN: [u8; 6] = [0x00, 0xe0, 0x7d, 0xc9, 0x1a, 0x2b];

    fn pattern(sync: usize, repetitions: usize) -> Vec<u8> {
        [vec![0xff; sync], JOHN.repeat(repetitions)].concat()
    }

    fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
        [&[0xff; 6], &[2, 0, 0, 0, 0, 1], &ethertype.to_be_bytes()[..], payload].concat()
    }

    fn udp(payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(UDP_HEADER + payload.len()).unwrap();
        let mut packet = vec![0_u8; IPV4_HEADER];
        packet[0] = 0x45;
        packet[9] = PROTOCOL_UDP;
        packet.extend([0x12, 0x34, 0, 9, 0, length, 0, 0]);
        packet.extend(payload);
        ethernet(ETHERTYPE_IPV4, &packet)
    }

    fn seen(kind: Kind) -> Option<MagicPacket> {
        Some(MagicPacket { target: MacAddress::new(JOHN), kind })
    }

    #[test]
    fn a_raw_packet_wakes() {
        assert_eq!(parse(&ethernet(ETHERTYPE_WAKE_ON_LAN, &pattern(6, 16))), seen(Kind::Raw));
    }

    #[test]
    fn a_datagram_wakes() {
        assert_eq!(parse(&udp(&pattern(6, 16))), seen(Kind::Udp));
    }

    #[test]
    fn the_pattern_may_stand_anywhere_and_have_a_password_behind_it() {
        let payload = [&[1, 2, 3][..], &pattern(9, 16), &[1, 2, 3, 4, 5, 6]].concat();
        assert_eq!(parse(&ethernet(ETHERTYPE_WAKE_ON_LAN, &payload)), seen(Kind::Raw));
        assert_eq!(parse(&udp(&payload)), seen(Kind::Udp));
    }

    #[test]
    fn fifteen_repetitions_or_five_bytes_of_sync_wake_nobody() {
        for payload in [pattern(6, 15), pattern(5, 16)] {
            assert_eq!(parse(&ethernet(ETHERTYPE_WAKE_ON_LAN, &payload)), None);
            assert_eq!(parse(&udp(&payload)), None);
        }
    }

    #[test]
    fn one_wrong_byte_wakes_nobody() {
        for wrong in 0..6 + 96 {
            let mut payload = pattern(6, 16);
            payload[wrong] ^= 0x10;
            assert_eq!(parse(&ethernet(ETHERTYPE_WAKE_ON_LAN, &payload)), None, "byte {wrong}");
        }
    }

    #[test]
    fn another_ethertype_another_protocol_or_a_short_datagram_wakes_nobody() {
        assert_eq!(parse(&ethernet(0x86dd, &pattern(6, 16))), None);
        let mut tcp = udp(&pattern(6, 16));
        tcp[ETHERNET_HEADER + 9] = 6;
        assert_eq!(parse(&tcp), None);
        let mut short = udp(&pattern(6, 16));
        short[ETHERNET_HEADER + IPV4_HEADER + 5] -= 1;
        assert_eq!(parse(&short), None);
    }

    #[test]
    fn rubbish_is_no_packet() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&ethernet(ETHERTYPE_WAKE_ON_LAN, &[0xff; 102])), None);
        let whole = udp(&pattern(6, 16));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "cut to {length}");
        }
    }
}
