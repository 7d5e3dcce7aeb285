//! The imaging programs: how each is configured and started, and what its files and its log mean.
//!
//! ```text
//! order + template floppy + disk ──prepare──▶ Launch ──(machine)──▶ files, log ──judge──▶ outcome
//! ```
//!
//! Everything is a value here: nothing is written, started or looked at. Does not know the session.
//!
//! DOS sees three folders, at fixed places, whatever the host and the job are: C: has the program, Z: has the
//! image, and M: has the marks by which a batch file says how far it came. An emulator's exit status means
//! nothing, so the marks are what is believed; they are not on Z:, which is a finished generation when an
//! image is checked or restored.

pub mod dosbox_x;
pub mod dosemu;
pub mod evidence;

use std::fmt;
use std::path::{Path, PathBuf};

use ghost_contract::Mode;

use crate::bootdisk::BootdiskError;

/// The folder of everything that belongs to the imager, in memory: nothing of it outlives the job.
pub const FOLDER: &str = "/run/ghost/dos";
/// What DOS sees as Z:. The job's staging folder, or a finished generation, is bound here.
pub const IMAGES: &str = "/run/ghost/dos/z";
/// What DOS sees as M:, where the batch file leaves its marks.
pub const MARKS: &str = "/run/ghost/dos/m";
/// What DOS sees as C:, with the program.
pub const PROGRAM: &str = "/run/ghost/dos/c";
/// The emulator's home; the root itself is not writable.
pub const HOME: &str = "/run/ghost/dos/home";
/// Where the emulator puts pictures of its screen.
pub const CAPTURES: &str = "/run/ghost/dos/captures";
/// The emulator's log.
pub const LOG: &str = "/run/ghost/dos/log";
/// The administrator's template floppy (HOWTO), below root's home in the base root.
pub const TEMPLATE: &str = "/root/.dosemu/ghost.img";

/// What a job asks of an imager.
#[derive(Debug, Clone, Copy)]
pub struct Commission<'a> {
    /// What is done.
    pub mode: Mode,
    /// The DOS program's switches.
    pub command: &'a str,
    /// The disk that it is done to, `/dev/sda`.
    pub disk: &'a Path,
    /// Its size in bytes.
    pub disk_size: u64,
}

/// Which emulator runs the DOS program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulator {
    /// DOSEmu 1.4 or dosemu2.
    Dosemu,
    /// dosbox-x.
    DosboxX,
}

impl Emulator {
    /// What its log complains of, if anything.
    #[must_use]
    pub fn complaint(self, log: &str) -> Option<String> {
        match self {
            Self::Dosemu => dosemu::complaint(log),
            Self::DosboxX => dosbox_x::complaint(log),
        }
    }
}

impl fmt::Display for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dosemu => "dosemu",
            Self::DosboxX => "dosbox-x",
        })
    }
}

/// All that is needed to start an imager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Files to be written before, with the folders that they are in.
    pub files: Vec<LaunchFile>,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, all of it.
    pub environment: Vec<(&'static str, &'static str)>,
    /// What it has for a screen and keyboard.
    pub terminal: Terminal,
}

/// A file that an imager needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchFile {
    /// Where it is to be.
    pub path: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
}

/// What an imager has for standard input and output. In any case it is in a session of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// None: it opens the keyboards itself, and a controlling terminal would be left in a bad mode.
    None,
    /// The first virtual terminal, as its controlling one.
    FirstVt,
}

/// Why an imager cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ImagerError {
    /// The floppy, or what it is to be filled with.
    #[error(transparent)]
    Bootdisk(#[from] BootdiskError),
    /// The template is of a size that the emulator cannot boot from.
    #[error("{emulator} boots from floppies of {wanted} bytes only, and the template has {found}")]
    FloppySize {
        /// Which emulator.
        emulator: &'static str,
        /// Bytes that it should have.
        wanted: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// The emulator would leave out the disk's last sector.
    #[error(
        "dosbox-x counts a disk in whole KiB, and this one has {0} bytes: its last sector would be lost; use dosemu"
    )]
    OddDisk(u64),
    /// A path that cannot stand in the emulator's configuration.
    #[error("the path {0:?} cannot be written into the emulator's configuration")]
    Path(PathBuf),
    /// The emulator shows nothing on the client's own screen.
    #[error("mode ghost needs a person at the client's screen, and dosbox-x shows nothing there; use dosemu")]
    NoScreen,
    /// The program is none of those that are known.
    #[error("{0:?} is neither DOSEmu 1.4 nor dosemu2")]
    UnknownDosemu(PathBuf),
}

/// A path as text that needs no quoting anywhere.
fn plain(path: &Path) -> Result<&str, ImagerError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    path.to_str()
        .filter(|text| text.starts_with('/') && text.bytes().all(is_plain))
        .ok_or_else(|| ImagerError::Path(path.to_owned()))
}

/// The path of a file in the imager's own folder.
fn inside(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}
