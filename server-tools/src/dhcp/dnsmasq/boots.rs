//! What a host is offered, by its tags. Pure.
//!
//! ```text
//! dhcp-boot with tags that are set ─▶ dhcp-boot without tags ─▶ bootfile-name with tags that are set ─▶ bootfile-name without tags
//! ```
//! The first kind that says something decides; of several lines of a kind, the one that is read last (tried with dnsmasq 2.90). A tag
//! that something else than the host's own line may set counts as not set: what is really offered is asked afterwards.

use super::hosts::{Boot, Code, Given, Host};
use super::table::HostTable;

/// Set for every host that has a line.
const KNOWN: &str = "known";

/// What decides which boot file is offered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decides<'a> {
    Boot(&'a Boot),
    Option(&'a Given),
}

impl Decides<'_> {
    pub(super) fn tags(&self) -> &[String] {
        match self {
            Self::Boot(boot) => &boot.tags,
            Self::Option(given) => &given.tags,
        }
    }
}

/// Whether a line with these conditions holds where these tags are set.
fn holds(conditions: &[String], tags: &[&str]) -> bool {
    let is_set = |tag: &str| tags.contains(&tag) || tag == KNOWN;
    conditions.iter().all(|tag| match tag.strip_prefix(['!', '#']) {
        Some(tag) => !is_set(tag),
        None => is_set(tag),
    })
}

impl HostTable {
    /// What decides about a host with these tags.
    pub(super) fn decides(&self, tags: &[&str]) -> Option<Decides<'_>> {
        let boot = |is_tagged: bool| {
            let mut boots = self.boots.iter().rev();
            boots.find(|boot| boot.tags.is_empty() != is_tagged && holds(&boot.tags, tags)).map(Decides::Boot)
        };
        let option = || self.given(Code::BootFile, tags).map(Decides::Option);
        boot(true).or_else(|| boot(false)).or_else(option)
    }

    /// The value of an option for a host with these tags.
    pub(super) fn given(&self, code: Code, tags: &[&str]) -> Option<&Given> {
        let find = |is_tagged: bool| {
            let mut given = self.given.iter().rev().filter(|given| given.code == code);
            given.find(|given| given.tags.is_empty() != is_tagged && holds(&given.tags, tags))
        };
        find(true).or_else(|| find(false))
    }

    /// The boot file that a line says.
    pub(super) fn boot_file(&self, decides: Decides<'_>) -> String {
        match decides {
            Decides::Boot(boot) => boot.file.clone(),
            Decides::Option(given) => self.sources.meant(given.entry, &given.value),
        }
    }

    /// What a host is offered.
    pub(super) fn offered(&self, host: &Host) -> Option<String> {
        self.decides(&tags(host)).map(|decides| self.boot_file(decides))
    }

    /// A host's own line among the options that are read again: it asks for the tag that is the host's name.
    pub(super) fn own_option(&self, name: &str) -> impl Iterator<Item = &Given> {
        let places = self.own_options.get(name).into_iter().flatten();
        places.filter_map(|place| self.given.get(*place))
    }
}

/// The tags that a host's own line sets.
pub(super) fn tags(host: &Host) -> Vec<&str> {
    host.tags.iter().map(String::as_str).collect()
}
