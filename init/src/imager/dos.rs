//! What all imagers share that run a DOS program under an emulator.
//!
//! DOS always sees three folders at the same places: C: holds the program, Z: the image, and M: the marks that the
//! batch file writes to say how far it came. An emulator's exit status means nothing, so only the marks count. They are
//! not on Z:, because Z: is a finished generation when an image is checked or restored.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ghost_contract::{Mode, layout};

use super::evidence::{BEGINNING, END, ERROR_FILE, Evidence, FoundFile, STARTED, has, in_one_line};
use super::{Files, Input, Judgement, Needs, last_line};
use crate::disk::BlockDevice;

/// The folder of everything that belongs to the imager, in memory: nothing of it outlives the job.
pub(crate) const FOLDER: &str = "/run/ghost/dos";
/// What DOS sees as Z:. The job's staging folder, or a finished generation, is bound here.
pub(crate) const IMAGES: &str = "/run/ghost/dos/z";
/// What DOS sees as M:, where the batch file leaves its marks.
pub(crate) const MARKS: &str = "/run/ghost/dos/m";
/// What DOS sees as C:, with the program.
pub(crate) const PROGRAM: &str = "/run/ghost/dos/c";
/// The emulator's home; the root itself is not writable.
pub(crate) const HOME: &str = "/run/ghost/dos/home";
/// Where the emulator puts pictures of its screen.
pub(crate) const CAPTURES: &str = "/run/ghost/dos/captures";
pub(crate) const LOG: &str = "/run/ghost/dos/log";
/// What the emulator says by its error output, settings that it does not take among it.
pub(crate) const ERRORS: &str = "/run/ghost/dos/errors";

/// What DOSEmu 1.4 says whenever it may use a VGA: nothing is wrong with that.
const NOTICE: &str = "Running as root in full feature mode";

/// What every emulator needs of the machine.
pub(super) const NEEDS: Needs = Needs {
    useful_drivers: &[],
    folders: &[MARKS, PROGRAM, IMAGES, HOME, CAPTURES],
    images: IMAGES,
    scratch: None,
    input: Input::Keyboard,
};

/// What a job asks of a DOS program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commission<'a> {
    pub mode: Mode,
    pub command: &'a str,
    /// The disk that it is done to, `/dev/sda`.
    pub disk: &'a Path,
    /// The disk's size in bytes.
    pub disk_size: u64,
}

/// The only disk of a job with a DOS program.
pub(super) fn one_disk(disks: &[BlockDevice]) -> anyhow::Result<&BlockDevice> {
    match disks {
        [disk] => Ok(disk),
        _ => bail!("a DOS program works on one disk, and the order is for all of several"),
    }
}

/// The administrator's boot floppy, with the program on it.
pub(super) fn template(files: &dyn Files) -> anyhow::Result<Vec<u8>> {
    let path = Path::new("/").join(layout::TEMPLATE_FLOPPY);
    files.read(&path)?.with_context(|| format!("there is no boot floppy {}", path.display()))
}

/// What the emulator has said so far.
pub(super) fn log(files: &dyn Files) -> anyhow::Result<String> {
    let bytes = files.read(Path::new(LOG))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether DOS has come so far that it calls the program. The image store, which may not answer, is asked only where our
/// own mark is not there.
pub(super) fn has_begun(files: &dyn Files) -> anyhow::Result<bool> {
    let marks = files.list(Path::new(MARKS))?;
    if has(&marks, STARTED) || has(&marks, BEGINNING) {
        return Ok(true);
    }
    let images = files.list(Path::new(IMAGES))?;
    Ok(has(of_this_job(&images), BEGINNING))
}

/// What a DOS program and its emulator have left; `complaint` finds in the emulator's log what it complains of.
pub(super) fn judge(
    mode: Mode,
    files: &dyn Files,
    complaint: fn(&str) -> Option<String>,
) -> anyhow::Result<Judgement> {
    let (marks, images) = (files.list(Path::new(MARKS))?, files.list(Path::new(IMAGES))?);
    let mut complaint = complaint(&log(files)?);
    if complaint.is_none() && !has_begun(files)? {
        // Warnings stand there too, so that it explains only what is known to have gone wrong.
        let said = last_line(&files.read(Path::new(ERRORS))?.unwrap_or_default());
        complaint = said.filter(|line| !line.starts_with(NOTICE));
    }
    let text = |name| text(name, &[(MARKS, &marks), (IMAGES, of_this_job(&images))], files);
    let evidence = Evidence {
        error_text: text(ERROR_FILE)?,
        beginning: text(BEGINNING)?,
        end: text(END)?,
        free: files.free_space(Path::new(IMAGES))?,
        complaint: complaint.as_deref().map(in_one_line),
        marks,
        images,
    };
    Ok(evidence.judge(mode))
}

/// What this job has left beside the image: in a finished generation, which has a manifest, marks are those of its backup.
fn of_this_job(images: &[FoundFile]) -> &[FoundFile] {
    if has(images, layout::MANIFEST) { &[] } else { images }
}

/// The content of the file of this name, in capitals or not, in the first folder that has it.
fn text(name: &str, folders: &[(&str, &[FoundFile])], files: &dyn Files) -> anyhow::Result<Option<String>> {
    for (folder, found) in folders {
        if let Some(file) = found.iter().find(|file| file.name.eq_ignore_ascii_case(name)) {
            let bytes = files.read(&Path::new(folder).join(&file.name))?.unwrap_or_default();
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}

/// A path as text that needs no quoting anywhere.
pub(super) fn plain(path: &Path) -> anyhow::Result<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_');
    path.to_str()
        .filter(|text| text.starts_with('/') && text.bytes().all(is_plain))
        .with_context(|| format!("the path {path:?} cannot be written into the emulator's configuration"))
}

/// The path of a file in the imager's own folder.
pub(super) fn inside(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

#[cfg(test)]
mod tests {
    use ghost_contract::report::Outcome;

    use super::*;
    use crate::imager::evidence::STARTED;
    use crate::imager::kept::Kept;

    fn reason(files: &[(&str, &str)]) -> String {
        let no_complaint = |_: &str| None;
        match judge(Mode::Restore, &Kept::of(files), no_complaint).unwrap().outcome {
            Outcome::Failed { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_emulator_said_at_last_explains_why_dos_did_not_start() {
        let refused = ("/run/ghost/dos/errors", "warning\nError in dosemurc: unrecognized command '$_x'\n\n");
        assert_eq!(
            reason(&[refused]),
            "the emulator ended before it had started DOS's batch file: Error in dosemurc: unrecognized command '$_x'"
        );
        let notice = ("/run/ghost/dos/errors", "Running as root in full feature mode\n");
        assert!(reason(&[notice]).contains("LASTDRIVE=Z"), "{}", reason(&[notice]));
        let started = ("/run/ghost/dos/m/STARTED.TXT", "image");
        assert!(started.0.ends_with(STARTED));
        assert_eq!(reason(&[refused, started]), "the emulator ended before the DOS program did");
    }

    /// A line of the report that is too long is left out, and the outcome would be lost with it.
    #[test]
    fn what_the_emulator_said_is_cut_to_what_fits_a_line_of_the_report() {
        let long = "x".repeat(100_000);
        assert!(reason(&[("/run/ghost/dos/errors", &long)]).len() < 1_000);
        let files = [("/run/ghost/dos/log", long.as_str())];
        let judged = judge(Mode::Restore, &Kept::of(&files), |log| Some(log.to_owned())).unwrap();
        let Outcome::Failed { reason } = judged.outcome else { panic!("{judged:?}") };
        assert!(reason.starts_with("the emulator ended before") && reason.len() < 1_000, "{}", reason.len());
    }

    #[test]
    fn the_work_begins_with_the_mark() {
        assert!(!has_begun(&Kept::default()).unwrap());
        let marked = Kept::of(&[("/run/ghost/dos/m/started.txt", "")]);
        assert!(has_begun(&marked).unwrap());
    }

    /// An image store that does not answer must not hold up what watches for that.
    #[test]
    fn once_our_mark_is_there_the_image_store_is_not_asked() {
        struct DeadStore;

        impl Files for DeadStore {
            fn read(&self, _path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
                Ok(None)
            }

            fn list(&self, folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
                anyhow::ensure!(folder == Path::new(MARKS), "the image store was asked");
                Ok(vec![FoundFile { name: STARTED.to_owned(), size: 9 }])
            }

            fn free_space(&self, _folder: &Path) -> anyhow::Result<u64> {
                anyhow::bail!("the image store was asked")
            }
        }

        assert!(has_begun(&DeadStore).unwrap());
    }

    /// The HOWTO's batch file leaves its marks beside the image; in a finished generation they are of its backup.
    #[test]
    fn the_howtos_marks_beside_an_image_are_of_this_job_only_until_the_generation_is_finished() {
        let beginning = ("/run/ghost/dos/z/image.sta", "Ghost started");
        let end = ("/run/ghost/dos/z/image.end", "Ghost exited\r\n");
        let image = ("/run/ghost/dos/z/image.gho", "an image");
        let no_complaint = |_: &str| None;
        let staging = Kept::of(&[beginning, end, image]);
        assert!(has_begun(&staging).unwrap());
        let outcome = judge(Mode::Backup, &staging, no_complaint).unwrap().outcome;
        assert_eq!(outcome, Outcome::Succeeded);
        let manifest = ("/run/ghost/dos/z/manifest.json", "{}");
        let generation = Kept::of(&[beginning, end, image, manifest]);
        assert!(!has_begun(&generation).unwrap());
        assert!(matches!(
            judge(Mode::Restore, &generation, no_complaint).unwrap().outcome,
            Outcome::Failed { .. }
        ));
    }
}
