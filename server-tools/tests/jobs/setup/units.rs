//! Given services that run or do not, are they as they were once what setup made is gone?

use super::FRESH;
use super::machine::Machine;

const SYSTEMD: &str = "mkdir -p /run/systemd/system";
const REMOVE: [&str; 3] = ["setup", "--remove", "--yes"];

/// A machine whose services are there.
fn with_services() -> Machine {
    let machine = Machine::fresh();
    for unit in ["isc-dhcp-server", "tftpd-hpa", "nfs-kernel-server", "ghost4linux-recover"] {
        machine.write(&format!("etc/systemd/system/{unit}.service"), "[Service]\n");
    }
    machine
}

#[test]
fn services_run_after_all_that_they_need_and_stop_again() {
    let machine = with_services();
    machine.write("units/tftpd-hpa", "");
    machine.write("enabled/tftpd-hpa", "");
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    assert_eq!(
        machine.names("units"),
        ["ghost4linux-recover", "isc-dhcp-server", "nfs-kernel-server", "tftpd-hpa"]
    );
    machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("units"), ["tftpd-hpa"], "what ran before goes on");
    assert_eq!(machine.names("enabled"), ["tftpd-hpa"]);
}

#[test]
fn a_dhcpd_that_was_enabled_before_is_stopped_without_a_network_and_stays_enabled() {
    let machine = with_services();
    machine.write("enabled/isc-dhcp-server", "");
    machine.write("units/nfs-kernel-server", "");
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    let said = machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("enabled"), ["isc-dhcp-server"], "{said}");
    assert_eq!(machine.names("units"), ["nfs-kernel-server"], "{said}");
    let words = "done: stop isc-dhcp-server, which has no network left; it still starts at boot, as before";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_crash_before_a_second_setup_makes_it_none_of_ours() {
    let machine = with_services();
    for unit in ["isc-dhcp-server", "tftpd-hpa", "nfs-kernel-server"] {
        machine.write(&format!("enabled/{unit}"), "");
        machine.write(&format!("units/{unit}"), "");
    }
    machine.write("etc/dhcp/dhcpd.conf", "subnet 10.1.0.0 netmask 255.255.255.0 { }\n");
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    std::fs::remove_file(machine.path("units/isc-dhcp-server")).unwrap();
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("enabled"), ["isc-dhcp-server", "nfs-kernel-server", "tftpd-hpa"]);
    assert_eq!(machine.names("units"), ["isc-dhcp-server", "nfs-kernel-server", "tftpd-hpa"]);
}

#[test]
fn servers_that_serve_others_by_now_go_on() {
    let machine = with_services();
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    machine.append(
        "etc/dhcp/dhcpd.conf",
        "host printer { hardware ethernet 2:0:0:0:0:77; fixed-address 192.168.7.77; }\n",
    );
    machine.write("etc/exports", "# mine\n/home 192.168.7.0/25(rw)\n");
    let said = machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("units"), ["isc-dhcp-server", "nfs-kernel-server"], "{said}");
    assert_eq!(machine.names("enabled"), ["isc-dhcp-server", "nfs-kernel-server"], "{said}");
    assert!(
        said.contains("isc-dhcp-server goes on: its configuration has more than what was put in"),
        "{said}"
    );
    assert!(said.contains("nfs-kernel-server goes on: /etc/exports has exports"), "{said}");
}

#[test]
fn one_whose_package_is_gone_holds_nothing_up() {
    let machine = with_services();
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    std::fs::remove_file(machine.path("etc/systemd/system/tftpd-hpa.service")).unwrap();
    let masked = machine.path("etc/systemd/system/nfs-kernel-server.service");
    std::fs::remove_file(&masked).unwrap();
    std::os::unix::fs::symlink("/dev/null", &masked).unwrap();
    machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("units"), ["nfs-kernel-server", "tftpd-hpa"], "nobody has asked the stand-in");
    assert!(!machine.path("varlib/ghost4linux/setup.json").exists());
}

#[test]
fn a_dhcpd_that_was_enabled_before_goes_on_for_the_networks_of_others() {
    let machine = with_services();
    machine.write("enabled/isc-dhcp-server", "");
    machine.write("etc/dhcp/dhcpd.conf", "subnet 10.1.0.0 netmask 255.255.255.0 { }\n");
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    let said = machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("enabled"), ["isc-dhcp-server"], "{said}");
    assert_eq!(machine.names("units"), ["isc-dhcp-server"], "{said}");
    assert!(said.contains("isc-dhcp-server goes on: it was enabled before setup too"), "{said}");
}

#[test]
fn a_tftp_server_that_serves_others_by_now_goes_on() {
    let machine = with_services();
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    machine.write("tftp/switches/config", "of a switch");
    let said = machine.does_after(SYSTEMD, 0..=0, &REMOVE);
    assert_eq!(machine.names("units"), ["tftpd-hpa"], "{said}");
    let words = format!("tftpd-hpa goes on: {} has other files", machine.path("tftp").display());
    assert!(said.contains(&words), "{said}");
}

/// A machine with both NFS servers, of which none runs.
fn with_two_nfs_servers() -> Machine {
    let machine = with_services();
    machine.write("etc/systemd/system/nfs-ganesha.service", "[Service]\n");
    machine.write("etc/ganesha/ganesha.conf", "# mine\n");
    machine
}

const OWN: &str = "etc/exports.d/ghost4linux.exports";

#[test]
fn the_nfs_server_that_runs_exports_and_the_other_is_not_started_beside_it() {
    let machine = with_two_nfs_servers();
    for folder in ["units", "enabled"] {
        machine.write(&format!("{folder}/nfs-ganesha"), "");
    }
    std::fs::copy("/bin/sleep", machine.path("bin/ganesha.nfsd")).unwrap();
    let runs = "FOLDER/bin/ganesha.nfsd 60 >/dev/null 2>&1 & echo $! >FOLDER/ganesha-pid";
    let ends = "kill $(cat FOLDER/ganesha-pid)";
    let said = machine.does_after(&format!("{SYSTEMD}\n{runs}"), 0..=78, &FRESH);
    let of_ganesha = machine.text("etc/ganesha/ghost4linux.conf");
    assert!(of_ganesha.contains("/srv/ghost4linux/base") && !machine.path(OWN).exists(), "{said}");
    let running = ["ghost4linux-recover", "isc-dhcp-server", "nfs-ganesha", "tftpd-hpa"];
    assert_eq!(
        (machine.names("units"), machine.names("enabled")),
        (running.map(str::to_owned).into(), running.map(str::to_owned).into())
    );
    // Whatever the settings say, the one that runs has the port.
    machine.append("etc/ghostrc", "NFSSERVER=nfsd\n");
    let said = machine.does_after(&format!("{SYSTEMD}\n{ends}"), 0..=78, &["setup", "--yes"]);
    assert!(
        said.contains(
            "note: nfs-kernel-server is not started and nothing is exported, since nfs-ganesha runs"
        ),
        "{said}"
    );
    assert!(!machine.names("units").contains(&"nfs-kernel-server".to_owned()) && !machine.path(OWN).exists());
}

#[test]
fn the_nfs_server_that_the_settings_name_is_the_one_that_runs_then() {
    let machine = with_two_nfs_servers();
    machine.does_after("", 0..=78, &["setup", "--yes", "--without-root"]);
    machine.append("etc/ghostrc", "NFSSERVER=ganesha\n");
    // Before it is installed, the other one is not taken for it.
    std::fs::rename(machine.path("etc/ganesha"), machine.path("etc/ganesha-to-be")).unwrap();
    let said = machine.does_after(SYSTEMD, 0..=78, &FRESH);
    assert!(
        said.contains("note: NFS-Ganesha is not here, which NFSSERVER in ghostrc names: apt-get install"),
        "{said}"
    );
    assert!(!machine.names("units").contains(&"nfs-kernel-server".to_owned()) && !machine.path(OWN).exists());
    std::fs::rename(machine.path("etc/ganesha-to-be"), machine.path("etc/ganesha")).unwrap();
    let said = machine.does_after(SYSTEMD, 0..=78, &FRESH);
    assert!(machine.path("etc/ganesha/ghost4linux.conf").exists() && !machine.path(OWN).exists(), "{said}");
    assert_eq!(
        machine.names("units"),
        ["ghost4linux-recover", "isc-dhcp-server", "nfs-ganesha", "tftpd-hpa"]
    );
}

#[test]
fn a_dhcp_server_whose_service_is_stopped_is_bad_for_each_client() {
    let machine = with_services();
    machine.does_after(SYSTEMD, 0..=0, &FRESH);
    std::fs::remove_file(machine.path("units/isc-dhcp-server")).unwrap();
    let said = machine.does_after(SYSTEMD, 78..=78, &["doctor"]);
    let words = "BAD      offered: pc2, pc3: the DHCP server does not answer when it is asked as the host would ask, and its service \
                 isc-dhcp-server is stopped\n         mend: 'systemctl start isc-dhcp-server'";
    assert!(said.contains(words), "{said}");
    assert!(said.contains("next     pc3: mend the offered: 'systemctl start isc-dhcp-server'"), "{said}");
    // It may be in a container, which another command restarts.
    machine.append("etc/ghostrc", "DHCPD='podman restart dhcpd'\n");
    let said = machine.does_after(SYSTEMD, 78..=78, &["doctor"]);
    assert!(said.contains("warning  offered: pc2, pc3: the DHCP server does not answer"), "{said}");
}

#[test]
fn no_ganesha_is_restarted_under_a_client_at_work() {
    let machine = Machine::with_dhcpd();
    machine.write("etc/systemd/system/nfs-ganesha.service", "[Service]\n");
    machine.write("etc/ganesha/ganesha.conf", "# mine\n");
    machine.write("tftp/pxelinux.0", "boots");
    machine.write("exports", machine.path("").to_str().unwrap());
    machine.server().set("UP_DEADLINE", "600");
    let running = machine.server().start(&["test", "pc2"]);
    machine.server().wait_until_swapped();
    machine.server().set("NFSSERVER", "ganesha");
    let configured = machine.server().configured();
    let add = ["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"];
    let said = machine.does(75, &add);
    let words = "NFS-Ganesha has to be restarted for this; nothing was changed: there are jobs, and their clients have their root there: pc2.";
    assert!(said.contains(words), "{said}");
    assert_eq!(machine.server().configured(), configured);
    assert!(machine.names("units").is_empty());
    let process = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    running.wait_with_output().unwrap();
    // A run that has no job yet holds the base root.
    let lock = std::fs::File::open(machine.path("state/base-root.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared).unwrap();
    let said = machine.does(75, &add);
    assert!(
        said.contains("the clients' base root is in use by ") && machine.names("units").is_empty(),
        "{said}"
    );
    drop(lock);
    machine.does(0, &add);
    assert_eq!(machine.names("units"), ["nfs-ganesha"]);
}
