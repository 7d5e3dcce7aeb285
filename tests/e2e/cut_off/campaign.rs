//! All the other ways of cutting a PC off: `make cut-off`, which says by `FIRMWARE` how the PC boots.

use std::fs;
use std::time::Duration;

use ghost_contract::report::Event;
use ghost_lab::{Firmware, wait};

use super::Cut;
use crate::never_up::TRY_AGAIN;
use crate::stage::{BOOT, OWN_DISK, SOON, Stage, boot_file};

/// How long a PC may stay at a prompt of the boot loader's, or show why it does not boot.
const SHOWN: Duration = Duration::from_secs(330);
/// How long stage 1 tries, and then shows why it gives up.
const TRIED: Duration = Duration::from_secs(300 + 60 + 30);
/// How long a PC whose job takes too long may take to be off.
const ENDING: Duration = Duration::from_secs(180);
/// A switch that looks for loops lets nothing pass for so long, and an administrator may take so long to start a server again.
const SWITCH: Duration = Duration::from_secs(45);
const ADMINISTRATOR: Duration = Duration::from_secs(60);

const STAGE_1: &str = "ghost-init: version";

fn firmware() -> Firmware {
    std::env::var("FIRMWARE").map_or(Firmware::Bios, |word| word.parse().unwrap())
}

/// A way in which two boot loaders differ: the first is pxelinux, by BIOS.
fn by_firmware<T>(bios: T, uefi: T) -> T {
    if firmware().is_uefi() { uefi } else { bios }
}

/// What the console shows once the first part of the boot loader runs, before it loads the kernel. GRUB says nothing on the serial
/// line, so it is what shim says before it loads GRUB.
fn boot_loader() -> &'static str {
    by_firmware("PXELINUX", "Fetching Netboot Image")
}

fn begun(name: &str, settings: &[(&str, &str)]) -> Cut {
    Cut::begun(name, firmware(), settings, |_| {})
}

impl Cut {
    /// Waits until john has come so far that this is on its console.
    fn wait_for(&self, words: &str) {
        self.john().wait_on(SOON).unwrap();
        self.john().wait_console(words, BOOT).unwrap();
    }

    fn dhcpd(&self, what: &str) {
        let service = self.stage.folder().dhcpd_service();
        let service = self.stage.run(&[service.as_os_str(), what.as_ref()]).unwrap();
        assert_eq!(service.wait(SOON).unwrap(), 0, "{}", service.text());
    }

    fn serve_tftp(&self) {
        let folder = self.stage.folder().tftp().display().to_string();
        // It goes into the background by itself.
        let tftpd = self.stage.run(&["in.tftpd", "-l", "-a", "192.168.7.1:69", "-s", &folder]).unwrap();
        assert_eq!(tftpd.wait(SOON).unwrap(), 0, "{}", tftpd.text());
    }

    /// Waits until john has booted its own disk, and `ghostctl` has given up on it with these words.
    fn assert_own_disk(&self, within: Duration, words: &str) {
        let john = self.john();
        john.wait_on(SOON).unwrap();
        john.wait_console(&john.config().own_disk_message(), within).unwrap();
        assert_eq!(self.ghostctl.wait(BOOT).unwrap(), TRY_AGAIN, "{}", self.ghostctl.text());
        assert!(self.ghostctl.text().contains(words), "{}", self.ghostctl.text());
        self.stage.assert_dhcpd_conf(&self.original);
    }

    /// Waits until john has done its job, or has booted its own disk and `ghostctl` has said these words.
    fn assert_done_or_own_disk(&self, within: Duration, words: &str) {
        let john = self.john();
        let own_disk = john.config().own_disk_message();
        let ended = wait::until("john's end", within, || {
            let (console, is_off) = (john.whole_console().unwrap(), john.is_off().unwrap());
            (is_off || console.contains(&own_disk)).then_some(is_off)
        });
        if ended.unwrap() { self.assert_succeeds() } else { self.assert_own_disk(SOON, words) }
    }
}

#[test]
fn a_dhcp_server_that_dies_behind_the_boot_loader_is_not_missed() {
    let cut = begun("dhcp-dies", &[]);
    cut.wait_for(boot_loader());
    cut.dhcpd("stop");
    cut.assert_succeeds();
}

#[test]
fn an_nfs_server_that_dies_behind_the_mount_keeps_no_pc_on() {
    let cut = begun("nfs-dies", &[("SLEEP", "3600"), ("JOB_DEADLINE", "60")]);
    cut.stage.wait_report(&cut.john(), "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { .. }).then_some(())
    });
    cut.kill("ganesha");
    cut.john().wait_off(ENDING).unwrap();
    assert_ne!(cut.ghostctl.wait(ENDING).unwrap(), 0, "{}", cut.ghostctl.text());
    assert!(
        cut.ghostctl.text().contains("gave up waiting for the client's work to end"),
        "{}",
        cut.ghostctl.text()
    );
    cut.stage.assert_dhcpd_conf(&cut.original);
}

#[test]
fn an_nfs_server_that_stays_away_leaves_the_pc_on_its_own_disk_and_ghostctl_says_so() {
    let cut = begun("nfs-away", &[("UP_DEADLINE", "300")]);
    cut.kill("ganesha");
    cut.assert_own_disk(BOOT + TRIED + OWN_DISK, "could not reach its root and said last: ");
}

/// Names another folder as the root in the boot loader's configuration, which nothing exports.
fn name_another_root(stage: &Stage) {
    let file = by_firmware("pxelinux.cfg/default", "grub/grub.cfg");
    let path = stage.folder().tftp().join(file);
    let usual = fs::read_to_string(&path).unwrap();
    let root = format!("192.168.7.1:{},", stage.folder().base_root().display());
    assert_eq!(usual.matches(&root).count(), 1, "{usual}");
    fs::write(path, usual.replace(&root, "192.168.7.1:/nowhere,")).unwrap();
}

#[test]
fn a_root_that_is_not_exported_is_named_and_leaves_the_pc_on_its_own_disk() {
    let cut = begun("no-export", &[("UP_DEADLINE", "300")]);
    // After the job's own look at it, which would refuse the job.
    name_another_root(&cut.stage);
    cut.ghostctl.wait_line("ghost-init says: cannot mount 192.168.7.1:/nowhere", BOOT).unwrap();
    cut.assert_own_disk(
        TRIED + OWN_DISK,
        "could not reach its root and said last: cannot mount 192.168.7.1:/nowhere",
    );
    let refused = cut.stage.ghostctl(&["test", "john"]).unwrap();
    assert_eq!(refused.wait(SOON).unwrap(), 78, "{}", refused.text());
}

/// GRUB resets the PC, which then boots as before until it is offered its own disk again: what is asked for last may then be
/// any of the files.
fn a_missing_file(name: &str, file: &str) {
    let cut = begun(name, &[("UP_DEADLINE", "120")]);
    fs::remove_file(cut.stage.folder().tftp().join(file)).unwrap();
    let last = by_firmware(format!("over TFTP is '{file}'"), "over TFTP is '".to_owned());
    cut.assert_own_disk(SHOWN + OWN_DISK, &last);
    let console = cut.john().whole_console().unwrap();
    assert!(!console.contains(STAGE_1), "{console}");
}

#[test]
fn a_kernel_that_goes_missing() {
    a_missing_file("no-kernel", "vmlinuz");
}

#[test]
fn an_initrd_that_goes_missing() {
    a_missing_file("no-initrd", "initrd");
}

/// GRUB has a prompt without a time-out, so that a PC stays on there: README.md says so. `ghostctl` says where it came to.
#[test]
fn a_configuration_that_goes_missing() {
    if !firmware().is_uefi() {
        return a_missing_file("no-configuration", "pxelinux.cfg/default");
    }
    let cut = begun("no-configuration", &[("UP_DEADLINE", "300")]);
    fs::remove_file(cut.stage.folder().tftp().join("grub/grub.cfg")).unwrap();
    cut.wait_for("grub>");
    assert_eq!(cut.ghostctl.wait(BOOT).unwrap(), TRY_AGAIN, "{}", cut.ghostctl.text());
    assert!(cut.ghostctl.text().contains("over TFTP is '/grub/grub.cfg'"), "{}", cut.ghostctl.text());
    cut.stage.assert_dhcpd_conf(&cut.original);
    cut.john().cut_power().unwrap();
}

#[test]
fn a_tftp_server_that_is_away_for_a_minute_before_the_boot_loader() {
    let cut = begun("tftp-away", &[("UP_DEADLINE", "300")]);
    cut.kill("in.tftpd");
    cut.john().wait_on(SOON).unwrap();
    let file = boot_file(firmware());
    cut.ghostctl.wait_line(&format!("asks for '{file}' over TFTP"), BOOT).unwrap();
    std::thread::sleep(ADMINISTRATOR);
    cut.serve_tftp();
    cut.assert_done_or_own_disk(SHOWN + OWN_DISK + BOOT, &format!("over TFTP is '{file}'"));
}

#[test]
fn a_tftp_server_that_is_away_for_a_minute_behind_the_boot_loader() {
    let cut = begun("tftp-dies", &[("UP_DEADLINE", "300")]);
    cut.wait_for(boot_loader());
    cut.kill("in.tftpd");
    std::thread::sleep(ADMINISTRATOR);
    cut.serve_tftp();
    cut.assert_done_or_own_disk(SHOWN + OWN_DISK + BOOT, "the last file that it asked for over TFTP is '");
}

#[test]
fn a_link_that_a_switch_holds_down_is_waited_for() {
    let cut = begun("link-down", &[]);
    cut.wait_for(STAGE_1);
    cut.john().unplug().unwrap();
    cut.john().wait_console("has no link: is the cable plugged in?", BOOT).unwrap();
    std::thread::sleep(SWITCH);
    cut.john().plug_in().unwrap();
    cut.assert_succeeds();
}

#[test]
fn a_cable_that_is_pulled_out_for_good_leaves_the_pc_on_its_own_disk() {
    let cut = begun("no-link", &[("UP_DEADLINE", "180")]);
    cut.wait_for(STAGE_1);
    cut.john().unplug().unwrap();
    cut.assert_own_disk(
        BOOT + TRIED + OWN_DISK,
        by_firmware("over TFTP is 'initrd'", "over TFTP is '/initrd'"),
    );
}

/// Takes out of the boot loader's configuration that it hands its address over.
fn hand_no_address_over(stage: &Stage) {
    let (file, handed, not) = by_firmware(
        ("pxelinux.cfg/default", "IPAPPEND 3", "IPAPPEND 2"),
        ("grub/grub.cfg", " $address ", " "),
    );
    let path = stage.folder().tftp().join(file);
    let usual = fs::read_to_string(&path).unwrap();
    assert_eq!(usual.matches(handed).count(), 1, "{usual}");
    fs::write(path, usual.replace(handed, not)).unwrap();
}

#[test]
fn a_dhcp_server_that_stage_1_asks_in_vain_leaves_the_pc_on_its_own_disk() {
    // Later than stage 1 gives up: when the entry is reverted, the DHCP server is started again.
    let settings = [("UP_DEADLINE", "900")];
    let cut = Cut::begun("dhcp-in-vain", firmware(), &settings, hand_no_address_over);
    cut.wait_for(boot_loader());
    cut.dhcpd("stop");
    let john = cut.john();
    john.wait_console("cannot get an address for eth0 by DHCP", BOOT + TRIED).unwrap();
    john.wait_console(&john.config().own_disk_message(), TRIED + OWN_DISK).unwrap();
    let last = by_firmware("over TFTP is 'initrd'", "over TFTP is '/initrd'");
    assert_eq!(
        cut.ghostctl.wait(Duration::from_secs(900) + BOOT).unwrap(),
        TRY_AGAIN,
        "{}",
        cut.ghostctl.text()
    );
    assert!(cut.ghostctl.text().contains(last), "{}", cut.ghostctl.text());
    cut.stage.assert_dhcpd_conf(&cut.original);
}

#[test]
fn stage_1_asks_a_dhcp_server_where_the_boot_loader_hands_no_address_over() {
    let cut = Cut::begun("dhcp-asked", firmware(), &[], hand_no_address_over);
    cut.assert_succeeds();
}

/// A DHCP server at another machine on the lab's bridge, with one address to give away and no boot file.
const ANOTHER_DHCP_SERVER: &str = "printf 'start 192.168.7.66\\nend 192.168.7.66\\ninterface there\\nlease_file %s\\npidfile %s\\n' \
    \"$1/run/udhcpd.leases\" \"$1/run/udhcpd.pid\" >\"$1/etc/udhcpd.conf\"
    touch \"$1/run/udhcpd.leases\"
    unshare --net sh -ec 'until ip link show there; do sleep 0.1; done >/dev/null 2>&1
        ip address add 192.168.7.100/25 dev there && ip link set there up && exec busybox udhcpd -f \"$0\"' \"$1/etc/udhcpd.conf\" >\"$1/log/udhcpd.log\" 2>&1 &
    until [ \"$(readlink /proc/$!/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.1; done
    ip link add socket type veth peer name there && ip link set there netns $! && ip link set socket master br0 up
    wait";

#[test]
fn another_dhcp_server_that_is_faster_is_told_by_its_address() {
    let cut = begun("other-dhcp", &[("UP_DEADLINE", "120")]);
    let (john, folder) = (cut.john(), cut.stage.folder());
    // Ours is so slow that it does not answer at all. It answers until john is woken, so john is cut off until it has ended.
    john.wait_on(SOON).unwrap();
    // QEMU's monitor is there a moment later.
    wait::until("john to be unplugged", SOON, || john.unplug().ok()).unwrap();
    cut.dhcpd("stop");
    let whole_path = folder.path().display().to_string();
    let _other = cut.stage.run(&["sh", "-ec", ANOTHER_DHCP_SERVER, "sh", &whole_path]).unwrap();
    let log = folder.path().join("log/udhcpd.log");
    let serves = || fs::read_to_string(&log).is_ok_and(|said| said.contains("started")).then_some(());
    wait::until("the other DHCP server", SOON, serves).unwrap();
    john.plug_in().unwrap();
    john.reset().unwrap();
    // OVMF takes no offer that names no boot file, so john never says whose it was.
    let words = by_firmware(
        "it took the address 192.168.7.66 of the DHCP server 192.168.7.100 instead of 192.168.7.2",
        "it asked for an address by DHCP and took none",
    );
    cut.assert_own_disk(SHOWN + OWN_DISK, words);
    let named = "another DHCP server, 192.168.7.100, answers too, and offers the address 192.168.7.66 and no boot file";
    assert!(cut.ghostctl.text().contains(named), "{}", cut.ghostctl.text());
}
