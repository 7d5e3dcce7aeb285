//! The whole way: john is off, the administrator types `ghostctl test john`, and in the end john is off again.

use std::fs;
use std::net::Ipv4Addr;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::magic::Kind;
use ghost_lab::wait;

use crate::mounted;
use crate::stage::{BOOT, OFF, OWN_DISK, SOON, Stage, files_called, swapped};

const JOHN: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
/// A file of this name is written on the client.
const MARK: &str = "written-on-the-client";
/// Says how readily PID 1 is ended when memory runs out, and how many KiB it has locked.
const MEMORY: &str = r"cat /proc/1/oom_score_adj && sed -n 's/^VmLck:\(.*\) kB/\1/p' /proc/1/status";

#[test]
fn john_is_woken_netbooted_tested_and_powered_off() {
    let stage = Stage::new("john");
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let disk = john.disk_sha256().unwrap();

    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    let swapped = swapped(&original, &john.config().name, "pxelinux.0");
    stage.wait_dhcpd_conf("john's entry, and no other byte, to be swapped", &swapped, SOON);
    john.wait_on(SOON).unwrap();
    assert_eq!(stage.dhcpd_service_calls().unwrap(), ["start", "restart"]);

    wait::until("both kinds of magic packets", SOON, || {
        let wakes = john.status().unwrap().wakes;
        [Kind::Raw, Kind::Udp].iter().all(|kind| wakes.iter().any(|wake| wake.kind == *kind)).then_some(())
    })
    .unwrap();

    john.wait_console("PXELINUX", BOOT).unwrap();
    let up = stage.wait_report(&john, "being up", BOOT, |event| match event {
        Event::Up { interface, mac, ip, .. } => Some((interface.clone(), *mac, *ip)),
        _ => None,
    });
    assert_eq!(up, ("eth0".to_owned(), john.config().mac, JOHN));

    stage.wait_dhcpd_conf("john's entry to be reverted", &original, SOON);
    stage.wait_report(&john, "the test's start", SOON, |event| match event {
        Event::TestStarted { ssh_port: Some(22), .. } => Some(()),
        _ => None,
    });
    assert!(!john.is_off().unwrap(), "it was reverted while john ran");
    let report = stage.report(JOHN);
    assert!(report.contains(&Event::Identified { host: "john".parse().unwrap() }), "{report:#?}");
    let armed = Event::Armed { interface: "eth0".to_owned(), wake_on: "g".to_owned() };
    assert!(report.contains(&armed), "{report:#?}");

    let on_john = stage
        .ssh(JOHN, &format!("echo seen >/var/{MARK} && readlink /proc/1/exe && hostname && {MEMORY}"))
        .unwrap();
    assert_eq!(on_john.wait(SOON).unwrap(), 0, "{}", on_john.text());
    let said = on_john.lines();
    assert_eq!(said[0], "/init (deleted)", "PID 1 is the initramfs' own, and the rest of that is gone");
    assert_eq!(said[1], "john");
    assert_eq!(said[2], "-1000", "PID 1 is never ended for memory");
    let locked: u64 = said[3].trim().parse().unwrap();
    assert!(locked <= 16 << 10, "PID 1 has locked {locked} KiB");
    let root = stage.folder().base_root();
    let own_var = root.join(layout::tree_var(JOHN)).join(MARK);
    assert_eq!(
        files_called(MARK, &root),
        std::slice::from_ref(&own_var),
        "in john's own tree, and in no other"
    );
    assert_eq!(fs::read_to_string(own_var).unwrap(), "seen\n");

    mounted::assert_fat_and_exfat_can_be_looked_into(&stage, &john);

    // What ssh makes of it does not count: the machine may go off before the command has answered.
    let _kill = stage.ssh(JOHN, "pkill -x sleep").unwrap();
    john.wait_off(OFF).unwrap();
    assert_eq!(ghostctl.wait(SOON).unwrap(), 0, "{}", ghostctl.text());
    let report = stage.report(JOHN);
    assert!(report.contains(&Event::TestEnded { how: "killed by SIGTERM".to_owned() }), "{report:#?}");
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    assert_eq!(report.last(), Some(&Event::PoweringOff { reboot: false }));
    stage.assert_dhcpd_conf(&original);
    assert_eq!(stage.dhcpd_service_calls().unwrap(), ["start", "restart", "restart"]);
    assert_eq!(john.disk_sha256().unwrap(), disk);

    // What is offered is "nobackup" again, so a plain wake boots john as if nothing had been.
    let wake = stage.ghostctl(&["wake", "john"]).unwrap();
    assert_eq!(wake.wait(BOOT).unwrap(), 0, "{}", wake.text());
    john.wait_on(SOON).unwrap();
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    john.cut_power().unwrap();
}
