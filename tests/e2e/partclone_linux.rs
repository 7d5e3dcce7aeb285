//! A PC with Linux on a virtio or an NVMe disk: what is restored boots, on a smaller and a larger disk too; onto one
//! that is too small nothing is written.

use std::fs;
use std::time::Duration;

use ghost_lab::config::DiskBus;
use ghost_lab::lab::Pc;
use ghost_lab::stand_in;

use crate::backup::job;
use crate::partclone::wipe;
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

fn stage(name: &str, disk_bus: DiskBus) -> Stage {
    let stage = Stage::with(name, |config| config.pcs[0].disk_bus = disk_bus);
    stand_in::fill_disk_with_linux(&stage, &stage.pc("john").unwrap(), SIZE).unwrap();
    stage
}

/// Boots john's own disk, and gives what it said.
fn boot(john: &Pc<'_>) -> String {
    john.switch_on().unwrap();
    john.wait_console(WHOLE, OWN_DISK + LINUX).unwrap();
    john.wait_off(LINUX).unwrap();
    john.console().unwrap()
}

/// What the small Linux says of the size of its file system, KiB.
fn room(console: &str) -> u32 {
    let said = console.lines().rev().find(|line| line.starts_with("/dev/vda2")).unwrap();
    said.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_linux_that_was_restored_onto_a_smaller_and_a_larger_disk_boots_and_has_the_room() {
    let stage = stage("linux-disk", DiskBus::Virtio);
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
fn an_nvme_disk_is_found_by_its_serial_number_and_restored_to_the_byte() {
    let stage = stage("nvme-disk", DiskBus::Nvme);
    let john = stage.pc("john").unwrap();
    let disk = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["backup", "--disk", "serial:LAB-NVME-1", "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("--disk /dev/nvme0n1"), "{said}");
    wipe(&stage, &john, SIZE, 0);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--disk", "serial:OTHER", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("this machine has no disk serial:OTHER"), "{said}");
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--disk", "size:100M", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(
        john.disk_sha256().unwrap(),
        disk,
        "both GPTs, boot code, the EFI partition, files, owners, times"
    );
    boot(&john);
}
