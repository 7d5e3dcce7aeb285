//! The manifest: what a generation consists of. One JSON file in its folder, written by the server only.
//!
//! Pure: bytes and values. What is on the disk is compared with it in [`super::check`].
//!
//! Checksums are SHA-256 and not BLAKE3, although BLAKE3 is faster: an administrator can check an image with
//! `sha256sum`, which every system has, years from now and without this program:
//! `jq -r '.pieces[] | .sha256 + "  " + .path' manifest.json | sha256sum --check`.

use std::fmt;

use ghost_contract::order::Imager;
use ghost_contract::{Generation, HostName, JobId, MacAddress, Mode, UnixTime};
use serde::{Deserialize, Serialize};

/// The version of the format that this program writes and reads.
pub const VERSION: u32 = 1;

/// What a generation consists of and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format, [`VERSION`] when written.
    pub version: u32,
    /// Whose disk it is, by name …
    pub host: HostName,
    /// … and by hardware address.
    pub mac: MacAddress,
    /// The job that made it.
    pub job: JobId,
    /// What that job did.
    pub mode: Mode,
    /// The imaging program and its settings.
    pub imager: Imager,
    /// When the imaging began.
    pub started: UnixTime,
    /// When it ended.
    pub ended: UnixTime,
    /// When the server read everything back.
    pub checked: UnixTime,
    /// The sizes of all pieces together, bytes.
    pub bytes: u64,
    /// All files, by path.
    pub pieces: Vec<Piece>,
}

/// One file of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Below the generation's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of its content.
    pub sha256: Sha256,
}

/// A SHA-256 checksum (FIPS 180-4), written as `sha256sum` does.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

/// What is not a checksum.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a SHA-256 checksum: 64 hexadecimal digits are")]
pub struct NotASha256(String);

/// Why bytes are not a manifest that this program understands.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field is missing or of another type.
    #[error("the manifest cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Written by a server with another format.
    #[error("the manifest has format version {found}, this program understands version {VERSION}")]
    Version {
        /// The version that it has.
        found: u64,
    },
    /// It is whole, but belongs to something else.
    #[error("the manifest is of {host}'s generation {job}")]
    Another {
        /// Whose it is.
        host: HostName,
        /// Which one.
        job: JobId,
    },
}

/// Only what every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

impl Manifest {
    /// Reads the manifest of this host's generation. Fields that are not known are passed over.
    ///
    /// # Errors
    /// When it is no JSON, of another version, lacks something, or belongs to another generation.
    pub fn parse(bytes: &[u8], host: &HostName, generation: &Generation) -> Result<Self, ManifestError> {
        let AnyVersion { version } = serde_json::from_slice(bytes).map_err(ManifestError::Syntax)?;
        if version != u64::from(VERSION) {
            return Err(ManifestError::Version { found: version });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Syntax)?;
        if manifest.host != *host || manifest.job.as_str() != generation.as_str() {
            return Err(ManifestError::Another { host: manifest.host, job: manifest.job });
        }
        Ok(manifest)
    }

    /// The file's content.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl Sha256 {
    /// The checksum with these bytes.
    #[must_use]
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

    #[test]
    fn a_newer_format_is_refused_by_its_version_and_not_by_its_fields() {
        let (host, generation) = ("john".parse().unwrap(), "a".parse().unwrap());
        let error = Manifest::parse(b"{\"version\": 2}", &host, &generation).unwrap_err();
        assert!(matches!(error, ManifestError::Version { found: 2 }), "{error}");
    }
}
