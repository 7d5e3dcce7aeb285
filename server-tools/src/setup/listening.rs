//! Debian's file of defaults of ISC dhcpd, which says what interfaces it listens on (`INTERFACESv4`). Pure.
//!
//! Without a name there, Debian's script starts dhcpd for all interfaces, and one for IPv6 beside it, which fails where it has nothing to
//! do. So a dhcpd that is started for the first time gets a name. One that serves other networks too keeps what it has: with one name
//! only, it would not answer in the others any more.

use std::net::Ipv4Addr;

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
    let is_it = |line: &str| line.trim_start().starts_with("INTERFACESv4=");
    let line = text.split_inclusive('\n').rfind(|line| is_it(line))?;
    // Debian's script takes the variable of old for IPv4 where the one for IPv4 is empty.
    let is_named = |key: &str| {
        text.lines().filter_map(|line| value(line, key)).next_back().is_some_and(|it| !it.is_empty())
    };
    if is_named("INTERFACESv4") || is_named("INTERFACES") {
        return None;
    }
    let end = if line.ends_with('\n') { "\n" } else { "" };
    Some(text.replacen(line, &format!("INTERFACESv4=\"{}\"{end}", listener.name), 1).into_bytes())
}

/// What a line assigns to a variable of the shell.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let value = line.trim().strip_prefix(key)?.strip_prefix('=')?;
    Some(value.trim_matches(['"', '\'']).trim())
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
    fn a_server_with_networks_that_the_interface_is_not_in_goes_on_listening_everywhere() {
        let (own, other) = (network([10, 0, 0, 0]), network([10, 0, 1, 0]));
        assert!(with(DEFAULTS, &[own]).is_some());
        for networks in [&[own, other][..], &[other], &[]] {
            assert_eq!(with(DEFAULTS, networks), None, "{networks:?}");
        }
    }
}
