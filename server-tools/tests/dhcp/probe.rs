//! What a boot ROM would be offered, as real servers of each kind answer: ISC dhcpd, Kea and dnsmasq.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ghostctl::dhcp::probe::{Client, Offer, Offered, offered};
use ghostctl::site::Site;

use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(1);
const SET_UP: &str = "ip link set lo up && ip link add br0 type veth peer name switch && ip link set switch up && \
    ip addr add 192.168.7.1/24 dev br0 && ip link set br0 up";
/// Which the settings need; who serves is another matter here.
const ISC: &str = "next-server 192.168.7.1; subnet 192.168.7.0 netmask 255.255.255.0 { } \
    host pc2 { hardware ethernet 02:00:00:00:00:02; fixed-address 192.168.7.2; filename \"FILE\"; }";
const KEA: &str = r#"{ "Dhcp4": {
  "interfaces-config": { "interfaces": [ "br0" ] },
  "lease-database": { "type": "memfile", "persist": true, "name": "FOLDER/leases" },
  "loggers": [ { "name": "kea-dhcp4", "output_options": [ { "output": "FOLDER/log" } ], "severity": "WARN" } ],
  "subnet4": [ { "id": 1, "subnet": "192.168.7.0/24", "next-server": "192.168.7.1", "reservations": [
    { "hw-address": "02:00:00:00:00:02", "ip-address": "192.168.7.2", "boot-file-name": "FILE" } ] } ]
} }"#;

/// Runs in a network of its own, with the boot server's end of a wire.
fn in_a_network<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let inside = thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("the test needs root");
        assert!(Command::new("sh").args(["-ec", SET_UP]).status().unwrap().success());
        work()
    });
    inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A DHCP server that runs until it is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

fn daemon(command: &mut Command) -> Daemon {
    Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn dhcpd(folder: &Path, file: &str) -> Daemon {
    fs::write(folder.join("isc"), ISC.replace("FILE", file)).unwrap();
    start_dhcpd(folder)
}

fn start_dhcpd(folder: &Path) -> Daemon {
    fs::write(folder.join("leases"), "").unwrap();
    let mut command = Command::new("/usr/sbin/dhcpd");
    command.args(["-4", "-f", "-q", "-cf"]).arg(folder.join("isc"));
    daemon(command.arg("-lf").arg(folder.join("leases")).arg("-pf").arg(folder.join("pid")).arg("br0"))
}

fn kea(folder: &Path, file: &str) -> Daemon {
    start_kea(folder, &KEA.replace("FILE", file))
}

fn start_kea(folder: &Path, configuration: &str) -> Daemon {
    let configuration = configuration.replace("FOLDER", &folder.display().to_string());
    fs::write(folder.join("kea.json"), configuration).unwrap();
    let mut command = Command::new("/usr/sbin/kea-dhcp4");
    let variables = ["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_LOG_FILE_DIR", "KEA_DHCP_DATA_DIR"];
    command.envs(variables.map(|variable| (variable, folder)));
    daemon(command.arg("-c").arg(folder.join("kea.json")))
}

fn dnsmasq(folder: &Path, file: &str) -> Daemon {
    let mut command = dnsmasq_with(folder, "br0");
    command.arg("--dhcp-range=192.168.7.0,static").arg("--dhcp-host=02:00:00:00:00:02,192.168.7.2");
    daemon(command.arg(format!("--dhcp-boot={file},,192.168.7.1")))
}

fn dnsmasq_with(folder: &Path, interface: &str) -> Command {
    let mut command = Command::new("/usr/sbin/dnsmasq");
    command.args(["--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--user=root", "--interface"]);
    command.arg(interface).arg(format!("--dhcp-leasefile={}", folder.join("leases").display()));
    command.arg(format!("--pid-file={}", folder.join("pid").display()));
    command
}

fn client(number: u8) -> Client {
    Client {
        host: format!("pc{number}").parse().unwrap(),
        mac: format!("02:00:00:00:00:{number:02x}").parse().unwrap(),
        ip: [192, 168, 7, number].into(),
    }
}

/// What the client is offered, once somebody answers it.
fn answered(site: &Site, number: u8) -> Offered {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let offered = offered(site, &[client(number)], PATIENCE).remove(0).unwrap();
        if offered != Offered::default() {
            return offered;
        }
        assert!(Instant::now() < deadline, "no server answers");
    }
}

fn boot_server() -> (Server, PathBuf) {
    let server = Server::new(&[("dhcpd.conf", "")]);
    let folder = server.path("daemon");
    fs::create_dir(&folder).unwrap();
    (server, folder)
}

#[test]
fn each_server_is_heard_to_offer_what_it_serves_and_gives_no_lease() {
    for start in [dhcpd, kea, dnsmasq] {
        in_a_network(move || {
            let (server, folder) = boot_server();
            let leases = || fs::read_to_string(folder.join("leases")).unwrap_or_default();
            for file in ["nobackup", "pxelinux.0"] {
                let _running = start(&folder, file);
                let Offered { ours, others, .. } = answered(&server.site, 2);
                let said = |offer: &Offer| {
                    (offer.server, offer.address, offer.next_server, offer.boot_file().to_vec())
                };
                let own = [192, 168, 7, 1].into();
                let expected = (Some(own), [192, 168, 7, 2].into(), own, file.as_bytes().to_vec());
                assert_eq!(ours.iter().map(said).collect::<Vec<_>>(), [expected]);
                assert_eq!(others, []);
                assert!(!leases().contains("192.168.7.2"), "{}", leases());
            }
            let nobody_answers = offered(&server.site, &[client(2)], PATIENCE).remove(0).unwrap();
            assert_eq!(nobody_answers, Offered::default(), "it has ended");
        });
    }
}

/// What docs/by-hand.md says that other PCs than the clients are offered by: 2 is a client, 3 and 4 are not.
const ISC_BY_FIRMWARE: &str = "option client-architecture code 93 = unsigned integer 16; \
    subnet 192.168.7.0 netmask 255.255.255.0 { next-server 192.168.7.1; range 192.168.7.3 192.168.7.4; \
      if option client-architecture = 00:07 { filename \"shimx64.efi\"; } else { filename \"pxelinux.0\"; } } \
    host pc2 { hardware ethernet 02:00:00:00:00:02; fixed-address 192.168.7.2; filename \"FILE\"; }";
const KEA_BY_FIRMWARE: &str = r#"
  "client-classes": [
    { "name": "uefi", "test": "option[93].hex == 0x0007", "boot-file-name": "shimx64.efi" },
    { "name": "bios", "test": "option[93].hex == 0x0000", "boot-file-name": "pxelinux.0" } ],
  "subnet4": [ { "pools": [ { "pool": "192.168.7.3 - 192.168.7.4" } ],"#;
const DNSMASQ_BY_FIRMWARE: [&str; 5] = [
    "--dhcp-range=192.168.7.3,192.168.7.4",
    "--dhcp-match=set:uefi,option:client-arch,7",
    "--dhcp-boot=tag:!known,tag:uefi,shimx64.efi,,192.168.7.1",
    "--dhcp-boot=tag:!known,tag:!uefi,pxelinux.0,,192.168.7.1",
    "--dhcp-host=02:00:00:00:00:02,set:pc2,192.168.7.2,pc2",
];

fn dhcpd_by_firmware(folder: &Path, file: &str) -> Daemon {
    fs::write(folder.join("isc"), ISC_BY_FIRMWARE.replace("FILE", file)).unwrap();
    start_dhcpd(folder)
}

fn kea_by_firmware(folder: &Path, file: &str) -> Daemon {
    start_kea(folder, &KEA.replace(r#""subnet4": [ {"#, KEA_BY_FIRMWARE).replace("FILE", file))
}

fn dnsmasq_by_firmware(folder: &Path, file: &str) -> Daemon {
    let options = folder.join("options");
    fs::create_dir_all(&options).unwrap();
    fs::write(options.join("pc2"), format!("tag:pc2,option:bootfile-name,{file}\n")).unwrap();
    let mut command = dnsmasq_with(folder, "br0");
    daemon(command.args(DNSMASQ_BY_FIRMWARE).arg(format!("--dhcp-optsdir={}", options.display())))
}

#[test]
fn servers_that_choose_by_firmware_are_asked_as_each_pc_asks_and_a_clients_own_file_comes_first() {
    for start in [dhcpd_by_firmware, kea_by_firmware, dnsmasq_by_firmware] {
        in_a_network(move || {
            let (server, folder) = boot_server();
            let _running = start(&folder, "nobackup");
            // By its settings, which the probe goes by, pc3 has UEFI.
            for (number, file) in [(2, "nobackup"), (3, "shimx64.efi"), (4, "pxelinux.0")] {
                let Offered { ours, .. } = answered(&server.site, number);
                let files: Vec<_> =
                    ours.iter().map(|offer| String::from_utf8_lossy(offer.boot_file())).collect();
                assert_eq!(files, [file], "pc{number}");
            }
        });
    }
}

#[test]
fn a_server_of_another_machine_is_told_apart_and_keeps_no_lease_either() {
    in_a_network(|| {
        let (server, folder) = boot_server();
        let other = daemon(Command::new("unshare").args(["-n", "sleep", "600"]));
        let pid = other.0.id().to_string();
        let has_network = || {
            let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
            network(&pid) != network("thread-self")
        };
        while !has_network() {
            thread::sleep(Duration::from_millis(10));
        }
        let move_there = format!(
            "ip link set switch netns {pid} && nsenter -t {pid} -n sh -ec 'ip link set switch up; ip addr add 192.168.7.9/24 dev switch'"
        );
        assert!(Command::new("sh").args(["-ec", &move_there]).status().unwrap().success());
        let router = dnsmasq_with(&folder, "switch");
        let mut elsewhere = Command::new("nsenter");
        elsewhere.args(["-t", &pid, "-n"]).arg(router.get_program()).args(router.get_args());
        let _router =
            daemon(elsewhere.args(["--dhcp-range=192.168.7.50,192.168.7.60", "--dhcp-boot=other.0"]));
        let Offered { ours, others, .. } = answered(&server.site, 2);
        assert_eq!(ours, []);
        assert_eq!(
            (others[0].server, others[0].boot_file()),
            (Some([192, 168, 7, 9].into()), &b"other.0"[..])
        );
        assert!(!fs::read_to_string(folder.join("leases")).unwrap_or_default().contains("192.168.7"));

        let ours = folder.join("ours");
        fs::create_dir(&ours).unwrap();
        let _ours = dhcpd(&ours, "nobackup");
        let deadline = Instant::now() + Duration::from_secs(30);
        let both = loop {
            let both = offered(&server.site, &[client(2)], PATIENCE).remove(0).unwrap();
            if !both.ours.is_empty() && !both.others.is_empty() {
                break both;
            }
            assert!(Instant::now() < deadline, "{both:?}");
        };
        assert_eq!(
            (both.ours[0].boot_file(), both.others[0].boot_file()),
            (&b"nobackup"[..], &b"other.0"[..])
        );
    });
}

#[test]
fn of_a_client_that_cannot_be_heard_from_here_it_is_said_why() {
    in_a_network(|| {
        let (server, _folder) = boot_server();
        assert!(
            Command::new("ip")
                .args(["route", "add", "192.168.9.0/24", "via", "192.168.7.126"])
                .status()
                .unwrap()
                .success()
        );
        let behind = Client { ip: [192, 168, 9, 2].into(), ..client(2) };
        let nowhere = Client { ip: [10, 0, 0, 2].into(), ..client(3) };
        let why = |client: Client| {
            format!("{:#}", offered(&server.site, &[client], PATIENCE).remove(0).unwrap_err())
        };
        assert!(why(behind).contains("is behind a router"));
        assert!(why(nowhere).contains("no route leads to 10.0.0.2"));
    });
}
