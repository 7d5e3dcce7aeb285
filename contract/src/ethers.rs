//! The host table as ethers(5) has it: one client a line, `00:01:80:5c:37:d4 john`.
//!
//! Written by the server into each tree, read by the client to find its name. It holds names and hardware addresses
//! and nothing else of the DHCP configuration, which may hold keys.

use crate::{HostName, MacAddress};

/// The file for these clients, in their order.
pub fn write<'a>(clients: impl IntoIterator<Item = (&'a HostName, MacAddress)>) -> String {
    clients.into_iter().map(|(name, mac)| format!("{mac} {name}\n")).collect()
}

/// The clients in such a file. `#` begins a comment (ethers(5)). Lines that name no client of ours are passed over: in
/// ethers(5) a name may also be an IP address.
pub fn read(bytes: &[u8]) -> Vec<(HostName, MacAddress)> {
    String::from_utf8_lossy(bytes).lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<(HostName, MacAddress)> {
    let (entry, _comment) = line.split_once('#').unwrap_or((line, ""));
    let mut words = entry.split_ascii_whitespace();
    let mac = words.next()?.parse().ok()?;
    let name = words.next()?.parse().ok()?;
    words.next().is_none().then_some((name, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, mac: &str) -> (HostName, MacAddress) {
        (name.parse().unwrap(), mac.parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        let clients = [client("john", "00:01:80:5c:37:d4"), client("joe", "00:0a:0b:0c:0d:0e")];
        let written = write(clients.iter().map(|(name, mac)| (name, *mac)));
        assert_eq!(written, "00:01:80:5c:37:d4 john\n00:0a:0b:0c:0d:0e joe\n");
        assert_eq!(read(written.as_bytes()), clients);
    }

    #[test]
    fn comments_short_digits_and_foreign_lines_are_as_in_ethers_5() {
        let file = b"# all of them\n\n0:1:80:5c:37:d4\tjohn # the tower\nnonsense\n00:01:80:5c:37:d5 a b\n\xff\xfe\n";
        assert_eq!(read(file), [client("john", "00:01:80:5c:37:d4")]);
    }
}
