//! The hardware address of a network card, which is what a client is known by on the wire.
//!
//! Does not know interfaces: it is six bytes and the ways in which people and programs write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::text_form;

/// A 48-bit Ethernet address. Ordered and compared as bytes, so letter case never matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

/// Why a text is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacAddressError {
    /// The text does not have six parts.
    #[error(
        "'{0}' is not a hardware address: it has {1} parts where six are needed, as in 52:54:00:12:34:56"
    )]
    Parts(String, usize),
    /// A part is not one or two hexadecimal digits.
    #[error("'{0}' is not a hardware address: '{1}' is not one or two hexadecimal digits")]
    Digits(String, String),
}

impl MacAddress {
    /// The address made of these six bytes, in the order in which they go over the wire.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The six bytes in the order in which they go over the wire.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// Reads what pxelinux appends to the kernel command line as `BOOTIF` (syslinux documentation,
    /// `SYSAPPEND 2`): the ARP hardware type, a dash, and the address with dashes, as in
    /// `01-52-54-00-12-34-56`.
    pub fn from_bootif(text: &str) -> Result<Self, MacAddressError> {
        let address = text.split_once('-').map_or(text, |(_hardware_type, rest)| rest);
        address.parse()
    }
}

impl FromStr for MacAddress {
    type Err = MacAddressError;

    /// Accepts colons or dashes, either letter case, and the one-digit bytes that dhcpd.conf allows.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split([':', '-']).collect();
        let mut bytes = [0_u8; 6];
        if parts.len() != bytes.len() {
            return Err(MacAddressError::Parts(text.to_owned(), parts.len()));
        }
        for (byte, part) in bytes.iter_mut().zip(&parts) {
            let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
            *byte = digits
                .then(|| u8::from_str_radix(part, 16).ok())
                .flatten()
                .ok_or_else(|| MacAddressError::Digits(text.to_owned(), (*part).to_owned()))?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_form!(MacAddress, |mac| mac.to_string());

#[cfg(test)]
mod tests {
    use super::*;

    const JOHN: MacAddress = MacAddress::new([0x00, 0x0a, 0xeb, 0x12, 0x34, 0x5f]);

    #[test]
    fn capitals_dashes_and_single_digits_are_the_same_address() {
        for text in ["00:0a:eb:12:34:5f", "00:0A:EB:12:34:5F", "0:a:eb:12:34:5f", "00-0A-EB-12-34-5F"] {
            assert_eq!(text.parse(), Ok(JOHN), "{text}");
        }
    }

    #[test]
    fn bootif_carries_the_hardware_type_in_front() {
        assert_eq!(MacAddress::from_bootif("01-00-0a-eb-12-34-5f"), Ok(JOHN));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!("00:0a:eb".parse::<MacAddress>(), Err(MacAddressError::Parts("00:0a:eb".to_owned(), 3)));
        for (text, part) in
            [("00:0a:eb:12:34:xx", "xx"), ("000:a:eb:12:34:5f", "000"), ("0:a:+b:1:2:3", "+b")]
        {
            assert_eq!(
                text.parse::<MacAddress>(),
                Err(MacAddressError::Digits(text.to_owned(), part.to_owned()))
            );
        }
    }

    #[test]
    fn it_is_written_in_small_letters() {
        assert_eq!(JOHN.to_string(), "00:0a:eb:12:34:5f");
    }
}
