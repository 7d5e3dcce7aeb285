//! Given two commands at the same time, is what each has made known afterwards?

use super::FRESH;
use super::machine::Machine;

/// Another command that has come to the exports, and goes on one second after it was overtaken, or waited for.
const FIRST: &str = "touch FOLDER/exportfs-hangs; rm -f FOLDER/exported
PATH=FOLDER/bin:$PATH FOLDER/usr/sbin/ghostctl hosts add --yes pc7 2:0:0:0:0:7 192.168.7.7 >FOLDER/first 2>&1 &
for _ in $(seq 400); do [ ! -e FOLDER/exported ] || break; sleep 0.05; done
(sleep 1; rm FOLDER/exportfs-hangs) >/dev/null 2>&1 &";

#[test]
fn both_hosts_are_exported_and_those_after_them() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    let second = ["hosts", "add", "--yes", "pc8", "2:0:0:0:0:8", "192.168.7.8"];
    let told = machine.does_after(FIRST, 0..=0, &second);
    let told = format!("{told}{}", machine.text("first"));
    let told = told + &machine.does(0, &["hosts", "add", "--yes", "pc9", "2:0:0:0:0:9", "192.168.7.9"]);
    let exports = machine.text("etc/exports.d/ghost4linux.exports");
    for ip in ["192.168.7.7(", "192.168.7.8(", "192.168.7.9("] {
        assert!(exports.contains(ip), "{ip}: {exports}{told}");
    }
    machine.does(0, &["setup", "--remove", "--yes"]);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), "");
    assert!(!machine.path("etc/exports.d/ghost4linux.exports").exists());
}

#[test]
fn a_host_whose_export_is_left_to_a_person_is_no_success() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    machine.append("etc/exports.d/ghost4linux.exports", "# mine\n");
    let told = machine.does(1, &["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"]);
    assert!(told.contains("left undone: export to pc7"), "{told}");
    machine.append("etc/exports.d/ghost4linux.exports", "/srv/ghost4linux/base 192.168.7.8(ro)\n");
    machine.does(0, &["hosts", "add", "--yes", "pc8", "2:0:0:0:0:8", "192.168.7.8"]);
}
