//! The main jobs with each DHCP server besides ISC's: a test and a backup end as with that one, every byte of the configuration is
//! back without a restart, and the next plain wake boots the PC's own disk.

use std::fs;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::{DhcpServer, Firmware, stand_in};

use crate::backup::{IMAGING, SMALL};
use crate::linux::{assert_screens_show_the_progress, only_generation};
use crate::stage::{BOOT, OWN_DISK, SOON, Stage};

/// So many bytes a second of the disk, so that a picture of the progress is taken.
const RATE: u64 = 4 << 20;

/// Runs the jobs on john, with this firmware, in a lab with this DHCP server.
pub(crate) fn serves_jobs_and_is_as_it_was(name: &str, dhcp: DhcpServer, firmware: Firmware) {
    let stage = Stage::with(name, |config| {
        config.serve_dhcp_by(dhcp);
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
        config.pcs[0].with_firmware(firmware);
        config.pcs[0].disk_rate = Some(RATE);
    });
    let john = stage.pc("john").unwrap();
    if !firmware.is_uefi() {
        stand_in::fill_disk(&stage, &john, SMALL).unwrap();
    }
    let (configuration, process) = (stage.dhcp_configuration().unwrap(), process(&stage, dhcp));
    let disk = john.disk_sha256().unwrap();

    let said = done(&stage, &john, &["test", "john"]);
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Identified { host: "john".parse().unwrap() }), "{report:#?}");
    assert!(said.contains("john: reverted"), "{said}");
    assert_eq!(stage.dhcp_configuration().unwrap(), configuration, "after the test: {said}");

    let said = done(&stage, &john, &["backup", "john"]);
    assert_eq!(stage.dhcp_configuration().unwrap(), configuration, "after the backup: {said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
    let generation = only_generation(&stage);
    assert!(generation.join(layout::MANIFEST).is_file());
    assert_screens_show_the_progress(&generation.join(layout::SCREENS));
    assert_is_recorded(&stage, generation.file_name().unwrap().to_str().unwrap());

    let wake = stage.ghostctl(&["wake", "john"]).unwrap();
    assert_eq!(wake.wait(BOOT).unwrap(), 0, "{}", wake.text());
    john.wait_on(SOON).unwrap();
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    john.cut_power().unwrap();
    assert_eq!(self::process(&stage, dhcp), process, "it was never restarted");
}

/// Runs a job on john, which succeeds; gives what `ghostctl` said.
fn done(stage: &Stage, john: &Pc<'_>, words: &[&str]) -> String {
    let ghostctl = stage.ghostctl(words).unwrap();
    assert_eq!(ghostctl.wait(BOOT + IMAGING).unwrap(), 0, "{}", ghostctl.text());
    assert!(john.is_off().unwrap(), "{}", ghostctl.text());
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    ghostctl.text()
}

/// The server's process.
fn process(stage: &Stage, dhcp: DhcpServer) -> String {
    let program = dhcp.program().rsplit('/').next().unwrap();
    let found = stage.run(&["pgrep", "-x", program]).unwrap();
    assert_eq!(found.wait(SOON).unwrap(), 0, "{program} does not run: {}", found.text());
    found.text()
}

/// Each job has a record, and what `images list` shows is the generation, checked.
fn assert_is_recorded(stage: &Stage, generation: &str) {
    let listed = stage.ghostctl(&["images", "list", "john"]).unwrap();
    assert_eq!(listed.wait(SOON).unwrap(), 0, "{}", listed.text());
    assert!(listed.text().contains(generation), "{}", listed.text());
    let verified = stage.ghostctl(&["images", "verify", "john"]).unwrap();
    assert_eq!(verified.wait(SOON).unwrap(), 0, "{}", verified.text());
    let records = fs::read_dir(stage.folder().state().join("jobs")).unwrap();
    assert_eq!(records.count(), 2, "one of the test and one of the backup");
    assert_eq!(fs::read_dir(stage.folder().state().join("journal")).unwrap().count(), 0);
}

#[cfg(feature = "campaigns")]
#[test]
fn a_uefi_pc_is_served_by_kea() {
    serves_jobs_and_is_as_it_was("kea-uefi", DhcpServer::Kea, Firmware::Uefi);
}

#[cfg(feature = "campaigns")]
#[test]
fn a_uefi_pc_is_served_by_dnsmasq() {
    serves_jobs_and_is_as_it_was("dnsmasq-uefi", DhcpServer::Dnsmasq, Firmware::Uefi);
}
