//! The DHCP server is a router's, which nobody may touch, and a proxy of ours is beside it: jobs end as with a server of ours, every byte
//! of the proxy's configuration is back, and a PC that is not swapped is not answered by it, so that it boots its own disk.

use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::{DhcpServer, Firmware, stand_in};

use crate::backup::{IMAGING, SMALL};
use crate::linux::only_generation;
use crate::stage::{BOOT, OWN_DISK, SOON, Stage};

#[test]
fn a_pc_with_a_routers_address_is_tested_and_backed_up_and_no_other_notices_the_proxy() {
    jobs_with_a_routers_address("proxy", Firmware::Bios);
}

#[cfg(feature = "campaigns")]
#[test]
fn a_uefi_pc_with_a_routers_address_is_tested_and_backed_up() {
    jobs_with_a_routers_address("proxy-uefi", Firmware::Uefi);
}

fn jobs_with_a_routers_address(name: &str, firmware: Firmware) {
    let stage = Stage::with(name, |config| {
        config.serve_dhcp_by(DhcpServer::Proxy);
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
        config.pcs[0].with_firmware(firmware);
    });
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    if !firmware.is_uefi() {
        stand_in::fill_disk(&stage, &john, SMALL).unwrap();
    }
    let configuration = stage.dhcp_configuration().unwrap();

    let test = stage.ghostctl(&["test", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    boots_its_own_disk(&stage, &joe);
    assert_eq!(test.wait(BOOT).unwrap(), 0, "{}", test.text());
    assert!(
        test.text().contains("john: reverted") && !test.text().contains("cannot be heard"),
        "{}",
        test.text()
    );
    assert_ended_well(&stage, &john);
    assert_eq!(stage.dhcp_configuration().unwrap(), configuration, "after the test: {}", test.text());
    let (answered, ignored) = answers(&stage, &joe);
    assert!(answered == 0 && ignored > 0, "joe was answered {answered} times and ignored {ignored} times");
    assert!(answers(&stage, &john).0 > 0, "john was answered");

    let backup = stage.ghostctl(&["backup", "john"]).unwrap();
    assert_eq!(backup.wait(BOOT + IMAGING).unwrap(), 0, "{}", backup.text());
    assert_ended_well(&stage, &john);
    assert!(only_generation(&stage).is_dir());
    assert_eq!(stage.dhcp_configuration().unwrap(), configuration, "after the backup: {}", backup.text());

    let (before, _) = answers(&stage, &john);
    boots_its_own_disk(&stage, &john);
    assert_eq!(answers(&stage, &john).0, before, "it is not swapped any more");
}

/// A plain wake.
fn boots_its_own_disk(stage: &Stage, pc: &Pc<'_>) {
    let wake = stage.ghostctl(&["wake", pc.config().name.as_str()]).unwrap();
    assert_eq!(wake.wait(BOOT).unwrap(), 0, "{}", wake.text());
    pc.wait_on(SOON).unwrap();
    pc.wait_console(&pc.config().own_disk_message(), OWN_DISK).unwrap();
    pc.cut_power().unwrap();
}

fn assert_ended_well(stage: &Stage, pc: &Pc<'_>) {
    assert!(pc.is_off().unwrap());
    let report = stage.report(pc.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
}

/// How often the proxy has answered a PC so far, and how often it has ignored it, by its own log.
fn answers(stage: &Stage, pc: &Pc<'_>) -> (usize, usize) {
    let log = std::fs::read_to_string(stage.folder().logs().join("proxy.log")).unwrap();
    let mac = pc.config().mac.to_string();
    let of_pc = log.lines().filter(|line| line.contains("PXE(") && line.contains(&mac));
    let (ignored, answered): (Vec<&str>, Vec<&str>) = of_pc.partition(|line| line.contains("proxy-ignored"));
    (answered.len(), ignored.len())
}
