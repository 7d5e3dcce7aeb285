//! Asks the other machines on the wire whether an address is theirs: ARP (RFC 826), by a packet socket (packet(7)).
//!
//! Waits, but never for a file.
#![allow(unsafe_code, reason = "no safe crate binds a packet socket")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::arp::{ETHERTYPE, probed, request, spoken};
use nix::errno::Errno;
use nix::libc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use super::{clock, network};
use crate::network::address_check::{AddressCheck, Verdict, pause, unheard};
use crate::task::Finding;

/// Asks whether another machine on this interface's wire has the address; an error if that cannot be known. The neighbour is a
/// machine that has to be there: once it has answered, so would have another one that has the address.
pub(crate) fn check_address(
    interface: &str,
    address: Ipv4Addr,
    neighbour: Ipv4Addr,
) -> anyhow::Result<Finding> {
    let own = network::interfaces()?.into_iter().find(|found| found.name == interface);
    let own = own.and_then(|own| own.mac).with_context(|| format!("{interface} has no hardware address"))?;
    let socket = open(interface).with_context(|| format!("cannot ask the other machines by {interface}"))?;
    let mut check = AddressCheck::new(own, address, neighbour, clock::uptime());
    loop {
        if check.due(clock::uptime()) {
            for asked in [address, neighbour] {
                // What was not sent is not answered, and this is over after a while all the same.
                let _unasked = send(&socket, &request(own, Ipv4Addr::UNSPECIFIED, asked), SendFlags::empty());
            }
        }
        wait(&socket, check.pause(clock::uptime()));
        listen(&socket, &mut check);
        match check.verdict(clock::uptime()) {
            Verdict::NotYet => {}
            Verdict::Free => return Ok(Finding::Done),
            Verdict::Taken(by) => return Ok(Finding::AddressTaken { address, by }),
            Verdict::Contested(by) => {
                return Ok(Finding::AddressContested { address, by, pause: pause(random()) });
            }
            Verdict::Unheard => return Err(unheard(neighbour)),
        }
    }
}

/// Each hasher has keys of its own from the kernel.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn wait(socket: &OwnedFd, pause: Duration) {
    // Interrupted, it listens a little sooner.
    let pause = Timespec::try_from(pause).unwrap_or_default();
    let _ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&pause));
}

/// Hears what has been said until now.
fn listen(socket: &OwnedFd, check: &mut AddressCheck) {
    let mut frame = [0; 64];
    while let Ok((_, length)) = recv(socket, &mut frame[..], RecvFlags::empty()) {
        let frame = &frame[..length.min(frame.len())];
        if let Some(answer) = spoken(frame) {
            check.hear(answer, clock::uptime());
        }
        if let Some(probe) = probed(frame) {
            check.hear_probe(probe);
        }
    }
}

fn open(interface: &str) -> anyhow::Result<OwnedFd> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    let protocol = NonZeroU32::new(u32::from(ETHERTYPE.to_be())).map(Protocol::from_raw);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol)?;
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET)?,
        sll_protocol: ETHERTYPE.to_be(),
        sll_ifindex: i32::try_from(index)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address))?;
    // SAFETY: the pointer and the length are those of `address`, which lives until the call is over.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(bound)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    const OURS: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);

    /// How many frames two rounds of questions are, and some that the kernel sends by itself.
    const FEW: u64 = 10;

    /// What comes of the check on a wire of its own, at whose other end there are these addresses, and how many frames
    /// it sent. None where the tests may not make one.
    fn checked(there: &'static [Ipv4Addr]) -> Option<(anyhow::Result<Finding>, u64)> {
        let on_own_wire = move || {
            if unshare(CloneFlags::CLONE_NEWNET) == Err(Errno::EPERM) {
                return None;
            }
            let ip = |words: &str| {
                assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success(), "{words}");
            };
            ip("link add eth0 type veth peer name there");
            there.iter().for_each(|address| ip(&format!("address add {address}/25 dev there")));
            for end in ["eth0", "there"] {
                ip(&format!("link set {end} addrgenmode none"));
                ip(&format!("link set {end} up"));
            }
            Some((check_address("eth0", OURS, SERVER), sent_by_eth0()))
        };
        std::thread::spawn(on_own_wire).join().unwrap()
    }

    /// The tenth number in /proc/net/dev (proc(5)).
    fn sent_by_eth0() -> u64 {
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let counts = devices.lines().find_map(|line| line.trim_start().strip_prefix("eth0:")).unwrap();
        counts.split_ascii_whitespace().nth(9).unwrap().parse().unwrap()
    }

    #[test]
    fn an_address_that_another_machine_has_is_not_taken() {
        let Some((found, _)) = checked(&[SERVER, OURS]) else { return };
        let found = found.unwrap();
        assert!(matches!(found, Finding::AddressTaken { address: OURS, .. }), "{found:?}");
    }

    #[test]
    fn an_address_that_nobody_has_is_free_after_a_few_questions() {
        let Some((found, sent)) = checked(&[SERVER]) else { return };
        assert_eq!(found.unwrap(), Finding::Done);
        assert!(sent <= FEW, "{sent} frames");
    }

    #[test]
    fn where_the_server_does_not_answer_nothing_is_known() {
        let Some((found, sent)) = checked(&[]) else { return };
        let error = found.unwrap_err().to_string();
        assert!(error.starts_with("192.168.7.1 does not answer; "), "{error}");
        assert!(sent <= FEW * 2, "{sent} frames");
    }
}
