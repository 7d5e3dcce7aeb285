//! A real ISC dhcpd as the DHCP service of a boot server under test, and a boot ROM that asks whatever server there is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ghostctl::sys::interface::Interface;
use ghostctl::sys::packet::PacketSocket;

use super::network::Network;

/// How long dhcpd may take to answer, and how often it is asked meanwhile: broadcasts get lost.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(300);
const IPV4: u16 = 0x0800;
/// Where a reply to a boot ROM begins in its frame, after the headers of Ethernet, IPv4 and UDP.
pub(crate) const REPLY: usize = 14 + 20 + 8;
/// Where the boot file's name is in a reply (RFC 951 §3).
const FILE: std::ops::Range<usize> = 108..236;

/// What `DHCPD` names: as an init script does, it returns when dhcpd has read its configuration and runs, or has failed to.
/// `hold` and `broken` do what they do to the service that only counts.
pub(crate) fn service(folder: &Path) -> String {
    let script = r#"#!/bin/bash
exec 9> FOLDER/service.lock
flock 9
while [ -e FOLDER/hold ]; do sleep 0.05; done
[ ! -e FOLDER/broken ] || { echo no such luck; exit 1; }
if [ -s FOLDER/dhcpd.pid ]; then
    pid=$(cat FOLDER/dhcpd.pid)
    kill -9 "$pid"
    while grep -q '^[0-9]* (dhcpd) [^ZX]' "/proc/$pid/stat" 2>/dev/null; do sleep 0.02; done
    rm -f FOLDER/dhcpd.pid
fi
[ -e FOLDER/leases ] || : > FOLDER/leases
/usr/sbin/dhcpd -4 -q -cf FOLDER/dhcp/dhcpd.conf -lf FOLDER/leases -pf FOLDER/dhcpd.pid br0 9>&- || exit 1
echo "$1 $(date +%s.%N) $(grep -c pxelinux FOLDER/dhcp/dhcpd.conf)" >> FOLDER/restarts
"#;
    script.replace("FOLDER", &folder.display().to_string())
}

/// Ends with the boot server.
pub(crate) struct Dhcpd(PathBuf);

impl Dhcpd {
    pub(crate) fn of(folder: &Path) -> Self {
        Self(folder.join("dhcpd.pid"))
    }
}

impl Drop for Dhcpd {
    fn drop(&mut self) {
        let Some(pid) = std::fs::read_to_string(&self.0).ok().and_then(|pid| pid.trim().parse().ok()) else {
            return;
        };
        // Whatever name it has, its command line names its files, which are below a folder that no other boot server has.
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let own = self.0.as_os_str().as_encoded_bytes();
        let is_own = command.split(|byte| *byte == 0).any(|word| word == own);
        if let Some(pid) = rustix::process::Pid::from_raw(pid).filter(|_| is_own) {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The numbers of the `pcN` of a configuration, each with its boot file there.
pub(crate) fn hosts(configuration: &[u8]) -> Vec<(u8, String)> {
    let text = String::from_utf8_lossy(configuration);
    let entries = text.split("host pc").skip(1).map(|entry| {
        let number: u8 = entry.split_once(' ').unwrap().0.parse().unwrap();
        let file = entry.split_once("filename \"").unwrap().1.split_once('"').unwrap().0;
        (number, file.to_owned())
    });
    entries.collect()
}

/// Whether each of these machines is offered its boot file by the server that answers.
pub(crate) fn serves(network: &Network, hosts: &[(u8, String)]) -> bool {
    let is_offered = |(number, file): &(u8, String)| offered([2, 0, 0, 0, 0, *number]).as_ref() == Some(file);
    network.inside(|| hosts.iter().all(is_offered))
}

/// The boot file that the machine with this hardware address is offered; none if no server answers it.
pub(crate) fn offered(mac: [u8; 6]) -> Option<String> {
    let wire = Interface::named("switch").unwrap();
    let socket = PacketSocket::open(wire.index, IPV4).unwrap();
    let request = request(mac);
    let (started, mut asked, mut buffer) = (Instant::now(), None::<Instant>, [0; 2048]);
    while started.elapsed() < ANSWERS_WITHIN {
        if asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            socket.send(&request).unwrap();
            asked = Some(Instant::now());
        }
        while let Some(frame) = socket.receive(&mut buffer).unwrap() {
            let reply = frame.get(REPLY..).unwrap_or_default();
            let is_for_it = reply.first() == Some(&2) && reply.get(28..34) == Some(&mac[..]);
            if is_for_it && frame.get(34..36) == Some(&[0, 67]) {
                let file = reply.get(FILE).unwrap().split(|byte| *byte == 0).next().unwrap();
                return Some(String::from_utf8_lossy(file).into_owned());
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// A DHCPDISCOVER by broadcast, which a server answers at once and without keeping a lease.
fn request(mac: [u8; 6]) -> Vec<u8> {
    discover(mac, &[])
}

/// The same with more options.
pub(crate) fn discover(mac: [u8; 6], options: &[u8]) -> Vec<u8> {
    let mut bootp = vec![0; 400];
    bootp[..4].copy_from_slice(&[1, 1, 6, 0]);
    bootp[4..8].copy_from_slice(&mac[2..]);
    // The answer comes by broadcast too.
    bootp[10] = 0x80;
    bootp[28..34].copy_from_slice(&mac);
    bootp[236..243].copy_from_slice(&[99, 130, 83, 99, 53, 1, 1]);
    bootp[243..243 + options.len()].copy_from_slice(options);
    bootp[243 + options.len()] = 255;
    let udp = [[0, 68, 0, 67].to_vec(), length(8 + bootp.len()).to_vec(), vec![0, 0], bootp].concat();
    let mut ip =
        [[0x45, 0].to_vec(), length(20 + udp.len()).to_vec(), vec![0, 0, 0, 0, 64, 17, 0, 0]].concat();
    ip.extend([0, 0, 0, 0, 255, 255, 255, 255]);
    let sum: u32 = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&(!sum).to_be_bytes());
    [&[255; 6][..], &mac, &IPV4.to_be_bytes(), &ip, &udp].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap().to_be_bytes()
}
