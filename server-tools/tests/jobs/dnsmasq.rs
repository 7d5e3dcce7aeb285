//! A real dnsmasq as the DHCP server of a boot server under test, and whole jobs with it.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};
use super::network::Network;
use rustix::process::{Pid, Signal, kill_process};

/// What its log says of each edit: it sees by itself that its options have changed, and is told besides.
pub(crate) const RELOADS: [&str; 2] = [READ, READ];
const READ: &str = "]: read /";

/// The file with the boot files is the only one in its folder.
pub(crate) fn configuration(folder: &Path, hosts: &str) -> String {
    let text = "# kept as it is
port=0
user=root
interface=br0
dhcp-range=192.168.7.0,static,255.255.255.128
dhcp-range=192.168.9.0,static,255.255.255.0
dhcp-optsdir=FOLDER/dhcp/options
dhcp-leasefile=FOLDER/dnsmasq/leases
pid-file=FOLDER/dnsmasq/pid
log-facility=FOLDER/dnsmasq/log
";
    text.replace("FOLDER", &folder.display().to_string()) + hosts
}

pub(crate) fn host(number: u8) -> String {
    format!("dhcp-host=02:00:00:00:00:{number:02X},set:pc{number},192.168.7.{number},pc{number}\n")
}

pub(crate) fn option(number: u8) -> String {
    format!("tag:pc{number} , option:bootfile-name, \"nobackup\" # pc{number}\n")
}

pub(crate) fn swapped(number: u8) -> String {
    option(number).replace("\"nobackup\"", "pxelinux.0")
}

/// The numbers of the `pcN` of a file, each with its boot file there.
pub(crate) fn hosts(file: &[u8]) -> Vec<(u8, String)> {
    let text = String::from_utf8_lossy(file);
    let entries = text.lines().filter_map(|line| {
        let number = line.strip_prefix("tag:pc")?.split_once(' ')?.0.parse().unwrap();
        let file = line.split_once("bootfile-name, ")?.1.split_once(" #")?.0;
        Some((number, file.trim_matches('"').to_owned()))
    });
    entries.collect()
}

/// Ends with the boot server.
pub(crate) struct Dnsmasq {
    process: RefCell<Child>,
    folder: PathBuf,
}

impl Dnsmasq {
    /// Runs when this returns.
    pub(crate) fn start(network: &Network, folder: &Path) -> Self {
        fs::create_dir(folder.join("dnsmasq")).unwrap();
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
}

fn started(network: &Network, folder: &Path) -> Child {
    let log = folder.join("dnsmasq/log");
    let earlier = fs::read_to_string(&log).unwrap_or_default();
    let reads = || fs::read_to_string(&log).unwrap_or_default().matches(READ).count();
    let before = earlier.matches(READ).count();
    let mut command = network.dhcp_server(folder, "/usr/sbin/dnsmasq");
    let configuration = folder.join("dhcp/dnsmasq.conf");
    command.arg("--keep-in-foreground").arg(format!("--conf-file={}", configuration.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().unwrap();
    wait_until("dnsmasq runs", || reads() > before);
    // Only what it reads again is counted; it writes at the file's end, wherever that is.
    fs::write(&log, earlier).unwrap();
    process
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        let _gone = process.kill();
        let _status = process.wait();
    }
}

#[test]
fn two_jobs_at_once_swap_and_revert_without_a_restart_and_every_byte_is_back() {
    let server = BootServer::with_dnsmasq(3);
    let (before, main) = (server.configured(), fs::read(server.path("dhcp/dnsmasq.conf")).unwrap());
    assert!(server.serves(&before));
    let clients = [2, 3].map(|number| Client::off(&server, number, Behaviour::Succeeds));
    let output = server.run(&["test", "pc2", "pc3"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(clients);
    assert_eq!(server.configured(), before);
    assert_eq!(fs::read(server.path("dhcp/dnsmasq.conf")).unwrap(), main);
    assert!(server.serves(&before) && server.journal().is_empty());
    assert!(!said(&output).contains("cannot be heard"), "{}", said(&output));

    let swap = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(swap.status.code(), Some(0), "{}", said(&swap));
    let swapped = String::from_utf8(before.clone()).unwrap().replace(&option(3), &server.offered_line(3));
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
        "it is taken for dnsmasq, since DHCPDCONF in ghostrc names a configuration of it",
        "dnsmasq runs here, and reads its options again when they change",
        "is accepted by 'dnsmasq --test -C FILE'",
        "offered: pc2, pc3, pc4: is offered 'nobackup' (says 192.168.7.1)",
        "booting: hosts load their boot files from this boot server",
    ] {
        assert!(said(&doctor).contains(words), "{words}: {}", said(&doctor));
    }
    assert_eq!(doctor.status.code(), Some(0), "{}", said(&doctor));
}

/// Its checker accepts each of these, and it goes on without what it cannot read.
#[test]
fn what_dnsmasq_cannot_read_of_what_its_configuration_names_is_told_by_doctor() {
    let server = BootServer::with_dnsmasq(1);
    let (main, options) = (server.path("dhcp/dnsmasq.conf"), server.path("dhcp/options"));
    let open = |folder: &Path, mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    // As a service of Debian's it does not run as root.
    let text = fs::read_to_string(&main).unwrap().replace("user=root", "user=nobody");
    fs::write(&main, &text).unwrap();
    open(&server.path(""), 0o755);
    server.restart_dhcp();
    let doctor = || said(&server.run(&["doctor"]));
    let (names, named) = ("dhcp-optsdir names ", options.display());
    let told = doctor();
    assert!(!told.contains(names), "{told}");
    open(&options, 0o700);
    let told = doctor();
    let words = format!("{names}{named}, and dnsmasq, which runs as nobody, may not read {named}\n");
    assert!(told.contains(&words), "{words}: {told}");
    fs::rename(&options, server.path("away")).unwrap();
    let told = doctor();
    assert!(told.contains(&format!("{names}{named}, which is not there")), "{told}");
    fs::create_dir(&options).unwrap();
    let told = doctor();
    assert!(told.contains(&format!("{names}{named}, in which there is no file")), "{told}");
    fs::write(&main, text.replace(&format!("dhcp-optsdir={named}"), "dhcp-optsdir=")).unwrap();
    let told = doctor();
    assert!(told.contains(&format!("{names}nothing\n")), "{told}");
}

#[test]
fn what_a_killed_job_has_left_is_recovered_in_the_server_that_the_journal_names() {
    let server = BootServer::with_dnsmasq(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    assert_ne!(server.configured(), before);
    let journal = fs::read_to_string(server.journal().remove(0)).unwrap();
    assert!(journal.contains("\"server\":\"dnsmasq\""), "{journal}");
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}

/// What it would refuse when it starts keeps nothing swapped: it does not read that now.
#[test]
fn another_persons_broken_edits_keep_nothing_swapped() {
    let server = BootServer::with_dnsmasq(2);
    let before = server.configured();
    let edited = Gate::default();
    let (_client, running) = swapped_test(&server, &edited);
    let half = b"tag:half,option:bootfile-name,\"half\n";
    fs::write(server.configuration(), [&server.configured()[..], half].concat()).unwrap();
    let main = fs::read_to_string(server.path("dhcp/dnsmasq.conf")).unwrap();
    fs::write(server.path("dhcp/dnsmasq.conf"), format!("{main}no-such-option=1\n")).unwrap();
    edited.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), [&before[..], half].concat(), "the swap is undone, and the edit stays");
    assert!(server.serves(&before) && server.journal().is_empty());

    let refused = server.run(&["dhcp", "swap", "pc2"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains("dnsmasq.conf"), "the checker names the place: {}", said(&refused));
    assert_eq!(server.configured(), [&before[..], half].concat());
    fs::write(server.path("dhcp/dnsmasq.conf"), main).unwrap();
    let refused = said(&server.run(&["dhcp", "swap", "pc2"]));
    let place = format!("line 4 of {}", server.configuration().display());
    assert!(refused.contains(&place), "the broken line of the options: {refused}");
    assert!(server.serves(&before));
}

#[test]
fn while_its_configuration_cannot_be_read_a_hosts_own_value_is_put_back_all_the_same() {
    let server = BootServer::with_dnsmasq(2);
    server.set("REVERT_DEADLINE", "0");
    let before = server.configured();
    let edited = Gate::default();
    let (_client, running) = swapped_test(&server, &edited);
    let main = fs::read_to_string(server.path("dhcp/dnsmasq.conf")).unwrap();
    fs::write(server.path("dhcp/dnsmasq.conf"), format!("{main}conf-file=/nosuch\n")).unwrap();
    edited.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("cannot read /nosuch"), "{}", said(&output));
    assert!(server.configured() == before && server.serves(&before), "{}", said(&output));
    assert_eq!(server.journal().len(), 1, "what it serves could not be judged: {}", said(&output));
    fs::write(server.path("dhcp/dnsmasq.conf"), main).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}
