//! Which DHCP servers there are, as settings and journals name them. Knows none of them otherwise.

use serde::{Deserialize, Serialize};

/// The DHCP servers that can be edited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// ISC dhcpd. Journals from before there were others do not name it.
    #[default]
    Isc,
    Kea,
    Dnsmasq,
}

impl Kind {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Isc, Self::Kea, Self::Dnsmasq];

    /// What settings call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Isc => "isc",
            Self::Kea => "kea",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    /// The one that settings call so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether it takes its configuration up only when a command of the administrator's restarts it.
    pub const fn needs_restart(self) -> bool {
        match self {
            Self::Isc => true,
            Self::Kea | Self::Dnsmasq => false,
        }
    }
}
