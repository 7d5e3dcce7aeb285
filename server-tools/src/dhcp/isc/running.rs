//! Which configuration a dhcpd reads, as its arguments tell.

use std::path::PathBuf;

use crate::dhcp::restarted::Program;
use crate::sys::process::Process;

pub(in crate::dhcp) const PROGRAM: Program = Program { name: "dhcpd", unit: "isc-dhcp-server", read_by };

/// The configuration that a server for IPv4 reads, by its arguments; without one the places where dhcpd looks by itself.
fn read_by(process: &Process) -> Vec<PathBuf> {
    let mut named = None;
    let mut words = process.arguments.iter();
    // The kernel shows no arguments of a process that begins or ends this moment.
    if !words.any(|word| word.to_string_lossy().ends_with("dhcpd")) {
        return Vec::new();
    }
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("-cf") => named = words.next().map(PathBuf::from),
            // Servers of IPv6, and checkers.
            Some("-6" | "-t" | "-T") => return Vec::new(),
            _ => {}
        }
    }
    match named {
        Some(named) => vec![process.folder.join(named)],
        None => super::TRAITS.configurations.iter().map(PathBuf::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    #[test]
    fn a_server_of_another_configuration_or_of_ipv6_is_not_ours() {
        let arguments = |line: &str| line.split(' ').map(Into::into).collect();
        for (line, is_ours) in [
            ("/usr/sbin/dhcpd -4 -q -cf /etc/dhcp/dhcpd.conf eth0", true),
            ("dhcpd -q", true),
            ("/bin/sh /usr/local/sbin/dhcpd -cf dhcpd.conf", true),
            ("dhcpd -cf /srv/dhcpd.conf", false),
            ("dhcpd -6 -cf /etc/dhcp/dhcpd.conf", false),
            ("dhcpd -t -cf /etc/dhcp/dhcpd.conf", false),
        ] {
            let process =
                Process { identity: some_identity(), arguments: arguments(line), folder: "/etc/dhcp".into() };
            let is_read = read_by(&process).contains(&PathBuf::from("/etc/dhcp/dhcpd.conf"));
            assert_eq!(is_read, is_ours, "{line}");
        }
    }

    #[test]
    fn one_that_begins_or_ends_this_moment_has_no_arguments_and_tells_nothing() {
        let process = Process {
            identity: some_identity(),
            arguments: vec![std::ffi::OsString::new()],
            folder: "/etc/dhcp".into(),
        };
        assert!(read_by(&process).is_empty());
    }

    fn some_identity() -> process::Identity {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        process::named(name.trim_end()).unwrap()[0].identity
    }
}
