//! The address of a name, with a deadline: the C library's resolver has none that a caller can set.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

/// An address of this name, an IPv4 one if there is.
pub(crate) fn address_of(name: &str, deadline: Duration) -> io::Result<IpAddr> {
    let (answer, waiting) = mpsc::channel();
    let name = name.to_owned();
    std::thread::spawn(move || {
        // The receiver may have timed out; ignore the failed send.
        let _too_late = answer.send(look_up(&name));
    });
    waiting.recv_timeout(deadline).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn look_up(name: &str) -> io::Result<IpAddr> {
    let addresses: Vec<IpAddr> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    let first = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first());
    first.copied().ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_own_address() {
        let address = address_of("192.168.7.1", Duration::from_secs(20)).unwrap();
        assert_eq!(address, IpAddr::from([192, 168, 7, 1]));
        assert!(address_of("", Duration::from_secs(20)).is_err());
    }
}
