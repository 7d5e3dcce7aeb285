//! The leases of ISC dhcpd (dhcpd.leases(5)): the file is a journal, of which the last entry for an address holds.
//!
//! Nobody has chosen who is in it: a telephone may be, with a name that no host can have. So a machine without a usable name is passed over,
//! and so is the older one of two with the same name; both are told. Which lease is newer its times say: dhcpd writes the file anew
//! in an order of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ghost_contract::{HostName, MacAddress};
use time::{Date, Month, OffsetDateTime};

use super::{Read, is_of_a_machine};
use crate::dhcp::isc::lexer::{Lexer, TokenKind, unquote};
use crate::dhcp::isc::tree::{Keyword, Statement, Tree};

pub(super) fn read(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let tree = Tree::parse(bytes);
    if let Some((at, fault)) = tree.faults.first() {
        read.faults.push((*at, format!("this is not what dhcpd writes: {fault}")));
        return read;
    }
    let mut of_addresses: BTreeMap<String, Lease> = BTreeMap::new();
    for (index, statement) in tree.statements.iter().enumerate().filter(|(_, one)| one.parent.is_none()) {
        if let Some(lease) = lease(bytes, &tree, index, statement) {
            of_addresses.insert(lease.ip.clone(), lease);
        }
    }
    let written = of_addresses.values().filter_map(|lease| lease.began).max();
    let mut leases: Vec<Lease> = of_machines(of_addresses, written).into_values().collect();
    leases.sort_by_key(|lease| std::cmp::Reverse(lease.rank(written)));
    let mut names = BTreeSet::new();
    for lease in leases {
        let old = lease.is_over(written).map(|why| lease.doubt(&why));
        let Lease { at, ip, mac, name, .. } = lease;
        let is_of_a_machine = mac.is_some_and(is_of_a_machine);
        let (mac, name) = (mac.map(|mac| mac.to_string()).unwrap_or_default(), name.unwrap_or_default());
        if !is_of_a_machine {
            read.remarks.push(format!(
                "{ip} ({mac}) is passed over, since no single machine has that hardware address"
            ));
        } else if name.parse::<HostName>().is_err() {
            read.remarks.push(format!("{ip} ({mac}) is passed over, since no host can be called '{name}'"));
        } else if !names.insert(name.to_ascii_lowercase()) {
            read.remarks
                .push(format!("{ip} ({mac}) is passed over, since a newer lease has its name {name}"));
        } else {
            read.remarks.extend(old);
            read.take(at, &name, &mac, Some(&ip));
        }
    }
    read.machines.sort_by_key(|(at, _)| *at);
    read
}

/// Of several addresses of one machine the one that it has, or had last.
fn of_machines(
    of_addresses: BTreeMap<String, Lease>,
    written: Option<OffsetDateTime>,
) -> BTreeMap<String, Lease> {
    let mut of_machines: BTreeMap<String, Lease> = BTreeMap::new();
    for lease in of_addresses.into_values().filter(|lease| lease.name.is_some() && lease.mac.is_some()) {
        let key = lease.mac.map(|mac| mac.to_string()).unwrap_or_default();
        if of_machines.get(&key).is_none_or(|other| other.rank(written) < lease.rank(written)) {
            of_machines.insert(key, lease);
        }
    }
    of_machines
}

#[derive(Debug, Default)]
struct Lease {
    at: usize,
    ip: String,
    mac: Option<MacAddress>,
    name: Option<String>,
    /// `active`, `free`, `abandoned`, …; files of dhcpd 2 say nothing.
    state: Option<String>,
    /// When the machine was last heard.
    began: Option<OffsetDateTime>,
    /// None if it never ends.
    ends: Option<OffsetDateTime>,
}

impl Lease {
    /// Why the machine has no right to the address any more. `written` is the latest time in the file, which is later than the end of
    /// many leases where no dhcpd has looked at them since.
    fn is_over(&self, written: Option<OffsetDateTime>) -> Option<String> {
        match self.state.as_deref() {
            None | Some("active") => {
                let has_ended = self.ends.zip(written).is_some_and(|(ends, written)| ends < written);
                has_ended.then(|| "has ended".to_owned())
            }
            Some(state) => Some(format!("is {state}")),
        }
    }

    /// What is larger of the lease that the machine has.
    fn rank(&self, written: Option<OffsetDateTime>) -> (bool, Option<OffsetDateTime>, usize) {
        (self.is_over(written).is_none(), self.began, self.at)
    }

    fn doubt(&self, why: &str) -> String {
        let Self { ip, mac, name, began, .. } = self;
        let mac = mac.map(|mac| mac.to_string()).unwrap_or_default();
        let began = began.map_or_else(String::new, |began| format!(", and began {}", began.date()));
        format!(
            "{} ({mac}) may have another address than {ip} now: its lease {why}{began}; see that the machine is still there",
            name.as_deref().unwrap_or_default()
        )
    }
}

fn lease(bytes: &[u8], tree: &Tree, index: usize, statement: &Statement) -> Option<Lease> {
    let mut head = Lexer::meaningful(bytes, statement.head());
    head.next().filter(|word| word.is_word("lease"))?;
    let ip = words_of(bytes, statement.start + "lease".len()..statement.head_end);
    ip.parse::<Ipv4Addr>().ok()?;
    let mut lease = Lease { at: statement.start, ip, ..Lease::default() };
    for (_, inside) in tree.children(index) {
        let mut tokens = Lexer::meaningful(bytes, inside.head());
        let Some(first) = tokens.next() else { continue };
        let rest = words_of(bytes, first.end()..inside.head_end);
        if inside.keyword == Keyword::Hardware {
            lease.mac = rest.strip_prefix("ethernet").and_then(|mac| mac.trim().parse().ok());
        } else if first.is_word("binding") {
            lease.state = rest.strip_prefix("state").map(|state| state.trim().to_owned());
        } else if first.is_word("starts") || first.is_word("cltt") {
            lease.began = lease.began.max(time(&rest));
        } else if first.is_word("ends") {
            lease.ends = time(&rest);
        } else if first.is_word("client-hostname") {
            let text = tokens.next().filter(|token| token.kind == TokenKind::Text)?;
            lease.name = Some(String::from_utf8_lossy(&unquote(text.bytes)).into_owned())
                .filter(|name| !name.is_empty());
        }
    }
    Some(lease)
}

/// `4 2026/11/26 14:19:00` in UTC, or `epoch 1795875540`; none of `never`.
fn time(text: &str) -> Option<OffsetDateTime> {
    let mut words = text.split_whitespace();
    let (first, second) = (words.next()?, words.next()?);
    if first == "epoch" {
        return OffsetDateTime::from_unix_timestamp(second.parse().ok()?).ok();
    }
    let (year, rest) = second.split_once('/')?;
    let (month, day) = rest.split_once('/')?;
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let clock: Option<Vec<u8>> = words.next()?.split(':').map(|number| number.parse().ok()).collect();
    let [hour, minute, second] = clock?[..] else { return None };
    Some(date.with_hms(hour, minute, second).ok()?.assume_utc())
}

fn words_of(bytes: &[u8], stretch: std::ops::Range<usize>) -> String {
    String::from_utf8_lossy(bytes.get(stretch).unwrap_or_default()).trim().to_owned()
}
