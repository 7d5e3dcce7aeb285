//! The boot floppy: the administrator's template becomes this client's own, and files are read from it.
//!
//! Bytes in, bytes out. An image is a floppy of any size, or a small disk with a partition table, with a FAT
//! file system. Does not know where images are kept, what mounts are, or what the DOS program is.
//!
//! The boot server composes a template ([`compose`]), and the client fills it in ([`fill`]): what must be on it is what
//! they agree on.
//!
//! DOS never sees a dynamic name (HOWTO, V1.1): the job's folder is bound to a fixed place, so what goes
//! into AUTOEXEC.BAT is the same for every client and every job, but for the command.

mod commands;
mod compose;
mod extract;
mod startup;
mod volume;

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use volume::Volume;

pub use commands::{Commands, Dosemu};
pub use compose::{AUTOEXEC_BAT, Replaced, Template, compose};
pub use extract::{BootFile, extract, read};

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

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BootdiskError {
    /// Neither a FAT volume nor a disk with one.
    #[error("the boot floppy image holds no FAT file system that DOS can read")]
    NoFat,
    /// The file is shorter than its file system says.
    #[error("the boot floppy image is cut off: its file system has {expected} bytes, the file has {found}")]
    Truncated {
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// The file system is damaged, or nothing that can be read.
    #[error("the file system of the boot floppy image cannot be read")]
    Volume(#[source] std::io::Error),
    /// There is no such file on it.
    #[error("the boot floppy image has no file {name}")]
    Missing {
        /// The file.
        name: String,
    },
    /// Its folders never end: the file system is damaged.
    #[error("the folders of the boot floppy image run in a circle at {folder:?}")]
    Endless {
        /// Where.
        folder: String,
    },
    /// A file on it cannot be read or written.
    #[error("cannot use the file {name} of the boot floppy image")]
    File {
        /// The file.
        name: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A file's name cannot be a file name elsewhere.
    #[error("the boot floppy image has a file with the unusable name {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// AUTOEXEC.BAT is not made for us.
    #[error(
        "AUTOEXEC.BAT of the boot floppy image does not contain the word {placeholder}, so nothing can be filled in"
    )]
    Placeholder {
        /// The word that is missing.
        placeholder: &'static str,
    },
    /// The command is not one line that DOS could read.
    #[error("the command {command:?} has a character that cannot stand in a DOS batch file")]
    Command {
        /// The command.
        command: String,
    },
    /// COMMAND.COM would cut the line.
    #[error(
        "line {line} of the batch file gets {length} characters long with the command filled in, DOS reads {LONGEST_LINE}"
    )]
    LineTooLong {
        /// Its number, from 1.
        line: usize,
        /// Its length in characters.
        length: usize,
    },
    /// No DOS boots from it.
    #[error("the image cannot be booted: it has no file {missing}")]
    NotBootable {
        /// What a DOS would need.
        missing: &'static str,
    },
    /// The administrator's own configuration would not start with AUTOEXEC.BAT.
    #[error("{name} starts something else than AUTOEXEC.BAT, or asks what to start: {line}")]
    StartsOther {
        /// Its name.
        name: &'static str,
        /// The line that says so.
        line: String,
    },
    /// A file's name is none that DOS could read.
    #[error(
        "{name:?} cannot be the name of a file in DOS: eight characters, a dot and three more are the most, without blanks"
    )]
    NoDosName {
        /// The name.
        name: String,
    },
    /// Two files would have the same name.
    #[error("there are two files {name}: in DOS, capitals and small letters are the same")]
    Twice {
        /// The name in DOS.
        name: String,
    },
    /// There is no room for the files.
    #[error("the files need {needed} bytes, and the image has {free}, those that they replace counted in")]
    NoRoom {
        /// Bytes that they need, in whole clusters.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// There is no room for the longer AUTOEXEC.BAT.
    #[error("the boot floppy image is full: AUTOEXEC.BAT needs {needed} more bytes, {free} are free")]
    Full {
        /// Bytes that are missing, in whole clusters.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
}

/// The client's own floppy: the template with the placeholders of AUTOEXEC.BAT filled in. All other bytes of
/// that file are kept, line ends too.
///
/// # Errors
/// When the template is not what the HOWTO asks for, or has no room.
pub fn fill(template: Vec<u8>, command: &str) -> Result<Vec<u8>, BootdiskError> {
    let volume = Volume::open(template)?;
    let before = volume.read(AUTOEXEC)?;
    let after = fill_autoexec(&before, command)?;
    replace_autoexec(volume, before.len(), &after)
}

/// What is on a floppy of DOSEmu's commands.
///
/// # Errors
/// When the image cannot be read.
pub fn commands(template: Vec<u8>) -> Result<Commands, BootdiskError> {
    Ok(Commands::among(&extract(template)?))
}

/// Whether a command can stand in a batch file.
///
/// # Errors
/// When it is not one line of printable ASCII.
pub fn check_command(command: &str) -> Result<(), BootdiskError> {
    if command.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    Err(BootdiskError::Command { command: command.to_owned() })
}

/// The content of AUTOEXEC.BAT with both placeholders replaced.
fn fill_autoexec(template: &[u8], command: &str) -> Result<Vec<u8>, BootdiskError> {
    check_command(command)?;
    let named = replace(template, NAME_PLACEHOLDER, IMAGE_NAME)?;
    let filled = replace(&named, COMMAND_PLACEHOLDER, command)?;
    check_lines(&filled)?;
    Ok(filled)
}

/// Whether DOS reads every line of a batch file whole.
///
/// # Errors
/// For the first that it does not.
pub fn check_lines(batch: &[u8]) -> Result<(), BootdiskError> {
    for (index, line) in batch.split(|byte| *byte == b'\n').enumerate() {
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        if length > LONGEST_LINE {
            return Err(BootdiskError::LineTooLong { line: index + 1, length });
        }
    }
    Ok(())
}

/// Every occurrence of the placeholder replaced; there must be one.
fn replace(text: &[u8], placeholder: &'static str, value: &str) -> Result<Vec<u8>, BootdiskError> {
    let mut replaced = Vec::with_capacity(text.len() + value.len());
    let mut rest = text;
    while let Some(at) = rest.windows(placeholder.len()).position(|window| window == placeholder.as_bytes()) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(value.as_bytes());
        rest = &rest[at + placeholder.len()..];
    }
    if rest.len() == text.len() {
        return Err(BootdiskError::Placeholder { placeholder });
    }
    replaced.extend_from_slice(rest);
    Ok(replaced)
}

/// Writes AUTOEXEC.BAT, after a look whether it fits.
fn replace_autoexec(mut volume: Volume, length: usize, content: &[u8]) -> Result<Vec<u8>, BootdiskError> {
    volume.with(|files| {
        let space = files.stats().map_err(BootdiskError::Volume)?;
        let cluster = u64::from(space.cluster_size());
        let clusters = |bytes: usize| (bytes as u64).div_ceil(cluster);
        let needed = clusters(content.len()).saturating_sub(clusters(length));
        if needed > u64::from(space.free_clusters()) {
            let free = u64::from(space.free_clusters()) * cluster;
            return Err(BootdiskError::Full { needed: needed * cluster, free });
        }
        let failed = |source| BootdiskError::File { name: AUTOEXEC.to_owned(), source };
        let mut file = files.root_dir().open_file(AUTOEXEC).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        file.truncate().map_err(failed)?;
        file.flush().map_err(failed)
    })?;
    let written = volume.read(AUTOEXEC)?;
    if written != content {
        let source = std::io::Error::other("it reads back differently than it was written");
        return Err(BootdiskError::File { name: AUTOEXEC.to_owned(), source });
    }
    Ok(volume.into_image())
}

impl Volume {
    /// The content of one file, by its path with `/` between folders; letter case is ignored.
    fn read(&self, path: &str) -> Result<Vec<u8>, BootdiskError> {
        self.look(|files| {
            let mut content = Vec::new();
            let mut file = files.root_dir().open_file(path).map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => BootdiskError::Missing { name: path.to_owned() },
                _ => BootdiskError::File { name: path.to_owned(), source },
            })?;
            file.read_to_end(&mut content)
                .map_err(|source| BootdiskError::File { name: path.to_owned(), source })?;
            Ok(content)
        })
    }
}

#[cfg(test)]
mod tests;
