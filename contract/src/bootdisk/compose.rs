//! A new template floppy: a bootable image, with the files of a folder put on it.

use std::io::Write as _;

use anyhow::{Context as _, anyhow, bail, ensure};

use super::commands::{Commands, Dosemu};
use super::extract::{BootFile, read_all};
use super::kernel;
use super::startup::{self, CONFIG, FREEDOS_CONFIG, FREEDOS_KERNEL};
use super::volume::{Files, Volume};
use super::{AUTOEXEC, GHOST, OTHER_THAN_WRITTEN, UNREADABLE, fill, missing, unusable};

/// The AUTOEXEC.BAT of a template that has none of its own: it leaves the marks by which an imager is judged.
pub const AUTOEXEC_BAT: &str = include_str!("AUTOEXEC.BAT");
/// What a DOS boots with: FreeDOS, MS-DOS, PC DOS and DR-DOS.
const KERNELS: [&str; 3] = [FREEDOS_KERNEL, "IO.SYS", "IBMBIO.COM"];
/// The interpreter that reads AUTOEXEC.BAT; no DOS works without one.
const SHELL: &str = "COMMAND.COM";

/// A template floppy that [`compose`] has made, with what the administrator should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The floppy's bytes, as long as the image that it was made from.
    pub image: Vec<u8>,
    /// What is on it, in DOS's names.
    pub files: Vec<String>,
    /// Room that is left on it, in bytes.
    pub free: u64,
    /// What is on it of DOSEmu's commands. Under DOSEmu, no job can run without them.
    pub commands: Commands,
    /// The configuration of the image that would have started something else, and the line that says so. It was
    /// replaced.
    pub replaced: Option<Replaced>,
}

/// A configuration that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// `CONFIG.SYS`, or `FDCONFIG.SYS` where FreeDOS reads that.
    pub name: &'static str,
    /// The line because of which it was replaced.
    pub line: String,
}

/// Puts files on a bootable image. Those that are there under the same name are replaced, and AUTOEXEC.BAT is
/// [`AUTOEXEC_BAT`] unless there is one among the files. What DOS reads before it gives drive letters up to Z:, and
/// starts AUTOEXEC.BAT and nothing else.
pub fn compose(image: Vec<u8>, mut files: Vec<BootFile>) -> anyhow::Result<Template> {
    for file in &mut files {
        file.path = dos_path(&file.path)?;
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        let name = &pair[0].path;
        bail!("there are two files {name}: in DOS, capitals and small letters are the same");
    }
    if !files.iter().any(|file| file.path == AUTOEXEC) {
        files.push(BootFile { path: AUTOEXEC.to_owned(), content: AUTOEXEC_BAT.into() });
    }
    let mut volume = Volume::open(image)?;
    let length = volume.length();
    let before = volume.look(|files| read_all(files, length))?;
    let replaced = configure(&before, &mut files)?;
    volume.with(|target| {
        check_room(target, &before, &files)?;
        files.iter().try_for_each(|file| put(target, file))
    })?;
    let (on_it, free) = volume.look(|files| {
        let space = files.stats().context(UNREADABLE)?;
        Ok((read_all(files, length)?, u64::from(space.free_clusters()) * u64::from(space.cluster_size())))
    })?;
    check(&on_it, &files)?;
    let image = volume.into_image();
    fill(image.clone(), "")?;
    let commands = Commands::among(&on_it);
    ensure!(commands.of != Some(Dosemu::Version2) || !kernel::is_too_old(&on_it), kernel::TOO_OLD);
    Ok(Template { image, free, commands, replaced, files: on_it.into_iter().map(|file| file.path).collect() })
}

/// Adds CONFIG.SYS or FDCONFIG.SYS to the files. A file that the administrator brings is never replaced.
fn configure(before: &[BootFile], files: &mut Vec<BootFile>) -> anyhow::Result<Option<Replaced>> {
    let is_there = |name: &str| before.iter().chain(files.iter()).any(|file| file.path == name);
    let name = if is_there(FREEDOS_KERNEL) && is_there(FREEDOS_CONFIG) { FREEDOS_CONFIG } else { CONFIG };
    let own = files.iter().position(|file| file.path == name);
    let found = own.map(|index| &files[index]).or_else(|| before.iter().find(|file| file.path == name));
    let startup = startup::prepare(found.map_or(&[], |file| &file.content));
    let replaced = startup.in_the_way.map(|line| Replaced { name, line });
    match (own, replaced) {
        (Some(_), Some(Replaced { name, line })) => {
            bail!("{name} starts something else than AUTOEXEC.BAT, or asks what to start: {line}")
        }
        (Some(index), None) => {
            files[index].content = startup.content;
            Ok(None)
        }
        (None, replaced) => {
            files.push(BootFile { path: name.to_owned(), content: startup.content });
            Ok(replaced)
        }
    }
}

/// Whether everything is on the floppy that it needs, and is what it was.
fn check(on_it: &[BootFile], wanted: &[BootFile]) -> anyhow::Result<()> {
    let has = |name: &str| on_it.iter().any(|file| file.path == name);
    let not_bootable = |missing| format!("the image cannot be booted: it has no file {missing}");
    ensure!(KERNELS.iter().any(|kernel| has(kernel)), not_bootable("KERNEL.SYS, IO.SYS or IBMBIO.COM"));
    ensure!(has(SHELL), not_bootable(SHELL));
    ensure!(has(GHOST), missing(GHOST));
    match wanted.iter().find(|file| !on_it.contains(file)) {
        Some(file) => Err(anyhow!(OTHER_THAN_WRITTEN).context(unusable(&file.path))),
        None => Ok(()),
    }
}

/// Whether the files fit, those that they replace taken away.
fn check_room(target: &Files<'_>, before: &[BootFile], files: &[BootFile]) -> anyhow::Result<()> {
    let space = target.stats().context(UNREADABLE)?;
    let cluster = u64::from(space.cluster_size());
    let clusters = |file: &BootFile| (file.content.len() as u64).div_ceil(cluster);
    let needed: u64 = files.iter().map(clusters).sum();
    let replaced = before.iter().filter(|old| files.iter().any(|file| file.path == old.path));
    let free = u64::from(space.free_clusters()) + replaced.map(clusters).sum::<u64>();
    ensure!(
        needed <= free,
        "the files need {} bytes, and the image has only {}, counting the files that they replace",
        needed * cluster,
        free * cluster
    );
    Ok(())
}

/// Writes one file, with the folders that it is in.
fn put(target: &Files<'_>, file: &BootFile) -> anyhow::Result<()> {
    let write = || {
        let mut folder = target.root_dir();
        let (above, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        for below in above.split('/').filter(|below| !below.is_empty()) {
            folder = folder.create_dir(below)?;
        }
        let mut written = folder.create_file(name)?;
        written.truncate()?;
        written.write_all(&file.content)?;
        written.flush()
    };
    write().with_context(|| unusable(&file.path))
}

/// A path as DOS has it: in capitals, each name of up to eight characters, with an ending of up to three.
fn dos_path(path: &str) -> anyhow::Result<String> {
    let is_dos_name = |name: &str| {
        let (base, ending) = name.split_once('.').unwrap_or((name, ""));
        let plain = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&byte))
        };
        (1..=8).contains(&base.len())
            && ending.len() <= 3
            && !name.ends_with('.')
            && plain(base)
            && plain(ending)
    };
    ensure!(
        path.split('/').all(is_dos_name),
        "{path:?} cannot be the name of a file in DOS: at most eight characters, a dot and three more, without blanks"
    );
    Ok(path.to_ascii_uppercase())
}

#[cfg(test)]
mod tests;
