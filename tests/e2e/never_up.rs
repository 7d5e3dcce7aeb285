//! The client never comes up: the DHCP entry is reverted at the deadline, and the message says how far it came.

use std::fs;

use ghost_contract::MacAddress;

use crate::stage::{BOOT, OWN_DISK, SOON, Stage, swapped};

/// Try again, by the table of exit codes.
pub(crate) const TRY_AGAIN: i32 = 75;

#[test]
fn a_pc_with_another_card_is_never_seen() {
    let stage = Stage::with("other-card", |config| {
        config.ghostrc.insert("UP_DEADLINE".to_owned(), "20".to_owned());
        config.pcs[0].mac = MacAddress::new([0x00, 0xe0, 0x7d, 0xc9, 0x1a, 0xff]);
    });
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    let swapped = swapped(&original, &john.config().name, "pxelinux.0");
    stage.wait_dhcpd_conf("john's entry to be swapped", &swapped, SOON);
    assert_eq!(ghostctl.wait(BOOT).unwrap(), TRY_AGAIN, "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);
    assert_eq!(stage.dhcpd_service_calls().unwrap(), ["start", "restart", "restart"]);
    assert!(john.is_off().unwrap());
    assert!(ghostctl.text().contains("nothing was seen of it"), "{}", ghostctl.text());
}

#[test]
fn a_pc_that_finds_no_boot_file_boots_its_own_disk_and_the_entry_is_reverted() {
    let stage = Stage::with("no-boot-file", |config| {
        config.ghostrc.insert("UP_DEADLINE".to_owned(), "90".to_owned());
    });
    let john = stage.pc("john").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    let swapped = swapped(&original, &john.config().name, "pxelinux.0");
    stage.wait_dhcpd_conf("john's entry to be swapped", &swapped, SOON);
    fs::remove_file(stage.folder().tftp().join("pxelinux.0")).unwrap();
    john.wait_on(SOON).unwrap();
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    assert_eq!(ghostctl.wait(BOOT).unwrap(), TRY_AGAIN, "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);
    let text = ghostctl.text();
    let seen = ["it asked for over TFTP is 'pxelinux.0'", "took its address", "nothing was seen of it"];
    assert!(seen.iter().any(|words| text.contains(words)), "what was last seen: {text}");
    john.cut_power().unwrap();
}
