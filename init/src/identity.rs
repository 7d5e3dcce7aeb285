//! Who this client is: its hardware address, looked up in the host table.
//!
//! Does not know interfaces, nor where the table comes from.

use ghost_contract::{HostName, MacAddress};

/// Why a hardware address leads to no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the host table has no client with the address {0}")]
    Unknown(MacAddress),
    #[error("the host table gives {mac} to both {first} and {second}")]
    Ambiguous {
        mac: MacAddress,
        /// The first host that has it.
        first: HostName,
        second: HostName,
    },
}

/// The name of the client that has this address.
pub fn name_of(mac: MacAddress, hosts: &[(HostName, MacAddress)]) -> Result<HostName, IdentityError> {
    let mut named = hosts.iter().filter(|(_, other)| *other == mac).map(|(name, _)| name);
    let first = named.next().ok_or(IdentityError::Unknown(mac))?;
    match named.next() {
        Some(second) => Err(IdentityError::Ambiguous { mac, first: first.clone(), second: second.clone() }),
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
        assert_eq!(name_of("00:0a:0b:0c:0d:0e".parse().unwrap(), &hosts), Ok("john".parse().unwrap()));
    }

    #[test]
    fn nobody_and_two_are_errors_that_name_them() {
        let mac = "00:0a:0b:0c:0d:0e".parse().unwrap();
        assert_eq!(name_of(mac, &[]), Err(IdentityError::Unknown(mac)));
        let twice = [host("john", "00:0a:0b:0c:0d:0e"), host("joe", "00:0a:0b:0c:0d:0e")];
        let (first, second) = ("john".parse().unwrap(), "joe".parse().unwrap());
        assert_eq!(name_of(mac, &twice), Err(IdentityError::Ambiguous { mac, first, second }));
    }
}
