//! What is heard of a client on its way from its firmware to its root, by listening to the network.
//!
//! It tells people how far the client came. By itself it decides nothing, not even that a client which says that its job has failed need
//! be offered the boot file no longer: anybody on the network can say the same, and would end any job by one datagram. Only where a
//! client that was at work reports nothing for long after it, the job goes by both (`decide/resetting.rs`).

use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::output::plain::FromClient;

/// So many times a job tells of it: a client that repeats its way again and again is no news.
pub(super) const MOST: u32 = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "heard", rename_all = "snake_case")]
pub enum Heard {
    /// It asks DHCP servers for an address.
    AsksForAddress,
    /// It takes this address, which this DHCP server offers.
    TakesAddress { address: Ipv4Addr, of: Ipv4Addr },
    /// It asks for a file by TFTP.
    AsksForFile { file: String },
    /// `ghost-init` says what stands in the way of its root.
    Says { words: String },
}

impl Heard {
    /// How far on its way it is.
    const fn place(&self) -> u8 {
        match self {
            Self::AsksForAddress => 1,
            Self::TakesAddress { .. } => 2,
            Self::AsksForFile { .. } => 3,
            Self::Says { .. } => 4,
        }
    }

    /// Whether a client of which `before` was the last to be known has come as far as this, or farther.
    pub(super) fn is_as_far_as(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| self.place() >= before.place())
    }

    /// Whether that is new to people who know `before`. Each of the many files that a loader asks for is not.
    pub(super) fn is_news_after(&self, before: Option<&Self>) -> bool {
        let Some(before) = before else { return true };
        self.place() > before.place() || self.place() == before.place() && self != before && !self.is_file()
    }

    const fn is_file(&self) -> bool {
        matches!(self, Self::AsksForFile { .. })
    }

    /// What there is to tell of a client that came no farther than this, and what it may be. `own`: the address in its entry.
    pub(crate) fn in_the_end(&self, own: Ipv4Addr) -> String {
        match self {
            Self::AsksForAddress => "it asked for an address by DHCP and took none: check that the DHCP server runs and answers on its network, \
                that its entry is one of this network, and that no other DHCP server answers first without a boot file, which UEFI does not take"
                .to_owned(),
            Self::TakesAddress { address, of } if *address != own => format!(
                "it took the address {address} of the DHCP server {of} instead of {own}: another DHCP server answers on its network, and was faster"
            ),
            Self::TakesAddress { of, .. } => format!(
                "it took its address of the DHCP server {of} and then asked for no boot file here: check that no other DHCP server names it \
                another boot file, that its packets for TFTP arrive here, and its screen; it may have booted its own disk"
            ),
            Self::AsksForFile { file } => format!(
                "the last file that it asked for over TFTP is '{}', and ghost-init never spoke: check with ghostctl doctor that this file is \
                there and whole; else its screen says why it stopped there, or it has booted its own disk",
                FromClient(file)
            ),
            Self::Says { words } => format!("ghost-init could not reach its root and said last: {}", FromClient(words)),
        }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsksForAddress => f.write_str("asks for an address by DHCP"),
            Self::TakesAddress { address, of } => {
                write!(f, "takes the address {address} of the DHCP server {of}")
            }
            Self::AsksForFile { file } => write!(f, "asks for '{}' over TFTP", FromClient(file)),
            Self::Says { words } => write!(f, "ghost-init says: {}", FromClient(words)),
        }
    }
}
