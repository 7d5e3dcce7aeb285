//! The leases of ISC dhcpd (dhcpd.leases(5)): the file is a journal, of which the last entry for an address holds.
//!
//! Nobody has chosen who is in it: a telephone may be, with a name that no host can have. So a machine without a usable name is passed over,
//! and so is the older one of two with the same name; both are told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ghost_contract::{HostName, MacAddress};

use super::Read;
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
    // Of several addresses of one machine the one that was given last is the one that it has.
    let mut of_machines: BTreeMap<String, Lease> = BTreeMap::new();
    for lease in of_addresses.into_values().filter(|lease| lease.name.is_some() && lease.mac.is_some()) {
        let key = lease.mac.map(|mac| mac.to_string()).unwrap_or_default();
        if of_machines.get(&key).is_none_or(|other| other.at < lease.at) {
            of_machines.insert(key, lease);
        }
    }
    let mut leases: Vec<Lease> = of_machines.into_values().collect();
    leases.sort_by_key(|lease| std::cmp::Reverse(lease.at));
    let mut names = BTreeSet::new();
    for Lease { at, ip, mac, name } in leases {
        let (mac, name) = (mac.map(|mac| mac.to_string()).unwrap_or_default(), name.unwrap_or_default());
        if name.parse::<HostName>().is_err() {
            read.remarks.push(format!("{ip} ({mac}) is passed over, since no host can be called '{name}'"));
        } else if !names.insert(name.to_ascii_lowercase()) {
            read.remarks
                .push(format!("{ip} ({mac}) is passed over, since a newer lease has its name {name}"));
        } else {
            read.take(at, &name, &mac, Some(&ip));
        }
    }
    read.machines.sort_by_key(|(at, _)| *at);
    read
}

#[derive(Debug)]
struct Lease {
    at: usize,
    ip: String,
    mac: Option<MacAddress>,
    name: Option<String>,
}

fn lease(bytes: &[u8], tree: &Tree, index: usize, statement: &Statement) -> Option<Lease> {
    let mut head = Lexer::meaningful(bytes, statement.head());
    head.next().filter(|word| word.is_word("lease"))?;
    let ip = words_of(bytes, statement.start + "lease".len()..statement.head_end);
    ip.parse::<Ipv4Addr>().ok()?;
    let mut lease = Lease { at: statement.start, ip, mac: None, name: None };
    for (_, inside) in tree.children(index) {
        let mut tokens = Lexer::meaningful(bytes, inside.head());
        let Some(first) = tokens.next() else { continue };
        if inside.keyword == Keyword::Hardware {
            let text = words_of(bytes, first.end()..inside.head_end);
            lease.mac = text.strip_prefix("ethernet").and_then(|mac| mac.trim().parse().ok());
        } else if first.is_word("client-hostname") {
            let text = tokens.next().filter(|token| token.kind == TokenKind::Text)?;
            lease.name = Some(String::from_utf8_lossy(&unquote(text.bytes)).into_owned())
                .filter(|name| !name.is_empty());
        }
    }
    Some(lease)
}

fn words_of(bytes: &[u8], stretch: std::ops::Range<usize>) -> String {
    String::from_utf8_lossy(bytes.get(stretch).unwrap_or_default()).trim().to_owned()
}
