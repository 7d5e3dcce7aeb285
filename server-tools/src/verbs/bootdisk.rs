//! `ghostctl bootdisk`: makes the template floppy from a bootable image and a folder with GHOST.EXE.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::bootdisk::{self, BootFile, Replaced, Template};
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
    commands_of: Option<String>,
    replaced: Option<&'static str>,
}

/// Where a template is put.
#[derive(Debug)]
enum Place {
    /// The path that the administrator named.
    Named(PathBuf),
    /// Where clients look for it, below this base root. Clients may be able to write there.
    BaseRoot(PathBuf),
}

impl Place {
    fn path(&self) -> PathBuf {
        match self {
            Self::Named(path) => path.clone(),
            Self::BaseRoot(root) => root.join(layout::TEMPLATE_FLOPPY),
        }
    }

    fn write(&self, image: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Named(path) => write(path, image),
            Self::BaseRoot(root) => {
                let written = write_below(root, Path::new(layout::TEMPLATE_FLOPPY), image);
                written.with_context(|| format!("cannot write {}", self.path().display()))
            }
        }
    }
}

/// Makes the template where clients look for it.
pub(super) fn for_clients(
    site: &Site,
    arguments: &BootdiskArgs,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    run(&Place::BaseRoot(site.ghostrc.base_root.clone()), arguments, output)
}

/// Makes the template at this path.
pub(super) fn at(path: &Path, arguments: &BootdiskArgs, output: &mut Output) -> anyhow::Result<Exit> {
    // A name alone has no folder that could be written to disk.
    let path =
        std::path::absolute(path).with_context(|| format!("cannot use the name {}", path.display()))?;
    run(&Place::Named(path), arguments, output)
}

fn run(place: &Place, arguments: &BootdiskArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let path = &place.path();
    let image = read_image(&arguments.image)?;
    let files = read_folder(&arguments.folder)?;
    let (from, folder) = (arguments.image.display(), arguments.folder.display());
    let template = bootdisk::compose(image, files);
    let template = template
        .with_context(|| format!("no template can be made of {from} and {folder}"))
        .exit(Exit::Usage)?;
    if path.symlink_metadata().is_ok() && !arguments.replace {
        let exists = anyhow!("{} is there already: --replace puts the new one in its place", path.display());
        return Err(exists.exit(Exit::Usage));
    }
    if !arguments.dry_run {
        place.write(&template.image)?;
    }
    tell(path, &template, arguments.dry_run, output);
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

/// Follows no link: a client may have put one in the place of the file or of a folder on the way.
fn write_below(root: &Path, below: &Path, image: &[u8]) -> io::Result<()> {
    let mut folder = Folder::open(root)?;
    for name in below.parent().unwrap_or(Path::new("")) {
        if !folder.has(name)? {
            folder.make_folder(name, 0o755)?;
        }
        folder = folder.folder(name)?;
    }
    let name = below.file_name().unwrap_or_default().to_string_lossy();
    folder.replace(&name, image)?;
    // Where the export squashes root, clients come as nobody.
    folder.file(&*name)?.set_permissions(fs::Permissions::from_mode(0o644))?;
    folder.sync()
}

fn write(path: &Path, image: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    atomic::replace(path, image, &mut atomic::Real)
}

fn tell(path: &Path, template: &Template, dry_run: bool, output: &mut Output) {
    let Template { image, files, free, commands, replaced } = template;
    if output.form() == Form::Json {
        return output.json(&Made {
            path,
            written: !dry_run,
            bytes: image.len(),
            free: *free,
            files,
            missing_for_dosemu: &commands.missing,
            commands_of: commands.of.map(|dosemu| dosemu.to_string()),
            replaced: replaced.as_ref().map(|replaced| replaced.name),
        });
    }
    let done = if dry_run { "would write" } else { "wrote" };
    output.line(&format!("{done} {}: {} files, {} KiB free", path.display(), files.len(), free >> 10));
    if let Some(Replaced { name, line }) = replaced {
        output.line(&format!(
            "its {name} would have started something else than AUTOEXEC.BAT ({line}): it was replaced. Put your own into \
             the folder if your DOS needs drivers"
        ));
    }
    if !commands.missing.is_empty() {
        output.line(&format!(
            "its AUTOEXEC.BAT calls {}, which DOSEmu brings: put the .COM files of your DOSEmu into the folder, or no job \
             runs under DOSEmu; dosbox-x does without",
            commands.missing.join(" and ")
        ));
    }
    if let Some(dosemu) = commands.of {
        output.line(&format!("its LREDIR and EXITEMU are those of {dosemu}, and work under no other DOSEmu"));
    }
}
