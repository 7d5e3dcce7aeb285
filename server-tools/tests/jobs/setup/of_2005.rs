//! Given a boot server as the HOWTO of 2005 made one, does setup take it as it is?

use std::fs;

use super::machine::Machine;

/// The HOWTO's settings, with the folder that its base root is in.
const GHOSTRC: &str = "#!/bin/bash
#
# Settings of the backup scripts on the boot server.
PXEADDR=192.168.7.1
PXEBASE=\"/home/pxe\"             # root file system of the clients
GHSTBASE='/home/backup'
GHSTNFS=\"${PXEADDR}:$GHSTBASE\"
DHCPD=/etc/rc.d/init.d/dhcpd
export ETHERWAKE=\"/usr/local/sbin/ether-wake -i br0\"
";
const DHCPD_CONF: &str = include_str!("../../../../tests/lab/fixtures/dhcpd.conf");
const EXPORTS: &str = "/home/pxe 192.168.7.0/255.255.255.128(rw,no_root_squash)\n/home/backup 192.168.7.0/255.255.255.128(rw,no_root_squash)\n";
/// A diskless Linux that was copied from a machine of that time, with the trees of two clients.
const PXE: [(&str, &str); 6] = [
    ("boot/vmlinuz-2.4.20", "a kernel of 2003"),
    ("etc/fstab", "none /proc proc\n"),
    ("192.168.7.2etc/HOSTNAME", "john\n"),
    ("192.168.7.2var/log/messages", "of 2005\n"),
    ("192.168.7.3etc/HOSTNAME", "joe\n"),
    ("root/.dosemu/ghost.img", "a floppy with GHOST.EXE"),
];

fn machine() -> Machine {
    let machine = Machine::fresh();
    machine.write("etc/ghostrc", GHOSTRC);
    machine.write("etc/dhcp/dhcpd.conf", DHCPD_CONF);
    machine.write("etc/exports", EXPORTS);
    PXE.iter().for_each(|(name, text)| machine.write(&format!("home/pxe/{name}"), text));
    machine.write("home/backup/john/image.gho", "an image of 2005");
    machine.write("exports", "/home");
    machine
}

#[test]
fn it_goes_on_as_it_is_with_a_base_root_of_today_beside_the_old_one() {
    let machine = machine();
    let said = machine.does(0, &["setup", "--yes"]);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), DHCPD_CONF, "every host has its entry already");
    assert_eq!(machine.text("etc/exports"), EXPORTS);
    assert!(!machine.path("etc/exports.d").exists(), "its exports hold for the new base root too");
    for (name, text) in PXE {
        assert_eq!(machine.text(&format!("home/pxe/{name}")), text, "{name}");
    }
    assert_eq!(machine.text("home/backup/john/image.gho"), "an image of 2005");
    let ghostrc = machine.text("etc/ghostrc");
    let added: Vec<&str> =
        ghostrc.strip_prefix(GHOSTRC).unwrap().lines().map(|line| line.split("  ").next().unwrap()).collect();
    let tftp = format!("TFTPBASE={}", machine.path("tftp").display());
    assert_eq!(
        added[1..].iter().map(|line| line.split(" #").next().unwrap()).collect::<Vec<_>>(),
        [
            "PXEBASE=/home/pxe/base",
            "DHCPD='systemctl restart isc-dhcp-server'",
            "OVERLAY=/home/pxe/overlay",
            &tftp
        ]
    );
    assert_eq!(machine.text("home/pxe/overlay/root/.dosemu/ghost.img"), "a floppy with GHOST.EXE");
    assert!(said.contains("OVERLAY=/home/pxe/overlay NFSROOT=192.168.7.1:/home/pxe/base"), "{said}");
    assert_eq!(machine.text("tftp/vmlinuz"), "a kernel");
    assert!(said.contains("good     hosts: 3 can have jobs: john, joe, linuxbox\n"), "{said}");
    let said = machine.does(0, &["setup", "--yes"]);
    assert!(said.contains("nothing is to be changed\n"), "{said}");
}

#[test]
fn it_can_go_back_to_2005() {
    let machine = machine();
    let before = machine.files(&["etc", "home"]);
    machine.does(0, &["setup", "--yes"]);
    machine.does(0, &["setup", "--remove", "--yes"]);
    assert_eq!(machine.files(&["etc", "home"]), before);
}

#[test]
fn another_floppy_goes_in_if_it_is_given() {
    let machine = machine();
    fs::write(machine.path("home/ghost.img"), "another floppy").unwrap();
    machine.does(0, &["setup", "--yes", "--floppy", "/home/ghost.img"]);
    assert_eq!(machine.text("home/pxe/overlay/root/.dosemu/ghost.img"), "another floppy");
    let said = machine.does(2, &["setup", "--yes", "--floppy", "/home/none.img"]);
    assert!(said.contains("there is no boot floppy /home/none.img"), "{said}");
}
