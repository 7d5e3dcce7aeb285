//! Something goes wrong while an imager runs. Whatever it is, the PC goes off, and no image is called good.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ghost_contract::image::Phase;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::{Firmware, stand_in};

use crate::backup::{self, job, stored, stored_of};
use crate::by_hand;
use crate::stage::{BOOT, OFF, SOON, Stage};
use crate::uefi::{LOCKED_DOWN, NOTICES};

/// From the death of the NFS server until the PC is off: what is left of the grace, the stall window, the time
/// limits of all tasks that wait for the server, and the ending. Less than the last resort of a PID 1 that hangs takes.
const DEAD_SERVER: Duration = Duration::from_secs(360);
/// So many bytes a second of a disk that is still being read when a report says that it is, and when another PC has
/// come as far: all of it takes minutes.
const SLOW: u64 = 256 << 10;
/// The emulator in the clients' base root.
const EMULATOR: &str = "usr/bin/dosbox-x";
/// An emulator that takes all memory, behind a /tmp that is full.
const GREEDY_EMULATOR: &str = "#!/bin/sh\ndd if=/dev/zero of=/tmp/full bs=1M\nexec tail /dev/zero\n";
/// What the kernel says when it ends a process because of that (Linux, mm/oom_kill.c).
const OUT_OF_MEMORY: &str = "Out of memory: Killed process";

/// A lab in which john has a disk with files, and all disks are slow.
fn stage(name: &str, settings: &[(&str, &str)]) -> Stage {
    backup::stage_with(name, settings, backup::SMALL, |config| {
        config.pcs.iter_mut().for_each(|pc| pc.disk_rate = Some(SLOW));
    })
}

/// Waits until john writes an image.
fn wait_for_image(stage: &Stage) {
    let john = stage.pc("john").unwrap();
    stage.wait_report(&john, "a disk that is read", BOOT, |event| match event {
        Event::Sampled { disk_read, .. } if *disk_read > 1 << 20 => Some(()),
        _ => None,
    });
}

pub(crate) fn assert_no_generation(stage: &Stage) {
    let names = stored(stage);
    assert!(names.iter().all(|name| name.starts_with('.')), "{names:?}");
}

#[test]
fn a_power_cut_in_the_middle_leaves_no_generation() {
    let stage = stage("power-cut", &[("JOB_DEADLINE", "180")]);
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    wait_for_image(&stage);
    john.cut_power().unwrap();
    assert_eq!(ghostctl.wait(Duration::from_secs(600)).unwrap(), 75, "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);
    assert_no_generation(&stage);
    let kept = stored(&stage);
    assert_eq!(kept.len(), 1, "what there is of the image is kept aside: {kept:?}");
}

#[test]
fn a_dead_nfs_server_keeps_no_pc_on_whatever_its_imager() {
    let stage = stage("dead-server", &[("STALL_WINDOW", "20"), ("IMAGER_joe", "linux")]);
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    stand_in::fill_disk(&stage, &joe, backup::SMALL).unwrap();
    let disks = [john, joe].map(|pc| pc.disk_sha256().unwrap());
    let _ghostctl = stage.ghostctl(&["backup", "john", "joe"]).unwrap();
    wait_for_image(&stage);
    stage.wait_report(&joe, "a disk that is read", BOOT, |event| match event {
        Event::Progressed(progress) if progress.phase == Phase::Reading => Some(()),
        _ => None,
    });
    for pc in [john, joe] {
        let report = stage.report(pc.config().ip);
        assert!(!report.iter().any(|event| matches!(event, Event::ImagerExited { .. })), "{report:#?}");
    }
    let kill = stage.run(&["pkill", "-KILL", "ganesha"]).unwrap();
    assert_eq!(kill.wait(SOON).unwrap(), 0, "{}", kill.text());
    for (pc, disk) in [john, joe].into_iter().zip(disks) {
        pc.wait_off(DEAD_SERVER).unwrap();
        assert_eq!(pc.disk_sha256().unwrap(), disk);
    }
    assert_no_generation(&stage);
    let joes = stored_of(&stage, "joe");
    assert!(joes.iter().all(|name| name.starts_with('.')), "{joes:?}");
}

#[test]
fn an_emulator_that_is_killed_for_its_memory_or_missing_is_a_failure_with_its_reason() {
    let stage = backup::stage("emulator", &[]);
    let john = stage.pc("john").unwrap();
    let emulator = stage.folder().base_root().join(EMULATOR);
    fs::write(&emulator, GREEDY_EMULATOR).unwrap();
    fs::set_permissions(&emulator, Permissions::from_mode(0o755)).unwrap();
    for how in ["killed by SIGKILL", "by itself, with status 127"] {
        let (status, said) = job(&stage, &john, &["backup", "john"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("the emulator ended before"), "{said}");
        let report = stage.report(john.config().ip);
        assert!(report.contains(&Event::ImagerExited { how: how.to_owned() }), "{report:#?}");
        let is_greedy = emulator.exists();
        assert_eq!(john.console().unwrap().contains(OUT_OF_MEMORY), is_greedy, "{how}");
        assert_no_generation(&stage);
        fs::remove_file(&emulator).unwrap_or_default();
    }
}

#[test]
fn a_flag_alone_starts_mode_test_and_ctrl_alt_del_ends_it_with_secure_boot_too() {
    let stage = Stage::with("flag", |config| {
        config.kernel_flags = ["ghost.mode=test", NOTICES].map(str::to_owned).into();
        config.pcs[0].with_firmware(Firmware::SecureBoot);
    });
    let john = stage.pc("john").unwrap();
    by_hand::swap(&stage, john.config());
    by_hand::make_tree(&stage, john.config());
    john.switch_on().unwrap();
    stage.wait_report(&john, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { .. }).then_some(())
    });
    john.press_keys(&["ctrl", "alt", "delete"]).unwrap();
    john.wait_off(OFF).unwrap();
    let report = stage.report(john.config().ip);
    assert!(!report.iter().any(|event| matches!(event, Event::OrderClaimed { .. })), "{report:#?}");
    let cancelled = Outcome::Cancelled { by: "Ctrl-Alt-Del".to_owned() };
    assert!(report.contains(&Event::Ended { outcome: cancelled }), "{report:#?}");
    let said = john.console().unwrap();
    assert!(said.contains(LOCKED_DOWN), "{said}");
}
