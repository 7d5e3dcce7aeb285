//! What a job with an imager needs in the lab: the template floppy with the stand-in for GHOST.EXE in the base root,
//! and a PC whose disk has partitions and files.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::config::repository;
use crate::lab::{Lab, Pc};
use crate::pc::DISK;
use crate::shell::{self, ShellError};

/// The administrator's template floppy (HOWTO), below the base root.
const TEMPLATE: &str = "root/.dosemu/ghost.img";

/// Why there is no floppy or no disk.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// The folder of the template.
    #[error("cannot make {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// A program that makes one of them.
    #[error(transparent)]
    Program(#[from] ShellError),
}

/// Where the template floppy of this lab is.
#[must_use]
pub fn template(lab: &Lab) -> PathBuf {
    lab.folder().base_root().join(TEMPLATE)
}

/// Where a PC's disk is.
#[must_use]
pub fn disk(lab: &Lab, pc: &Pc<'_>) -> PathBuf {
    lab.folder().pc(&pc.config().name).join(DISK)
}

/// Puts the stand-in on the template floppy, and files on the disk of a PC that is off.
///
/// # Errors
/// When one of the programs in `tests/host-packages` is missing or fails.
pub fn set_up(lab: &Lab, pc: &Pc<'_>, mebibytes: u32) -> Result<(), StandInError> {
    let template = template(lab);
    if let Some(folder) = template.parent() {
        fs::create_dir_all(folder).map_err(|error| StandInError::Folder(folder.to_owned(), error))?;
    }
    shell::run(Command::new(repository().join("tests/dos/make-floppy")).arg(template))?;
    let mut make_disk = Command::new(repository().join("tests/disk/make-disk"));
    shell::run(make_disk.arg(disk(lab, pc)).arg(mebibytes.to_string()))?;
    Ok(())
}
