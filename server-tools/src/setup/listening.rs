//! Debian's file of defaults of ISC dhcpd, which says what interfaces it listens on (`INTERFACESv4`). Pure.
//!
//! Without a name there, Debian's script starts dhcpd for all interfaces, and one for IPv6 beside it, which fails where it has nothing to
//! do. So a dhcpd that is started for the first time gets a name. One that serves other networks too keeps what it has: with one name
//! only, it would not answer in the others any more. Where setup has written the names, it adds that of a further network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::dhcp::{Network, Running};

/// An interface that a DHCP server shall listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) address: Option<Ipv4Addr>,
}

impl Listener {
    fn is_in(&self, network: &Network) -> bool {
        self.address.is_some_and(|ip| network.contains(ip))
    }
}

/// What is to be done so that dhcpd listens on an interface.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    /// It does, or shall not.
    AsItIs,
    /// The file gets these contents.
    Write(Vec<u8>),
    /// A person has named others, which stay.
    Others(String),
}

/// The interfaces that these defaults name; none if it listens on all.
pub(crate) fn named(defaults: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(defaults);
    let value = |key| assigned(&text, key).map(|(_, named)| named).filter(|named| !named.is_empty());
    // Debian's script takes the variable of old for IPv4 where the one for IPv4 is empty.
    let named = value("INTERFACESv4").or_else(|| value("INTERFACES")).unwrap_or_default();
    named.split_whitespace().map(str::to_owned).collect()
}

/// The interfaces that are not named, each with those hosts in its network that get no answer there. A name may end in `*`.
pub(crate) fn unheard(
    named: &[String],
    here: &[(String, Network)],
    hosts: &[(String, Ipv4Addr)],
) -> BTreeMap<String, Vec<String>> {
    let is_named = |name: &str| {
        named
            .iter()
            .any(|named| named.strip_suffix('*').map_or(named == name, |start| name.starts_with(start)))
    };
    let mut unheard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (host, ip) in hosts.iter().filter(|_| !named.is_empty()) {
        let near: Vec<&String> =
            here.iter().filter(|(_, network)| network.contains(*ip)).map(|(name, _)| name).collect();
        if let Some(name) = near.first().filter(|_| !near.iter().any(|name| is_named(name))) {
            unheard.entry((*name).clone()).or_default().push(host.clone());
        }
    }
    unheard
}

/// What is to be done with the defaults, which setup has written itself if they are `is_ours`. `here` are the networks of this machine.
pub(crate) fn of(
    (defaults, is_ours): (&[u8], bool),
    networks: &[Network],
    here: &[(String, Network)],
    running: &Running,
    listener: &Listener,
) -> Listening {
    let Ok(text) = std::str::from_utf8(defaults) else { return Listening::AsItIs };
    let Some((stretch, own)) = assigned(text, "INTERFACESv4") else { return Listening::AsItIs };
    let name = &listener.name;
    let effective = named(defaults);
    let mut missing: Vec<&String> =
        Some(name).into_iter().filter(|_| networks.iter().any(|network| listener.is_in(network))).collect();
    // An earlier version named one interface though others had networks too.
    let others =
        here.iter().filter(|(_, own)| is_ours && networks.iter().any(|network| network.overlaps(*own)));
    missing.extend(others.map(|(name, _)| name));
    missing.retain(|name| !effective.contains(name));
    missing.dedup();
    if missing.is_empty() {
        return Listening::AsItIs;
    }
    let write = |value: &str| {
        let mut after = text.to_owned();
        after.replace_range(stretch.clone(), &format!("\"{value}\""));
        Listening::Write(after.into_bytes())
    };
    if effective.is_empty() {
        let is_only_here = networks.iter().all(|network| listener.is_in(network));
        return if is_only_here && *running == Running::Nobody { write(name) } else { Listening::AsItIs };
    }
    if is_ours && !own.is_empty() {
        write(&missing.iter().fold(own.to_owned(), |names, name| names + " " + name))
    } else {
        Listening::Others(effective.join(" "))
    }
}

/// What a variable of the shell is in the end, and the stretch of the value that says so, quotes included.
fn assigned<'a>(text: &'a str, key: &str) -> Option<(Range<usize>, &'a str)> {
    let mut at = 0;
    let mut last = None;
    for line in text.split_inclusive('\n') {
        let assignment = line.trim_start();
        let start = at + line.len() - assignment.len() + key.len() + 1;
        at += line.len();
        if let Some(value) = assignment.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')) {
            let (length, meant) = first_word(value);
            last = Some((start..start + length, meant));
        }
    }
    last
}

/// The length of the first word of the shell, and what it means. One in quotes may have blanks.
fn first_word(text: &str) -> (usize, &str) {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    if let Some((inside, _)) = quote.and_then(|quote| text.get(1..)?.split_once(quote)) {
        return (inside.len() + 2, inside.trim());
    }
    let word = text.split([' ', '\t', '\r', '\n', ';']).next().unwrap_or_default();
    (word.len(), word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &[u8] = b"# which\nINTERFACESv4=\"\"\nINTERFACESv6=\"\"\n";

    fn network(address: [u8; 4]) -> Network {
        Network { address: address.into(), netmask: [255, 255, 255, 0].into() }
    }

    fn eth0() -> Listener {
        Listener { name: "eth0".to_owned(), address: Some([10, 0, 0, 5].into()) }
    }

    /// What is written for a dhcpd that does not run.
    fn with(defaults: &[u8], networks: &[Network]) -> Option<String> {
        match of((defaults, false), networks, &[], &Running::Nobody, &eth0()) {
            Listening::Write(after) => Some(String::from_utf8(after).unwrap()),
            Listening::AsItIs | Listening::Others(_) => None,
        }
    }

    #[test]
    fn a_further_network_is_listened_in_too() {
        let networks = [network([10, 0, 1, 0]), network([10, 0, 0, 0])];
        let listening = |defaults: &str, is_ours| {
            of((defaults.as_bytes(), is_ours), &networks, &[], &Running::Ours, &eth0())
        };
        let both = Listening::Write(b"INTERFACESv4=\"eth1 eth0\"\n".to_vec());
        assert_eq!(listening("INTERFACESv4=\"eth1\"\n", true), both);
        assert_eq!(listening("INTERFACESv4=\"eth1\"\n", false), Listening::Others("eth1".to_owned()));
        let of_old = "INTERFACESv4=\"\"\nINTERFACES='eth1 eth2'\n";
        assert_eq!(listening(of_old, true), Listening::Others("eth1 eth2".to_owned()));
        for it_is in ["INTERFACESv4=\"eth1 eth0\"\n", "INTERFACESv4=\"\"\n", "INTERFACESv6=\"\"\n"] {
            assert_eq!(listening(it_is, true), Listening::AsItIs, "{it_is}");
        }
        let elsewhere = of((b"INTERFACESv4=eth1", true), &networks[..1], &[], &Running::Ours, &eth0());
        assert_eq!(elsewhere, Listening::AsItIs, "dhcpd has nothing to answer there");
    }

    #[test]
    fn what_an_earlier_version_has_narrowed_is_widened_to_all_networks() {
        let networks = [network([10, 0, 1, 0]), network([10, 0, 0, 0])];
        let here = [("eth0", [10, 0, 0, 0]), ("eth1", [10, 0, 1, 0]), ("eth2", [10, 0, 2, 0])]
            .map(|(name, address)| (name.to_owned(), network(address)));
        let listening =
            |is_ours| of((b"INTERFACESv4=\"eth0\"", is_ours), &networks, &here, &Running::Ours, &eth0());
        assert_eq!(listening(true), Listening::Write(b"INTERFACESv4=\"eth0 eth1\"".to_vec()));
        assert_eq!(listening(false), Listening::AsItIs, "an administrator has named it");
    }

    #[test]
    fn hosts_are_told_that_get_no_answer_on_their_interface() {
        let here = [("eth0", [10, 0, 0, 0]), ("eth1", [10, 0, 1, 0]), ("eth1.5", [10, 0, 5, 0])]
            .map(|(name, address)| (name.to_owned(), network(address)));
        let hosts = [("john", [10, 0, 0, 2]), ("jane", [10, 0, 1, 2]), ("far", [10, 9, 0, 2])]
            .map(|(name, ip)| (name.to_owned(), ip.into()));
        let told = |names: &str| unheard(&named(format!("INTERFACESv4='{names}'").as_bytes()), &here, &hosts);
        let of = |name: &str, host: &str| [(name.to_owned(), vec![host.to_owned()])].into();
        assert_eq!(told("eth0"), of("eth1", "jane"));
        assert_eq!(told("eth1*"), of("eth0", "john"));
        for all in ["", "eth0 eth1", "eth*"] {
            assert!(told(all).is_empty(), "{all}");
        }
    }

    #[test]
    fn an_administrators_choice_of_interfaces_stays() {
        let own = [network([10, 0, 0, 0])];
        assert_eq!(with(b"INTERFACESv4=\"eth1\"\n", &own), None);
        assert_eq!(with(b"#INTERFACESv4=\"\"\n", &own), None);
        assert_eq!(with(b"INTERFACESv4=\"\"\nINTERFACES=\"eth1\"\n", &own), None, "the variable of old");
        assert_eq!(
            with(b"INTERFACES=\"\"\nINTERFACESv4=", &own).unwrap(),
            "INTERFACES=\"\"\nINTERFACESv4=\"eth0\""
        );
    }

    #[test]
    fn a_comment_with_the_same_words_stays() {
        let own = [network([10, 0, 0, 0])];
        for comment in ["#INTERFACESv4=\"\"", "# such as INTERFACESv4=\"\""] {
            let text = format!("{comment}\nINTERFACESv4=\"\"\n");
            assert_eq!(with(text.as_bytes(), &own).unwrap(), format!("{comment}\nINTERFACESv4=\"eth0\"\n"));
        }
        let behind = with(b" INTERFACESv4='' # all\r\n", &own).unwrap();
        assert_eq!(behind, " INTERFACESv4=\"eth0\" # all\r\n");
        assert_eq!(with(b"INTERFACESv4=eth1 # one\n", &own), None);
    }

    #[test]
    fn a_server_with_networks_that_the_interface_is_not_in_goes_on_listening_everywhere() {
        let (own, other) = (network([10, 0, 0, 0]), network([10, 0, 1, 0]));
        assert!(with(DEFAULTS, &[own]).is_some());
        for networks in [&[own, other][..], &[other], &[]] {
            assert_eq!(with(DEFAULTS, networks), None, "{networks:?}");
        }
    }
}
