//! `ghostctl bootdisk`: a template floppy from a folder with GHOST.EXE and a bootable image.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ghost_contract::bootdisk::{self, BootFile, BootdiskError, Template};
use ghost_contract::layout;
use serde::Serialize;

use crate::cli::BootdiskArgs;
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::atomic::{self, AtomicError};
use crate::sys::folder::{Folder, Kind};

/// A floppy is a small thing, and so is a disk with DOS on it; what is larger was not meant.
const LARGEST: u64 = 64 << 20;

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum BootdiskVerbError {
    /// The image or the folder.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A name that is not even text.
    #[error("{} cannot be the name of a file in DOS", .0.display())]
    Name(PathBuf),
    /// What was to be put together.
    #[error("no template can be made of {} and {}", image.display(), folder.display())]
    Compose { image: PathBuf, folder: PathBuf, source: BootdiskError },
    #[error("{} is there already: --replace puts the new one in its place", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Write(#[from] AtomicError),
}

impl BootdiskVerbError {
    /// The exit status: what was given is wrong, or it did not work.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Name(_) | Self::Compose { .. } | Self::Exists(_) => 2,
            Self::Read { .. } | Self::Write(_) => 1,
        }
    }
}

#[derive(Serialize)]
struct Made<'a> {
    path: &'a Path,
    written: bool,
    bytes: usize,
    free: u64,
    files: &'a [String],
    missing_for_dosemu: &'a [&'static str],
}

/// Does what was asked for; the number is the exit status.
pub fn run(site: &Site, arguments: &BootdiskArgs, output: &mut Output) -> Result<u8, BootdiskVerbError> {
    let by_default = || site.ghostrc.base_root.join(layout::TEMPLATE_FLOPPY);
    let path = arguments.output.clone().unwrap_or_else(by_default);
    let image = read_image(&arguments.image)?;
    let files = read_folder(&arguments.folder)?;
    let (from, folder) = (arguments.image.clone(), arguments.folder.clone());
    let template = bootdisk::compose(image, files).map_err(|source| BootdiskVerbError::Compose {
        image: from,
        folder,
        source,
    })?;
    if path.exists() && !arguments.replace {
        return Err(BootdiskVerbError::Exists(path));
    }
    if !arguments.dry_run {
        write(&path, &template.image)?;
    }
    tell(&path, &template, arguments.dry_run, output);
    Ok(0)
}

fn read_image(path: &Path) -> Result<Vec<u8>, BootdiskVerbError> {
    let cannot = |source| BootdiskVerbError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(cannot)?.len() > LARGEST {
        return Err(cannot(io::Error::other("it is larger than 64 MiB, and no boot floppy")));
    }
    fs::read(path).map_err(cannot)
}

/// All files of a folder, by their paths below it.
fn read_folder(path: &Path) -> Result<Vec<BootFile>, BootdiskVerbError> {
    let cannot = |path: PathBuf| move |source| BootdiskVerbError::Read { path, source };
    let folder = Folder::open(path).map_err(cannot(path.to_owned()))?;
    let mut files = Vec::new();
    for entry in folder.tree().map_err(cannot(path.to_owned()))? {
        if entry.kind == Kind::Folder {
            continue;
        }
        let content = folder.read(&entry.path, LARGEST).map_err(cannot(path.join(&entry.path)))?;
        let name = std::str::from_utf8(entry.path.as_os_str().as_bytes());
        let name = name.map_err(|_| BootdiskVerbError::Name(path.join(&entry.path)))?.to_owned();
        files.push(BootFile { path: name, content });
    }
    Ok(files)
}

fn write(path: &Path, image: &[u8]) -> Result<(), BootdiskVerbError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .map_err(|source| BootdiskVerbError::Read { path: folder.to_owned(), source })?;
    }
    Ok(atomic::replace(path, image, &mut atomic::Real)?)
}

fn tell(path: &Path, template: &Template, dry_run: bool, output: &mut Output) {
    let Template { image, files, free, not_on_it } = template;
    if output.form() == Form::Json {
        return output.json(&Made {
            path,
            written: !dry_run,
            bytes: image.len(),
            free: *free,
            files,
            missing_for_dosemu: not_on_it,
        });
    }
    let done = if dry_run { "would write" } else { "wrote" };
    output.line(&format!("{done} {}: {} files, {} KiB free", path.display(), files.len(), free >> 10));
    if !not_on_it.is_empty() {
        output.line(&format!(
            "its AUTOEXEC.BAT calls {}, which DOSEmu brings: put the .COM files into the folder if your DOSEmu does not \
             find them by itself; dosbox-x does without",
            not_on_it.join(" and ")
        ));
    }
}
