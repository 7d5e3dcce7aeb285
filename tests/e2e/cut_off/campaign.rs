//! All the other ways of cutting a PC off: `make cut-off`.

use std::fs;
use std::time::Duration;

use ghost_contract::report::Event;
use ghost_lab::wait;

use super::Cut;
use crate::never_up::TRY_AGAIN;
use crate::stage::{BOOT, OWN_DISK, SOON};

/// How long a PC may stay at a prompt of the boot loader's, or show why it does not boot.
const SHOWN: Duration = Duration::from_secs(330);
/// How long stage 1 tries, and then shows why it gives up.
const TRIED: Duration = Duration::from_secs(300 + 60 + 30);
/// How long a PC whose job takes too long may take to be off.
const ENDING: Duration = Duration::from_secs(180);
/// A switch that looks for loops lets nothing pass for so long, and an administrator may take so long to start a server again.
const SWITCH: Duration = Duration::from_secs(45);
const ADMINISTRATOR: Duration = Duration::from_secs(60);

/// What the console shows first of the boot loader, before it loads the kernel, and of stage 1.
const BOOT_LOADER: &str = "PXELINUX";
const STAGE_1: &str = "ghost-init: version";

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
    let cut = Cut::begun("dhcp-dies", &[]);
    cut.wait_for(BOOT_LOADER);
    cut.dhcpd("stop");
    cut.assert_succeeds();
}

#[test]
fn an_nfs_server_that_dies_behind_the_mount_keeps_no_pc_on() {
    let cut = Cut::begun("nfs-dies", &[("SLEEP", "3600"), ("JOB_DEADLINE", "60")]);
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
    let cut = Cut::begun("nfs-away", &[("UP_DEADLINE", "300")]);
    cut.kill("ganesha");
    cut.assert_own_disk(BOOT + TRIED + OWN_DISK, "could not reach its root and said last: ");
}

fn a_missing_file(name: &str, file: &str, asked: &str) {
    let cut = Cut::begun(name, &[("UP_DEADLINE", "120")]);
    fs::remove_file(cut.stage.folder().tftp().join(file)).unwrap();
    cut.assert_own_disk(SHOWN + OWN_DISK, &format!("over TFTP is '{asked}'"));
}

#[test]
fn a_kernel_that_goes_missing() {
    a_missing_file("no-kernel", "vmlinuz", "vmlinuz");
}

#[test]
fn an_initrd_that_goes_missing() {
    a_missing_file("no-initrd", "initrd", "initrd");
}

#[test]
fn a_configuration_that_goes_missing() {
    a_missing_file("no-configuration", "pxelinux.cfg/default", "pxelinux.cfg/default");
}

#[test]
fn a_tftp_server_that_is_away_for_a_minute_before_the_boot_loader() {
    let cut = Cut::begun("tftp-away", &[("UP_DEADLINE", "300")]);
    cut.kill("in.tftpd");
    cut.john().wait_on(SOON).unwrap();
    cut.ghostctl.wait_line("asks for 'pxelinux.0' over TFTP", BOOT).unwrap();
    std::thread::sleep(ADMINISTRATOR);
    cut.serve_tftp();
    cut.assert_done_or_own_disk(SHOWN + OWN_DISK + BOOT, "over TFTP is 'pxelinux.0'");
}

#[test]
fn a_tftp_server_that_is_away_for_a_minute_behind_the_boot_loader() {
    let cut = Cut::begun("tftp-dies", &[("UP_DEADLINE", "300")]);
    cut.wait_for(BOOT_LOADER);
    cut.kill("in.tftpd");
    std::thread::sleep(ADMINISTRATOR);
    cut.serve_tftp();
    cut.assert_done_or_own_disk(SHOWN + OWN_DISK + BOOT, "the last file that it asked for over TFTP is '");
}

#[test]
fn a_link_that_a_switch_holds_down_is_waited_for() {
    let cut = Cut::begun("link-down", &[]);
    cut.wait_for(STAGE_1);
    cut.john().unplug().unwrap();
    cut.john().wait_console("has no link: is the cable plugged in?", BOOT).unwrap();
    std::thread::sleep(SWITCH);
    cut.john().plug_in().unwrap();
    cut.assert_succeeds();
}

#[test]
fn a_cable_that_is_pulled_out_for_good_leaves_the_pc_on_its_own_disk() {
    let cut = Cut::begun("no-link", &[("UP_DEADLINE", "180")]);
    cut.wait_for(STAGE_1);
    cut.john().unplug().unwrap();
    cut.assert_own_disk(BOOT + TRIED + OWN_DISK, "over TFTP is 'initrd'");
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
    let cut = Cut::begun("other-dhcp", &[("UP_DEADLINE", "120")]);
    let folder = cut.stage.folder().path().display().to_string();
    // Ours is so slow that it does not answer at all.
    cut.dhcpd("stop");
    let _other = cut.stage.run(&["sh", "-ec", ANOTHER_DHCP_SERVER, "sh", &folder]).unwrap();
    let words = "it took the address 192.168.7.66 of the DHCP server 192.168.7.100 instead of 192.168.7.2";
    cut.assert_own_disk(SHOWN + OWN_DISK, words);
}
