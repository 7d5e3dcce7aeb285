//! A real dnsmasq as proxyDHCP of a boot server under test, beside the DHCP server of another machine, and whole jobs with them.
//!
//! ```text
//! br0 192.168.7.1, the proxy ── switch ── hub ── port ── wire 192.168.7.126, ISC dhcpd in a name space of its own
//! ```

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ghost_contract::MacAddress;
use ghostctl::sys::interface::Interface;
use ghostctl::sys::packet::PacketSocket;
use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};
use super::dhcpd::{REPLY, discover};
use super::network::{self, Network};

/// How long it may take to answer, and how often it is asked meanwhile: broadcasts get lost.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(300);
/// Frames of every kind: what a bridge takes from its port is shown to no other socket (packet(7)).
const EVERY_KIND: u16 = 0x0003;
/// A machine that is always offered a boot file.
const ALWAYS: [u8; 6] = [2, 0, 0, 0, 0, 0xff];
/// The class of a boot ROM, and the system that it says it is: a PC with a BIOS.
const PXE: &[u8] = b"\x3c\x20PXEClient:Arch:00000:UNDI:002001\x5d\x02\0\0";

pub(crate) fn configuration(hosts: &str) -> String {
    format!(
        "# kept as it is\r\nport=0\nuser=root\nleasefile-ro\ninterface=br0\ndhcp-range=192.168.7.0,proxy,255.255.255.128\n\
         dhcp-range=192.168.9.0,proxy,255.255.255.0\ndhcp-ignore=tag:!pxelinux.0\n\
         pxe-service=tag:pxelinux.0,x86PC,\"Ghost4Linux\",pxelinux.0,192.168.7.1\n{hosts}\
         dhcp-host=02:00:00:00:00:FF,set:pxelinux.0,192.168.7.127,fakebox\n"
    )
}

pub(crate) fn host(number: u8) -> String {
    format!("dhcp-host=02:00:00:00:00:{number:02X},set:nobackup,192.168.7.{number},pc{number} # pc{number}\n")
}

pub(crate) fn swapped(number: u8) -> String {
    host(number).replace("nobackup", "pxelinux.0")
}

/// What `DHCPD` names; as the one of dhcpd it returns when dnsmasq has read its configuration and runs, or has failed to.
pub(crate) fn service(folder: &Path) -> String {
    let script = r#"#!/bin/bash
exec 9> FOLDER/service.lock
flock 9
while [ -e FOLDER/hold ]; do sleep 0.05; done
[ ! -e FOLDER/broken ] || { echo no such luck; exit 1; }
if [ -s FOLDER/proxy.pid ]; then
    pid=$(cat FOLDER/proxy.pid)
    kill -9 "$pid"
    while grep -q '^[0-9]* (dnsmasq) [^ZX]' "/proc/$pid/stat" 2>/dev/null; do sleep 0.02; done
    rm -f FOLDER/proxy.pid
fi
[ ! -d FOLDER/copy ] || within=(unshare --mount sh -ec 'mount --bind FOLDER/copy FOLDER/dhcp; exec "$@"' sh)
"${within[@]}" /usr/sbin/dnsmasq --conf-file=FOLDER/dhcp/proxy.conf --pid-file=FOLDER/proxy.pid --log-facility=FOLDER/proxy.log 9>&- || exit 1
echo "$1 $(date +%s.%N) $(grep -c pxelinux FOLDER/dhcp/proxy.conf)" >> FOLDER/restarts
"#;
    script.replace("FOLDER", &folder.display().to_string())
}

/// The proxy, and the other machine with its DHCP server. Both end with the boot server.
pub(crate) struct Proxy {
    pid_file: PathBuf,
    router: Child,
    _machine: File,
}

impl Proxy {
    /// The other server gives these hosts their addresses, and says nothing of a boot file.
    pub(crate) fn of(network: &Network, folder: &Path, count: u8) -> Self {
        let host = |number: u8| (MacAddress::new([2, 0, 0, 0, 0, number]), [192, 168, 7, number].into());
        Self::beside(network, folder, (2..2 + count).map(host))
    }

    /// The other server gives these machines these addresses, in the networks of the clients and of a crowd.
    pub(crate) fn beside(
        network: &Network,
        folder: &Path,
        machines: impl Iterator<Item = (MacAddress, Ipv4Addr)>,
    ) -> Self {
        let machine = network.with_another_machine();
        let entry = |(mac, ip): (MacAddress, Ipv4Addr)| {
            let name = ip.to_string().replace('.', "-");
            format!("host h{name} {{ hardware ethernet {mac}; fixed-address {ip}; }}\n")
        };
        let hosts: String = machines.map(entry).collect();
        let text = format!(
            "shared-network wire {{ subnet 192.168.7.0 netmask 255.255.255.128 {{ range 192.168.7.100 192.168.7.120; }} \
             subnet 10.0.0.0 netmask 255.0.0.0 {{ }} }}\n{hosts}"
        );
        fs::create_dir(folder.join("router")).unwrap();
        fs::write(folder.join("router/conf"), text).unwrap();
        fs::write(folder.join("router/leases"), "").unwrap();
        let mut router = Command::new("nsenter");
        router.arg(format!("--net={}", network::name(&machine))).args([
            "/usr/sbin/dhcpd",
            "-4",
            "-f",
            "-q",
            "-cf",
        ]);
        router.arg(folder.join("router/conf")).arg("-lf").arg(folder.join("router/leases"));
        router.arg("-pf").arg(folder.join("router/pid")).arg("wire");
        router.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let proxy =
            Self { pid_file: folder.join("proxy.pid"), router: router.spawn().unwrap(), _machine: machine };
        wait_until("the other DHCP server runs", || folder.join("router/pid").exists());
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone = self.router.kill();
        let _status = self.router.wait();
        let pid = fs::read_to_string(&self.pid_file).ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw).filter(|pid| is_dnsmasq(*pid)) {
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}

fn is_dnsmasq(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).is_ok_and(|name| name == "dnsmasq\n")
}

/// Whether the proxy answers those hosts of a configuration that are swapped in it, and no others.
pub(crate) fn serves(network: &Network, configuration: &[u8]) -> bool {
    let text = String::from_utf8_lossy(configuration);
    let hosts = text.lines().filter_map(|line| {
        let number = line.split_once(" # pc")?.1.trim().parse::<u8>().ok()?;
        Some((number, line.contains("set:pxelinux.0,")))
    });
    let hosts: Vec<(u8, bool)> = hosts.collect();
    hosts.iter().all(|(number, is_swapped)| is_answered(network, *number) == *is_swapped)
}

/// Whether the proxy answers the machine with this number.
pub(crate) fn is_answered(network: &Network, number: u8) -> bool {
    network.inside(|| answers([2, 0, 0, 0, 0, number]))
}

/// Whether the proxy answers the machine with this hardware address. It answers one after the other, so that one that it always answers, and that
/// asks later, shows that it is silent.
pub(crate) fn answers(mac: [u8; 6]) -> bool {
    let wire = Interface::named("switch").unwrap();
    let socket = PacketSocket::open(wire.index, EVERY_KIND).unwrap();
    let (started, mut asked, mut buffer) = (Instant::now(), None::<Instant>, [0; 2048]);
    while started.elapsed() < ANSWERS_WITHIN {
        if asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            socket.send(&discover(mac, PXE)).unwrap();
            socket.send(&discover(ALWAYS, PXE)).unwrap();
            asked = Some(Instant::now());
        }
        while let Some(frame) = socket.receive(&mut buffer).unwrap() {
            let reply = frame.get(REPLY..).unwrap_or_default();
            let is_for = |mac: [u8; 6]| reply.first() == Some(&2) && reply.get(28..34) == Some(&mac[..]);
            if frame.get(34..36) != Some(&[0, 67]) {
                continue;
            }
            if is_for(mac) {
                return true;
            }
            if is_for(ALWAYS) {
                return false;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn two_jobs_at_once_are_heard_and_then_silent_and_every_byte_is_back() {
    let server = BootServer::with_proxy(3);
    let before = server.configured();
    assert!(server.serves(&before));
    let clients = [2, 3].map(|number| Client::off(&server, number, Behaviour::Succeeds));
    let output = server.run(&["test", "pc2", "pc3"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(clients);
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    assert!(!said(&output).contains("cannot be heard"), "{}", said(&output));

    let swap = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(swap.status.code(), Some(0), "{}", said(&swap));
    let text = String::from_utf8(before.clone()).unwrap().replace(&host(3), &swapped(3));
    assert_eq!(String::from_utf8(server.configured()).unwrap(), text);
    assert!(server.serves(text.as_bytes()));
    let listed = said(&server.run(&["hosts"]));
    let line = listed.lines().find(|line| line.starts_with("pc3 ")).unwrap();
    assert!(line.contains("192.168.7.3") && line.contains("pxelinux.0"), "{listed}");
    let doctor = said(&server.run(&["doctor"]));
    assert!(doctor.contains("offered: pc3: is offered 'pxelinux.0' (says 192.168.7.1)"), "{doctor}");
    let revert = server.run(&["dhcp", "revert", "pc3"]);
    assert_eq!(revert.status.code(), Some(0), "{}", said(&revert));
    assert!(!said(&revert).contains("cannot be heard"), "{}", said(&revert));
    assert!(server.configured() == before && server.serves(&before));

    let doctor = server.run(&["doctor"]);
    for words in [
        "it is taken for a dnsmasq of ours beside another DHCP server, since DHCPSERVER in ghostrc says so",
        "is accepted by 'dnsmasq --test -C FILE'",
        "offered: pc2, pc3, pc4: the proxy is silent, as it is meant to be while no job runs",
        "booting: hosts load their boot files from this boot server",
    ] {
        assert!(said(&doctor).contains(words), "{words}: {}", said(&doctor));
    }
    assert_eq!(doctor.status.code(), Some(0), "{}", said(&doctor));
}

#[test]
fn what_a_killed_job_has_left_is_recovered_in_the_server_that_the_journal_names() {
    let server = BootServer::with_proxy(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    assert_ne!(server.configured(), before);
    let journal = fs::read_to_string(server.journal().remove(0)).unwrap();
    assert!(journal.contains("\"server\":\"proxy\""), "{journal}");
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}

/// It would not start with that, so that it goes on running and offers the boot file until the edit is corrected.
#[test]
fn another_persons_broken_edit_keeps_the_own_word_put_back_and_is_told() {
    let server = BootServer::with_proxy(2);
    server.set("REVERT_DEADLINE", "0");
    let before = server.configured();
    let edited = Gate::default();
    let (_client, running) = swapped_test(&server, &edited);
    let half = b"no-such-option=1\n";
    fs::write(server.configuration(), [&server.configured()[..], half].concat()).unwrap();
    edited.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("its own checker refuses the configuration"), "{}", said(&output));
    assert_eq!(server.configured(), [&before[..], half].concat(), "the swap is undone, and the edit stays");
    let refused = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    fs::write(server.configuration(), &before).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.serves(&before) && server.journal().is_empty());
}

#[test]
fn a_client_that_the_other_server_gives_another_address_is_not_woken_and_is_told() {
    let server = BootServer::with_proxy(2);
    let before = String::from_utf8(server.configured()).unwrap();
    let moved = before.replace("192.168.7.2,pc2", "192.168.7.50,pc2");
    fs::write(server.configuration(), &moved).unwrap();
    let refused = server.run(&["test", "pc2"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    let words = "the other DHCP server 192.168.7.126 would give pc2 the address 192.168.7.2, and its line says 192.168.7.50";
    assert!(said(&refused).contains(words), "{}", said(&refused));
    assert_eq!(server.configured(), moved.as_bytes());
    assert!(server.serves(moved.as_bytes()) && server.journal().is_empty());
    let doctor = server.run(&["doctor"]);
    assert!(
        said(&doctor).contains("pc2: the other DHCP server would give it 192.168.7.2"),
        "{}",
        said(&doctor)
    );
    assert_eq!(doctor.status.code(), Some(78), "{}", said(&doctor));
}
