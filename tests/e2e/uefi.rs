//! PCs with UEFI, without and with Secure Boot: the same jobs as by BIOS, from shim and GRUB to the own disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::Duration;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::Firmware;
use ghost_lab::lab::Pc;

use crate::backup::job;
use crate::linux::{assert_screens_show_the_progress, only_generation, wipe};
use crate::never_up::TRY_AGAIN;
use crate::stage::{BOOT, OFF, OWN_DISK, SOON, Stage, boot_file, swapped};

/// Size of the disk in MiB, and so many bytes a second of it, so that a picture of the progress is taken.
const SIZE: u32 = 64;
const RATE: u64 = 4 << 20;
/// Lets the kernel say on the serial line what it makes of Secure Boot.
pub(crate) const NOTICES: &str = "loglevel=6";
pub(crate) const LOCKED_DOWN: &str = "Kernel is locked down from EFI Secure Boot";
/// How long GRUB shows that something is missing before it resets the PC.
const GRUB_SHOWS: Duration = Duration::from_secs(30);

/// How long `ghostctl` waits for a PC that cannot come up. It is not the default's ten minutes, in which the PC would be reset
/// again and again.
const UP_DEADLINE: &str = "UP_DEADLINE=60\n";

fn stage(name: &str, firmware: Firmware) -> Stage {
    Stage::with(name, |config| {
        config.kernel_flags.push(NOTICES.to_owned());
        config.pcs[0].with_firmware(firmware);
        config.pcs[0].disk_rate = Some(RATE);
    })
}

fn wait_swapped(stage: &Stage, john: &Pc<'_>, original: &[u8]) {
    let swapped = swapped(original, &john.config().name, boot_file(john.config().firmware));
    stage.wait_dhcpd_conf("john's entry, and no other byte, to be swapped", &swapped, SOON);
}

#[test]
fn a_uefi_pc_is_tested_and_without_a_kernel_it_is_refused_or_ends_on_its_own_disk() {
    let stage = stage("uefi", Firmware::Uefi);
    let john = stage.pc("john").unwrap();
    let (ip, disk) = (john.config().ip, john.disk_sha256().unwrap());
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    wait_swapped(&stage, &john, &original);
    stage.wait_report(&john, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { ssh_port: Some(22), .. }).then_some(())
    });
    stage.wait_dhcpd_conf("john's entry to be reverted", &original, SOON);
    let report = stage.report(ip);
    let is_johns = |event: &Event| match event {
        Event::Up { interface, mac, ip, .. } => {
            (interface.as_str(), *mac, *ip) == ("eth0", john.config().mac, john.config().ip)
        }
        _ => false,
    };
    assert!(report.iter().any(is_johns), "{report:#?}");
    john.press_keys(&["ctrl", "alt", "delete"]).unwrap();
    john.wait_off(OFF).unwrap();
    assert_eq!(ghostctl.wait(SOON).unwrap(), 1, "{}", ghostctl.text());
    let cancelled = Outcome::Cancelled { by: "Ctrl-Alt-Del".to_owned() };
    let report = stage.report(ip);
    assert!(report.contains(&Event::Ended { outcome: cancelled }), "{report:#?}");
    let said = john.console().unwrap();
    assert!(said.contains("watched by Software Watchdog") && !said.contains(LOCKED_DOWN), "{said}");

    // What is missing before a job is found before it.
    let kernel = stage.folder().tftp().join("vmlinuz");
    let away = kernel.with_extension("away");
    fs::rename(&kernel, &away).unwrap();
    let refused = stage.ghostctl(&["test", "john"]).unwrap();
    assert_eq!(refused.wait(SOON).unwrap(), 78, "{}", refused.text());
    assert!(refused.text().contains("vmlinuz cannot be read"), "{}", refused.text());
    stage.assert_dhcpd_conf(&original);
    assert!(john.is_off().unwrap());

    // What goes missing after that keeps no PC on: GRUB resets it until it is offered its own disk again.
    fs::rename(&away, &kernel).unwrap();
    let mut settings = File::options().append(true).open(stage.folder().ghostrc()).unwrap();
    settings.write_all(UP_DEADLINE.as_bytes()).unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    wait_swapped(&stage, &john, &original);
    fs::rename(&kernel, &away).unwrap();
    john.wait_on(SOON).unwrap();
    john.wait_console("Ghost4Linux cannot be booted", BOOT).unwrap();
    assert_eq!(ghostctl.wait(BOOT).unwrap(), TRY_AGAIN, "{}", ghostctl.text());
    let seen = ["the last file that it asked for over TFTP is", "took its address", "nothing was seen of it"];
    assert!(seen.iter().any(|words| ghostctl.text().contains(words)), "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);
    john.wait_console(&john.config().own_disk_message(), GRUB_SHOWS + OWN_DISK + OWN_DISK).unwrap();
    john.cut_power().unwrap();
    assert_eq!(john.disk_sha256().unwrap(), disk);
}

#[test]
fn with_secure_boot_a_disk_is_backed_up_destroyed_and_restored_and_boots() {
    let stage = stage("secure-boot", Firmware::SecureBoot);
    let john = stage.pc("john").unwrap();
    let disk = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
    assert_screens_show_the_progress(&only_generation(&stage).join(layout::SCREENS));
    let said = john.console().unwrap();
    for words in [LOCKED_DOWN, "watched by Software Watchdog"] {
        assert!(said.contains(words), "{words}: {said}");
    }

    wipe(&stage, &john, SIZE, 0);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "both GPTs, the loaders, and the gap behind them");
    let wake = stage.ghostctl(&["wake", "john"]).unwrap();
    assert_eq!(wake.wait(BOOT).unwrap(), 0, "{}", wake.text());
    john.wait_on(SOON).unwrap();
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    john.cut_power().unwrap();
}
