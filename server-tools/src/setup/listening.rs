//! Debian's file of defaults of ISC dhcpd, which says what interfaces it listens on (`INTERFACESv4`). Pure.
//!
//! Without a name there, Debian's script starts dhcpd for all interfaces, and one for IPv6 beside it, which fails where it has nothing to
//! do. So a dhcpd that is started for the first time gets a name. One that serves other networks too keeps what it has: with one name
//! only, it would not answer in the others any more.

use std::net::Ipv4Addr;
use std::ops::Range;

use crate::dhcp::Network;

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

/// The defaults with the interface that dhcpd listens on, where they name none, and where it is in all networks that dhcpd answers in.
pub(crate) fn with_interface(defaults: &[u8], networks: &[Network], listener: &Listener) -> Option<Vec<u8>> {
    if networks.is_empty() || !networks.iter().all(|network| listener.is_in(network)) {
        return None;
    }
    let text = std::str::from_utf8(defaults).ok()?;
    let (stretch, named) = assigned(text, "INTERFACESv4")?;
    // Debian's script takes the variable of old for IPv4 where the one for IPv4 is empty.
    let of_old = assigned(text, "INTERFACES").is_some_and(|(_, named)| !named.is_empty());
    if !named.is_empty() || of_old {
        return None;
    }
    let mut after = text.to_owned();
    after.replace_range(stretch, &format!("\"{}\"", listener.name));
    Some(after.into_bytes())
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

    fn with(defaults: &[u8], networks: &[Network]) -> Option<String> {
        let listener = Listener { name: "eth0".to_owned(), address: Some([10, 0, 0, 5].into()) };
        with_interface(defaults, networks, &listener).map(|bytes| String::from_utf8(bytes).unwrap())
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
