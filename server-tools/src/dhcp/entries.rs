//! Host entries that are offered a boot file on purpose. A swap remembers them, so that its revert leaves them alone and tells who
//! is offered the boot file besides. Pure.

use std::sync::Arc;

use ghost_contract::MacAddress;
use serde::{Deserialize, Serialize};

use super::{Booting, Swap};

/// More are not remembered: where so many boot from the network on purpose, one more is nothing to tell.
const MOST: usize = 200;

/// An entry, by what it can be found again by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<MacAddress>,
}

/// Some entries. The swaps of one edit share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Entries(Arc<Vec<Entry>>);

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Self {
        Self(Arc::new(entries))
    }
}

impl From<Entries> for Vec<Entry> {
    fn from(entries: Entries) -> Self {
        entries.0.to_vec()
    }
}

impl Entries {
    /// None if there are too many to keep.
    pub fn of(booting: impl Iterator<Item = Booting>) -> Option<Self> {
        let entries: Vec<Entry> =
            booting.take(MOST + 1).map(|Booting { name, mac, .. }| Entry { name, mac }).collect();
        (entries.len() <= MOST).then(|| entries.into())
    }

    /// Whether this entry is one of them, maybe under another name or with another network card.
    pub fn has(&self, name: &str, mac: Option<MacAddress>) -> bool {
        self.0.iter().any(|entry| entry.name == name || (mac.is_some() && entry.mac == mac))
    }

    /// These, and one more that is meant to be as it is.
    pub fn and(&self, booting: &Booting) -> Self {
        let Booting { name, mac, .. } = booting;
        let one = Entry { name: name.clone(), mac: *mac };
        self.0.iter().cloned().chain([one]).collect::<Vec<_>>().into()
    }
}

impl Swap {
    /// Whether this entry was offered the boot file before the swap, so that it is none of the swapped host's.
    pub fn was_booting(&self, name: &str, mac: Option<MacAddress>) -> bool {
        // With the hardware address of the swapped host, what else it has decides.
        let own = mac.filter(|mac| Some(*mac) != self.mac);
        self.before.as_ref().is_some_and(|before| before.has(name, own))
    }
}

/// Why the entry of this name is left alone.
pub(super) fn was_booting(name: &str, swap: &Swap) -> String {
    format!(
        "host {name} was offered '{}' before the swap already, so that it is not the swap's to put back",
        swap.boot_file
    )
}
