//! What the imagers have in common that run a DOS program under an emulator.
//!
//! DOS sees three folders, at fixed places, whatever the host and the job are: C: has the program, Z: has the
//! image, and M: has the marks by which a batch file says how far it came. An emulator's exit status means
//! nothing, so the marks are what is believed; they are not on Z:, which is a finished generation when an
//! image is checked or restored.

use std::path::{Path, PathBuf};

use ghost_contract::Mode;
use ghost_contract::bootdisk::BootdiskError;

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
pub const LOG: &str = "/run/ghost/dos/log";

/// Those of them that must be there before an emulator is started.
pub const FOLDERS: [&str; 5] = [MARKS, PROGRAM, IMAGES, HOME, CAPTURES];

/// What a job asks of a DOS program.
#[derive(Debug, Clone, Copy)]
pub struct Commission<'a> {
    pub mode: Mode,
    pub command: &'a str,
    /// The disk that it is done to, `/dev/sda`.
    pub disk: &'a Path,
    /// Its size in bytes.
    pub disk_size: u64,
}

/// Why an emulator cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum DosError {
    /// The floppy, or what it is to be filled with.
    #[error(transparent)]
    Bootdisk(#[from] BootdiskError),
    /// The template is of a size that the emulator cannot boot from.
    #[error("{emulator} boots from floppies of {wanted} bytes only, and the template has {found}")]
    FloppySize {
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
pub(super) fn plain(path: &Path) -> Result<&str, DosError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    path.to_str()
        .filter(|text| text.starts_with('/') && text.bytes().all(is_plain))
        .ok_or_else(|| DosError::Path(path.to_owned()))
}

/// The path of a file in the imager's own folder.
pub(super) fn inside(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}
