//! Ctrl-C in the middle of a job: the DHCP entry is reverted at once, and the client does nothing and goes off.

use ghost_contract::report::Event;
use nix::sys::signal::Signal;

use crate::stage::{BOOT, SOON, Stage, swapped};

#[test]
fn an_interrupted_job_is_reverted() {
    let stage = Stage::new("interrupted");
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let disk = john.disk_sha256().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    let swapped = swapped(&original, &john.config().name, "pxelinux.0");
    stage.wait_dhcpd_conf("john's entry to be swapped", &swapped, SOON);
    john.wait_on(SOON).unwrap();
    john.wait_console("PXELINUX", BOOT).unwrap();
    ghostctl.signal(Signal::SIGINT).unwrap();
    stage.wait_dhcpd_conf("john's entry to be reverted", &original, SOON);
    assert_ne!(ghostctl.wait(SOON).unwrap(), 0, "{}", ghostctl.text());
    john.wait_off(BOOT).unwrap();
    let report = stage.report(john.config().ip);
    assert!(!report.iter().any(|event| matches!(event, Event::OrderClaimed { .. })), "{report:#?}");
    assert_eq!(john.disk_sha256().unwrap(), disk);
    stage.assert_dhcpd_conf(&original);
}
