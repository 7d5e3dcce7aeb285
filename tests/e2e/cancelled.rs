//! `ghostctl cancel john` while john's job runs: john ends it and goes off, and nobody calls it a success. The exports of the job
//! stay until john has seen that it should stop, and the job until john is silent. The portmapper is gone before john boots: with
//! mountd's port in the settings (`MOUNTDPORT`) nobody asks it.

use ghost_contract::report::{Event, Outcome};

use crate::stage::{BOOT, OFF, SOON, Stage};

#[test]
fn a_cancelled_job_ends_on_the_client_too() {
    let stage = Stage::with("cancelled", |config| {
        config.ghostrc.insert("EXPORTS".to_owned(), "job".to_owned());
        config.ghostrc.insert("OFF_LISTEN".to_owned(), "5".to_owned());
        config.ghostrc.insert("MOUNTDPORT".to_owned(), ghost_lab::MOUNTD_PORT.to_string());
    });
    let john = stage.pc("john").unwrap();
    let ip = john.config().ip;
    let original = stage.dhcpd_conf().unwrap();
    let disk = john.disk_sha256().unwrap();
    let killed = stage.run(&["pkill", "-KILL", "rpcbind"]).unwrap();
    assert_eq!(killed.wait(SOON).unwrap(), 0, "{}", killed.text());
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    stage.wait_report(&john, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { .. }).then_some(())
    });

    let cancel = stage.ghostctl(&["cancel", "john"]).unwrap();
    assert_eq!(cancel.wait(SOON).unwrap(), 0, "{}", cancel.text());
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
    assert!(ghostctl.text().contains("john: off, as far as can be seen"), "{}", ghostctl.text());
    assert!(ghostctl.text().contains("cancelled by ghostctl cancel"), "{}", ghostctl.text());
    assert!(!ghostctl.text().contains("left undone"), "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);

    john.wait_off(OFF).unwrap();
    let report = stage.report(ip);
    let by = "ghostctl cancel".to_owned();
    assert!(report.contains(&Event::StopRequested { by: by.clone() }), "{report:#?}");
    assert!(report.contains(&Event::Ended { outcome: Outcome::Cancelled { by } }), "{report:#?}");
    assert_eq!(report.last(), Some(&Event::PoweringOff { reboot: false }), "{report:#?}");
    assert_eq!(john.disk_sha256().unwrap(), disk);
    stage.assert_dhcpd_conf(&original);
}
