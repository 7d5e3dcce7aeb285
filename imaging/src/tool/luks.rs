//! The header of a LUKS container: where what it encrypts begins. Does not know keys.
//!
//! Places and numbers are those of the LUKS1 (1.2.3) and LUKS2 (1.1.0) on-disk formats; all are big-endian. What is opened
//! must be one stretch that the kernel maps byte for byte. Whatever else there is has an error, and is saved encrypted.

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::claims::{Read, strange};

const SECTOR: u64 = 512;
const MAGIC: &[u8] = b"LUKS\xBA\xBE";
/// The part of the header that both versions have in one form.
const BINARY: usize = 4096;
/// In a LUKS1: where its payload begins, sectors.
const PAYLOAD: usize = 104;
/// In a LUKS2: how long the header is, the name of its checksum, and the checksum of all of it.
const SIZE: usize = 8;
const SUM_NAME: usize = 72;
const SUM: usize = 448;
const SUM_FIELD: usize = 64;
/// The largest header of a LUKS2.
const LONGEST: u64 = 4 << 20;

/// What is read of a LUKS2's JSON.
#[derive(Deserialize)]
struct Metadata {
    segments: BTreeMap<String, Segment>,
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(rename = "type")]
    kind: String,
    /// Bytes, in decimal digits.
    offset: String,
    /// Bytes, or `dynamic`: up to the end.
    size: String,
    /// It has checksums of its own between its sectors.
    integrity: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    requirements: Requirements,
}

#[derive(Default, Deserialize)]
struct Requirements {
    /// What a program must know of to open it, as while it is reencrypted.
    #[serde(default)]
    mandatory: Vec<String>,
}

/// Where in a container of this length what it encrypts begins, bytes; it reaches up to the end.
pub(crate) fn payload(read: Read<'_>, length: u64) -> io::Result<u64> {
    let binary = read(0, BINARY)?;
    if !binary.starts_with(MAGIC) {
        return Err(strange("it has no header of LUKS at its beginning"));
    }
    let offset = match big(&binary, MAGIC.len(), 2) {
        1 => big(&binary, PAYLOAD, 4).saturating_mul(SECTOR),
        2 => second(read, &binary)?,
        version => return Err(strange(&format!("its version {version} of LUKS is not known here"))),
    };
    if offset < BINARY as u64 || offset >= length || offset % SECTOR != 0 {
        return Err(strange("what it encrypts is not behind its header"));
    }
    Ok(offset)
}

fn second(read: Read<'_>, binary: &[u8]) -> io::Result<u64> {
    let size = big(binary, SIZE, 8);
    if size <= BINARY as u64 || size > LONGEST {
        return Err(strange("its header is damaged"));
    }
    let mut header = read(0, usize::try_from(size).unwrap_or(0))?;
    let name = header.get(SUM_NAME..SUM_NAME + 32).unwrap_or_default();
    if name.split(|&byte| byte == 0).next() != Some(b"sha256") {
        return Err(strange("its header has a checksum that is not known here"));
    }
    let sum = header.get_mut(SUM..SUM + SUM_FIELD).unwrap_or_default();
    let said: Vec<u8> = sum.iter().take(32).copied().collect();
    sum.fill(0);
    if Sha256::digest(&header)[..] != said[..] {
        return Err(strange("its header is damaged"));
    }
    let json = header.get(BINARY..).unwrap_or_default().split(|&byte| byte == 0).next().unwrap_or_default();
    let metadata: Metadata = serde_json::from_slice(json)
        .map_err(|error| strange(&format!("its header cannot be understood: {error}")))?;
    if let Some(requirement) = metadata.config.requirements.mandatory.first() {
        return Err(strange(&format!("it requires {requirement}")));
    }
    let mut segments = metadata.segments.into_values();
    let (Some(segment), None) = (segments.next(), segments.next()) else {
        return Err(strange("it is not one stretch"));
    };
    if segment.kind != "crypt" || segment.size != "dynamic" || segment.integrity.is_some() {
        return Err(strange("it is not encrypted as a whole, sector by sector"));
    }
    segment.offset.parse().map_err(|_| strange("its header is damaged"))
}

fn big(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn read(bytes: &[u8]) -> Result<u64, String> {
        let read = |at: u64, length: usize| {
            let at = usize::try_from(at).unwrap();
            bytes.get(at..at + length).map(<[u8]>::to_vec).ok_or_else(|| strange("it ends there"))
        };
        payload(&read, 64 * MIB).map_err(|error| error.to_string())
    }

    /// A header of the second version with this text.
    fn with(json: &str) -> Vec<u8> {
        let mut header = vec![0; 16 << 10];
        header[..8].copy_from_slice(b"LUKS\xBA\xBE\0\x02");
        header[8..16].copy_from_slice(&(16_u64 << 10).to_be_bytes());
        header[72..78].copy_from_slice(b"sha256");
        header[4096..4096 + json.len()].copy_from_slice(json.as_bytes());
        let sum = Sha256::digest(&header);
        header[448..480].copy_from_slice(&sum);
        header
    }

    fn segment(more: &str) -> String {
        let segment = format!("\"type\":\"crypt\",\"offset\":\"16777216\",\"size\":\"dynamic\"{more}");
        format!("{{\"segments\":{{\"0\":{{{segment}}}}},\"config\":{{\"json_size\":\"12288\"}}}}")
    }

    #[test]
    fn where_the_payload_begins_is_read_of_both_versions() {
        let mut first = vec![0; 4096];
        first[..8].copy_from_slice(b"LUKS\xBA\xBE\0\x01");
        first[104..108].copy_from_slice(&4096_u32.to_be_bytes());
        assert_eq!(read(&first), Ok(2 * MIB));
        assert_eq!(read(&with(&segment(""))), Ok(16 * MIB));
    }

    #[test]
    fn what_is_not_one_plain_stretch_has_an_error() {
        let refused = |json: &str| read(&with(json)).unwrap_err();
        let integrity = ",\"integrity\":{\"type\":\"hmac(sha256)\"}";
        assert!(refused(&segment(integrity)).contains("sector by sector"));
        assert!(refused(&segment("").replace("dynamic", "4096")).contains("sector by sector"));
        assert!(refused(&segment("").replace("\"crypt\"", "\"linear\"")).contains("sector by sector"));
        let two = segment("")
            .replace("\"0\":{", "\"1\":{\"type\":\"crypt\",\"offset\":\"0\",\"size\":\"dynamic\"},\"0\":{");
        assert!(refused(&two).contains("not one stretch"));
        let changing = segment("").replace(
            "\"json_size\"",
            "\"requirements\":{\"mandatory\":[\"online-reencrypt\"]},\"json_size\"",
        );
        assert_eq!(refused(&changing), "it requires online-reencrypt");
        assert!(refused(&segment("").replace("16777216", "67108864")).contains("not behind its header"));
        assert!(refused(&segment("").replace("16777216", "0")).contains("not behind its header"));
    }

    #[test]
    fn a_damaged_header_is_not_believed() {
        let good = with(&segment(""));
        for at in [20, 80, 4100, 9000] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            read(&bad).unwrap_err();
        }
        assert_eq!(read(&[0; 8192]).unwrap_err(), "it has no header of LUKS at its beginning");
    }
}
