//! A PC with Linux on a virtio or an NVMe disk: what is restored boots, on a smaller and a larger disk too; onto one
//! that is too small nothing is written.

use std::fs;
use std::time::Duration;

use ghost_lab::config::{DiskBus, OtherDisk};
use ghost_lab::lab::Pc;
use ghost_lab::stand_in;

use crate::backup::job;
use crate::exported;
use crate::linux::wipe;
use crate::stage::{OWN_DISK, Stage};

/// Sizes of disks in MiB: the one that is backed up, a larger one, one for which it has to be shrunk, and one on which
/// its files do not fit.
const SIZE: u32 = 96;
const LARGER: u32 = 160;
const SMALLER: u32 = 80;
const TOO_SMALL: u32 = 48;
/// From its boot loader until the small Linux has checked its files, on an emulated PC on a busy machine.
const LINUX: Duration = Duration::from_secs(300);
/// What the small Linux says when all its files are what they were.
const WHOLE: &str = "LINUX-OWN-DISK BOOTED, all files whole";

fn stage(name: &str, disk_bus: DiskBus, other_disks: Vec<OtherDisk>) -> Stage {
    let stage = Stage::with(name, |config| {
        config.pcs[0].disk_bus = disk_bus;
        config.pcs[0].other_disks = other_disks;
        exported::add_virtual_machine(config);
    });
    stand_in::fill_disk_with_linux(&stage, &stage.pc("john").unwrap(), SIZE).unwrap();
    stage
}

/// Boots a PC's own disk, and gives what it said.
pub(crate) fn boot(pc: &Pc<'_>) -> String {
    pc.switch_on().unwrap();
    pc.wait_console(WHOLE, OWN_DISK + LINUX).unwrap();
    pc.wait_off(LINUX).unwrap();
    pc.console().unwrap()
}

/// What the small Linux says of the size of its file system, KiB.
fn room(console: &str) -> u32 {
    let said = console.lines().rev().find(|line| line.starts_with("/dev/vda2")).unwrap();
    said.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_linux_that_was_restored_onto_a_smaller_and_a_larger_disk_boots_and_has_the_room() {
    let stage = stage("linux-disk", DiskBus::Virtio, Vec::new());
    let john = stage.pc("john").unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");

    wipe(&stage, &john, TOO_SMALL, 0xE5);
    let wiped = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--shrink", "john"]);
    assert_eq!(status, 1, "{said}");
    for bytes in [u64::from(SIZE) << 20, u64::from(TOO_SMALL) << 20] {
        assert!(said.contains(&bytes.to_string()), "the numbers are said: {said}");
    }
    assert_eq!(john.disk_sha256().unwrap(), wiped, "nothing was written");

    wipe(&stage, &john, SMALLER, 0xE5);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--shrink", "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("partition 2 was shrunk from 65011712 to 48234496 bytes"), "{said}");
    let size = room(&boot(&john));
    assert!((35 * 1024..47 * 1024).contains(&size), "KiB of the file system that was 62 MiB: {size}");
    let folder = fs::read_dir(stage.folder().image_store().join("john")).unwrap();
    assert_eq!(folder.count(), 1, "nothing but the generation");

    wipe(&stage, &john, LARGER, 0xE5);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--grow", "john"]);
    assert_eq!(status, 0, "{said}");
    let size = room(&boot(&john));
    assert!(size > 100 * 1024, "KiB of the file system that was 62 MiB: {size}");
}

#[test]
fn an_nvme_disk_is_found_by_its_serial_number_exported_and_restored_to_the_byte_and_to_no_other() {
    let other = OtherDisk { name: "other".to_owned(), bus: DiskBus::Sata, sector: 512, unreadable: None };
    let stage = stage("nvme-disk", DiskBus::Nvme, vec![other]);
    let john = stage.pc("john").unwrap();
    let disk = john.disk_sha256().unwrap();
    let other = stand_in::disk(&stage, &john).with_file_name("other.raw");
    fs::write(&other, vec![0xE5; usize::try_from(LARGER << 20).unwrap()]).unwrap();
    let (status, said) = job(&stage, &john, &["backup", "--disk", "serial:LAB-NVME-1", "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("--disk /dev/nvme0n1"), "{said}");
    exported::assert_is_the_disk_and_boots(&stage, &john);
    wipe(&stage, &john, SIZE, 0);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--disk", "/dev/sda", "john"]);
    assert_eq!(status, 1, "{said}");
    let meant = "from the disk with serial number LAB-NVME-1, which is /dev/nvme0n1 here and not /dev/sda";
    assert!(said.contains(meant), "{said}");
    assert!(fs::read(&other).unwrap().iter().all(|byte| *byte == 0xE5), "the other disk was written");
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--disk", "size:100M", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(
        john.disk_sha256().unwrap(),
        disk,
        "both GPTs, boot code, the EFI partition, files, owners, times"
    );
    boot(&john);
}
