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
