//! A disk of a generation as a file that a virtual machine can boot.
//!
//! Written beside its place and renamed, so that a file of this name is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::confined::Parser;
use crate::exit::{Exit, WithExit};
use anyhow::{Context as _, anyhow, bail};
use clap::ValueEnum;
use ghost_contract::checksum::Sha256;
use ghost_contract::image::DiskImage;
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Of which kind the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Byte for byte the disk, with holes where nothing is.
    Raw,
    Qcow2,
}

/// Writes the disk whose image is in `folder` to a new file.
/// If it fails, nothing of it is left, and a file that was there before is as it was.
pub(crate) fn export(
    parser: &Parser,
    (folder, image, vouched): (&Path, &DiskImage, Sha256),
    format: Format,
    target: &Path,
) -> anyhow::Result<()> {
    if target.symlink_metadata().is_ok() {
        return Err(taken(target));
    }
    let (raw, converted) = (Beside::of(target, "raw"), Beside::of(target, "converted"));
    let restored =
        raw.make().and_then(|file| parser.export((folder, vouched), None, (file, image.disk.size)));
    restored.with_context(|| format!("cannot restore the image to {}", raw.0.display()))?;
    let whole = match format {
        Format::Raw => &raw,
        Format::Qcow2 => {
            convert(&raw.0, &converted.0)?;
            &converted
        }
    };
    match put(&whole.0, target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(target)),
        put => put.with_context(|| format!("cannot write {}", target.display())),
    }
}

fn taken(target: &Path) -> anyhow::Error {
    anyhow!("{} is there already", target.display()).exit(Exit::Usage)
}

fn convert(raw: &Path, to: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("qemu-img");
    let command = command.args(["convert", "-f", "raw", "-O", "qcow2", "--"]).arg(raw).arg(to);
    let ended = command.env("LC_ALL", "C").output();
    let ended = ended.context("cannot start qemu-img, which is in the package qemu-utils");
    let Output { status, stderr, .. } = ended?;
    if !status.success() {
        bail!("qemu-img refuses: {}", String::from_utf8_lossy(&stderr).trim());
    }
    Ok(())
}

/// Gives a file its name, on the disk; nothing of that name is overwritten.
fn put(file: &Path, target: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    renameat_with(CWD, file, CWD, target, RenameFlags::NOREPLACE)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A new file that only root can read.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).mode(0o600).open(path)
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

    fn make(&self) -> anyhow::Result<File> {
        new_file(&self.0).with_context(|| format!("cannot write {}", self.0.display()))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Renamed away, or never made.
        let _gone = fs::remove_file(&self.0);
    }
}
