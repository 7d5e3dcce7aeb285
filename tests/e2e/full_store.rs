//! The image store gets full in the middle of a backup. No image is called good, and the older generation stays good.

use std::time::Duration;

use ghost_contract::report::{Event, Outcome};

use crate::stage::{SOON, Stage};
use crate::{backup, dosemu};

/// Room for a compressed image of john's disk, half of which is empty, and for 64 MiB, without which a job does not even
/// begin. The disk is as large as the store, so that no image of it as it is fits beside.
const STORE_MEBIBYTES: u32 = 128;
/// The same for the stand-in for GHOST.EXE under an administrator's own DOSEmu, which compresses nothing: the store has room
/// for one image and 64 MiB, and the disk.
const OWN: (u32, u32) = (160, 88);
/// How long the boot server may take to read a generation again.
const READING: Duration = Duration::from_secs(120);

/// What `ls` shows in john's folder of the store, which is mounted in the lab only.
fn stored(stage: &Stage) -> Vec<String> {
    let folder = stage.folder().image_store().join("john");
    let list = stage.run(&["ls".as_ref(), "-A".as_ref(), folder.as_os_str()]).unwrap();
    assert_eq!(list.wait(SOON).unwrap(), 0, "{}", list.text());
    list.lines()
}

#[test]
fn a_full_image_store_fails_the_backup_and_keeps_what_was_good() {
    let own = dosemu::own_floppy().is_some();
    let (store, disk) = if own { OWN } else { (STORE_MEBIBYTES, STORE_MEBIBYTES) };
    let stage = backup::stage_with("full-store", &[("IMAGER", "dosemu")], disk, |config| {
        config.store_mebibytes = Some(store);
    });
    dosemu::install(&stage, "1.4");
    let john = stage.pc("john").unwrap();
    let disk = john.disk_sha256().unwrap();
    let (status, said) = backup::job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    let good = stored(&stage);
    if !own {
        // Under dosbox-x, DOS writes by an emulator's own way to a host folder.
        dosemu::change_setting(&stage, "IMAGER", "dosbox-x");
    }

    let (status, said) = backup::job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    // An emulator may report a write as done that the store refuses when it is sent: then PID 1 finds the store full.
    assert!(
        ["the DOS program says", "the image store is full"].iter().any(|words| said.contains(words)),
        "{said}"
    );
    let report = stage.report(john.config().ip);
    let failed = |event: &Event| matches!(event, Event::Ended { outcome: Outcome::Failed { .. } });
    assert!(report.iter().any(failed), "{report:#?}");
    let both = stored(&stage);
    let aside: Vec<_> = both.iter().filter(|name| !good.contains(name)).collect();
    assert!(aside.len() == 1 && aside[0].starts_with('.'), "{both:?}");

    let list = stage.ghostctl(&["images", "list", "john"]).unwrap();
    assert_eq!(list.wait(SOON).unwrap(), 0, "{}", list.text());
    assert_eq!(list.lines().len(), 1, "{}", list.text());
    assert!(list.text().contains(&good[0]), "{}", list.text());
    let aside = stage.folder().image_store().join("john").join(aside[0]);
    let remove = stage.run(&["rm".as_ref(), "-r".as_ref(), aside.as_os_str()]).unwrap();
    assert_eq!(remove.wait(SOON).unwrap(), 0, "{}", remove.text());
    let verify = stage.ghostctl(&["images", "verify", "john", &good[0]]).unwrap();
    assert_eq!(verify.wait(READING).unwrap(), 0, "{}", verify.text());
    assert_eq!(john.disk_sha256().unwrap(), disk);
}
