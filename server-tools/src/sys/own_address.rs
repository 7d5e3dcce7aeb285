//! Whether an address is one of this machine's.

use std::net::{IpAddr, UdpSocket};

/// Only an own address can be bound to (bind(2), `EADDRNOTAVAIL`). Nothing is sent.
pub(crate) fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_and_an_example_is_not() {
        assert!(is_own([127, 0, 0, 1].into()));
        // RFC 5737: for documentation only.
        assert!(!is_own([192, 0, 2, 1].into()));
    }
}
