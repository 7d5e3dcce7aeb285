//! Disks that show themselves late, or not at all: `make late-disks`.

use std::time::{Duration, Instant};

use ghost_contract::report::{Event, Outcome};
use ghost_lab::wait;

use crate::backup::{IMAGING, job, stored};
use crate::stage::{BOOT, Stage};
use crate::troubles::assert_no_generation;

/// An adapter that starts its disks one after the other may take so long for the last one.
const SPUN_UP: Duration = Duration::from_secs(60);
/// A controller of the class RAID (PCI class 0104) without a disk that Linux sees.
const RAID: [&str; 2] = ["-device", "megasas"];
/// Its vendor and device, as the client names it to the administrator.
const RAID_ID: &str = "1000:0060";

#[test]
fn a_disk_that_shows_itself_after_a_minute_is_backed_up() {
    let stage = Stage::with("late-disk", |config| {
        config.pcs.iter_mut().for_each(|pc| pc.shows_disk_late = true);
    });
    let john = stage.pc("john").unwrap();
    let (original, disk) = (stage.dhcpd_conf().unwrap(), john.disk_sha256().unwrap());
    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    stage.wait_report(&john, "john to be up", BOOT, |event| matches!(event, Event::Up { .. }).then_some(()));
    let begun = Instant::now();
    wait::until("a minute to be over", SPUN_UP * 2, || (begun.elapsed() >= SPUN_UP).then_some(())).unwrap();
    john.show_disk().unwrap();
    assert_eq!(ghostctl.wait(IMAGING).unwrap(), 0, "{}", ghostctl.text());
    assert!(john.is_off().unwrap(), "{}", ghostctl.text());
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
    assert_eq!(stored(&stage).len(), 1);
    stage.assert_dhcpd_conf(&original);
}

#[test]
fn where_there_is_no_disk_but_a_raid_controller_it_is_said_what_to_switch() {
    let stage = Stage::with("raid", |config| {
        for pc in &mut config.pcs {
            pc.shows_disk_late = true;
            pc.more = RAID.map(str::to_owned).to_vec();
        }
    });
    let john = stage.pc("john").unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    let behind = format!(
        "disks may be hidden behind its RAID controller {RAID_ID}: switch SATA or NVMe from RAID (RST, VMD, Optane) to AHCI"
    );
    assert!(said.contains(&behind), "{said}");
    let report = stage.report(john.config().ip);
    let is_reason = |event: &Event| matches!(event, Event::Ended { outcome: Outcome::Failed { reason } } if reason.contains(&behind));
    assert!(report.iter().any(is_reason), "{report:#?}");
    assert_no_generation(&stage);
}
