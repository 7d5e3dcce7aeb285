//! A driver that hangs while it looks for its device, in the kernel and for ever, from the initramfs on: `make hanging-driver`.

use std::process::Command;
use std::time::Duration;

use ghost_contract::report::{Event, Outcome};
use ghost_lab::config::{repository, target_folder};
use ghost_lab::{shell, stand_in};

use crate::backup::IMAGING;
use crate::stage::{BOOT, OWN_DISK, Stage};

/// Size of the disk in MiB.
const SIZE: u32 = 64;
/// A SCSI adapter, whose driver in this lab hangs (tests/hanging-driver).
const ADAPTER: [&str; 2] = ["-device", "am53c974"];
/// The kernel does not switch a machine off whose device is still being looked for: the watchdog resets it.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_driver_that_hangs_from_the_initramfs_on_keeps_no_pc_from_its_root_and_from_its_end() {
    let stage = Stage::with("hanging-driver", |config| {
        config.ghostrc.insert("OFF_LISTEN".to_owned(), "600".to_owned());
        config.pcs[0].more = ADAPTER.map(str::to_owned).into();
    });
    let john = stage.pc("john").unwrap();
    let initrd = stage.folder().tftp().join("initrd");
    let mut install = Command::new(repository().join("tests/hanging-driver/install"));
    install.arg(target_folder().join("kmod")).arg(stage.folder().base_root()).arg(initrd);
    shell::run(&mut install).unwrap();
    stand_in::fill_disk(&stage, &john, SIZE).unwrap();
    let (original, disk) = (stage.dhcpd_conf().unwrap(), john.disk_sha256().unwrap());

    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    // Its own disk comes after the job.
    john.wait_on(BOOT).unwrap();
    let waited = john.wait_console(&john.config().own_disk_message(), BOOT + IMAGING + PATIENCE + OWN_DISK);
    waited.unwrap_or_else(|error| panic!("{error:#}: {}", ghostctl.text()));
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
    assert!(ghostctl.text().contains("john is on: it came back"), "{}", ghostctl.text());
    let report = stage.report(john.config().ip);
    // Behind it libata shows no disk (drivers/ata/libata-core.c: `async_port_probe`).
    let no_disk = |event: &Event| match event {
        Event::Ended { outcome: Outcome::Failed { reason } } => {
            reason.contains("this machine has no built-in disk")
        }
        _ => false,
    };
    assert!(report.iter().any(no_disk), "{report:#?}");
    stage.assert_dhcpd_conf(&original);
    john.cut_power().unwrap();
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
}
