//! A PC with two disks, a USB stick and a memory card: both disks are saved and written back, stick and card are left
//! alone, and the card is saved if it is named. What Windows has not closed, and what cannot be read, is an error with
//! its reason, and saved only if that is ordered.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::layout;
use ghost_contract::report::Event;
use ghost_lab::config::{DiskBus, OtherDisk};
use ghost_lab::{shell, stand_in};

use crate::backup::{job, stored};
use crate::linux::wipe;
use crate::stage::{SOON, Stage};
use crate::troubles::assert_no_generation;

/// Sizes in MiB: of the first disk, of the second one, and of a file that takes most of that.
const FIRST: u32 = 64;
const SECOND: usize = 32;
const NOISE: usize = 24;
/// Where the second disk cannot be read, in the middle of the file, and how much is lost: one of its sectors.
const UNREADABLE: usize = 16 << 20;
const SECTOR: usize = 4096;
/// Where make-disk puts the NTFS.
const NTFS: u64 = 1 << 20;

fn other(name: &str, bus: DiskBus, sector: usize, unreadable: Option<u64>) -> OtherDisk {
    OtherDisk { name: name.to_owned(), bus, sector: u32::try_from(sector).unwrap(), unreadable }
}

/// A disk without a table, with an ext4 in which there is no hole where it cannot be read.
fn fill_second(path: &Path) {
    let tree = path.with_file_name("tree");
    fs::create_dir(&tree).unwrap();
    let mut noise = vec![0; NOISE << 20];
    std::io::Read::read_exact(&mut File::open("/dev/urandom").unwrap(), &mut noise).unwrap();
    fs::write(tree.join("noise"), noise).unwrap();
    File::create(path).unwrap().set_len((SECOND as u64) << 20).unwrap();
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-d"]);
    shell::run(mke2fs.args([&tree, path])).unwrap();
}

/// Marks the NTFS of a disk to be checked, as Windows finds it after a crash.
fn mark_dirty(disk: &Path, mebibytes: u32) {
    let fat = u64::from(mebibytes / 4).max(33) << 20;
    let mut ntfs = vec![0; usize::try_from((u64::from(mebibytes) << 20) - NTFS - fat).unwrap()];
    let file = File::options().read(true).write(true).open(disk).unwrap();
    file.read_exact_at(&mut ntfs, NTFS).unwrap();
    let part = disk.with_file_name("ntfs");
    fs::write(&part, ntfs).unwrap();
    shell::run(Command::new("ntfsfix").arg(&part)).unwrap();
    file.write_all_at(&fs::read(&part).unwrap(), NTFS).unwrap();
}

#[test]
fn all_built_in_disks_are_saved_and_restored_and_what_cannot_be_read_only_by_order() {
    let stage = Stage::with("two-disks", |config| {
        config.pcs[0].other_disks = vec![
            other("second", DiskBus::Virtio, SECTOR, Some(UNREADABLE as u64)),
            other("stick", DiskBus::Usb, 512, None),
            other("card", DiskBus::SdCard, 512, None),
        ];
    });
    let john = stage.pc("john").unwrap();
    stand_in::fill_disk(&stage, &john, FIRST).unwrap();
    let first = stand_in::disk(&stage, &john);
    mark_dirty(&first, FIRST);
    let [second, stick, card] =
        ["second.raw", "stick.raw", "card.raw"].map(|name| first.with_file_name(name));
    fill_second(&second);
    fs::write(&stick, vec![0xA5; 8 << 20]).unwrap();
    fs::write(&card, vec![0x5A; 8 << 20]).unwrap();
    let disks: Vec<Vec<u8>> = [&first, &second, &stick, &card].map(|path| fs::read(path).unwrap()).into();
    assert_ne!(disks[1][UNREADABLE..UNREADABLE + SECTOR], [0; SECTOR]);

    let (status, said) = job(&stage, &john, &["backup", "--all-disks", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("partition 1") && said.contains("it is marked to be checked by chkdsk"), "{said}");
    assert_no_generation(&stage);
    let report = stage.report(john.config().ip);
    let sampled = |event: &Event| matches!(event, Event::Sampled { disk_read, .. } if *disk_read > 0);
    assert!(report.iter().any(sampled), "what has moved is reported of the shortest job: {report:#?}");

    let (status, said) = job(&stage, &john, &["backup", "--all-disks", "--dirty-ntfs", "raw", "john"]);
    assert_eq!(status, 1, "{said}");
    let place =
        format!("/dev/vda: the whole disk was not saved: the disk cannot be read at byte {UNREADABLE} of it");
    assert!(said.contains(&place), "{said}");
    assert_no_generation(&stage);

    let asked = ["backup", "--all-disks", "--dirty-ntfs", "raw", "--rescue", "john"];
    let (status, said) = job(&stage, &john, &asked);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("--disk /dev/sda --disk /dev/vda") && !said.contains("mmcblk0"), "{said}");
    assert!(said.contains("/dev/vda: 4096 bytes in 1 places of the disk could not be read"), "{said}");
    let lost = assert_manifest_lists_what_is_lost(&stage);
    for (path, before) in [&first, &second, &stick, &card].into_iter().zip(&disks) {
        assert!(fs::read(path).unwrap() == *before, "a backup has written to {}", path.display());
    }

    wipe(&stage, &john, FIRST, 0);
    fs::write(&second, vec![0; SECOND << 20]).unwrap();
    let one = stage.ghostctl(&["restore", "--yes", "john"]).unwrap();
    assert_eq!(one.wait(SOON).unwrap(), 2, "{}", one.text());
    assert_eq!(one.text().matches("images of 2 disks: give --all-disks").count(), 1, "{}", one.text());
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--all-disks", "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(fs::read(&first).unwrap() == disks[0], "the first disk is not what it was");
    let mut rescued = fs::read(&second).unwrap();
    assert!(rescued[lost.clone()].starts_with(b"BADSECTOR"), "what partclone leaves there");
    rescued[lost.clone()].copy_from_slice(&disks[1][lost]);
    assert!(rescued == disks[1], "the second disk is not what could be read of it");
    assert!(fs::read(&stick).unwrap() == disks[2], "the stick was written to");
    assert!(fs::read(&card).unwrap() == disks[3], "the card was written to");

    // It was there all the time.
    let (status, said) = job(&stage, &john, &["backup", "--disk", "/dev/mmcblk0", "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("--disk /dev/mmcblk0"), "{said}");
}

/// Where the second disk could not be read, as the manifest of the only generation says.
fn assert_manifest_lists_what_is_lost(stage: &Stage) -> std::ops::Range<usize> {
    let generations: Vec<String> = stored(stage).into_iter().filter(|name| !name.starts_with('.')).collect();
    let [generation] = &generations[..] else { panic!("{generations:?}") };
    let path: PathBuf = stage.folder().image_store().join("john").join(generation).join(layout::MANIFEST);
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let [first, second] = &manifest["disks"].as_array().unwrap()[..] else { panic!("{manifest:#}") };
    assert_eq!((&first["disk"]["path"], &second["disk"]["path"]), (&"/dev/sda".into(), &"/dev/vda".into()));
    assert_eq!(second["disk"]["logical_sector"], SECTOR, "{second:#}");
    assert_eq!(first["bad_ranges"], serde_json::json!([]), "{first:#}");
    let [lost] = &second["bad_ranges"].as_array().unwrap()[..] else { panic!("{second:#}") };
    let [start, length] =
        ["start", "length"].map(|key| usize::try_from(lost[key].as_u64().unwrap()).unwrap());
    assert!((start..start + length).contains(&UNREADABLE), "{lost}");
    start..start + length
}
