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
    /// A dnsmasq of ours as proxyDHCP, beside a server that is not ours.
    Proxy,
}

impl Kind {
    /// All of them, in the order in which they are looked for: a proxy's configuration is one of dnsmasq too.
    pub const ALL: [Self; 4] = [Self::Isc, Self::Kea, Self::Proxy, Self::Dnsmasq];

    /// What settings call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Isc => "isc",
            Self::Kea => "kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Proxy => "proxy",
        }
    }

    /// The one that settings call so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether the settings must name the command that restarts it.
    pub const fn needs_restart(self) -> bool {
        matches!(self, Self::Isc)
    }
}
