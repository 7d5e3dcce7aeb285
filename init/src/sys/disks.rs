//! The block devices that the kernel shows in `/sys/block`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::display::line;
use crate::disk::{BlockDevice, RaidController};

/// The kernel gives sizes in sectors of this many bytes, whatever the disk's own are.
const SECTOR: u64 = 512;

/// All block devices without partitions.
pub(crate) fn all() -> anyhow::Result<Vec<BlockDevice>> {
    below(Path::new("/sys/block"))
}

/// Controllers of PCI class 0104h (PCI Code and ID Assignment Specification), Intel's VMD among them, and those of which their
/// driver says that NVMe disks are remapped behind them: with the firmware's setup on RAID, disks behind them may not be seen.
pub(crate) fn raid_controllers() -> anyhow::Result<Vec<RaidController>> {
    raid_controllers_below(Path::new("/sys/bus/pci/devices"))
}

fn raid_controllers_below(devices: &Path) -> anyhow::Result<Vec<RaidController>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(devices).with_context(|| unreadable(devices))? {
        let device = entry.with_context(|| unreadable(devices))?.path();
        // Of the driver ahci alone.
        let remapped = line(&device, "remapped_nvme").parse().unwrap_or(0);
        if remapped > 0 || line(&device, "class").starts_with("0x0104") {
            let id = |name| line(&device, name).trim_start_matches("0x").to_owned();
            found.push(RaidController { id: format!("{}:{}", id("vendor"), id("device")), remapped });
        }
    }
    Ok(found)
}

fn below(folder: &Path) -> anyhow::Result<Vec<BlockDevice>> {
    let entries = fs::read_dir(folder).with_context(|| unreadable(folder))?;
    let mut devices = Vec::new();
    let mut ways = Vec::new();
    for entry in entries {
        let link = entry.with_context(|| unreadable(folder))?.path();
        match see(&link) {
            Ok(Seen::Way(place)) => ways.push(place),
            Ok(Seen::Device(device)) => devices.push(device),
            // It has gone since the folder was read.
            Err(_) if !link.exists() => {}
            Err(error) => return Err(error),
        }
    }
    for device in &mut devices {
        if let Some(way) = ways.iter().find(|way| leads_to(way, &device.name)) {
            way.clone_into(&mut device.place);
        }
    }
    Ok(devices)
}

enum Seen {
    Device(BlockDevice),
    /// A hidden device, which is one of several ways to a disk.
    Way(PathBuf),
}

fn see(link: &Path) -> anyhow::Result<Seen> {
    let place = fs::canonicalize(link).with_context(|| unreadable(link))?;
    Ok(if is_hidden(&place)? { Seen::Way(place) } else { Seen::Device(device(place)?) })
}

/// If an NVMe controller says that it may be one of several, its disk appears among the virtual devices, and each
/// path to it is a hidden device in its real place (Linux, drivers/nvme/host/multipath.c).
fn is_hidden(place: &Path) -> anyhow::Result<bool> {
    let path = place.join("hidden");
    if path.exists() { Ok(number(&path)? != 0) } else { Ok(false) }
}

/// Whether `nvme0c1n1` is a path to the disk `nvme0n1`.
fn leads_to(way: &Path, disk: &str) -> bool {
    let name = way.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let parts = name.strip_prefix("nvme").and_then(|rest| rest.split_once('c'));
    let parts = parts.and_then(|(system, rest)| Some((system, rest.split_once('n')?.1)));
    parts.is_some_and(|(system, number)| disk == format!("nvme{system}n{number}"))
}

fn device(place: PathBuf) -> anyhow::Result<BlockDevice> {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let removable = number(&place.join("removable"))? != 0;
    let size = number(&place.join("size"))?.saturating_mul(SECTOR);
    let (memory_card, serial) = (memory_card(&name, &place), serial(&place));
    Ok(BlockDevice { name, place, removable, memory_card, size, serial })
}

/// The type that a device on the bus of memory cards states (`MMC`, `SD`); other devices have numbers there.
fn memory_card(name: &str, place: &Path) -> Option<String> {
    let kind = fs::read_to_string(place.join("device/type")).ok().filter(|_| name.starts_with("mmcblk"))?;
    Some(kind.trim().to_owned())
}

/// The serial number that a disk says it has: of virtio, of NVMe and eMMC, or of SCSI and ATA, whose page 80h of the
/// vital product data has it behind four bytes (SCSI Primary Commands, "Unit Serial Number VPD page"). A disk
/// without one is no error.
fn serial(place: &Path) -> Option<String> {
    let text = |name: &str| fs::read_to_string(place.join(name)).ok();
    let page = || {
        let page = fs::read(place.join("device/vpd_pg80")).ok()?;
        Some(String::from_utf8_lossy(page.get(4..)?).into_owned())
    };
    let found = text("serial").or_else(|| text("device/serial")).or_else(page)?;
    let number = found.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!number.is_empty()).then(|| number.to_owned())
}

fn number(path: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path).with_context(|| unreadable(path))?;
    text.trim().parse().with_context(|| unreadable(path))
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like /sys with these disks in these places.
    fn sys(places: &[&str]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        fs::create_dir(sys.path().join("block")).unwrap();
        for below in places {
            let place = sys.path().join("devices").join(below);
            fs::create_dir_all(place.join("device")).unwrap();
            fs::write(place.join("removable"), "0\n").unwrap();
            fs::write(place.join("size"), "2048\n").unwrap();
            let link = sys.path().join("block").join(place.file_name().unwrap());
            std::os::unix::fs::symlink(&place, link).unwrap();
        }
        sys
    }

    #[test]
    fn a_raid_controller_is_known_by_its_class_and_one_that_hides_disks_by_its_driver() {
        let devices = tempfile::tempdir().unwrap();
        let controllers = [
            ("0x010601", "0xa282", Some("0")),
            ("0x010400", "0x9a0b", None),
            ("0x010601", "0xa352", Some("1")),
            ("0x020000", "0x10d3", None),
        ];
        for (class, device, remapped) in controllers {
            let folder = devices.path().join(device);
            fs::create_dir_all(&folder).unwrap();
            let files = [("class", class), ("vendor", "0x8086"), ("device", device)];
            for (file, text) in files.into_iter().chain(remapped.map(|text| ("remapped_nvme", text))) {
                fs::write(folder.join(file), format!("{text}\n")).unwrap();
            }
        }
        let mut found = raid_controllers_below(devices.path()).unwrap();
        found.sort_by_key(|controller| controller.remapped);
        let expected = |id: &str, remapped| RaidController { id: id.to_owned(), remapped };
        assert_eq!(found, [expected("8086:9a0b", 0), expected("8086:a352", 1)]);
    }

    #[test]
    fn a_device_is_where_its_link_leads() {
        let sys = sys(&["pci0/block/sda"]);
        let devices = below(&sys.path().join("block")).unwrap();
        let place = fs::canonicalize(sys.path().join("devices/pci0/block/sda")).unwrap();
        let name = "sda".to_owned();
        assert_eq!(
            devices,
            [BlockDevice { name, place, removable: false, memory_card: None, size: 1 << 20, serial: None }]
        );
    }

    #[test]
    fn a_disk_that_goes_while_it_is_looked_for_is_not_there_and_one_that_cannot_be_read_is_an_error() {
        let sys = sys(&["pci0/block/sda", "pci0/block/sdb"]);
        fs::remove_dir_all(sys.path().join("devices/pci0/block/sda")).unwrap();
        let names =
            |devices: Vec<BlockDevice>| devices.into_iter().map(|device| device.name).collect::<Vec<_>>();
        assert_eq!(names(below(&sys.path().join("block")).unwrap()), ["sdb"]);
        fs::remove_file(sys.path().join("devices/pci0/block/sdb/size")).unwrap();
        let error = below(&sys.path().join("block")).unwrap_err().to_string();
        assert!(error.ends_with("sdb/size"), "{error}");
    }

    #[test]
    fn a_memory_card_says_of_which_kind_it_is_and_a_scsi_disk_s_number_is_another_matter() {
        for (name, kind, expected) in
            [("mmcblk0", "SD\n", Some("SD")), ("mmcblk1", "MMC\n", Some("MMC")), ("sda", "0\n", None)]
        {
            let sys = sys(&[&format!("pci0/block/{name}")]);
            fs::write(sys.path().join(format!("devices/pci0/block/{name}/device/type")), kind).unwrap();
            let devices = below(&sys.path().join("block")).unwrap();
            assert_eq!(devices[0].memory_card.as_deref(), expected);
        }
    }

    #[test]
    fn a_disk_with_several_ways_to_it_is_in_the_place_of_one_of_them() {
        let sys = sys(&["virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "pci0/nvme/nvme0/nvme0c0n1"]);
        fs::write(sys.path().join("devices/pci0/nvme/nvme0/nvme0c0n1/hidden"), "1\n").unwrap();
        let devices = below(&sys.path().join("block")).unwrap();
        assert_eq!(devices.len(), 1, "{devices:?}");
        assert_eq!(devices[0].name, "nvme0n1");
        assert!(devices[0].place.ends_with("pci0/nvme/nvme0/nvme0c0n1"), "{devices:?}");
        assert!(!leads_to(Path::new("nvme1c0n1"), "nvme0n1") && !leads_to(Path::new("nvme0n1"), "nvme0n1"));
    }

    #[test]
    fn every_kind_of_disk_says_its_serial_number_elsewhere() {
        let files: [(&str, &[u8]); 3] = [
            ("serial", b"VIRTIO-7"),
            ("device/serial", b"S4EWNX0N 12345      \n"),
            ("device/vpd_pg80", b"\0\x80\0\x14             QM00001"),
        ];
        for ((file, content), expected) in files.into_iter().zip(["VIRTIO-7", "S4EWNX0N 12345", "QM00001"]) {
            let sys = sys(&["pci0/block/sda"]);
            fs::write(sys.path().join("devices/pci0/block/sda").join(file), content).unwrap();
            let devices = below(&sys.path().join("block")).unwrap();
            assert_eq!(devices[0].serial.as_deref(), Some(expected), "{file}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = below(Path::new("/no/such/folder")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /no/such/folder");
    }
}
