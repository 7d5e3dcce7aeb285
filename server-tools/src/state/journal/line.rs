//! The lines of an entry: what they say, and how they stand in the file with their checksums. Pure: bytes in, lines out.
//!
//! ```text
//! {"line":"intends","step":"swap","at":…} 5f2b6c0d9e8a7b61
//! ```
//! Entries of earlier versions have no sums ([`summed`]). What stands after the last line end was torn by a crash, and nothing was done before it was whole.

use ghost_contract::order::{AtEnd, Imager};
use ghost_contract::{Generation, Nonce, UnixTime};
use serde::{Deserialize, Serialize};

use crate::dhcp::Swap;
use crate::exports::for_job::ForJob;
use crate::job::{Identity, Phase, Step};
use crate::state::summed;

/// The version of what is written. Version 1 had no checksums and said nothing of itself.
pub(crate) const VERSION: u32 = 2;

/// The first line of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    #[serde(default = "first_version")]
    pub version: u32,
    #[serde(flatten)]
    pub identity: Identity,
    pub pid: u32,
    pub at: UnixTime,
    /// The secret that proves the image store.
    pub nonce: Nonce,
    /// The generation that is read, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// What does the imaging, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imager: Option<Imager>,
    /// When the client has given up by itself at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<UnixTime>,
    /// What the client was told to do at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_end: Option<AtEnd>,
    /// What is exported for the time of the job, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports: Option<ForJob>,
}

const fn first_version() -> u32 {
    1
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    Begun(Begun),
    /// A step is about to be done.
    Intends {
        step: Step,
        at: UnixTime,
    },
    /// What the step `swap` is about to change.
    Swaps(Swap),
    Did {
        step: Step,
        at: UnixTime,
    },
    /// The job has come to a phase.
    Phase {
        phase: Phase,
        at: UnixTime,
    },
}

impl Line {
    /// The line with its checksum, as it stands in the file.
    pub(crate) fn to_text(&self) -> serde_json::Result<String> {
        Ok(summed::line(&serde_json::to_string(self)?))
    }
}

/// What an entry holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The lines that can be read.
    pub lines: Vec<Line>,
    /// Why not everything can be, if so.
    pub damage: Option<String>,
}

/// Reads an entry.
pub(crate) fn read(bytes: &[u8]) -> Contents {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let (whole, torn) = bytes.split_at(whole);
    let mut contents = Contents::default();
    let mut has_sums = false;
    for (number, text) in whole.split(|byte| *byte == b'\n').enumerate().filter(|(_, text)| !text.is_empty())
    {
        match parse(text) {
            Ok((line, summed)) if contents.lines.is_empty() || summed || !has_sums => {
                has_sums |= summed;
                contents.lines.push(line);
            }
            Ok(_) => {
                contents.damage.get_or_insert_with(|| format!("line {} has lost its checksum", number + 1));
            }
            Err(why) => {
                contents.damage.get_or_insert_with(|| format!("line {} {why}", number + 1));
            }
        }
    }
    let newer =
        |begun: &Begun| (begun.version > VERSION).then(|| "a newer ghostctl has written it".to_owned());
    let of_all = match contents.lines.first() {
        Some(Line::Begun(begun)) => newer(begun),
        Some(_) => Some("its first line is missing".to_owned()),
        None if bytes.is_empty() => Some("it is empty".to_owned()),
        None if torn.is_empty() => None,
        None => Some("it has no whole line".to_owned()),
    };
    contents.damage = of_all.or(contents.damage);
    contents
}

/// A line, and whether it had a checksum.
fn parse(text: &[u8]) -> Result<(Line, bool), &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "is no text")?;
    let (json, summed) = summed::read(text).ok_or("does not fit its checksum")?;
    let unknown = if summed { "is one that only a newer ghostctl understands" } else { "cannot be read" };
    serde_json::from_str(json).map(|line| (line, summed)).map_err(|_| unknown)
}
