//! Who has a UDP port of this machine, as the kernel tells it (proc_pid_net(5)).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

/// Where DHCP servers are asked (RFC 2131 §4.1).
pub(crate) const DHCP: u16 = 67;

/// A process that has a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub pid: u32,
    pub name: String,
}

/// Those that have this port on addresses that other machines can reach, in the network that this process is in. None stands for one
/// that cannot be seen from here.
pub(crate) fn holders(port: u16) -> io::Result<BTreeSet<Option<Holder>>> {
    let sockets = sockets(&fs::read_to_string("/proc/self/net/udp")?, port);
    if sockets.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut held = BTreeSet::new();
    let mut holders = BTreeSet::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let of_it: Vec<String> = links(&entry.path().join("fd"))
            .filter(|link| sockets.iter().any(|socket| *socket == *link))
            .collect();
        if !of_it.is_empty() {
            // One that ends meanwhile has the port no more.
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            holders.insert(Some(Holder { pid, name: name.trim_end().to_owned() }));
            held.extend(of_it);
        }
    }
    if held.len() < sockets.len() {
        holders.insert(None);
    }
    Ok(holders)
}

/// What a process has open.
fn links(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned))
}

/// The sockets with this port, as descriptors of them are called, in the kernel's table. Pure.
fn sockets(table: &str, port: u16) -> BTreeSet<String> {
    let of_line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, own) = words.get(1)?.split_once(':')?;
        // Written as the processor keeps what the network has in its own order.
        let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
        let is_it = u16::from_str_radix(own, 16) == Ok(port) && !address.is_loopback();
        is_it.then_some(format!("socket:[{}]", words.get(9)?))
    };
    table.lines().filter_map(of_line).collect()
}

/// Whether a server could have it: one that shares it could beside others that share it. The port is had for a moment; nothing is sent.
pub(crate) fn is_free(port: u16, is_shared: bool) -> bool {
    let tried = || -> rustix::io::Result<()> {
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&socket, is_shared)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
    };
    tried() != Err(rustix::io::Errno::ADDRINUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_port_is_held_by_whoever_has_bound_it() {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let holders = holders(port).unwrap();
        let own = holders.iter().flatten().find(|holder| holder.pid == std::process::id());
        assert!(own.is_some(), "{holders:?}");
        // It does not share it.
        assert!(!is_free(port, true) && !is_free(port, false));
    }

    #[test]
    fn only_what_others_can_reach_counts() {
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        let table = format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             \x20 1: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n\
             \x20 2: {loopback:08X}:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n\
             \x20 3: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 0\n"
        );
        assert_eq!(sockets(&table, DHCP), BTreeSet::from(["socket:[4711]".to_owned()]));
    }
}
