//! Cards that cannot be armed: the reason is reported, and the job is done all the same.

use ghost_contract::report::{Event, NotArmed};
use ghost_lab::Nic;
#[cfg(feature = "campaigns")]
use ghost_lab::{Firmware, config::target_folder};

use crate::stage::{BOOT, Stage};

#[test]
fn a_card_that_cannot_be_armed_is_reported_and_does_not_stop_the_job() {
    let stage = Stage::with("cards", |config| {
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
    });
    let joe = stage.pc("joe").unwrap();
    for (nic, expected) in [(Nic::E1000, NotArmed::Refused), (Nic::E1000e, NotArmed::Unsupported)] {
        joe.insert(nic).unwrap();
        let ghostctl = stage.ghostctl(&["test", "joe"]).unwrap();
        assert_eq!(ghostctl.wait(BOOT).unwrap(), 0, "{nic}: {}", ghostctl.text());
        assert!(joe.is_off().unwrap(), "{nic}");
        let reasons: Vec<NotArmed> = stage
            .report(joe.config().ip)
            .into_iter()
            .filter_map(|event| match event {
                Event::NotArmed { reason, .. } => Some(reason),
                _ => None,
            })
            .collect();
        assert!(
            !reasons.is_empty() && reasons.iter().all(|reason| *reason == expected),
            "{nic}: {reasons:?}"
        );
    }
}

/// Whether this machine's QEMU has such a card.
#[cfg(feature = "campaigns")]
fn is_had(nic: Nic) -> bool {
    let cards = std::process::Command::new("qemu-system-x86_64").args(["-device", "help"]).output().unwrap();
    String::from_utf8_lossy(&cards.stdout).contains(&format!("name \"{nic}\","))
}

/// By BIOS, or as `FIRMWARE` says: by UEFI with the ROMs of Debian 13, below `target/` (`make cards`). Those of Debian 12 have an
/// entry of their own to boot from, in which shim stops and asks a person.
#[cfg(feature = "campaigns")]
#[test]
fn a_pc_is_up_by_every_card_of_a_virtual_machine() {
    let firmware = std::env::var("FIRMWARE").map_or(Firmware::Bios, |word| word.parse().unwrap());
    let roms = target_folder().join("efi-roms");
    let stage = Stage::with("every-card", |config| {
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
        let joe = config.pcs.iter_mut().find(|pc| pc.name.as_str() == "joe").unwrap();
        joe.with_firmware(firmware);
        joe.efi_roms = Some(roms.clone());
    });
    let joe = stage.pc("joe").unwrap();
    let can_boot =
        |nic: Nic| !firmware.is_uefi() || nic == Nic::Virtio || roms.join(format!("efi-{nic}.rom")).exists();
    let cards: Vec<Nic> = Nic::ALL.into_iter().filter(|nic| is_had(*nic) && can_boot(*nic)).collect();
    assert!(cards.len() >= 6, "all but igb, which QEMU of Debian 12 and UEFI have not: {cards:?}");
    for nic in cards {
        joe.insert(nic).unwrap();
        let ghostctl = stage.ghostctl(&["test", "joe"]).unwrap();
        assert_eq!(ghostctl.wait(BOOT).unwrap(), 0, "{nic}: {}", ghostctl.text());
        assert!(joe.is_off().unwrap(), "{nic}");
    }
}
