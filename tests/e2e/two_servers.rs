//! Two boot servers with one image store, of which one is killed while its client works: the other leaves the host alone as long as the
//! lease is fresh or the client is on, and has it afterwards. The first one comes back, and goes on.
//!
//! They are two programs with settings and a state of their own on one machine, as the lab has one network.

use std::fs;
use std::path::{Path, PathBuf};

use ghost_contract::report::Event;
use ghost_lab::lab::Pc;
use ghost_lab::running::Running;
use ghost_lab::wait;
use nix::sys::signal::Signal;

use crate::backup::{self, IMAGING, SMALL, stored};
use crate::stage::{BOOT, SOON, Stage};

/// The shortest lease that may be set, in seconds.
const LEASE: &str = "10";

/// The settings of a second boot server: another state, the same store.
fn second(stage: &Stage) -> PathBuf {
    let state = |folder: &Path| format!("STATEDIR={}", folder.display());
    let (own, others) = (stage.folder().path().join("second-state"), stage.folder().state());
    let first = fs::read_to_string(stage.folder().ghostrc()).unwrap();
    let settings = first.replace(&state(&others), &state(&own));
    assert_ne!(settings, first);
    let path = stage.folder().path().join("second-ghostrc");
    fs::write(&path, settings).unwrap();
    path
}

fn ghostctl(stage: &Stage, settings: &Path, words: &[&str]) -> Running {
    let program = stage.ghostctl_program();
    let settings = ["--config".as_ref(), settings.as_os_str()];
    let words: Vec<_> =
        [program.as_os_str()].into_iter().chain(settings).chain(words.iter().map(AsRef::as_ref)).collect();
    stage.run(&words).unwrap()
}

/// Its disk is slow anew each time it is switched on.
fn let_go(john: &Pc<'_>) {
    john.wait_on(BOOT).unwrap();
    john.unthrottle_disk().unwrap();
}

#[test]
fn the_host_of_a_killed_boot_server_is_another_ones_when_its_lease_has_expired_and_its_client_is_off() {
    let stage =
        backup::stage_with("two-servers", &[("IMAGER", "linux"), ("LEASE", LEASE)], SMALL, |config| {
            // At work until it is let go.
            config.pcs[0].disk_rate = Some(64 << 10);
        });
    let john = stage.pc("john").unwrap();
    let (original, disk) = (stage.dhcpd_conf().unwrap(), john.disk_sha256().unwrap());
    let second = second(&stage);

    let backup = stage.ghostctl(&["backup", "john"]).unwrap();
    stage.wait_report(&john, "the imager's start", BOOT, |event| {
        matches!(event, Event::ImagerStarted { .. }).then_some(())
    });
    stage.wait_dhcpd_conf("john's entry to be reverted", &original, SOON);
    let refused = ghostctl(&stage, &second, &["test", "john"]);
    assert_eq!(refused.wait(SOON).unwrap(), 75, "{}", refused.text());
    assert!(refused.text().contains("john has the job "), "{}", refused.text());

    backup.signal(Signal::SIGKILL).unwrap();
    backup.wait(SOON).unwrap();
    let said = wait::until("the lease to expire", BOOT, || {
        let refused = ghostctl(&stage, &second, &["test", "john"]);
        assert_ne!(refused.wait(SOON).unwrap(), 0, "{}", refused.text());
        let said = refused.text();
        (!said.contains("john has the job ")).then_some(said)
    });
    let said = said.unwrap();
    assert!(said.contains("the client is already on"), "john works on, and is left alone: {said}");
    assert!(!john.is_off().unwrap());
    stage.assert_dhcpd_conf(&original);

    john.unthrottle_disk().unwrap();
    john.wait_off(IMAGING).unwrap();
    assert_eq!(john.disk_sha256().unwrap(), disk);
    let taken = ghostctl(&stage, &second, &["backup", "john"]);
    let_go(&john);
    assert_eq!(taken.wait(BOOT + IMAGING).unwrap(), 0, "{}", taken.text());
    assert!(john.is_off().unwrap());
    stage.assert_dhcpd_conf(&original);
    let theirs = stored(&stage).pop().unwrap();

    let recovered = stage.ghostctl(&["recover"]).unwrap();
    recovered.wait(SOON).unwrap();
    stage.assert_dhcpd_conf(&original);
    assert!(stored(&stage).contains(&theirs), "the second one's generation stays: {}", recovered.text());
    let again = stage.ghostctl(&["backup", "john"]).unwrap();
    let_go(&john);
    assert_eq!(again.wait(BOOT + IMAGING).unwrap(), 0, "{}", again.text());
    assert!(stored(&stage).contains(&theirs), "{}", again.text());
    assert_eq!(john.disk_sha256().unwrap(), disk);
}
