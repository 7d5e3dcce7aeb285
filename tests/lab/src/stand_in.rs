//! What a job with an imager needs in the lab: a PC whose disk has partitions and files, and for the DOS imagers the
//! template floppy with the stand-in for GHOST.EXE in the base root.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::Command;

use ghost_contract::layout;

use crate::config::{repository, target_folder};
use crate::lab::{Lab, Pc};
use crate::pc::DISK;
use crate::shell::{self, ShellError};

/// Bytes of boot code in a master boot record; the disk's identifier and the partition table come behind it.
const BOOT_CODE: usize = 440;

/// Why there is no floppy or no disk.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// The folder of the template.
    #[error("cannot make {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The boot code of the disk.
    #[error("cannot keep the boot code of {}", .0.display())]
    BootCode(PathBuf, #[source] io::Error),
    /// A program that makes one of them.
    #[error(transparent)]
    Program(#[from] ShellError),
}

/// Where the template floppy of this lab is.
pub fn template(lab: &Lab) -> PathBuf {
    lab.folder().base_root().join(layout::TEMPLATE_FLOPPY)
}

/// Where a PC's disk is.
pub fn disk(lab: &Lab, pc: &Pc<'_>) -> PathBuf {
    lab.folder().pc(&pc.config().name).join(DISK)
}

/// Puts the stand-in on the template floppy, and files on the disk of a PC that is off.
pub fn set_up(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> Result<(), StandInError> {
    let template = template(lab);
    if let Some(folder) = template.parent() {
        fs::create_dir_all(folder).map_err(|error| StandInError::Folder(folder.to_owned(), error))?;
    }
    shell::run(Command::new(repository().join("tests/dos/make-floppy")).arg(template))?;
    fill_disk(lab, pc, mebibytes)
}

/// Gives a PC that is off a disk with an NTFS and a FAT32 partition full of files. The boot code that says whose disk
/// it is stays.
pub fn fill_disk(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> Result<(), StandInError> {
    let disk = disk(lab, pc);
    let cannot = |error| StandInError::BootCode(disk.clone(), error);
    let mut boot_code = [0; BOOT_CODE];
    File::open(&disk).and_then(|mut file| file.read_exact(&mut boot_code)).map_err(cannot)?;
    let mut make_disk = Command::new(repository().join("tests/disk/make-disk"));
    shell::run(make_disk.arg(&disk).arg(mebibytes.to_string()))?;
    let mut made = File::options().write(true).open(&disk).map_err(cannot)?;
    made.write_all(&boot_code).map_err(cannot)
}

/// Gives a PC that is off a disk from which a small Linux boots, with a GPT, an EFI system partition and an ext4.
pub fn fill_disk_with_linux(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> Result<(), StandInError> {
    let mut make_disk = Command::new(repository().join("tests/disk/make-linux-disk"));
    let rootfs = target_folder().join("rootfs");
    shell::run(make_disk.arg(disk(lab, pc)).arg(mebibytes.to_string()).arg(rootfs))?;
    Ok(())
}
