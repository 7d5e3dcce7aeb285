//! `ghost-imager`, Linux's own imager: no floppy, no DOS, nobody to answer.
//!
//! It has the disks' images below one folder and says how far it is, and at its end how it ended, in files. What
//! it shows on the first terminal is for a person in the room. Its exit status says nothing that its result does
//! not say better, and a result that is not there says that it did not come to its end.

use std::path::{Path, PathBuf};

use ghost_contract::image::{DiskImage, Ending, PartcloneSettings, Phase, Progress, SmallerDisk, TargetDisk};
use ghost_contract::report::Outcome;
use ghost_contract::{Mode, layout};

use super::{Judgement, Launch, LaunchFile, Terminal};

/// The program, in the base root.
pub const PROGRAM: &str = "/sbin/ghost-imager";
/// The job's staging folder, or a finished generation, is bound here.
pub const IMAGES: &str = "/run/ghost/imager/images";
/// The job's staging folder is bound here where a restore may need room for a scratch file.
pub const SCRATCH: &str = "/run/ghost/imager/scratch";
/// What the order says of how it is done.
const SETTINGS: &str = "/run/ghost/imager/settings.json";
/// How far it is; replaced by it every second or two.
pub const PROGRESS: &str = "/run/ghost/imager/progress.json";
/// How it ended; written by it last.
pub const RESULT: &str = "/run/ghost/imager/result.json";

/// Why it cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PartcloneError {
    /// There is nothing for a person to do.
    #[error(
        "mode ghost starts a program that a person uses at the client's screen, and the imager partclone has nothing to be used there; have IMAGER=dosemu for it, or mode test for a shell"
    )]
    NothingToUse,
    /// The settings cannot be written.
    #[error("the imager's settings cannot be written as JSON")]
    Settings(#[from] serde_json::Error),
}

/// How it is started for a job on these disks, `/dev/sda`. A check needs none.
pub fn prepare(
    mode: Mode,
    disks: &[PathBuf],
    settings: &PartcloneSettings,
) -> Result<Launch, PartcloneError> {
    let verb = match mode {
        Mode::Backup => "backup",
        Mode::Verify => "check",
        Mode::Restore => "restore",
        Mode::Test | Mode::Ghost => return Err(PartcloneError::NothingToUse),
    };
    let fixed = [verb, "--image", IMAGES, "--settings", SETTINGS, "--progress", PROGRESS, "--result", RESULT];
    let shrinks = mode == Mode::Restore && settings.smaller_disk == SmallerDisk::Shrink;
    let room: &[&str] = if shrinks { &["--scratch", SCRATCH] } else { &[] };
    let named = disks.iter().flat_map(|disk| ["--disk".to_owned(), disk.to_string_lossy().into_owned()]);
    let settings = LaunchFile { path: PathBuf::from(SETTINGS), content: serde_json::to_vec(settings)? };
    Ok(Launch {
        files: vec![settings],
        program: PathBuf::from(PROGRAM),
        arguments: fixed.iter().chain(room).map(|word| (*word).to_owned()).chain(named).collect(),
        environment: vec![("HOME", "/run/ghost/imager"), ("TERM", "linux"), ("LC_ALL", "C.UTF-8")],
        terminal: Terminal::FirstVt,
    })
}

/// How far it says it is, by its file. While it has said nothing yet, or nothing that can be understood, nothing is
/// known.
pub fn progress(file: Option<&[u8]>) -> Option<Progress> {
    serde_json::from_slice(file?).ok()
}

/// Where the description of a disk's image is.
pub fn description(index: u32) -> PathBuf {
    Path::new(IMAGES).join(layout::disk(index)).join(layout::DISK_IMAGE)
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// How it ended, by its file.
    pub result: Option<Vec<u8>>,
    /// How far it was, by its file.
    pub progress: Option<Vec<u8>>,
    /// The descriptions of the images, one a disk of the job; none for one that is not there.
    pub descriptions: Vec<Option<Vec<u8>>>,
}

impl Evidence {
    /// How the job ended, what became of the disks, and what else there is to know.
    pub fn judge(&self, mode: Mode) -> Judgement {
        let last_phase = progress(self.progress.as_deref()).map_or(Phase::Surveying, |last| last.phase);
        // Its last word on how far it was is a second old: it may have begun to write since.
        let target_by_progress =
            Some(last_phase.target_disk()).filter(|target| *target == TargetDisk::Incomplete);
        let ended = self.result.as_deref().map(serde_json::from_slice::<Ending>);
        let (fault, target, remarks) = match ended {
            None => {
                let reason =
                    format!("the imager ended while it was {}, without a result", last_phase.as_str());
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
                    Some(format!("the imager says that all went well, and {image} cannot be used: {error}"))
                }
                None => Some(format!(
                    "the imager says that all went well, and {image} has no {}",
                    layout::DISK_IMAGE
                )),
            }
        })
    }
}

#[cfg(test)]
mod tests;
