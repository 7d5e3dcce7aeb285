//! A disk of a generation as a file that a virtual machine can boot.
//!
//! Written beside its place and renamed, so that a file of this name is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::ValueEnum;
use ghost_imaging::board::Board;
use ghost_imaging::restore;
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Of which kind the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Byte for byte the disk, with holes where nothing is.
    Raw,
    /// QEMU's.
    Qcow2,
}

/// Why a disk was not exported. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum ExportingError {
    /// A file is never overwritten.
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    /// The image was not restored.
    #[error("cannot restore the image to {}", .path.display())]
    Restore {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: anyhow::Error,
    },
    /// qemu-img is missing.
    #[error("cannot start qemu-img, which is in the package qemu-utils")]
    Start(#[source] io::Error),
    /// It failed.
    #[error("qemu-img refuses: {0}")]
    Refused(String),
    /// The file cannot be given its name.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// Writes the disk whose image is in `folder` to a new file.
///
/// # Errors
/// When the file is there already, the image is damaged, or there is no room.
pub fn export(folder: &Path, format: Format, target: &Path, board: &Board) -> Result<(), ExportingError> {
    if target.symlink_metadata().is_ok() {
        return Err(ExportingError::Taken(target.to_owned()));
    }
    let (raw, converted) = (Beside::of(target, "raw"), Beside::of(target, "converted"));
    let restored = restore::export(folder, &raw.0, board);
    restored.map_err(|source| ExportingError::Restore { path: raw.0.clone(), source })?;
    let whole = match format {
        Format::Raw => &raw,
        Format::Qcow2 => {
            convert(&raw.0, &converted.0)?;
            &converted
        }
    };
    put(&whole.0, target).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ExportingError::Taken(target.to_owned()),
        _ => ExportingError::Write(target.to_owned(), error),
    })
}

fn convert(raw: &Path, to: &Path) -> Result<(), ExportingError> {
    let mut command = Command::new("qemu-img");
    let command = command.args(["convert", "-f", "raw", "-O", "qcow2", "--"]).arg(raw).arg(to);
    let Output { status, stderr, .. } = command.env("LC_ALL", "C").output().map_err(ExportingError::Start)?;
    let said = || String::from_utf8_lossy(&stderr).trim().to_owned();
    if status.success() { Ok(()) } else { Err(ExportingError::Refused(said())) }
}

/// Gives a file its name, on the disk; nothing of that name is overwritten.
fn put(file: &Path, target: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    renameat_with(CWD, file, CWD, target, RenameFlags::NOREPLACE)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A file beside another that goes when this does, if it still has its name.
struct Beside(PathBuf);

impl Beside {
    fn of(target: &Path, what: &str) -> Self {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{what}-{}", std::process::id()));
        Self(target.with_file_name(name))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Renamed away, or never made.
        let _gone = fs::remove_file(&self.0);
    }
}
