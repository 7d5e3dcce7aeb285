//! The imaging programs: how each is configured and started, and what its files and its log mean.
//!
//! ```text
//! order + disk + what is installed ──prepare──▶ Launch ──(machine)──▶ files, log ──judge──▶ outcome
//! ```
//!
//! One imager is one file that implements [`Imager`], and a line in [`of`]. An imager asks for files by [`Files`] and
//! answers with values: it writes, starts and ends nothing. Does not know the session.

pub(crate) mod dos;
pub(crate) mod dosbox_x;
pub(crate) mod dosemu;
pub(crate) mod evidence;
#[cfg(test)]
mod kept;
pub(crate) mod linux;

use std::path::{Path, PathBuf};
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::Mode;
use ghost_contract::image::{Progress, TargetDisk};
use ghost_contract::order;
use ghost_contract::report::Outcome;

use self::evidence::FoundFile;
use crate::disk::BlockDevice;
use crate::fstab::Mount;

/// The imager that an order asks for. Without an order it is DOSEmu, for a person at the screen.
/// A key comes with the order, or not.
pub(crate) fn of(ordered: Option<&order::Imager>, luks_key: bool) -> Box<dyn Imager> {
    match ordered {
        Some(order::Imager::Linux(settings)) => {
            Box::new(linux::Linux { settings: settings.clone(), luks_key })
        }
        Some(order::Imager::DosboxX(program)) => {
            Box::new(dosbox_x::DosboxX { command: program.command.clone() })
        }
        Some(order::Imager::Dosemu(program)) => Box::new(dosemu::Dosemu { program: program.clone() }),
        None => {
            let program = order::DosProgram { command: String::new(), graphics: order::Graphics::Vga };
            Box::new(dosemu::Dosemu { program })
        }
    }
}

/// An imaging program with its part of the order.
pub(crate) trait Imager: Send + Sync {
    /// What must be there before [`Imager::prepare`] is asked.
    fn needs(&self) -> Needs;

    /// Whether a job in this mode works on a disk at all.
    fn works_on_a_disk(&self, _mode: Mode) -> bool {
        true
    }

    /// How it is started on these disks; none if [`Imager::works_on_a_disk`] says so.
    fn prepare(&self, mode: Mode, disks: &[BlockDevice], files: &dyn Files) -> anyhow::Result<Launch>;

    /// How its screen is seen.
    fn display(&self) -> Display;

    /// What its programs have written on the screen, if its files say so.
    fn written(&self, _files: &dyn Files) -> anyhow::Result<Option<String>> {
        Ok(None)
    }

    /// Whether its work has begun. Only from then on do prompts and the stall watch count time: an emulator
    /// boots a DOS first, which takes minutes on a slow machine.
    fn has_begun(&self, _files: &dyn Files) -> anyhow::Result<bool> {
        Ok(true)
    }

    /// How far it says it is.
    fn progress(&self, _files: &dyn Files) -> anyhow::Result<Option<Progress>> {
        Ok(None)
    }

    /// How long it may take to end after it was asked to. What is left then is killed.
    fn patience(&self) -> Duration {
        Duration::from_secs(4)
    }

    /// Decides from what the imager left how the job ended, for this many disks. Called after it has ended.
    fn judge(&self, mode: Mode, disks: usize, files: &dyn Files) -> anyhow::Result<Judgement>;
}

/// What an imager needs of the machine, whatever the job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    /// Drivers that are loaded if the kernel has them.
    pub useful_drivers: &'static [&'static str],
    /// Folders in memory: nothing of them outlives the job.
    pub folders: &'static [&'static str],
    /// Where it finds images or puts them: the job's staging folder, or a finished generation, is bound here.
    pub images: &'static str,
    /// Where the job's staging folder is bound if a restore may need room in the store.
    pub scratch: Option<&'static str>,
    pub input: Input,
}

/// How an imager's questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The program asks nothing that keys could answer.
    Nothing,
    /// By a virtual keyboard, which must be there before the imager starts.
    Keyboard,
}

/// How an imager's screen is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    /// On the client's own monitor, for a person only: it asks no questions, so that its text need not be read.
    Monitor,
    /// On the client's own monitor, with questions that have to be read.
    MonitorWithQuestions,
    /// On no monitor: it puts a picture into this folder when these keys are pressed together.
    OwnPictures {
        /// The source that the report names for the pictures.
        by: &'static str,
        folder: &'static str,
        keys: &'static [KeyCode],
    },
}

/// The files that an imager may look at.
pub(crate) trait Files {
    /// A file's content, if the file is there.
    fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>>;

    /// The files in a folder.
    fn list(&self, folder: &Path) -> anyhow::Result<Vec<FoundFile>>;

    /// Bytes that are free in the file system of a folder.
    fn free_space(&self, folder: &Path) -> anyhow::Result<u64>;
}

/// Whether a job in this mode has any business to write to the client's disk. A person in mode `ghost` may want to.
pub(crate) const fn writes_to_the_disk(mode: Mode) -> bool {
    match mode {
        Mode::Backup | Mode::Verify | Mode::Test => false,
        Mode::Restore | Mode::Ghost => true,
    }
}

/// The last line that is not empty.
fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

/// How a job ended, judged by what its imager left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub outcome: Outcome,
    /// What has become of the disks of a restore that did not succeed; none if the imager cannot tell.
    pub target: Option<TargetDisk>,
    /// What else the administrator should know.
    pub remarks: Vec<String>,
}

impl Judgement {
    /// Of an imager that says no more than how the job ended.
    pub(crate) const fn of(outcome: Outcome) -> Self {
        Self { outcome, target: None, remarks: Vec::new() }
    }
}

/// All that is needed to start an imager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    /// File systems to mount first, unless something is mounted there.
    pub mounts: Vec<Mount>,
    /// Files to write first, with their folders.
    pub files: Vec<LaunchFile>,
    /// Logs of unbounded length. Each is a pipe, and only its beginning and end are kept.
    pub logs: Vec<&'static str>,
    /// The one of these logs that gets its error output, and its output if it has no terminal.
    pub errors: &'static str,
    /// Programs to run first, with their arguments, one after the other. Each must succeed.
    pub preparations: Vec<Vec<String>>,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Its environment, all of it.
    pub environment: Vec<(&'static str, &'static str)>,
    /// What it has for a screen and keyboard.
    pub terminal: Terminal,
}

/// A file that an imager needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaunchFile {
    /// Where it is to be.
    pub path: PathBuf,
    pub content: Vec<u8>,
}

/// What an imager has for standard input and output. In any case it is in a session of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// None: it opens the keyboards itself, and a controlling terminal would be left in a bad mode.
    None,
    /// The first virtual terminal, as its controlling one.
    FirstVt,
    /// The same with the VGA behind it, whose registers it sets as it likes.
    FirstVga,
}
