//! PID 1 or the kernel of a client hangs: a watchdog resets the machine, with Secure Boot too, or powers it off.

use std::time::Duration;

use ghost_contract::report::Event;
use ghost_lab::Firmware;
use ghost_lab::lab::Pc;
use ghost_lab::running::Running;

use crate::stage::{BOOT, OWN_DISK, SOON, Stage};
use crate::uefi::{LOCKED_DOWN, NOTICES};

/// From the last time that a watchdog was petted until it resets the machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the clients sleep, without a word. It is long enough to hang both of them.
const SLEEP: Duration = Duration::from_secs(180);
/// From when on they are to have said something until their jobs are given up: 180 s after a request for a boot file, else 300 s.
const GIVEN_UP: Duration = Duration::from_secs(300);
/// A watchdog of Intel's 6300ESB, which is a device of QEMU too. It is one that powers off: a reset does not give
/// QEMU's processor back what [`HANG_KERNEL`] takes from it.
const HARDWARE: [&str; 4] = ["-device", "i6300esb", "-action", "watchdog=poweroff"];
/// PID 1 with all its threads is put into a group of processes that is then frozen (cgroups(7)): the kernel lives.
const FREEZE_PID_1: &str = "mount -t cgroup2 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/still && \
     echo 1 >/sys/fs/cgroup/still/cgroup.procs && echo 1 >/sys/fs/cgroup/still/cgroup.freeze";
/// The processor is left without its interrupt controller (IA32_APIC_BASE, number 1Bh, without its bit 11: Intel's
/// manual, volume 3, 11.4.3): nothing interrupts it any more, timers neither, and the kernel hangs for real.
const HANG_KERNEL: &str = "modprobe msr && \
     printf '\\0\\000\\340\\376\\0\\0\\0\\0' | dd of=/dev/cpu/0/msr bs=8 seek=27 oflag=seek_bytes conv=notrunc";
/// What the kernel's own watchdog says before it resets the machine.
const SOFTDOG: &str = "softdog: Initiating system reboot";

/// Hangs a PC that is ready; gives the session that did it and will not come back.
fn hang(stage: &Stage, pc: &Pc<'_>, how: &str) -> Running {
    stage.wait_report(pc, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { ssh_port: Some(_), .. }).then_some(())
    });
    stage.ssh(pc.config().ip, how).unwrap()
}

#[test]
fn a_machine_that_hangs_does_not_stay_so() {
    let stage = Stage::with("watchdog", |config| {
        config.kernel_flags.push(NOTICES.to_owned());
        config.pcs[0].with_firmware(Firmware::SecureBoot);
        let joe = config.pcs.iter_mut().find(|pc| pc.name.as_str() == "joe").unwrap();
        joe.more = HARDWARE.map(str::to_owned).into();
        let settings = [("SLEEP", SLEEP.as_secs().to_string()), ("OFF_LISTEN", "5".to_owned())];
        config.ghostrc.extend(settings.map(|(key, value)| (key.to_owned(), value)));
    });
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john", "joe"]).unwrap();

    let _sessions = [hang(&stage, &john, FREEZE_PID_1), hang(&stage, &joe, HANG_KERNEL)];
    john.wait_console(&john.config().own_disk_message(), SOON + PATIENCE + OWN_DISK).unwrap();
    let said = john.console().unwrap();
    assert!(said.contains("watched by Software Watchdog (120 s)"), "{said}");
    assert!(said.contains(SOFTDOG) && said.contains(LOCKED_DOWN), "{said}");

    joe.wait_off(SOON + PATIENCE).unwrap();
    let said = joe.console().unwrap();
    assert!(said.contains("Software Watchdog (120 s)") && said.contains("i6300ESB timer (120 s)"), "{said}");
    assert!(!said.contains(SOFTDOG), "a timer of the kernel cannot have done it: {said}");

    ghostctl
        .wait_line("john: warning: it asks for 'nobackup' over TFTP, as a machine does that was reset", SOON)
        .unwrap();
    assert_eq!(ghostctl.wait(SLEEP + GIVEN_UP + SOON).unwrap(), 1, "{}", ghostctl.text());
    let told = ghostctl.text();
    for words in [
        "john: failed: the client was reset before its job had ended: it asked for 'nobackup' over TFTP ",
        "john is on, and boots its own disk",
        "joe: failed: the client has been silent for ",
        "joe: off, as far as can be seen",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    stage.assert_dhcpd_conf(&original);
}
