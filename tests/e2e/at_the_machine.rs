//! A person at the client ends its job: by `reboot` in a shell, and by the power button.

use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::stand_in;

use crate::stage::{BOOT, OFF, OWN_DISK, SOON, Stage};

/// Size of a disk in MiB.
const SIZE: u32 = 64;

#[test]
fn reboot_in_a_shell_and_the_power_button_do_what_they_say() {
    let stage = Stage::new("at-the-machine");
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let disk = john.disk_sha256().unwrap();

    ended_by(&stage, &john, "reboot", || {
        // What ssh makes of it does not count: the machine may go off before the command has answered.
        let _reboot = stage.ssh(john.config().ip, "reboot").unwrap();
        john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    });
    assert_eq!(stage.report(john.config().ip).last(), Some(&Event::PoweringOff { reboot: true }));
    stage.assert_dhcpd_conf(&original);
    john.cut_power().unwrap();

    ended_by(&stage, &john, "the power button", || {
        john.press_power_button().unwrap();
        john.wait_off(OFF).unwrap();
    });
    assert_eq!(stage.report(john.config().ip).last(), Some(&Event::PoweringOff { reboot: false }));
    stage.assert_dhcpd_conf(&original);
    assert_eq!(john.disk_sha256().unwrap(), disk);
}

/// Has john begin mode `test`, and ends it so; nobody calls that a success.
fn ended_by(stage: &Stage, john: &Pc<'_>, by: &str, end: impl FnOnce()) {
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    stage.wait_report(john, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { .. }).then_some(())
    });
    end();
    assert_eq!(ghostctl.wait(SOON).unwrap(), 1, "{}", ghostctl.text());
    let report = stage.report(john.config().ip);
    let cancelled = Outcome::Cancelled { by: by.to_owned() };
    assert!(report.contains(&Event::Ended { outcome: cancelled }), "{report:#?}");
}

/// So many bytes a second of a disk that is dying: a page takes a quarter of a minute.
const DYING: u64 = 300;

#[test]
fn a_disk_that_hangs_does_not_keep_the_machine_on() {
    let stage = Stage::with("dying-disk", |config| config.pcs[0].disk_rate = Some(DYING));
    let john = stage.pc("john").unwrap();
    stand_in::fill_disk(&stage, &john, SIZE).unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    stage.wait_report(&john, "the imager", BOOT, |event| {
        matches!(event, Event::ImagerStarted { .. }).then_some(())
    });
    john.press_power_button().unwrap();
    john.wait_off(OFF).unwrap();
    assert_eq!(ghostctl.wait(SOON).unwrap(), 1, "{}", ghostctl.text());
    assert_eq!(stage.report(john.config().ip).last(), Some(&Event::PoweringOff { reboot: false }));
    stage.assert_dhcpd_conf(&original);
}
