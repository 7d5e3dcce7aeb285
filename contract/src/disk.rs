//! How an administrator says which disks of a client a job is about.
//!
//! Does not know which disks there are: the client looks, and refuses a choice that does not fit exactly.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::text_form;

/// Which disks of a client a job is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DiskChoice {
    /// The first of those that are built in, in the order of their places in the machine. Written `first`.
    #[default]
    First,
    /// The one of this name, as the client's kernel calls it. Written `/dev/nvme0n1`.
    Name(String),
    /// The one with this serial number. Written `serial:NUMBER`.
    Serial(String),
    /// The only built-in one whose size differs from so many bytes by less than a twentieth: sizes on labels are
    /// rounded. Written `size:500G`, with K, M, G and T as disk makers use them or Ki, Mi, Gi and Ti.
    Size(u64),
    /// All that are built in. Written `all`.
    All,
}

/// A text that chooses no disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' does not name a disk; use {WANTED}")]
pub struct DiskChoiceError(String);

/// What a choice has to look like.
pub const WANTED: &str = "first, all, /dev/NAME, serial:NUMBER or size:500G";

/// The units of a size.
const UNITS: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

impl FromStr for DiskChoice {
    type Err = DiskChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let choice = match text.split_once(':') {
            Some(("serial", number)) => serial(number).map(Self::Serial),
            Some(("size", size)) => bytes(size).map(Self::Size),
            None if text == "first" => Some(Self::First),
            None if text == "all" => Some(Self::All),
            None => text.strip_prefix("/dev/").and_then(name).map(Self::Name),
            Some(_) => None,
        };
        choice.ok_or_else(|| DiskChoiceError(text.to_owned()))
    }
}

/// A kernel's name for a disk: no folder of links such as `/dev/disk/by-id`, which a client without udev has not.
fn name(text: &str) -> Option<String> {
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    is_name.then(|| text.to_owned())
}

/// Blanks around a serial number are padding.
fn serial(text: &str) -> Option<String> {
    let number = text.trim();
    (!number.is_empty() && number.chars().all(|c| !c.is_control())).then(|| number.to_owned())
}

/// A number of bytes, with a unit or without: `650M`, `2Gi`, `4096`. None for 0 and for what is no such number.
pub fn bytes(text: &str) -> Option<u64> {
    let with_unit = |(unit, factor): &(&str, u64)| Some((text.strip_suffix(unit)?, *factor));
    let (number, factor) = UNITS.iter().find_map(with_unit).unwrap_or((text, 1));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok()).flatten()?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

impl fmt::Display for DiskChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Name(name) => write!(f, "/dev/{name}"),
            Self::Serial(number) => write!(f, "serial:{number}"),
            Self::Size(bytes) => write!(f, "size:{bytes}"),
            Self::All => f.write_str("all"),
        }
    }
}

text_form!(DiskChoice, |choice| choice.to_string());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_one_word() {
        let cases = [
            ("first", DiskChoice::First),
            ("all", DiskChoice::All),
            ("/dev/nvme0n1", DiskChoice::Name("nvme0n1".to_owned())),
            ("serial: WD-WCC 3F1 ", DiskChoice::Serial("WD-WCC 3F1".to_owned())),
            ("serial:a:b", DiskChoice::Serial("a:b".to_owned())),
            ("size:500G", DiskChoice::Size(500_000_000_000)),
            ("size:2Ti", DiskChoice::Size(2 << 40)),
            ("size:512", DiskChoice::Size(512)),
        ];
        for (text, choice) in cases {
            assert_eq!(text.parse(), Ok(choice.clone()), "{text}");
            assert_eq!(choice.to_string().parse(), Ok(choice), "{text}");
        }
    }

    #[test]
    fn what_chooses_no_disk_is_refused() {
        for text in [
            "",
            "sda",
            "First",
            "/dev/",
            "/dev/disk/by-id/x",
            "/dev/../etc",
            "serial:",
            "serial: ",
            "size:",
            "size:0",
            "size:+5G",
            "size:5P",
            "size:99999999T",
            "path:/dev/sda",
        ] {
            assert_eq!(text.parse::<DiskChoice>(), Err(DiskChoiceError(text.to_owned())));
        }
    }
}
