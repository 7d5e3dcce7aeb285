//! The checksum of a file's content, as `sha256sum` writes it.
//!
//! It is calculated elsewhere: the imager and the server do so as they write or read the file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A SHA-256 checksum (FIPS 180-4), written as `sha256sum` does.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

/// A text that is not a checksum.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a SHA-256 checksum: it must be 64 hexadecimal digits")]
pub struct NotASha256(String);

impl Sha256 {
    /// The checksum with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Sha256> for String {
    fn from(sum: Sha256) -> Self {
        sum.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = NotASha256;

    fn try_from(text: String) -> Result<Self, NotASha256> {
        let mut bytes = [0; 32];
        let digits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let pair = text.get(at..at + 2).filter(|_| digits);
            let parsed = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            match parsed {
                Some(value) => *byte = value,
                None => return Err(NotASha256(text)),
            }
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_64_hexadecimal_digits() {
        let text = "ab".repeat(32);
        assert_eq!(Sha256::try_from(text.clone()), Ok(Sha256::new([0xab; 32])));
        assert_eq!(Sha256::new([0xab; 32]).to_string(), text);
        for wrong in ["ab".repeat(31), "ab".repeat(33), "xy".repeat(32), "+b".repeat(32), "é".repeat(32)] {
            assert_eq!(Sha256::try_from(wrong.clone()), Err(NotASha256(wrong)));
        }
    }
}
