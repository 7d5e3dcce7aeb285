//! The imager of a fresh installation on a PC with Windows' file systems: a disk is backed up, checked, destroyed and
//! restored, and a generation with one bit flipped is neither believed nor written back.

use std::fs;
use std::path::{Path, PathBuf};

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::stand_in;

use crate::backup::{job, stored};
use crate::stage::{OWN_DISK, SOON, Stage};

/// Size of the disk in MiB.
const SIZE: u32 = 64;
/// So many bytes a second of it: each partition is read for longer than lies between two reports of progress.
const RATE: u64 = 2 << 20;

/// The largest file of the image of the first disk: a piece of a partition.
pub(crate) fn largest_piece(generation: &Path) -> PathBuf {
    let entries = fs::read_dir(generation.join(layout::disk(0))).unwrap();
    entries.map(|entry| entry.unwrap().path()).max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

/// The folder of john's only generation.
pub(crate) fn only_generation(stage: &Stage) -> PathBuf {
    let names = stored(stage);
    assert_eq!(names.len(), 1, "{names:?}");
    stage.folder().image_store().join("john").join(&names[0])
}

/// Fills a PC's disk, whose size becomes this, with a byte.
pub(crate) fn wipe(stage: &Stage, john: &Pc<'_>, mebibytes: u32, byte: u8) {
    let size = usize::try_from(mebibytes).unwrap() << 20;
    fs::write(stand_in::disk(stage, john), vec![byte; size]).unwrap();
}

/// Changes one bit in the middle of a file; called again, it is as it was.
pub(crate) fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_disk_with_ntfs_and_fat_is_backed_up_checked_destroyed_and_restored() {
    let stage = Stage::with("linux", |config| config.pcs[0].disk_rate = Some(RATE));
    let john = stage.pc("john").unwrap();
    stand_in::fill_disk(&stage, &john, SIZE).unwrap();
    let disk = john.disk_sha256().unwrap();

    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("reading partition 1"), "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
    let report = stage.report(john.config().ip);
    assert!(report.iter().any(|event| matches!(event, Event::Progressed(_))), "{report:#?}");
    let generation = only_generation(&stage);
    assert_manifest_describes_the_disk(&generation);
    assert_screens_show_the_progress(&generation.join(layout::SCREENS));

    let (status, said) = job(&stage, &john, &["verify", "john"]);
    assert_eq!(status, 0, "{said}");

    let piece = largest_piece(&generation);
    let name = piece.file_name().unwrap().to_str().unwrap();
    flip_a_bit(&piece);
    wipe(&stage, &john, SIZE, 0xE5);
    let wiped = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains(name), "the damaged piece is named: {said}");
    assert_eq!(john.disk_sha256().unwrap(), wiped, "nothing was written");
    let report = stage.report(john.config().ip);
    assert!(!report.iter().any(|event| matches!(event, Event::DiskIncomplete { .. })), "{report:#?}");
    let verify = stage.ghostctl(&["images", "verify", "john"]).unwrap();
    assert_eq!(verify.wait(SOON).unwrap(), 1, "{}", verify.text());
    assert!(verify.text().contains(name), "{}", verify.text());

    flip_a_bit(&piece);
    let verify = stage.ghostctl(&["images", "verify", "john"]).unwrap();
    assert_eq!(verify.wait(SOON).unwrap(), 0, "{}", verify.text());
    // On zeros, since what no file system uses is not in the image, and was zero.
    wipe(&stage, &john, SIZE, 0);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(
        john.disk_sha256().unwrap(),
        disk,
        "table, boot code, files, owners and times: every byte is back"
    );
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");

    john.switch_on().unwrap();
    john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
    john.cut_power().unwrap();

    let first = stored(&stage);
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    let both = stored(&stage);
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "a second backup keeps the first");
}

fn assert_manifest_describes_the_disk(generation: &Path) {
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(generation.join(layout::MANIFEST)).unwrap()).unwrap();
    assert_eq!(manifest["imager"]["name"], "linux");
    let disk = &manifest["disks"][0];
    assert_eq!(disk["disk"]["size"], u64::from(SIZE) << 20, "{disk:#}");
    assert_eq!(disk["disk"]["model"], "QEMU HARDDISK", "{disk:#}");
    assert!(disk["disk"]["serial"].as_str().unwrap().starts_with("QM"), "{disk:#}");
    assert_eq!(disk["table"]["kind"], "dos", "{disk:#}");
    let file_systems: Vec<&str> = disk["file_systems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["file_system"].as_str().unwrap())
        .collect();
    assert_eq!(file_systems, ["ntfs", "fat"], "{disk:#}");
    assert!(manifest["pace"]["disk_rate"].as_u64().unwrap() > 0, "{manifest:#}");
}

/// A picture of the first terminal, and its text, show how far it was.
pub(crate) fn assert_screens_show_the_progress(screens: &Path) {
    let texts: Vec<String> = fs::read_dir(screens)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(texts.iter().any(|text| text.contains("partition")), "{texts:#?}");
}
