//! A DHCPDISCOVER as a PXE boot ROM sends it, and what is read of a DHCPOFFER (RFC 2131, RFC 2132; PXE 2.1 §2.2).
//!
//! Pure: bytes in and out. The addresses in the answers are anybody's on the network, so every length is checked.

use std::net::Ipv4Addr;

use ghost_contract::MacAddress;

use super::message::{
    ADDRESS, BOOT_FILE, COOKIE, END, FILE, HARDWARE, MESSAGE_TYPE, NEXT_SERVER, OPTIONS, OVERLOAD, PAD,
    SERVER, SERVER_NAME, VENDORS, head, text, with_options,
};
use super::proxied::{MenuEntry, menu_entry};
use crate::ghostrc::Firmware;

/// What a server offers a boot ROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who says so; none if it does not tell its address.
    pub server: Option<Ipv4Addr>,
    /// The address that the client may ask for; unspecified in the offer of a proxy.
    pub address: Ipv4Addr,
    /// Where the boot file is.
    pub next_server: Ipv4Addr,
    /// The boot file in the field of the message, empty if there is none.
    pub file: Vec<u8>,
    /// The boot file as an option, which many boot ROMs prefer.
    pub file_option: Option<Vec<u8>>,
    /// The first entry of a proxy's menu, which a boot ROM asks it for at another port.
    pub menu_entry: Option<MenuEntry>,
}

impl Offer {
    /// What most boot ROMs load.
    pub fn boot_file(&self) -> &[u8] {
        self.file_option.as_deref().unwrap_or(&self.file)
    }

    /// The boot file and who offers it, to follow the client's name.
    pub fn words(&self) -> String {
        let files = match &self.file_option {
            Some(option) if !option.is_empty() && !self.file.is_empty() && *option != self.file => {
                format!("{} and, as an option, {}", named(&self.file), named(option))
            }
            _ => named(self.boot_file()),
        };
        self.server.map_or_else(|| files.clone(), |server| format!("{files} (says {server})"))
    }

    /// Who offers which other address than the client's own, as part of a sentence.
    pub(crate) fn leading_astray(&self) -> String {
        let server = self.server.map_or_else(
            || "another DHCP server".to_owned(),
            |server| format!("another DHCP server, {server},"),
        );
        let file = named(self.boot_file());
        format!("{server} answers too, and offers the address {} and {file}", self.address)
    }

    /// Whether it would give a client with this address another one. A proxy gives none.
    pub(crate) fn is_of_another_address(&self, own: Ipv4Addr) -> bool {
        !self.address.is_unspecified() && self.address != own
    }

    /// Whether some boot ROM may load this.
    pub fn may_boot(&self, boot_file: &[u8]) -> bool {
        self.file == boot_file || self.file_option.as_deref() == Some(boot_file)
    }
}

/// A boot file as people read it.
fn named(file: &[u8]) -> String {
    if file.is_empty() {
        return "no boot file".to_owned();
    }
    format!("'{}'", String::from_utf8_lossy(file).replace(char::is_control, "\u{fffd}"))
}

/// The message with which a client looks for servers. It asks for the answer by broadcast, since nobody here has the client's
/// address, and claims to have waited so long that servers which leave the first seconds to others answer too. It says of the
/// firmware what the client's own says, since a server may decide by that.
pub(crate) fn discover(mac: MacAddress, firmware: Firmware, transaction: u32) -> Vec<u8> {
    const WAITED: [u8; 2] = [0, 10];
    const BROADCAST: [u8; 2] = [0x80, 0];
    let mut message = head(mac, transaction);
    message[8..10].copy_from_slice(&WAITED);
    message[10..12].copy_from_slice(&BROADCAST);
    with_options(message, &[(MESSAGE_TYPE, &[1])], firmware)
}

/// An offer to this transaction and hardware address, if the message is one.
pub(crate) fn offer(message: &[u8]) -> Option<(u32, MacAddress, Offer)> {
    if message.len() < OPTIONS || message[..3] != [2, 1, 6] || message[OPTIONS - 4..OPTIONS] != COOKIE {
        return None;
    }
    let four = |at: usize| <[u8; 4]>::try_from(&message[at..at + 4]).ok();
    let mut options = Options::default();
    options.read(&message[OPTIONS..]);
    let overload = options.overload;
    if overload & 1 != 0 {
        options.read(&message[FILE]);
    }
    if overload & 2 != 0 {
        options.read(&message[SERVER_NAME]);
    }
    if options.message_type != [2] {
        return None;
    }
    let offer = Offer {
        server: <[u8; 4]>::try_from(options.server.as_slice()).ok().map(Ipv4Addr::from),
        address: four(16)?.into(),
        next_server: four(NEXT_SERVER)?.into(),
        file: if overload & 1 == 0 { text(&message[FILE]) } else { Vec::new() },
        file_option: Some(text(&options.boot_file)).filter(|file| !file.is_empty()),
        menu_entry: menu_entry(&options.vendors),
    };
    let mac = <[u8; 6]>::try_from(&message[HARDWARE..HARDWARE + 6]).ok()?;
    Some((u32::from_be_bytes(four(4)?), MacAddress::new(mac), offer))
}

/// What a client asks servers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It looks for servers.
    WhoHasAnAddress,
    /// It takes what this server has offered.
    ForThisAddress { address: Ipv4Addr, of: Ipv4Addr },
}

/// Which client asks for what, if the message is a client's. A system that asks again for the address that it had names no
/// server.
pub fn asked(message: &[u8]) -> Option<(MacAddress, Asked)> {
    if message.len() < OPTIONS || message[..3] != [1, 1, 6] || message[OPTIONS - 4..OPTIONS] != COOKIE {
        return None;
    }
    let mut options = Options::default();
    options.read(&message[OPTIONS..]);
    let ip = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    let asked = match options.message_type[..] {
        [1] => Asked::WhoHasAnAddress,
        [3] => Asked::ForThisAddress { address: ip(&options.address)?, of: ip(&options.server)? },
        _ => return None,
    };
    let mac = <[u8; 6]>::try_from(&message[HARDWARE..HARDWARE + 6]).ok()?;
    Some((MacAddress::new(mac), asked))
}

#[derive(Default)]
struct Options {
    address: Vec<u8>,
    overload: u8,
    message_type: Vec<u8>,
    server: Vec<u8>,
    boot_file: Vec<u8>,
    vendors: Vec<u8>,
}

impl Options {
    /// An option that comes several times is one long one (RFC 3396 §7). What is cut short ends the reading.
    fn read(&mut self, mut bytes: &[u8]) {
        loop {
            bytes = match bytes {
                [PAD, rest @ ..] => rest,
                [] | [END, ..] | [_] => return,
                [code, length, rest @ ..] => {
                    let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { return };
                    self.take(*code, value);
                    rest
                }
            };
        }
    }

    fn take(&mut self, code: u8, value: &[u8]) {
        match code {
            ADDRESS => self.address.extend(value),
            OVERLOAD => self.overload = value.first().copied().unwrap_or_default(),
            MESSAGE_TYPE => self.message_type.extend(value),
            SERVER => self.server.extend(value),
            BOOT_FILE => self.boot_file.extend(value),
            VENDORS => self.vendors.extend(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::SHORTEST;
    use super::*;

    const JOHN: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 2]);

    /// An offer of this file and with these options behind its type.
    fn message(file: &[u8], options: &[u8]) -> Vec<u8> {
        let mut message = discover(JOHN, Firmware::Bios, 7);
        message.truncate(OPTIONS);
        message[0] = 2;
        message[16..24].copy_from_slice(&[192, 168, 7, 2, 192, 168, 7, 1]);
        message[FILE.start..FILE.start + file.len()].copy_from_slice(file);
        message.extend([MESSAGE_TYPE, 1, 2]);
        message.extend(options);
        message
    }

    #[test]
    fn a_question_is_a_discover_by_broadcast_and_never_a_request() {
        let asked = discover(JOHN, Firmware::Bios, 0x0102_0304);
        assert_eq!(asked[..12], [1, 1, 6, 0, 1, 2, 3, 4, 0, 10, 0x80, 0]);
        assert_eq!((&asked[12..28], &asked[28..34]), (&[0; 16][..], &JOHN.bytes()[..]));
        assert_eq!(asked[236..243], [99, 130, 83, 99, MESSAGE_TYPE, 1, 1]);
        assert!(asked.len() >= SHORTEST);
        for (firmware, number, class) in
            [(Firmware::Bios, 0, "PXEClient:Arch:00000"), (Firmware::Uefi, 7, "PXEClient:Arch:00007")]
        {
            let asked = discover(JOHN, firmware, 1);
            let holds = |part: &[u8]| asked.windows(part.len()).any(|window| window == part);
            assert!(holds(class.as_bytes()) && holds(&[93, 2, 0, number]), "{firmware:?}");
        }
    }

    #[test]
    fn what_is_offered_stands_in_the_field_or_in_an_option() {
        let (transaction, mac, plain) =
            offer(&message(b"nobackup", &[SERVER, 4, 192, 168, 7, 1, END])).unwrap();
        assert_eq!((transaction, mac, plain.boot_file()), (7, JOHN, &b"nobackup"[..]));
        assert_eq!(plain.words(), "'nobackup' (says 192.168.7.1)");
        assert_eq!((plain.server, plain.address), (Some([192, 168, 7, 1].into()), [192, 168, 7, 2].into()));
        let both = offer(&message(b"field", &[BOOT_FILE, 3, b'o', b'p', 0, BOOT_FILE, 1, b't'])).unwrap().2;
        assert_eq!(both.boot_file(), b"op", "the byte 0 ends it");
        assert_eq!(both.words(), "'field' and, as an option, 'op'");
        assert!(both.may_boot(b"field") && both.may_boot(b"op") && !both.may_boot(b"opt"));
        let long =
            offer(&message(b"", &[BOOT_FILE, 2, b'a', b'b', PAD, BOOT_FILE, 1, b'c', END, 1])).unwrap().2;
        assert_eq!(long.boot_file(), b"abc");
        // The field holds options, among them the name.
        let overloaded = offer(&message(&[BOOT_FILE, 1, b'x', END], &[OVERLOAD, 1, 1])).unwrap().2;
        assert_eq!((overloaded.boot_file(), overloaded.file.as_slice()), (&b"x"[..], &[][..]));
    }

    #[test]
    fn a_client_looks_for_servers_and_then_takes_what_one_of_them_offers() {
        let looks = discover(JOHN, Firmware::Bios, 7);
        assert_eq!(asked(&looks), Some((JOHN, Asked::WhoHasAnAddress)));
        let mut takes = looks[..OPTIONS].to_vec();
        takes.extend([MESSAGE_TYPE, 1, 3, ADDRESS, 4, 192, 168, 7, 66, SERVER, 4, 192, 168, 7, 250, END]);
        let [address, of] = [[192, 168, 7, 66], [192, 168, 7, 250]].map(Ipv4Addr::from);
        assert_eq!(asked(&takes), Some((JOHN, Asked::ForThisAddress { address, of })));
        for length in 0..takes.len() - 1 {
            assert_eq!(asked(&takes[..length]), None, "cut at {length}");
        }
        takes[OPTIONS + 2] = 8;
        assert_eq!(asked(&takes), None, "it asks for settings only");
        assert_eq!(asked(&message(b"", &[])), None, "an offer");
    }

    #[test]
    fn what_is_no_offer_is_passed_over_wherever_it_is_cut() {
        let whole = message(b"nobackup", &[SERVER, 4, 1, 2, 3, 4, BOOT_FILE, 5, b'a']);
        for length in 0..whole.len() {
            let _in_peace = offer(&whole[..length]);
        }
        assert_eq!(offer(&whole[..OPTIONS]), None, "without a type it is BOOTP's answer to another");
        let spoilt = |at: usize, byte| offer(&[&whole[..at], &[byte], &whole[at + 1..]].concat());
        assert_eq!(spoilt(0, 1), None, "a question");
        assert_eq!(spoilt(OPTIONS + 2, 5), None, "an acknowledgement");
        assert_eq!(spoilt(OPTIONS - 1, 0), None, "no cookie");
        assert!(spoilt(OPTIONS + 3, PAD).is_some());
    }
}
