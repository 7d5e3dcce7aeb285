//! The name of a job, and the secret by which a client knows that it has mounted the right image store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::text_form;

/// The name of one job: `20260123-142501-4f3a91c2`, its start (UTC) and random digits, so that jobs sort
/// by time and two that start in the same second differ. Safe as one component of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// 128 random bits in hexadecimal. The server writes a file of this name into the image store; a client
/// that finds it there knows that its mount is the place that the server means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(String);

/// Why a text is neither a job's name nor a nonce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Not the form of a job's name.
    #[error(
        "'{0}' is not the name of a job: it must be 1 to 64 small letters, digits and '-', and not begin with '-'"
    )]
    Id(String),
    /// Not the form of a nonce.
    #[error("'{0}' is not a nonce: it must be 32 hexadecimal digits in small letters")]
    Nonce(String),
}

impl JobId {
    /// The name as text, one component of a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Nonce {
    /// The nonce made of these 128 random bits.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The nonce as 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let belongs = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=64).contains(&text.len()) && text.chars().all(belongs) && !text.starts_with('-');
        good.then(|| Self(text.to_owned())).ok_or_else(|| JobError::Id(text.to_owned()))
    }
}

impl FromStr for Nonce {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let belongs = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let good = text.len() == 32 && text.bytes().all(belongs);
        good.then(|| Self(text.to_owned())).ok_or_else(|| JobError::Nonce(text.to_owned()))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_form!(JobId, |id| id.0);
text_form!(Nonce, |nonce| nonce.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_is_one_component_of_a_path() {
        assert!("20260123-142501-4f3a".parse::<JobId>().is_ok());
        for text in ["", "-a", "a/b", "..", "A", "a b"] {
            assert_eq!(text.parse::<JobId>(), Err(JobError::Id(text.to_owned())));
        }
    }

    #[test]
    fn a_nonce_is_128_bits_in_hexadecimal() {
        let nonce = Nonce::new([0xab; 16]);
        assert_eq!(nonce.as_str(), "ab".repeat(16));
        assert_eq!(nonce.as_str().parse(), Ok(nonce));
        assert!("AB".repeat(16).parse::<Nonce>().is_err());
        assert!("ab".repeat(15).parse::<Nonce>().is_err());
    }
}
