//! How a PC is left where a person at it, or the machine itself, wants it otherwise: `make leaving`.

use std::time::Duration;

use ghost_contract::image::Phase;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::{stand_in, wait};

use crate::backup::job;
use crate::by_hand;
use crate::linux::wipe;
use crate::stage::{BOOT, OFF, OWN_DISK, SOON, Stage};

/// Size of a disk in MiB, and so many bytes a second of it: writing it takes minutes.
const SIZE: u32 = 64;
const SLOW: u64 = 256 << 10;
/// A PC on which ghost-init has told what a press of the button would do may take so long to be pressed again and be off.
const INSISTED: Duration = Duration::from_secs(90);
/// A machine that stands still instead of going off.
const HANGS_AT_THE_END: [&str; 2] = ["-action", "shutdown=pause"];
/// A machine whose only keyboard is on USB.
const USB_KEYBOARD: [&str; 6] = ["-machine", "i8042=off", "-device", "qemu-xhci", "-device", "usb-kbd"];

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn wait_for_test(stage: &Stage, pc: &Pc<'_>) {
    stage.wait_report(pc, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { ssh_port: Some(_), .. }).then_some(())
    });
}

fn assert_cancelled(stage: &Stage, pc: &Pc<'_>, by: &str) {
    let report = stage.report(pc.config().ip);
    let cancelled = Outcome::Cancelled { by: by.to_owned() };
    assert!(report.contains(&Event::Ended { outcome: cancelled }), "{report:#?}");
}

/// A press fails while the machine goes off: QEMU ends, and the lab knows that a moment later.
fn press_until_off(pc: &Pc<'_>, within: Duration, press: impl Fn() -> anyhow::Result<()>) {
    let mut last = Ok(());
    let is_off = wait::until("the PC to be off", within, || {
        last = press();
        pc.is_off().unwrap().then_some(())
    });
    assert!(is_off.is_ok(), "{is_off:?}; the last press: {last:?}");
}

#[test]
fn poweroff_and_halt_in_a_shell_power_off() {
    let stage = Stage::new("typed");
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john", "joe"]).unwrap();
    let typed = [("john", "poweroff"), ("joe", "halt")].map(|(name, words)| (stage.pc(name).unwrap(), words));
    for (pc, words) in &typed {
        wait_for_test(&stage, pc);
        // What ssh makes of it does not count: the machine may go off before the command has answered.
        let _typed = stage.ssh(pc.config().ip, words).unwrap();
        pc.wait_off(OFF).unwrap();
        assert_cancelled(&stage, pc, words);
    }
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);
}

#[test]
fn who_forces_a_pc_without_acpi_off_in_a_shell_boots_its_own_disk() {
    let stage = Stage::with("forced", |config| config.kernel_flags.push("acpi=off".to_owned()));
    let john = stage.pc("john").unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    wait_for_test(&stage, &john);
    let _typed = stage.ssh(john.config().ip, "poweroff -f").unwrap();
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    let said = john.whole_console().unwrap();
    for words in
        ["poweroff -f: leaving at once", "cannot switch this machine off; booting its own disk instead"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!stage.report(john.config().ip).iter().any(|event| matches!(event, Event::Ended { .. })));
    john.cut_power().unwrap();
    drop(ghostctl);
}

/// What gives a program the keyboard's own codes: `KDSKBMODE` with `K_RAW` (linux/kd.h).
const RAW: &str = "perl -e 'open(T, \"+<\", \"/dev/tty0\") && ioctl(T, 0x4B45, 0) && print \"raw\"'";

#[test]
fn ctrl_alt_del_powers_off_while_a_program_has_the_keyboard_raw() {
    let stage = Stage::new("raw");
    let john = stage.pc("john").unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    wait_for_test(&stage, &john);
    let typed = stage.ssh(john.config().ip, RAW).unwrap();
    assert_eq!(typed.wait(SOON).unwrap(), 0, "{}", typed.text());
    assert!(typed.text().contains("raw"), "{}", typed.text());
    john.press_keys(&["ctrl", "alt", "delete"]).unwrap();
    john.wait_off(OFF).unwrap();
    assert_cancelled(&stage, &john, "Ctrl-Alt-Del");
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
}

#[test]
fn a_pc_without_acpi_says_so_boots_its_own_disk_and_is_called_on() {
    let stage = Stage::with("no-acpi", |config| {
        config.kernel_flags.push("acpi=off".to_owned());
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
    });
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
    let words = "john is on: the kernel has no ACPI and cannot switch this machine off";
    assert!(ghostctl.text().contains(words), "{}", ghostctl.text());
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    assert!(report.iter().any(|event| matches!(event, Event::CannotPowerOff { .. })), "{report:#?}");
    assert_eq!(report.last(), Some(&Event::PoweringOff { reboot: true }));
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    stage.assert_dhcpd_conf(&original);
    john.cut_power().unwrap();
}

#[test]
fn a_pc_that_stands_still_instead_of_going_off_is_silent_and_one_that_is_reset_has_come_back() {
    let stage = Stage::with("not-off", |config| {
        config.pcs.iter_mut().for_each(|pc| pc.more = own(&HANGS_AT_THE_END));
        let settings = [("SLEEP", "1"), ("OFF_LISTEN_john", "900"), ("OFF_LISTEN_joe", "5")];
        config.ghostrc.extend(settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
    });
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john", "joe"]).unwrap();
    for pc in [&john, &joe] {
        pc.wait_on(SOON).unwrap();
        pc.wait_console("ghost-init: version", BOOT).unwrap();
        wait::until("a PC that stands still", BOOT, || pc.stands_still().unwrap().then_some(())).unwrap();
    }
    ghostctl.wait_line("joe: silent, as a machine that is off; listening for", SOON).unwrap();
    ghostctl.wait_line("joe: off, as far as can be seen", SOON).unwrap();
    ghostctl.wait_line("john: silent, as a machine that is off; listening for", SOON).unwrap();
    stage.assert_dhcpd_conf(&original);

    // The own disk says nothing on the network, but the boot ROM asks for a file first.
    john.reset().unwrap();
    ghostctl.wait_line("john is on: it came back", BOOT).unwrap();
    ghostctl.wait_line("(it asks for 'nobackup' over TFTP)", SOON).unwrap();
    assert_eq!(ghostctl.wait(SOON).unwrap(), 1, "{}", ghostctl.text());
    for pc in [&john, &joe] {
        let report = stage.report(pc.config().ip);
        assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
        pc.cut_power().unwrap();
    }
}

#[test]
fn ctrl_alt_del_on_a_usb_keyboard_powers_off_before_there_is_a_network() {
    let stage = Stage::with("usb-keyboard", |config| config.pcs[0].more = own(&USB_KEYBOARD));
    let john = stage.pc("john").unwrap();
    by_hand::swap(&stage, john.config());
    john.switch_on().unwrap();
    john.wait_console("ghost-init: version", BOOT).unwrap();
    john.unplug().unwrap();
    john.wait_console("has no link: is the cable plugged in?", BOOT).unwrap();
    press_until_off(&john, SOON, || john.press_keys(&["ctrl", "alt", "delete"]));
    assert!(john.whole_console().unwrap().contains("Ctrl-Alt-Del"), "{}", john.whole_console().unwrap());
}

#[test]
fn during_a_restore_the_first_press_of_the_button_is_a_warning_and_the_next_one_powers_off() {
    let stage = Stage::with("pressed", |config| config.pcs[0].disk_rate = Some(SLOW));
    let john = stage.pc("john").unwrap();
    stand_in::fill_disk(&stage, &john, SIZE).unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    wipe(&stage, &john, SIZE, 0);
    let ghostctl = stage.ghostctl(&["restore", "--yes", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    stage.wait_report(&john, "a disk that is written", BOOT, |event| match event {
        Event::Progressed(progress) if progress.phase == Phase::Writing => Some(()),
        _ => None,
    });
    john.press_power_button().unwrap();
    let warning = "a restore is writing to sda, which would be incomplete; to power off all the same, press the button again";
    john.wait_console(warning, SOON).unwrap();
    assert!(!john.is_off().unwrap());
    press_until_off(&john, INSISTED, || john.press_power_button());
    assert_eq!(ghostctl.wait(SOON).unwrap(), 1, "{}", ghostctl.text());
    assert_cancelled(&stage, &john, "the power button");
    let report = stage.report(john.config().ip);
    let incomplete = Event::DiskIncomplete { disks: vec!["sda".to_owned()] };
    assert!(report.contains(&incomplete), "{report:#?}");
}
