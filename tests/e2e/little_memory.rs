//! PCs with less memory than a job takes: each says so on its screen and is reset, until it boots its own disk: `make little-memory`.

use std::time::Duration;

use ghost_lab::Firmware;
use ghost_lab::lab::Pc;

use crate::by_hand;
use crate::stage::{BOOT, OWN_DISK, Stage};

/// How long the boot loader, the kernel or `ghost-init` shows why it gives up.
const SHOWN: Duration = Duration::from_secs(30);

/// Waits until a PC has said this and, now that it is offered its own disk, has booted that.
fn assert_own_disk(pc: &Pc<'_>) {
    pc.wait_console(&pc.config().own_disk_message(), SHOWN * 2 + OWN_DISK)
        .unwrap_or_else(|error| panic!("{}: {error:#}", pc.config().name));
    pc.cut_power().unwrap();
}

#[test]
fn a_bios_pc_with_too_little_memory_says_so_and_boots_its_own_disk() {
    let memory = [("john", "96"), ("joe", "72"), ("linuxbox", "48")];
    let stage = Stage::with("little-memory", |config| {
        for (pc, (_, mebibytes)) in config.pcs.iter_mut().zip(memory) {
            pc.more = ["-m", mebibytes].map(str::to_owned).into();
        }
    });
    let [john, joe, linuxbox] = memory.map(|(name, _)| stage.pc(name).unwrap());
    let original = stage.dhcpd_conf().unwrap();
    for pc in [john, joe, linuxbox] {
        by_hand::swap(&stage, pc.config());
        pc.switch_on().unwrap();
    }

    let words = "this computer has too little memory: 54 MiB beside the kernel, and Ghost4Linux needs 64";
    john.wait_console(words, BOOT).unwrap();
    joe.wait_console("Initramfs unpacking failed", BOOT).unwrap();
    joe.wait_console("Rebooting in 30 seconds", BOOT).unwrap();
    // pxelinux finds no room for the kernel.
    linuxbox.wait_console("Booting kernel failed", BOOT).unwrap();

    by_hand::serve(&stage, &original);
    [john, joe, linuxbox].iter().for_each(assert_own_disk);
}

#[test]
fn a_uefi_pc_with_too_little_memory_says_so_and_boots_its_own_disk() {
    let memory = [("john", "96"), ("joe", "160")];
    let stage = Stage::with("little-memory-uefi", |config| {
        for (pc, (_, mebibytes)) in config.pcs.iter_mut().zip(memory) {
            pc.with_firmware(Firmware::Uefi);
            pc.more = ["-m", mebibytes].map(str::to_owned).into();
        }
    });
    let [john, joe] = memory.map(|(name, _)| stage.pc(name).unwrap());
    let original = stage.dhcpd_conf().unwrap();
    for pc in [john, joe] {
        by_hand::swap(&stage, pc.config());
        pc.switch_on().unwrap();
    }
    // In GRUB's own words, or in the kernel's.
    for (pc, words) in [(john, "out of memory"), (joe, "EFI stub: ERROR: ")] {
        pc.wait_console(words, BOOT).unwrap();
        pc.wait_console("Ghost4Linux cannot be booted", BOOT).unwrap();
        pc.wait_console("too little memory", BOOT).unwrap();
    }
    by_hand::serve(&stage, &original);
    [john, joe].iter().for_each(assert_own_disk);
}
