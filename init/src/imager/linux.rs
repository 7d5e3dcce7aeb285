//! The Linux imager, `ghost-imager`: no floppy, no DOS, no questions to answer.
//!
//! It finds all disks' images below one folder, and writes its progress and its result to files. What it shows on the
//! first terminal is for a person in the room. Its result says more than its exit status; without a result it did not
//! finish.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ghost_contract::image::{DiskImage, Ending, LinuxSettings, Phase, Progress, SmallerDisk, TargetDisk};
use ghost_contract::report::Outcome;
use ghost_contract::{Mode, layout};

use super::{Display, Files, Imager, Input, Judgement, Launch, LaunchFile, Needs, Terminal, last_line};
use crate::disk::BlockDevice;

/// The program, in the base root.
const PROGRAM: &str = "/sbin/ghost-imager";
/// The job's staging folder, or a finished generation, is bound here.
const IMAGES: &str = "/run/ghost/imager/images";
/// The job's staging folder is bound here where a restore may need room for a scratch file.
const SCRATCH: &str = "/run/ghost/imager/scratch";
/// What the order says of how it is done.
const SETTINGS: &str = "/run/ghost/imager/settings.json";
/// The key of encrypted partitions.
const LUKS_KEY: &str = "/run/ghost/imager/luks.key";
/// How far it is; replaced by it every second or two.
const PROGRESS: &str = "/run/ghost/imager/progress.json";
/// What it says by its error output.
const ERRORS: &str = "/run/ghost/imager/errors";
/// How it ended; written by it last.
const RESULT: &str = "/run/ghost/imager/result.json";

/// What an order says of how it is done.
pub(super) struct Linux {
    pub(super) settings: LinuxSettings,
    /// A key came with the order.
    pub(super) luks_key: bool,
}

impl Imager for Linux {
    fn needs(&self) -> Needs {
        Needs {
            // By a loop device its tools reach a stretch of a disk where the kernel knows of no partition; the other one
            // decrypts.
            useful_drivers: if self.luks_key { &["loop", "dm_crypt"] } else { &["loop"] },
            folders: &[IMAGES, SCRATCH],
            images: IMAGES,
            scratch: Some(SCRATCH),
            input: Input::Nothing,
        }
    }

    /// A check of an image is as good on a machine whose disk is broken or gone.
    fn works_on_a_disk(&self, mode: Mode) -> bool {
        mode != Mode::Verify
    }

    fn prepare(&self, mode: Mode, disks: &[BlockDevice], _files: &dyn Files) -> anyhow::Result<Launch> {
        let devices: Vec<PathBuf> = disks.iter().map(BlockDevice::device).collect();
        launch(mode, &devices, (&self.settings, self.luks_key))
    }

    fn display(&self) -> Display {
        Display::Monitor
    }

    fn progress(&self, files: &dyn Files) -> anyhow::Result<Option<Progress>> {
        Ok(progress(files.read(Path::new(PROGRESS))?.as_deref()))
    }

    fn judge(&self, mode: Mode, disks: usize, files: &dyn Files) -> anyhow::Result<Judgement> {
        let descriptions = (0..).take(disks).map(|index| files.read(&description(index)));
        let evidence = Evidence {
            result: files.read(Path::new(RESULT))?,
            progress: files.read(Path::new(PROGRESS))?,
            descriptions: descriptions.collect::<Result<_, _>>()?,
            errors: files.read(Path::new(ERRORS))?.unwrap_or_default(),
        };
        Ok(evidence.judge(mode))
    }
}

/// How it is started for a job on these disks, `/dev/sda`. A check needs none.
fn launch(
    mode: Mode,
    disks: &[PathBuf],
    (settings, luks_key): (&LinuxSettings, bool),
) -> anyhow::Result<Launch> {
    let verb = match mode {
        Mode::Backup => "backup",
        Mode::Verify => "check",
        Mode::Restore => "restore",
        Mode::Test | Mode::Ghost => bail!(
            "mode ghost starts a program for a person at the client's screen, and the linux imager has none: set IMAGER=dosemu, or use mode test for a shell"
        ),
    };
    let fixed = [verb, "--image", IMAGES, "--settings", SETTINGS, "--progress", PROGRESS, "--result", RESULT];
    let shrinks = mode == Mode::Restore && settings.smaller_disk == SmallerDisk::Shrink;
    let room: &[&str] = if shrinks { &["--scratch", SCRATCH] } else { &[] };
    // A check of an image needs none.
    let luks_key = luks_key && mode != Mode::Verify;
    let key: &[&str] = if luks_key { &["--luks-key", LUKS_KEY] } else { &[] };
    let named = disks.iter().flat_map(|disk| ["--disk".to_owned(), disk.to_string_lossy().into_owned()]);
    let settings = serde_json::to_vec(settings).context("cannot write the imager's settings as JSON")?;
    Ok(Launch {
        mounts: Vec::new(),
        files: vec![LaunchFile { path: PathBuf::from(SETTINGS), content: settings }],
        preparations: if luks_key { vec![take_key()] } else { Vec::new() },
        program: PathBuf::from(PROGRAM),
        arguments: fixed.iter().chain(room).chain(key).map(|word| (*word).to_owned()).chain(named).collect(),
        logs: vec![ERRORS],
        errors: ERRORS,
        environment: vec![("HOME", "/run/ghost/imager"), ("TERM", "linux"), ("LC_ALL", "C.UTF-8")],
        terminal: Terminal::FirstVt,
    })
}

/// The key is moved from the tree, which is on the boot server, into this machine's memory.
fn take_key() -> Vec<String> {
    let from = format!("/etc/{}", layout::LUKS_KEY);
    vec!["mv".to_owned(), from, LUKS_KEY.to_owned()]
}

/// How far it says it is, by its file. While it has said nothing yet, or nothing that can be understood, nothing is
/// known.
fn progress(file: Option<&[u8]>) -> Option<Progress> {
    serde_json::from_slice(file?).ok()
}

/// Where the description of a disk's image is.
fn description(index: u32) -> PathBuf {
    Path::new(IMAGES).join(layout::disk(index)).join(layout::DISK_IMAGE)
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Evidence {
    /// How it ended, by its file.
    result: Option<Vec<u8>>,
    /// How far it was, by its file.
    progress: Option<Vec<u8>>,
    /// The image descriptions, one for each disk of the job; `None` where the file is missing.
    descriptions: Vec<Option<Vec<u8>>>,
    /// What it said by its error output.
    errors: Vec<u8>,
}

impl Evidence {
    /// How the job ended, what became of the disks, and what else there is to know.
    fn judge(&self, mode: Mode) -> Judgement {
        let last_phase = progress(self.progress.as_deref()).map_or(Phase::Surveying, |last| last.phase);
        // Its last word on how far it was is a second old: it may have begun to write since.
        let target_by_progress =
            Some(last_phase.target_disk()).filter(|target| *target == TargetDisk::Incomplete);
        let ended = self.result.as_deref().map(serde_json::from_slice::<Ending>);
        let (fault, target, remarks) = match ended {
            None => {
                let phase = last_phase.as_str();
                let said = last_line(&self.errors).map_or_else(String::new, |line| format!(": {line}"));
                let reason = format!("the imager ended while it was {phase}, without a result{said}");
                (Some(reason), target_by_progress, Vec::new())
            }
            Some(Err(error)) => {
                let reason = format!("the imager's result cannot be read: {error}");
                (Some(reason), target_by_progress, Vec::new())
            }
            Some(Ok(Ending::Failed { reason, target })) => (Some(reason), Some(target), Vec::new()),
            Some(Ok(Ending::Done { notes, .. })) => (self.fault_of_images(mode), None, notes),
        };
        let outcome = fault.map_or(Outcome::Succeeded, |reason| Outcome::Failed { reason });
        Judgement { outcome, target, remarks }
    }

    /// A backup must have left a whole image of every disk, whatever the result says.
    fn fault_of_images(&self, mode: Mode) -> Option<String> {
        if mode != Mode::Backup {
            return None;
        }
        (0..).zip(&self.descriptions).find_map(|(index, description)| {
            let image = layout::disk(index);
            match description.as_deref().map(DiskImage::parse) {
                Some(Ok(_)) => None,
                Some(Err(error)) => {
                    Some(format!("the imager reports success, but {image} cannot be used: {error}"))
                }
                None => {
                    Some(format!("the imager reports success, but {image} has no {}", layout::DISK_IMAGE))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
