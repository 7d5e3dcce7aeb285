//! Prepares a job with an imager: a disk with partitions and files for a PC, and for the DOS imagers a template floppy with
//! the stand-in for GHOST.EXE in the base root.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use ghost_contract::layout;

use crate::config::{repository, target_folder};
use crate::lab::{Lab, Pc};
use crate::pc::DISK;
use crate::shell;

/// Bytes of boot code in a master boot record; the disk's identifier and the partition table come behind it.
const BOOT_CODE: usize = 440;

/// Where the template floppy of this lab is.
pub fn template(lab: &Lab) -> PathBuf {
    lab.folder().base_root().join(layout::TEMPLATE_FLOPPY)
}

/// Where a PC's disk is.
pub fn disk(lab: &Lab, pc: &Pc<'_>) -> PathBuf {
    lab.folder().pc(&pc.config().name).join(DISK)
}

/// Puts the stand-in on the template floppy, and files on the disk of a PC that is off.
pub fn set_up(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> anyhow::Result<()> {
    let template = template(lab);
    if let Some(folder) = template.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    shell::run(Command::new(repository().join("tests/dos/make-floppy")).arg(template))?;
    fill_disk(lab, pc, mebibytes)
}

/// Gives a PC that is off a disk with an NTFS and a FAT32 partition full of files. The boot code that says whose disk
/// it is stays.
pub fn fill_disk(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> anyhow::Result<()> {
    let disk = disk(lab, pc);
    let cannot = || format!("cannot keep the boot code of {}", disk.display());
    let mut boot_code = [0; BOOT_CODE];
    File::open(&disk).and_then(|mut file| file.read_exact(&mut boot_code)).with_context(cannot)?;
    let mut make_disk = Command::new(repository().join("tests/disk/make-disk"));
    shell::run(make_disk.arg(&disk).arg(mebibytes.to_string()))?;
    let mut made = File::options().write(true).open(&disk).with_context(cannot)?;
    made.write_all(&boot_code).with_context(cannot)
}

/// Gives a PC that is off a disk from which a small Linux boots, with a GPT, an EFI system partition and an ext4.
pub fn fill_disk_with_linux(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> anyhow::Result<()> {
    let mut make_disk = Command::new(repository().join("tests/disk/make-linux-disk"));
    let rootfs = target_folder().join("rootfs");
    shell::run(make_disk.arg(disk(lab, pc)).arg(mebibytes.to_string()).arg(rootfs))?;
    Ok(())
}
