//! What a proxy names where the boot ROM asks it: not in its offer, but at a port of its own (PXE 2.1 §2.2.5). Pure.

use std::net::Ipv4Addr;

use ghost_contract::MacAddress;

use super::message::{END, FILE, HARDWARE, MESSAGE_TYPE, OPTIONS, VENDORS, head, text, with_options};
use crate::ghostrc::Firmware;

/// Which of a proxy's boot files is meant (PXE 2.1 §2.4.5).
pub type MenuEntry = [u8; 2];

/// A question to a proxy which boot file this entry of its menu is, or where it offers none, which it names. The proxy answers the
/// machine with this address; it gives none away, whatever it is asked.
pub(super) fn which_file(
    mac: MacAddress,
    firmware: Firmware,
    transaction: u32,
    (asker, entry): (Ipv4Addr, Option<MenuEntry>),
) -> Vec<u8> {
    const ITEM: u8 = 71;
    let mut message = head(mac, transaction);
    message[12..16].copy_from_slice(&asker.octets());
    // The first layer of the entry.
    let item = entry.map(|[first, second]| [ITEM, 4, first, second, 0, 0, END]);
    let options: Vec<(u8, &[u8])> = match &item {
        Some(item) => vec![(MESSAGE_TYPE, &[3]), (VENDORS, item)],
        None => vec![(MESSAGE_TYPE, &[3])],
    };
    with_options(message, &options, firmware)
}

/// The boot file that a proxy names in answer to this question.
pub(super) fn named_file(message: &[u8], mac: MacAddress, transaction: u32) -> Option<Vec<u8>> {
    let is_answer = message.len() >= OPTIONS
        && message[..3] == [2, 1, 6]
        && message[4..8] == transaction.to_be_bytes()
        && message[HARDWARE..HARDWARE + 6] == mac.bytes();
    is_answer.then(|| text(&message[FILE]))
}

/// The first entry of a boot menu among a vendor's options, which are written as options are.
pub(super) fn menu_entry(mut vendors: &[u8]) -> Option<MenuEntry> {
    const MENU: u8 = 9;
    loop {
        let [code, length, rest @ ..] = vendors else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        match (*code, value) {
            (MENU, [first, second, ..]) => return Some([*first, *second]),
            (END, _) => return None,
            _ => vendors = rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOHN: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 2]);

    #[test]
    fn the_first_entry_of_the_menu_is_found_wherever_the_options_are_cut() {
        // What dnsmasq 2.90 offers.
        let vendors =
            b"\x06\x01\x03\x0a\x04\0PXE\x08\x07\x80\0\x01\xc0\xa8\x07\x01\x09\x0e\x80\0\x0bGhost4Linux\xff";
        assert_eq!(menu_entry(vendors), Some([0x80, 0]));
        for length in 0..vendors.len() - 1 {
            assert_eq!(menu_entry(&vendors[..length]), None, "cut at {length}");
        }
        assert_eq!(menu_entry(b"\x06\x01\x08\x0a\x04\0PXE\xff"), None, "without a menu");
    }

    #[test]
    fn a_question_names_who_is_to_be_answered_and_the_answer_is_taken_from_that_one_only() {
        let own = Ipv4Addr::new(192, 168, 7, 1);
        let asked = which_file(JOHN, Firmware::Bios, 7, (own, Some([0x80, 0])));
        assert_eq!((&asked[12..16], &asked[28..34]), (&own.octets()[..], &JOHN.bytes()[..]));
        let holds = |part: &[u8]| asked.windows(part.len()).any(|window| window == part);
        assert!(holds(&[MESSAGE_TYPE, 1, 3]) && holds(&[VENDORS, 7, 71, 4, 0x80, 0, 0, 0, END]));
        let mut answer = asked;
        answer[0] = 2;
        answer[FILE.start..FILE.start + 3].copy_from_slice(b"x.0");
        assert_eq!(named_file(&answer, JOHN, 7).as_deref(), Some(&b"x.0"[..]));
        assert_eq!(named_file(&answer, JOHN, 8), None);
        assert_eq!(named_file(&answer, MacAddress::new([2; 6]), 7), None);
        assert_eq!(named_file(&answer[..OPTIONS - 1], JOHN, 7), None);
    }
}
