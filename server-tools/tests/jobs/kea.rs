//! A real Kea as the DHCP server of a boot server under test, and whole jobs with it.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};
use super::network::Network;
use nix::net::if_::InterfaceFlags;
use rustix::process::{Pid, Signal, kill_process};

/// What Kea's log says of each reload, and of the question afterwards what it serves.
pub(crate) const RELOADS: [&str; 2] = ["DHCP4_DYNAMIC_RECONFIGURATION ", "'config-get'"];

/// Where Kea keeps its files. From 2.6.3 on it takes no others, those that its configuration names included.
pub(crate) const FOLDERS: [&str; 5] = [
    "KEA_PIDFILE_DIR",
    "KEA_LOCKFILE_DIR",
    "KEA_CONTROL_SOCKET_DIR",
    "KEA_LOG_FILE_DIR",
    "KEA_DHCP_DATA_DIR",
];

/// Its reservations are in a file of their own.
pub(crate) fn configuration(folder: &Path) -> String {
    let text = r#"// kept as it is
{ "Dhcp4": {
  "interfaces-config": { "interfaces": [ "br0" ] },
  "control-socket": { "socket-type": "unix", "socket-name": "FOLDER/kea/socket" },
  "lease-database": { "type": "memfile", "name": "FOLDER/kea/leases" },
  "loggers": [ { "name": "kea-dhcp4", "output_options": [ { "output": "FOLDER/kea/log" } ], "severity": "INFO" } ],
  "next-server": "192.168.7.1",
  "subnet4": [
    { "id": 1, "subnet": "192.168.7.0/25", "reservations": [ <?include "FOLDER/dhcp/hosts.json"?> ] },
    { "id": 2, "subnet": "192.168.9.0/24" } ]
} }
"#;
    text.replace("FOLDER", &folder.display().to_string())
}

pub(crate) fn host(number: u8) -> String {
    format!(
        "{{ \"hostname\": \"pc{number}\", \"hw-address\": \"02:00:00:00:00:{number:02X}\",\n  \"ip-address\": \"192.168.7.{number}\", \
         \"boot-file-name\": \"nobackup\" }}, # pc{number}\n"
    )
}

/// The numbers of the `pcN` of a file, each with its boot file there.
pub(crate) fn hosts(file: &[u8]) -> Vec<(u8, String)> {
    let text = String::from_utf8_lossy(file);
    let entries = text.split("\"pc").skip(1).map(|entry| {
        let number: u8 = entry.split_once('"').unwrap().0.parse().unwrap();
        let file = entry.split_once("\"boot-file-name\": \"").unwrap().1.split_once('"').unwrap().0;
        (number, file.to_owned())
    });
    entries.collect()
}

/// Ends with the boot server.
pub(crate) struct Kea {
    process: RefCell<Child>,
    folder: PathBuf,
}

impl Kea {
    /// Runs when this returns.
    pub(crate) fn start(network: &Network, folder: &Path) -> Self {
        // It opens no socket where others may look.
        fs::DirBuilder::new().mode(0o750).create(folder.join("kea")).unwrap();
        Self { process: RefCell::new(started(network, folder)), folder: folder.to_owned() }
    }

    pub(crate) fn stop(&self) {
        let mut process = self.process.borrow_mut();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn start_again(&self, network: &Network) {
        *self.process.borrow_mut() = started(network, &self.folder);
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("kea/socket")
    }

    pub(crate) fn hide_socket(&self) {
        fs::rename(self.socket(), self.socket().with_extension("hidden")).unwrap();
    }

    pub(crate) fn show_socket(&self) {
        fs::rename(self.socket().with_extension("hidden"), self.socket()).unwrap();
    }
}

fn started(network: &Network, folder: &Path) -> Child {
    let own = folder.join("kea");
    let log = own.join("log");
    let starts = || fs::read_to_string(&log).unwrap_or_default().matches("DHCP4_STARTED").count();
    let before = starts();
    // It opens no socket on an interface that the kernel does not call running yet, which is up to a second after its carrier is
    // there.
    wait_until("the interface runs", || network.inside(|| is_running("br0")));
    let mut command = network.dhcp_server(folder, "/usr/sbin/kea-dhcp4");
    command.arg("-c").arg(folder.join("dhcp/kea-dhcp4.conf"));
    command.envs(FOLDERS.map(|variable| (variable, &own)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().unwrap();
    wait_until("Kea runs", || starts() > before);
    process
}

fn is_running(name: &str) -> bool {
    let addresses = nix::ifaddrs::getifaddrs().unwrap();
    let mut of_it = addresses.filter(|entry| entry.interface_name == name);
    of_it.any(|entry| entry.flags.contains(InterfaceFlags::IFF_RUNNING))
}

impl Drop for Kea {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        let _gone = process.kill();
        let _status = process.wait();
    }
}

#[test]
fn a_job_swaps_and_reverts_by_reloads_and_every_byte_is_back() {
    let server = BootServer::with_kea(3);
    let (before, main) = (server.configured(), fs::read(server.path("dhcp/kea-dhcp4.conf")).unwrap());
    assert!(server.serves(&before));
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(client);
    assert_eq!(server.restarts(), 2, "one for the swap and one for the revert: {}", said(&output));
    assert_eq!(server.configured(), before);
    assert_eq!(fs::read(server.path("dhcp/kea-dhcp4.conf")).unwrap(), main);
    assert!(server.serves(&before) && server.journal().is_empty());

    let swap = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(swap.status.code(), Some(0), "{}", said(&swap));
    let swapped = String::from_utf8(before.clone()).unwrap();
    let swapped = swapped.replace(&host(3), &server.offered_line(3));
    assert_eq!(String::from_utf8(server.configured()).unwrap(), swapped);
    assert!(server.serves(swapped.as_bytes()));
    let revert = server.run(&["dhcp", "revert", "pc3"]);
    assert_eq!(revert.status.code(), Some(0), "{}", said(&revert));
    assert!(server.configured() == before && server.serves(&before));

    let listed = said(&server.run(&["hosts"]));
    assert!(
        listed.contains("pc4") && listed.contains("02:00:00:00:00:04") && listed.contains("nobackup"),
        "{listed}"
    );
    let doctor = server.run(&["doctor"]);
    for words in [
        "it is taken for Kea, since DHCPDCONF in ghostrc names a configuration of it",
        "Kea answers by its control socket",
        "is accepted by 'kea-dhcp4 -t FILE'",
        "offered: pc2, pc3, pc4: is offered 'nobackup' (says 192.168.7.1)",
        "booting: hosts load their boot files from this boot server",
    ] {
        assert!(said(&doctor).contains(words), "{words}: {}", said(&doctor));
    }
    assert_eq!(doctor.status.code(), Some(0), "{}", said(&doctor));
    fs::write(server.path("dhcp/.hosts.json.ghostctl-kept-1"), "a late save").unwrap();
    let doctor = said(&server.run(&["doctor"]));
    assert!(doctor.contains(".hosts.json.ghostctl-kept-1 is what another program was writing"), "{doctor}");
}

#[test]
fn what_a_killed_job_has_left_is_recovered() {
    let server = BootServer::with_kea(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    assert_ne!(server.configured(), before);
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}

#[test]
fn another_persons_half_edit_keeps_nothing_swapped_and_kea_goes_on() {
    let server = BootServer::with_kea(2);
    server.set("REVERT_DEADLINE", "0");
    let before = server.configured();
    let edited = Gate::default();
    let (_client, running) = swapped_test(&server, &edited);
    let half = b"{ \"hostname\": \"half\", ";
    fs::write(server.configuration(), [&server.configured()[..], half].concat()).unwrap();
    edited.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!(server.configured(), [&before[..], half].concat(), "the swap is undone, and the edit stays");
    assert_eq!(server.journal().len(), 1, "Kea serves the boot file still");
    fs::write(server.configuration(), &before).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.serves(&before) && server.journal().is_empty());
}

#[test]
fn a_reservation_that_is_gone_is_to_be_written_again_in_kea_s_words() {
    let server = BootServer::with_kea(2);
    assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
    let configured = String::from_utf8(server.configured()).unwrap();
    fs::write(server.configuration(), configured.replace(&server.offered_line(2), "")).unwrap();
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_ne!(reverted.status.code(), Some(0), "{}", said(&reverted));
    let words = "the DHCP configuration does not say any more what host pc2 boots, nor what one with its hardware address 02:00:00:00:00:02 does; write \
                 its entry again, with \"boot-file-name\": \"nobackup\"; or, if";
    assert!(said(&reverted).contains(words), "{}", said(&reverted));
}
