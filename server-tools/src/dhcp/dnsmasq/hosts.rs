//! What a line says of a host, of its boot file, or of an option, item by item. Pure.

use std::net::Ipv4Addr;
use std::ops::Range;

use ghost_contract::MacAddress;

use super::sources::{Sources, is_tag};

/// One `dhcp-host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::dhcp) struct Host {
    /// As it is written; empty if it has none.
    pub(in crate::dhcp) name: String,
    /// Its hardware addresses, where those are of Ethernet.
    pub(in crate::dhcp) macs: Vec<MacAddress>,
    pub(in crate::dhcp) address: Option<Ipv4Addr>,
    /// The tags that it sets.
    pub(super) tags: Vec<String>,
    pub(in crate::dhcp) is_ignored: bool,
    /// The first item that says which machine is meant.
    pub(super) known_by: Option<Range<usize>>,
    pub(in crate::dhcp) entry: usize,
}

/// One `dhcp-boot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) tags: Vec<String>,
    pub(super) file: String,
    /// The machine that the file is on; none if that is the server itself.
    pub(super) server: Option<String>,
    pub(super) entry: usize,
}

/// One `dhcp-option` of those that decide what is booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) tags: Vec<String>,
    pub(super) code: Code,
    /// Where its value stands.
    pub(super) value: Range<usize>,
    pub(super) entry: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    BootFile,
    TftpServer,
    /// The machine that the boot file is on, which dnsmasq writes as if it were an option.
    NextServer,
    Router,
}

/// The host of a `dhcp-host`.
pub(super) fn host(sources: &Sources, entry: usize) -> Host {
    let mut host = Host { entry, ..Host::default() };
    for item in &sources.entries[entry].items {
        let text = sources.meant(entry, item);
        if let Some(mac) = mac_address(&text) {
            host.macs.push(mac);
            host.known_by.get_or_insert_with(|| item.clone());
        } else if let Some(tag) = text.strip_prefix("set:").or_else(|| text.strip_prefix("net:")) {
            host.tags.push(tag.to_owned());
        } else if text == "ignore" {
            host.is_ignored = true;
        } else if let Ok(address) = text.parse() {
            host.address = Some(address);
        } else if text.starts_with("id:") {
            host.known_by.get_or_insert_with(|| item.clone());
        } else if is_name(&text) {
            host.name = text;
        }
    }
    host
}

/// Whether an item that is nothing else is a name, and not how long a lease holds.
fn is_name(text: &str) -> bool {
    let is_other = text.is_empty() || text.contains([':', '[', '*']) || text == "infinite";
    let number = text.strip_suffix(|last: char| "wWdDhHmMsS".contains(last)).unwrap_or(text);
    let is_time = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    !is_other && !is_time
}

/// `01:02:03:04:05:06`, also with single digits, with hyphens, and with the kind of hardware before it.
pub(super) fn mac_address(text: &str) -> Option<MacAddress> {
    let text = text
        .strip_prefix("01-")
        .or_else(|| text.strip_prefix("1-"))
        .filter(|rest| rest.contains(':'))
        .unwrap_or(text);
    let parts: Vec<&str> = match text.contains(':') {
        true => text.split(':').collect(),
        false => text.split('-').collect(),
    };
    let byte = |part: &&str| {
        let is_hexadecimal =
            (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hexadecimal.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    let bytes: Option<Vec<u8>> = parts.iter().map(byte).collect();
    Some(MacAddress::new(bytes?.try_into().ok()?))
}

/// The tags that must be set for a line to hold, or with `!` must not, and the items behind them.
pub(in crate::dhcp) fn conditions(sources: &Sources, entry: usize) -> (Vec<String>, &[Range<usize>]) {
    let items = &sources.entries[entry].items;
    let is_condition = |item: &&Range<usize>| is_tag(sources.meant(entry, item).as_bytes());
    let count = items.iter().take_while(is_condition).count();
    let tag = |item: &Range<usize>| sources.meant(entry, item).split_off("tag:".len());
    (items[..count].iter().map(tag).collect(), &items[count..])
}

pub(super) fn boot(sources: &Sources, entry: usize) -> Option<Boot> {
    let (tags, items) = conditions(sources, entry);
    let meant =
        |at: usize| items.get(at).map(|item| sources.meant(entry, item)).filter(|text| !text.is_empty());
    Some(Boot { tags, file: meant(0)?, server: meant(2), entry })
}

/// The option of a line, if it is one of those that decide what is booted, and from where. One for some vendor's machines is none.
pub(super) fn given(sources: &Sources, entry: usize) -> Option<Given> {
    let (tags, items) = conditions(sources, entry);
    let (option, values) = items.split_first()?;
    let code = match sources.meant(entry, option).as_str() {
        "option:router" | "3" => {
            // Without a value dnsmasq tells no router, and of several the first is what counts.
            let value = values.first().cloned().unwrap_or(option.end..option.end);
            return Some(Given { tags, code: Code::Router, value, entry });
        }
        "option:bootfile-name" | "67" => Code::BootFile,
        "option:tftp-server" | "66" => Code::TftpServer,
        "option:server-ip-address" => Code::NextServer,
        _ => return None,
    };
    let [value] = values else { return None };
    Some(Given { tags, code, value: value.clone(), entry })
}
