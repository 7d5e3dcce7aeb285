//! One PC as QEMU sees it: its command line and its disk.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::accelerator::Accelerator;
use crate::config::{DiskBus, OtherDisk, PcConfig, repository};
use crate::shell::run;

/// Size of a PC's disk.
const DISK_SIZE: u64 = 64 << 20;
/// Memory in MiB: kernel, unpacked initrd and the imager's emulator.
const MEMORY: u32 = 768;
/// The disk, below the PC's folder.
pub(crate) const DISK: &str = "disk.raw";
/// What it wrote to its serial line, below the PC's folder.
pub(crate) const CONSOLE: &str = "console.log";
/// QEMU's name for the wire that it is plugged into.
pub(crate) const WIRE: &str = "wire";
/// QEMU's name for the adapter of a disk that shows itself late.
pub(crate) const ADAPTER: &str = "late";
/// The monitor's socket, below the PC's folder.
pub(crate) const MONITOR: &str = "qmp";

/// QEMU's arguments for this PC, whose firmware tries the network first and the disk second. The
/// paths are relative to the PC's folder; powering off ends the process.
pub(crate) fn arguments(pc: &PcConfig, tap: &str, accelerator: Accelerator) -> Vec<String> {
    let words = format!(
        "-name {name} -nodefaults -no-user-config {machine} -accel {accel} -m {MEMORY} -smp 1 \
         -boot strict=on -display none -vga std \
         -chardev file,id=serial,path={CONSOLE},append=on -serial chardev:serial \
         -qmp unix:{MONITOR},server=on,wait=off \
         -netdev tap,id={WIRE},ifname={tap},script=no,downscript=no \
         -device {nic},netdev={WIRE},mac={mac}{rom},bootindex=1 \
         -drive file={DISK},format=raw,if=none,id=disk{rate} {disk}",
        name = pc.name,
        machine = pc.firmware.machine(),
        rom = pc.firmware.boot_rom(pc.nic, pc.efi_roms.as_deref()),
        accel = accelerator.as_str(),
        nic = pc.nic,
        rate = pc.disk_rate.map(|rate| format!(",throttling.bps-total={rate}")).unwrap_or_default(),
        disk = first_disk(pc),
        mac = pc.mac,
    );
    let others = pc.other_disks.iter().map(other_disk).collect::<Vec<_>>().join(" ");
    let own = words.split(' ').chain(others.split_whitespace()).map(str::to_owned);
    own.chain(pc.more.iter().cloned()).collect()
}

/// QEMU's words for the disk that is booted, or for the adapter that does not show it yet.
fn first_disk(pc: &PcConfig) -> String {
    match pc.shows_disk_late {
        true => format!("-device virtio-scsi-pci,id={ADAPTER}"),
        false => format!("{},drive=disk,bootindex=2", device(pc.disk_bus)),
    }
}

/// QEMU's words for a disk that is never booted.
fn other_disk(disk: &OtherDisk) -> String {
    let OtherDisk { name, bus, sector, unreadable } = disk;
    let file = match unreadable {
        None => format!("file={}", disk.file()),
        // The sector of this rule is one of 512 bytes, whatever the disk's are. It can be written, as real ones can.
        Some(byte) => format!(
            "file.driver=blkdebug,file.image.driver=file,file.image.filename={},\
             file.inject-error.0.event=read_aio,file.inject-error.0.iotype=read,file.inject-error.0.sector={}",
            disk.file(),
            byte / 512
        ),
    };
    let sectors = match bus {
        DiskBus::SdCard => String::new(),
        _ => format!(",logical_block_size={sector},physical_block_size={sector}"),
    };
    format!("-drive {file},format=raw,if=none,id={name} {},drive={name}{sectors}", device(*bus))
}

/// QEMU's words for a disk, with its controller where the chipset has none; an NVMe disk must have a serial number.
const fn device(bus: DiskBus) -> &'static str {
    match bus {
        DiskBus::Ide => "-device ide-hd",
        DiskBus::Sata => "-device ahci,id=sata -device ide-hd,bus=sata.0",
        DiskBus::Virtio => "-device virtio-blk-pci",
        DiskBus::Nvme => "-device nvme,serial=LAB-NVME-1",
        DiskBus::Usb => "-device qemu-xhci -device usb-storage",
        DiskBus::SdCard => "-device sdhci-pci -device sd-card",
    }
}

/// Makes the PC's disk, which says on the serial line that the PC booted its own disk. `netboot` has the loaders that a
/// UEFI PC's disk boots with.
pub(crate) fn make_disk(pc: &PcConfig, netboot: &Path, folder: &Path) -> anyhow::Result<()> {
    let disk = folder.join(DISK);
    pc.firmware.make_variables(folder)?;
    if pc.firmware.is_uefi() {
        let mut make_disk = Command::new(repository().join("tests/disk/make-efi-disk"));
        let size = (DISK_SIZE >> 20).to_string();
        return run(make_disk.arg(&disk).arg(size).arg(netboot).arg(pc.own_disk_message())).map(drop);
    }
    run(Command::new("nasm")
        .args(["-f", "bin", "-o"])
        .arg(&disk)
        .arg(format!("-DMESSAGE='{}'", pc.own_disk_message()))
        .arg(repository().join("tests/disk/own-disk.asm")))?;
    fill_behind_boot_sector(&disk).with_context(|| format!("cannot fill {}", disk.display()))
}

/// Behind the boot sector are bytes that differ from sector to sector, so that a write anywhere shows.
fn fill_behind_boot_sector(disk: &Path) -> io::Result<()> {
    let mut file = File::options().write(true).open(disk)?;
    let boot_sector = fs::metadata(disk)?.len();
    file.seek(SeekFrom::Start(boot_sector))?;
    let pattern: Vec<u8> = (1..2048_u32).flat_map(|sector| sector.to_le_bytes().repeat(128)).collect();
    file.write_all(&pattern)?;
    file.set_len(DISK_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LabConfig;
    use crate::firmware::Firmware;

    fn john() -> PcConfig {
        LabConfig::new("x".parse().unwrap()).pcs.remove(0)
    }

    #[test]
    fn the_network_comes_before_the_disk() {
        let line = arguments(&john(), "tap0", Accelerator::Tcg).join(" ");
        assert!(line.contains("-device rtl8139,netdev=wire,mac=00:e0:7d:c9:1a:2b,bootindex=1"), "{line}");
        assert!(line.contains("-device ide-hd,drive=disk,bootindex=2"), "{line}");
        assert!(line.contains("-accel tcg "), "{line}");
    }

    #[test]
    fn a_uefi_pc_uses_its_firmwares_driver_for_the_card() {
        let mut john = john();
        john.with_firmware(Firmware::Uefi);
        let line = arguments(&john, "tap0", Accelerator::Tcg).join(" ");
        assert!(
            line.contains("-device virtio-net-pci,netdev=wire,mac=00:e0:7d:c9:1a:2b,romfile=,bootindex=1"),
            "{line}"
        );
        assert!(line.contains("-machine q35 "), "{line}");
    }

    #[test]
    fn a_disk_is_as_slow_as_it_is_told_to_be() {
        let slow = PcConfig { disk_rate: Some(1024), ..john() };
        let line = arguments(&slow, "tap0", Accelerator::Tcg).join(" ");
        assert!(line.contains("id=disk,throttling.bps-total=1024 -device ide-hd,drive=disk"), "{line}");
    }

    #[test]
    fn a_disk_that_shows_itself_late_is_not_there_yet() {
        let late = PcConfig { shows_disk_late: true, ..john() };
        let line = arguments(&late, "tap0", Accelerator::Tcg).join(" ");
        assert!(line.contains("if=none,id=disk -device virtio-scsi-pci,id=late"), "{line}");
        assert!(!line.contains("drive=disk"), "{line}");
    }

    #[test]
    fn no_argument_is_empty() {
        assert!(!arguments(&john(), "tap0", Accelerator::Kvm).contains(&String::new()));
    }

    #[test]
    fn other_disks_are_not_booted_and_one_that_fails_does_so_at_its_byte() {
        let mut john = john();
        let disk =
            |name: &str, bus, unreadable| OtherDisk { name: name.to_owned(), bus, sector: 4096, unreadable };
        john.other_disks =
            vec![disk("second", DiskBus::Virtio, Some(8192)), disk("stick", DiskBus::Usb, None)];
        let line = arguments(&john, "tap0", Accelerator::Tcg).join(" ");
        assert_eq!(line.matches("bootindex").count(), 2, "{line}");
        assert!(
            line.contains(
                "filename=second.raw,file.inject-error.0.event=read_aio,file.inject-error.0.iotype=read,"
            ),
            "{line}"
        );
        assert!(line.contains("inject-error.0.sector=16,format=raw,if=none,id=second"), "{line}");
        assert!(
            line.contains(
                "-drive file=stick.raw,format=raw,if=none,id=stick -device qemu-xhci -device usb-storage,"
            ),
            "{line}"
        );
    }

    #[test]
    fn the_disk_can_be_booted_and_no_two_sectors_are_alike() {
        let folder = tempfile::tempdir().unwrap();
        make_disk(&john(), Path::new("/nonexistent"), folder.path()).unwrap();
        let bytes = fs::read(folder.path().join(DISK)).unwrap();
        assert_eq!(bytes.len(), 64 << 20);
        assert_eq!(bytes[510..512], [0x55, 0xaa]);
        assert!(bytes[..510].windows(20).any(|window| window == b"JOHN-OWN-DISK BOOTED"));
        assert_ne!(bytes[512..1024], bytes[1024..1536]);
    }
}
