//! The boot floppy: makes a template, fills in the template for a job, and reads files from it.
//!
//! Bytes in, bytes out. An image is a floppy of any size, or a small disk with a partition table, with a FAT file
//! system. Does not know where images are kept, how folders are mounted, or what the DOS program does.
//!
//! The boot server makes a template ([`compose`]); the client fills it in for its job ([`fill`]).
//!
//! DOS never sees a name that changes (HOWTO, V1.1): the job's folder is bound to a fixed place. So AUTOEXEC.BAT is the
//! same for every client and job, except for the command.

mod commands;
mod compose;
mod extract;
mod kernel;
mod startup;
mod volume;

use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};

use anyhow::{Context as _, anyhow, bail, ensure};

use volume::Volume;

pub use commands::{Commands, Dosemu};
pub use compose::{AUTOEXEC_BAT, Replaced, Template, compose};
pub use extract::{BootFile, extract, read};
pub use kernel::TOO_OLD as KERNEL_TOO_OLD;

/// What DOS runs at its start, in the root folder of the floppy.
pub const AUTOEXEC: &str = "AUTOEXEC.BAT";
/// The imaging program, in the root folder of the floppy.
pub const GHOST: &str = "GHOST.EXE";
/// Stands in the template's AUTOEXEC.BAT for the name under which images are kept.
pub const NAME_PLACEHOLDER: &str = "BackUpName";
/// Stands in the template's AUTOEXEC.BAT for the command line of the imaging program.
pub const COMMAND_PLACEHOLDER: &str = "BackUpCommand";
/// What the name placeholder becomes: always the same, and short enough for DOS with or without an ending.
pub const IMAGE_NAME: &str = "image";
/// The longest line of a batch file that COMMAND.COM of MS-DOS reads whole, without its end.
pub const LONGEST_LINE: usize = 126;

/// The client's own floppy: the template with the placeholders of AUTOEXEC.BAT filled in. All other bytes of
/// that file are kept, line ends too.
pub fn fill(template: Vec<u8>, command: &str) -> anyhow::Result<Vec<u8>> {
    let volume = Volume::open(template)?;
    let before = volume.read(AUTOEXEC)?;
    let after = fill_autoexec(&before, command)?;
    replace_autoexec(volume, before.len(), &after)
}

/// What is on a floppy of DOSEmu's commands.
pub fn commands(template: Vec<u8>) -> anyhow::Result<Commands> {
    Ok(Commands::among(&extract(template)?))
}

/// Whether a floppy's DOS is known to get no drives from dosemu2.
pub fn has_kernel_too_old_for_dosemu2(template: Vec<u8>) -> anyhow::Result<bool> {
    Ok(kernel::is_too_old(&extract(template)?))
}

/// Whether a command can stand in a batch file.
pub fn check_command(command: &str) -> anyhow::Result<()> {
    let is_readable = command.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    ensure!(is_readable, "the command {command:?} has a character that cannot stand in a DOS batch file");
    Ok(())
}

/// The content of AUTOEXEC.BAT with both placeholders replaced.
fn fill_autoexec(template: &[u8], command: &str) -> anyhow::Result<Vec<u8>> {
    check_command(command)?;
    let named = replace(template, NAME_PLACEHOLDER, IMAGE_NAME)?;
    let filled = replace(&named, COMMAND_PLACEHOLDER, command)?;
    check_lines(&filled)?;
    Ok(filled)
}

/// Whether DOS reads every line of a batch file whole.
pub fn check_lines(batch: &[u8]) -> anyhow::Result<()> {
    for (index, line) in batch.split(|byte| *byte == b'\n').enumerate() {
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        ensure!(
            length <= LONGEST_LINE,
            "line {} of the batch file is {length} characters long with the command filled in; DOS reads only {LONGEST_LINE}",
            index + 1
        );
    }
    Ok(())
}

/// Every occurrence of the placeholder replaced; there must be one.
fn replace(text: &[u8], placeholder: &'static str, value: &str) -> anyhow::Result<Vec<u8>> {
    let mut replaced = Vec::with_capacity(text.len() + value.len());
    let mut rest = text;
    while let Some(at) = rest.windows(placeholder.len()).position(|window| window == placeholder.as_bytes()) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(value.as_bytes());
        rest = &rest[at + placeholder.len()..];
    }
    ensure!(
        rest.len() < text.len(),
        "AUTOEXEC.BAT of the boot floppy image does not contain the word {placeholder}, so nothing can be filled in"
    );
    replaced.extend_from_slice(rest);
    Ok(replaced)
}

/// Writes AUTOEXEC.BAT if it fits.
fn replace_autoexec(mut volume: Volume, length: usize, content: &[u8]) -> anyhow::Result<Vec<u8>> {
    volume.with(|files| {
        let space = files.stats().context(UNREADABLE)?;
        let cluster = u64::from(space.cluster_size());
        let clusters = |bytes: usize| (bytes as u64).div_ceil(cluster);
        let needed = clusters(content.len()).saturating_sub(clusters(length));
        ensure!(
            needed <= u64::from(space.free_clusters()),
            "the boot floppy image is full: AUTOEXEC.BAT needs {} more bytes, {} are free",
            needed * cluster,
            u64::from(space.free_clusters()) * cluster
        );
        let write = || {
            let mut file = files.root_dir().open_file(AUTOEXEC)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(content)?;
            file.truncate()?;
            file.flush()
        };
        write().with_context(|| unusable(AUTOEXEC))
    })?;
    if volume.read(AUTOEXEC)? != content {
        return Err(anyhow!(OTHER_THAN_WRITTEN).context(unusable(AUTOEXEC)));
    }
    Ok(volume.into_image())
}

impl Volume {
    /// The content of one file, by its path with `/` between folders; letter case is ignored.
    fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.look(|files| match files.root_dir().open_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(missing(path)),
            opened => extract::read_whole(opened.with_context(|| unusable(path))?, self.length(), path),
        })
    }
}

/// What is said of a damaged file system.
const UNREADABLE: &str = "the file system of the boot floppy image cannot be read";
const DAMAGED: &str =
    "the file system of the boot floppy image is damaged: a file of it is in no place that it has";
const OTHER_THAN_WRITTEN: &str = "it reads back differently than it was written";

/// What is said of a file that the floppy must have and does not.
pub fn missing(name: &str) -> String {
    format!("the boot floppy image has no file {name}")
}

fn unusable(name: &str) -> String {
    format!("cannot use the file {name} of the boot floppy image")
}

#[cfg(test)]
mod tests;
