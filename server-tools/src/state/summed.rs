//! A line of JSON with a checksum behind it. Pure.
//!
//! The sum is the first eight bytes of the SHA-256 of all that stands before the space.

use sha2::{Digest, Sha256};

pub(super) fn line(json: &str) -> String {
    let sum = sum(json);
    format!("{json} {sum}\n")
}

/// The JSON of a line, and whether it had a checksum; none if it does not fit that.
pub(super) fn read(text: &str) -> Option<(&str, bool)> {
    match text.rsplit_once(' ') {
        Some((json, found)) if is_sum(found) => (found == sum(json)).then_some((json, true)),
        _ => Some((text, false)),
    }
}

fn is_sum(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sum(json: &str) -> String {
    Sha256::digest(json.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
