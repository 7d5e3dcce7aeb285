//! What a PC boots with is missing, or the PC is too old for it: the PC ends on its own disk and not at a prompt.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ghost_lab::Lab;
use ghost_lab::lab::Pc;
use ghost_lab::wait;

use crate::by_hand;
use crate::stage::{BOOT, OWN_DISK, Stage};

/// How long pxelinux may stay at its prompt, or show a text, by its configuration.
const PROMPT: Duration = Duration::from_secs(30);
/// How long a failure that no server hears of stays on the screen.
const SHOWN: Duration = Duration::from_secs(30);
/// A processor of the time before 64 bits.
const OLD_PROCESSOR: [&str; 2] = ["-cpu", "pentium3"];

/// The configuration that this PC alone boots with.
pub(crate) fn own_configuration(lab: &Lab, pc: &Pc<'_>) -> PathBuf {
    // 01: the type of hardware address that Ethernet is (ARP's, RFC 1700).
    let address = format!("01-{}", pc.config().mac).replace(':', "-");
    lab.folder().tftp().join("pxelinux.cfg").join(address)
}

/// Gives a PC the usual configuration with the name of one file changed to one that does not exist.
fn let_it_miss(lab: &Lab, pc: &Pc<'_>, file: &str) {
    let usual = fs::read_to_string(lab.folder().tftp().join("pxelinux.cfg/default")).unwrap();
    let (before, after) = (format!(" {file}\n"), format!(" no-such-{file}\n"));
    assert_eq!(usual.matches(&before).count(), 1, "{usual}");
    fs::write(own_configuration(lab, pc), usual.replace(&before, &after)).unwrap();
}

#[test]
fn a_pc_that_cannot_boot_linux_boots_its_own_disk() {
    let stage = Stage::with("boot-files", |config| {
        let fakebox = config.pcs.iter_mut().find(|pc| pc.name.as_str() == "fakebox").unwrap();
        fakebox.more = OLD_PROCESSOR.map(str::to_owned).into();
    });
    let [john, joe, linuxbox, fakebox] =
        ["john", "joe", "linuxbox", "fakebox"].map(|name| stage.pc(name).unwrap());
    let original = stage.dhcpd_conf().unwrap();
    let missing = [(john, "vmlinuz"), (joe, "initrd"), (linuxbox, "ifcpu64.c32")];
    for (pc, file) in missing {
        by_hand::swap(&stage, pc.config());
        let_it_miss(&stage, &pc, file);
    }

    missing.iter().for_each(|(pc, _)| pc.switch_on().unwrap());
    for (pc, file) in missing {
        pc.wait_console(&pc.config().own_disk_message(), PROMPT + OWN_DISK)
            .unwrap_or_else(|error| panic!("{} without {file}: {error:#}", pc.config().name));
        let said = pc.console().unwrap();
        assert!(said.contains(&format!("no-such-{file}")), "it was not {file} that was missing: {said}");
        pc.cut_power().unwrap();
    }

    by_hand::swap(&stage, john.config());
    let usual = fs::read_to_string(stage.folder().tftp().join("pxelinux.cfg/default")).unwrap();
    let nowhere = usual.replace(" nfsroot=", " nfsroot=nowhere/");
    assert_ne!(nowhere, usual);
    fs::write(own_configuration(&stage, &john), nowhere).unwrap();
    john.switch_on().unwrap();

    // Its address is linuxbox's, so it is switched on when that is off.
    fakebox.switch_on().unwrap();
    fakebox.wait_console("PXELINUX", OWN_DISK).unwrap();
    wait::until("fakebox to show why it does not boot Linux", OWN_DISK, || {
        let screen = fakebox.screen_text().unwrap();
        let told = ["needs a 64-bit processor", "boots its own disk in 10 seconds"];
        told.iter().all(|words| screen.contains(words)).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: {}", fakebox.screen_text().unwrap()));
    fakebox.wait_console(&fakebox.config().own_disk_message(), PROMPT + OWN_DISK).unwrap();
    let said = fakebox.console().unwrap();
    assert!(!said.contains("Loading vmlinuz"), "{said}");

    // Linux runs on this one, but its configuration names no root: ghost-init says so, and resets the PC.
    john.wait_console("the kernel command line has no nfsroot=ADDRESS:/PATH", BOOT).unwrap();
    by_hand::serve(&stage, &original);
    john.wait_console(&john.config().own_disk_message(), SHOWN + OWN_DISK).unwrap();
}
