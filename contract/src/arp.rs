//! Who has an IP address on an Ethernet: the questions and answers of ARP (RFC 826), as bytes.

use std::net::Ipv4Addr;

use crate::MacAddress;

/// EtherType of ARP (RFC 826).
pub const ETHERTYPE: u16 = 0x0806;
/// Hardware type Ethernet, protocol type IPv4, six and four bytes of address (RFC 826).
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const FRAME_LENGTH: usize = 42;
/// What a machine says of itself, by a question or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The address that was asked for.
    pub ip: Ipv4Addr,
    /// The hardware address of the machine that has it.
    pub mac: MacAddress,
}

/// The frame that asks all machines for the owner of `wanted`.
pub fn request(own_mac: MacAddress, own_ip: Ipv4Addr, wanted: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_LENGTH);
    frame.extend([0xff; 6]);
    frame.extend(own_mac.bytes());
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend(ETHERNET_IPV4);
    frame.extend(REQUEST);
    frame.extend(own_mac.bytes());
    frame.extend(own_ip.octets());
    frame.extend([0; 6]);
    frame.extend(wanted.octets());
    frame
}

/// Whose address a frame tells. A question tells its asker's as well as an answer does; an asker that does not
/// have an address yet (RFC 5227 §2.1.1, all zero) tells nothing.
pub fn spoken(frame: &[u8]) -> Option<Answer> {
    if !is_well_formed(frame) {
        return None;
    }
    let mac = MacAddress::new(frame[22..28].try_into().ok()?);
    let ip = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[28..32]).ok()?);
    (!ip.is_unspecified()).then_some(Answer { ip, mac })
}

/// The address that a machine is about to take: it asks all others whether one has it, and has none itself yet (RFC 5227
/// §2.1.1). Switches that look after their ports ask in the same way, but one machine only.
pub fn probed(frame: &[u8]) -> Option<Answer> {
    let asks_all = is_well_formed(frame) && frame[..6] == [0xff; 6] && frame[20..22] == REQUEST;
    if !asks_all || frame[28..32] != [0; 4] {
        return None;
    }
    let mac = MacAddress::new(frame[22..28].try_into().ok()?);
    let ip = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[38..42]).ok()?);
    Some(Answer { ip, mac })
}

fn is_well_formed(frame: &[u8]) -> bool {
    frame.len() >= FRAME_LENGTH && frame[12..14] == ETHERTYPE.to_be_bytes() && frame[14..20] == ETHERNET_IPV4
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);
    const JOHN: MacAddress = MacAddress::new([0, 10, 235, 1, 2, 3]);
    const SERVER_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
    const JOHN_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);

    #[test]
    fn a_question_is_these_42_bytes() {
        let expected = [
            255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, // Ethernet
            0, 1, 8, 0, 6, 4, 0, 1, // who has
            2, 0, 0, 0, 0, 1, 192, 168, 7, 1, // the server
            0, 0, 0, 0, 0, 0, 192, 168, 7, 2, // john
        ];
        assert_eq!(request(SERVER, SERVER_IP, JOHN_IP), expected);
    }

    #[test]
    fn an_answer_tells_who_has_the_address() {
        let mut frame = request(JOHN, JOHN_IP, SERVER_IP);
        frame[21] = 2;
        frame.extend([0; 18]);
        assert_eq!(spoken(&frame), Some(Answer { ip: JOHN_IP, mac: JOHN }));
    }

    #[test]
    fn a_probe_tells_who_is_about_to_take_which_address() {
        let probe = request(JOHN, Ipv4Addr::UNSPECIFIED, JOHN_IP);
        assert_eq!(probed(&probe), Some(Answer { ip: JOHN_IP, mac: JOHN }));
        assert_eq!(probed(&request(JOHN, JOHN_IP, SERVER_IP)), None, "it has an address");
        let to_one = [&[2, 0, 0, 0, 0, 1], &probe[6..]].concat();
        assert_eq!(probed(&to_one), None);
        let mut answer = probe.clone();
        answer[21] = 2;
        assert_eq!(probed(&answer), None);
        assert_eq!(probed(&probe[..41]), None);
        assert_eq!(probed(&[]), None);
    }

    #[test]
    fn a_probe_without_an_address_and_a_short_frame_tell_nothing() {
        assert_eq!(spoken(&request(JOHN, Ipv4Addr::UNSPECIFIED, JOHN_IP)), None);
        assert_eq!(spoken(&request(JOHN, JOHN_IP, SERVER_IP)[..41]), None);
        assert_eq!(spoken(&[]), None);
    }
}
