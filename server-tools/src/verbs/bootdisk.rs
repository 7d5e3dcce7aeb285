//! `ghostctl bootdisk`: a template floppy from a folder with GHOST.EXE and a bootable image.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ghost_contract::bootdisk::{self, BootFile, Template};
use ghost_contract::layout;
use serde::Serialize;

use crate::cli::BootdiskArgs;
use crate::exit::{Exit, WithExit};
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::atomic;
use crate::sys::folder::{Folder, Kind};

/// A floppy is a small thing, and so is a disk with DOS on it; what is larger was not meant.
const LARGEST: u64 = 64 << 20;

#[derive(Serialize)]
struct Made<'a> {
    path: &'a Path,
    written: bool,
    bytes: usize,
    free: u64,
    files: &'a [String],
    missing_for_dosemu: &'a [&'static str],
}

/// Does what was asked for.
pub(super) fn run(site: &Site, arguments: &BootdiskArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let by_default = || site.ghostrc.base_root.join(layout::TEMPLATE_FLOPPY);
    let path = arguments.output.clone().unwrap_or_else(by_default);
    let image = read_image(&arguments.image)?;
    let files = read_folder(&arguments.folder)?;
    let (from, folder) = (arguments.image.display(), arguments.folder.display());
    let template = bootdisk::compose(image, files);
    let template = template
        .with_context(|| format!("no template can be made of {from} and {folder}"))
        .exit(Exit::Usage)?;
    if path.exists() && !arguments.replace {
        let exists = anyhow!("{} is there already: --replace puts the new one in its place", path.display());
        return Err(exists.exit(Exit::Usage));
    }
    if !arguments.dry_run {
        write(&path, &template.image)?;
    }
    tell(&path, &template, arguments.dry_run, output);
    Ok(Exit::Done)
}

fn read_image(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    if fs::metadata(path).with_context(cannot)?.len() > LARGEST {
        return Err(anyhow!("it is larger than 64 MiB, and no boot floppy").context(cannot()));
    }
    fs::read(path).with_context(cannot)
}

/// All files of a folder, by their paths below it.
fn read_folder(path: &Path) -> anyhow::Result<Vec<BootFile>> {
    let cannot = |path: &Path| format!("cannot read {}", path.display());
    let folder = Folder::open(path).with_context(|| cannot(path))?;
    let mut files = Vec::new();
    for entry in folder.tree().with_context(|| cannot(path))? {
        if entry.kind == Kind::Folder {
            continue;
        }
        let whole = path.join(&entry.path);
        let content = folder.read(&entry.path, LARGEST).with_context(|| cannot(&whole))?;
        let name = entry.path.into_os_string().into_string();
        let name = name.map_err(|_| anyhow!("{} cannot be the name of a file in DOS", whole.display()));
        files.push(BootFile { path: name.exit(Exit::Usage)?, content });
    }
    Ok(files)
}

fn write(path: &Path, image: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
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
