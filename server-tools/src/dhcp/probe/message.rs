//! How a message of DHCP is laid out (RFC 2131, RFC 2132), and what a boot ROM says of itself in each.
//!
//! Pure. Does not know what is asked or answered.

use ghost_contract::MacAddress;

use crate::ghostrc::Firmware;

/// Where the fields of a message are (RFC 2131 §2).
pub(super) const NEXT_SERVER: usize = 20;
pub(super) const HARDWARE: usize = 28;
pub(super) const SERVER_NAME: std::ops::Range<usize> = 44..108;
pub(super) const FILE: std::ops::Range<usize> = 108..236;
pub(super) const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Where the options begin, behind the cookie.
pub(super) const OPTIONS: usize = 240;
/// Relays drop messages that are shorter than BOOTP's (RFC 1542 §2.1).
pub(super) const SHORTEST: usize = 300;

pub(super) const PAD: u8 = 0;
pub(super) const VENDORS: u8 = 43;
pub(super) const ADDRESS: u8 = 50;
pub(super) const OVERLOAD: u8 = 52;
pub(super) const MESSAGE_TYPE: u8 = 53;
pub(super) const SERVER: u8 = 54;
pub(super) const BOOT_FILE: u8 = 67;
pub(super) const END: u8 = 255;

pub(super) fn head(mac: MacAddress, transaction: u32) -> Vec<u8> {
    let mut message = vec![0; OPTIONS - COOKIE.len()];
    message[..4].copy_from_slice(&[1, 1, 6, 0]);
    message[4..8].copy_from_slice(&transaction.to_be_bytes());
    message[HARDWARE..HARDWARE + 6].copy_from_slice(&mac.bytes());
    message.extend(COOKIE);
    message
}

/// A message with these options, and what a boot ROM says of itself.
pub(super) fn with_options(mut message: Vec<u8>, first: &[(u8, &[u8])], firmware: Firmware) -> Vec<u8> {
    let system = firmware.client_system();
    let class = format!("PXEClient:Arch:{system:05}:UNDI:002001");
    let options: [(u8, &[u8]); 6] = [
        // Subnet mask, router, vendor's options, server, class, TFTP server, boot file.
        (55, &[1, 3, 43, 54, 60, 66, 67]),
        // The largest answer that fits one frame.
        (57, &1_472_u16.to_be_bytes()),
        (60, class.as_bytes()),
        (93, &system.to_be_bytes()),
        (94, &[1, 2, 1]),
        // A machine that tells none.
        (97, &[0; 17]),
    ];
    for (code, value) in first.iter().copied().chain(options) {
        message.push(code);
        message.push(u8::try_from(value.len()).unwrap_or_default());
        message.extend(value);
    }
    message.push(END);
    message.resize(message.len().max(SHORTEST), PAD);
    message
}

/// Up to the first byte 0, which ends a field, and with which some servers end the option too.
pub(super) fn text(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().take_while(|byte| *byte != 0).collect()
}
