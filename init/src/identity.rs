//! Who this client is: its hardware address, looked up in the host table.
//!
//! Does not know interfaces, nor where the table comes from.

use anyhow::{Context as _, bail};
use ghost_contract::{HostName, MacAddress};

/// The name of the client that has this address.
pub(crate) fn name_of(mac: MacAddress, hosts: &[(HostName, MacAddress)]) -> anyhow::Result<HostName> {
    let mut named = hosts.iter().filter(|(_, other)| *other == mac).map(|(name, _)| name);
    let first =
        named.next().with_context(|| format!("the host table has no client with the address {mac}"))?;
    match named.next() {
        Some(second) => bail!("the host table gives {mac} to both {first} and {second}"),
        None => Ok(first.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, mac: &str) -> (HostName, MacAddress) {
        (name.parse().unwrap(), mac.parse().unwrap())
    }

    #[test]
    fn the_host_with_this_address_is_meant_whatever_the_letter_case() {
        let hosts = [host("joe", "00:0a:0b:0c:0d:01"), host("john", "00:0A:0B:0C:0D:0E")];
        assert_eq!(name_of("00:0a:0b:0c:0d:0e".parse().unwrap(), &hosts).unwrap().as_str(), "john");
    }

    #[test]
    fn nobody_and_two_are_errors_that_name_them() {
        let mac = "00:0a:0b:0c:0d:0e".parse().unwrap();
        let refused = |hosts: &[_]| name_of(mac, hosts).unwrap_err().to_string();
        assert_eq!(refused(&[]), "the host table has no client with the address 00:0a:0b:0c:0d:0e");
        let twice = [host("john", "00:0a:0b:0c:0d:0e"), host("joe", "00:0a:0b:0c:0d:0e")];
        assert_eq!(refused(&twice), "the host table gives 00:0a:0b:0c:0d:0e to both john and joe");
    }
}
