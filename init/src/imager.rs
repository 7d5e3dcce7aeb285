//! The imaging programs: how each is configured and started, and what its files and its log mean.
//!
//! ```text
//! order + disk + what is installed ──prepare──▶ Launch ──(machine)──▶ files, log ──judge──▶ outcome
//! ```
//!
//! Everything is a value here: nothing is written, started or looked at. Does not know the session.

pub mod dos;
pub mod dosbox_x;
pub mod dosemu;
pub mod evidence;
pub mod partclone;

use std::path::{Path, PathBuf};

use ghost_contract::image::TargetDisk;
use ghost_contract::order::Imager;
use ghost_contract::report::Outcome;

/// Which program does the imaging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A DOS program under DOSEmu 1.4 or dosemu2.
    Dosemu,
    /// A DOS program under dosbox-x.
    DosboxX,
    Partclone,
}

impl Program {
    /// The one that an order asks for. Without an order it is DOSEmu, for a person at the screen.
    pub const fn of(imager: Option<&Imager>) -> Self {
        match imager {
            Some(Imager::Partclone(_)) => Self::Partclone,
            Some(Imager::DosboxX(_)) => Self::DosboxX,
            Some(Imager::Dosemu(_)) | None => Self::Dosemu,
        }
    }

    /// The folders that it needs, in memory: nothing of them outlives the job.
    pub const fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Dosemu | Self::DosboxX => &dos::FOLDERS,
            Self::Partclone => &[partclone::IMAGES, partclone::SCRATCH],
        }
    }

    /// Where it finds images or puts them: the job's staging folder, or a finished generation, is bound here.
    pub fn images(self) -> &'static Path {
        Path::new(match self {
            Self::Dosemu | Self::DosboxX => dos::IMAGES,
            Self::Partclone => partclone::IMAGES,
        })
    }
}

/// What is made of an imager that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub outcome: Outcome,
    /// What has become of the disks of a restore that did not succeed; none if the imager cannot tell.
    pub target: Option<TargetDisk>,
    /// What else the administrator should know.
    pub remarks: Vec<String>,
}

impl Judgement {
    /// Of an imager that says no more than how the job ended.
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, target: None, remarks: Vec::new() }
    }
}

/// All that is needed to start an imager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Files to be written before, with the folders that they are in.
    pub files: Vec<LaunchFile>,
    pub program: PathBuf,
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
