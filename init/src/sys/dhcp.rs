//! Has an interface get its address by DHCP, and keeps the lease of one that it has.
//!
//! It gets one by ipconfig(8) of klibc, which is small enough for an initramfs. The lease is kept by busybox's udhcpc, which the
//! base root has anyway.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::bail;

use super::child::{ChildError, Children, Departure};
use super::{clock, interface};
use crate::task::DHCP_LIMIT;

/// ipconfig counts whole seconds.
const ROUNDED: Duration = Duration::from_secs(2);

/// Brings the interface up, asks, and sets what was answered.
pub(crate) fn ask(children: &Children, interface: &str) -> anyhow::Result<()> {
    let limit = DHCP_LIMIT.as_secs().to_string();
    let mut ipconfig = Command::new("ipconfig");
    ipconfig.args(["-t", &limit, "-c", "dhcp", "-d", interface]).stdin(Stdio::null()).stdout(Stdio::null());
    let started = clock::uptime();
    let asked = children.run(&mut ipconfig, DHCP_LIMIT.saturating_add(Duration::from_secs(5)));
    let took = clock::uptime().saturating_sub(started);
    if asked.is_err() {
        interface::ensure_plugged_in(interface)?;
    }
    answered(asked, took, interface)
}

/// What came of asking. ipconfig says the same by its status when no server has answered, and when it could not ask: then it does
/// not wait.
fn answered(asked: Result<(), ChildError>, took: Duration, interface: &str) -> anyhow::Result<()> {
    let has_waited = took.saturating_add(ROUNDED) >= DHCP_LIMIT;
    match asked {
        Err(ChildError::Failed { departure: Departure::Exited(_), .. } | ChildError::TooLong { .. })
            if has_waited =>
        {
            bail!(
                "no DHCP answer on {interface} within {} s; see whether a DHCP server runs in this network, and whether the switch lets \
             this port through (spanning tree)",
                DHCP_LIMIT.as_secs()
            )
        }
        asked => Ok(asked?),
    }
}

/// Renews the lease of an address as long as the machine is on. Nobody waits for it.
pub(crate) fn keep(children: &Children, interface: &str, address: Ipv4Addr) -> anyhow::Result<()> {
    children.spawn(&mut keeper(interface, address), |_| {})?;
    Ok(())
}

/// What it is told leads to nothing (true(1)): the root is reached by this address, and it stays as it is. It asks as the
/// firmware did, without an identifier besides the card's address (`-C`), so that a server finds the lease again.
fn keeper(interface: &str, address: Ipv4Addr) -> Command {
    let mut udhcpc = Command::new("busybox");
    udhcpc.args(["udhcpc", "-f", "-C", "-s", "/bin/true", "-i", interface, "-r", &address.to_string()]);
    udhcpc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    udhcpc
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::process::Child;
    use std::sync::mpsc;
    use std::time::Instant;

    use nix::errno::Errno;
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::signal::Signal;

    use super::*;

    /// A DHCP server at the other end of the wire, with one address and the shortest lease that it has.
    const SERVER: &str = "until ip link show there; do sleep 0.1; done >/dev/null 2>&1
        ip address add 192.168.7.1/25 dev there
        ip link set there up
        exec busybox udhcpd -f \"$0\"";

    /// udhcpc renews after 8 s at the earliest.
    const LONG: Duration = Duration::from_secs(60);

    /// A program that ends with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            // It may have ended, and then the test says so.
            let _ended = self.0.kill();
            let _reaped = self.0.wait();
        }
    }

    fn ip(words: &str) -> String {
        let output = Command::new("ip").args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn is_renewed() {
        if unshare(CloneFlags::CLONE_NEWNET) == Err(Errno::EPERM) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (settings, leases) = (folder.path().join("udhcpd.conf"), folder.path().join("leases"));
        let lines = format!(
            "start 192.168.7.2\nend 192.168.7.2\ninterface there\nmin_lease 1\noption lease 10\nlease_file {}\npidfile {}\n",
            leases.display(),
            folder.path().join("pid").display()
        );
        fs::write(&settings, lines).unwrap();
        fs::write(leases, "").unwrap();
        ip("link add eth0 type veth peer name there");
        ip("address add 192.168.7.2/25 dev eth0");
        ip("link set eth0 up");
        let mut server = Command::new("unshare");
        server.args(["--net", "sh", "-ec", SERVER]).arg(&settings).stderr(Stdio::piped());
        let mut server = Running(server.spawn().unwrap());
        let said = BufReader::new(server.0.stderr.take().unwrap());
        let (tell, granted) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = said.lines().map_while(Result::ok).filter(|line| line.contains("sending ACK"));
            // When the test is over nobody hears of more.
            lines.map_while(|line| tell.send(line).ok()).for_each(drop);
        });
        let space = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).unwrap();
        let started = Instant::now();
        while space(&server.0.id().to_string()) == space("thread-self") {
            assert!(started.elapsed() < LONG, "the server has no network of its own");
            std::thread::yield_now();
        }
        ip(&format!("link set there netns {}", server.0.id()));
        let _keeper = Running(keeper("eth0", Ipv4Addr::new(192, 168, 7, 2)).spawn().unwrap());
        granted.recv_timeout(LONG).expect("it is granted");
        granted.recv_timeout(LONG).expect("it is renewed");
        assert!(ip("address show dev eth0").contains("192.168.7.2/25"));
    }

    #[test]
    fn a_server_that_does_not_answer_is_told_as_that() {
        let ended = |departure| Err(ChildError::Failed { program: "ipconfig".to_owned(), departure });
        let came_of = |asked, seconds| {
            let came_of = answered(asked, Duration::from_secs(seconds), "eth0");
            came_of.map_err(|error| format!("{error:#}"))
        };
        let error = came_of(ended(Departure::Exited(1)), 19).unwrap_err();
        assert!(error.starts_with("no DHCP answer on eth0 within 20 s; see whether"), "{error}");
        let killed = came_of(ended(Departure::Killed(Signal::SIGKILL)), 20).unwrap_err();
        assert_eq!(killed, "ipconfig killed by SIGKILL");
        let at_once = came_of(ended(Departure::Exited(1)), 0).unwrap_err();
        assert_eq!(at_once, "ipconfig ended with status 1");
        assert!(came_of(Ok(()), 1).is_ok());
    }

    /// ipconfig(8) is on no developer's machine, and its absence is one more reason that is not the server's.
    #[test]
    fn an_interface_that_has_gone_is_told_and_not_a_server_that_does_not_answer() {
        let error = ask(&Children::new(|| {}), "nosuch0").unwrap_err().to_string();
        assert_eq!(error, "nosuch0 has gone: is its card, or its USB adapter, still plugged in?");
    }

    #[test]
    fn a_lease_is_renewed_and_the_address_left_as_it_is() {
        std::thread::spawn(is_renewed).join().unwrap();
    }
}
