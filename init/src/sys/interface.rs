//! Sets up one network interface: up, address, default route (netdevice(7), net/route.h).
#![allow(unsafe_code, reason = "ioctl(2) takes pointers")]

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use nix::errno::Errno;
use nix::libc::{self, c_char, c_short};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::file;
use crate::network::GivenAddress;

/// Brings an interface up. The kernel gives `lo` its address then.
pub(crate) fn raise(interface: &str) -> anyhow::Result<()> {
    let fails = || format!("cannot bring up {interface}");
    let mut request = request_for(interface)?;
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = c_short::try_from(flags).with_context(fails)?;
    ask(&socket_to_kernel()?, libc::SIOCSIFFLAGS, &raw mut request).with_context(fails)
}

/// Whether a cable is plugged in and the other end answers.
pub(crate) fn ensure_link(interface: &str) -> anyhow::Result<()> {
    ensure_plugged_in(interface)?;
    file::text(&folder_of(interface).join("carrier")).with_context(|| format!("{interface} is down"))?;
    Ok(())
}

/// Whether nothing is unplugged, as far as that can be seen of an interface that may be down.
pub(crate) fn ensure_plugged_in(interface: &str) -> anyhow::Result<()> {
    let folder = folder_of(interface);
    ensure!(folder.exists(), "{interface} has gone: is its card, or its USB adapter, still plugged in?");
    // The file cannot be read while the interface is down.
    let has_link = file::text(&folder.join("carrier")).map_or(true, |carrier| carrier.trim() == "1");
    ensure!(has_link, "{interface} has no link: is the cable plugged in?");
    Ok(())
}

fn folder_of(interface: &str) -> PathBuf {
    Path::new("/sys/class/net").join(interface)
}

/// Gives an interface its address.
pub(crate) fn give_address(interface: &str, given: GivenAddress) -> anyhow::Result<()> {
    let socket = socket_to_kernel()?;
    for (what, request, address) in
        [("address", libc::SIOCSIFADDR, given.ip), ("mask", libc::SIOCSIFNETMASK, given.mask)]
    {
        let mut asked = request_for(interface)?;
        asked.ifr_ifru.ifru_addr = as_sockaddr(address);
        ask(&socket, request, &raw mut asked)
            .with_context(|| format!("cannot give {interface} the {what} {address}"))?;
    }
    Ok(())
}

/// Has everything outside of the own network go by this gateway.
pub(crate) fn route_by(gateway: Ipv4Addr) -> anyhow::Result<()> {
    // SAFETY: `rtentry` is a plain C structure for which all zeroes are a value.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = as_sockaddr(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = as_sockaddr(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = as_sockaddr(gateway);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    match ask(&socket_to_kernel()?, libc::SIOCADDRT, &raw mut route) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(Errno::ENETUNREACH) => bail!(
            "the gateway {gateway} is not in the network of the client's address; correct the routers or the netmask in the DHCP \
             configuration"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot route by {gateway}")),
    }
}

/// An interface's name in the form of the kernel's structures.
pub(crate) fn kernel_name(interface: &str) -> anyhow::Result<[c_char; libc::IFNAMSIZ]> {
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() || interface.contains('\0') {
        bail!("'{interface}' is not the name of an interface");
    }
    for (slot, byte) in name.iter_mut().zip(interface.bytes()) {
        *slot = c_char::from_ne_bytes([byte]);
    }
    Ok(name)
}

fn request_for(interface: &str) -> anyhow::Result<libc::ifreq> {
    // SAFETY: `ifreq` is a plain C structure for which all zeroes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name = kernel_name(interface)?;
    Ok(request)
}

fn socket_to_kernel() -> anyhow::Result<OwnedFd> {
    socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("cannot open a socket")
}

/// An address in the form of sockaddr_in, as these requests want it: two bytes of port, then the address.
fn as_sockaddr(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (slot, byte) in data.iter_mut().skip(2).zip(address.octets()) {
        *slot = c_char::from_ne_bytes([byte]);
    }
    libc::sockaddr {
        sa_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap_or_default(),
        sa_data: data,
    }
}

fn ask<T>(socket: &OwnedFd, request: libc::c_ulong, with: *mut T) -> Result<(), Errno> {
    // SAFETY: the socket is open; each request above is given the structure that netdevice(7) and net/route.h name for
    // it, which lives until the call returns.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, with) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn a_name_that_no_interface_can_have_is_an_error() {
        let error = kernel_name("an-interface-with-a-long-name").unwrap_err();
        assert_eq!(error.to_string(), "'an-interface-with-a-long-name' is not the name of an interface");
    }

    #[test]
    fn an_interface_that_is_not_there_is_told_by_its_name() {
        assert!(raise("nosuch0").unwrap_err().to_string().starts_with("cannot bring up nosuch0"));
        let no_link = ensure_link("nosuch0").unwrap_err().to_string();
        assert_eq!(no_link, "nosuch0 has gone: is its card, or its USB adapter, still plugged in?");
        let given = GivenAddress::parse("192.168.7.2:::255.255.255.0").unwrap();
        let error = give_address("nosuch0", given).unwrap_err().to_string();
        assert_eq!(error, "cannot give nosuch0 the address 192.168.7.2");
    }

    #[test]
    fn a_gateway_outside_of_the_network_is_named_and_takes_no_address_away() {
        let in_own_network = || {
            if unshare(CloneFlags::CLONE_NEWNET) == Err(Errno::EPERM) {
                return;
            }
            let words = "link add eth0 type veth peer name there";
            assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success());
            raise("eth0").unwrap();
            let given = GivenAddress::parse("192.168.7.2:192.168.7.1:10.0.0.1:255.255.255.0").unwrap();
            give_address("eth0", given).unwrap();
            let error = route_by(given.gateway.unwrap()).unwrap_err().to_string();
            assert!(error.starts_with("the gateway 10.0.0.1 is not in the network of the client"), "{error}");
            route_by(Ipv4Addr::new(192, 168, 7, 254)).unwrap();
        };
        std::thread::spawn(in_own_network).join().unwrap();
    }
}
