//! What is found after an imager has ended, and what outcome that makes.
//!
//! The rule: a job has succeeded only if everything says so. A mark that says it went well, none that says
//! otherwise, no error file, and after a backup an image that has something in it.

use ghost_contract::Mode;
use ghost_contract::image::TargetDisk;
use ghost_contract::report::Outcome;

use super::Judgement;

/// Left by the batch file before the DOS program is called. DOS writes names of files in capitals or in small
/// letters, as the emulator likes, so letter case never counts.
pub const STARTED: &str = "STARTED.TXT";
/// Left when the program ended with errorlevel 0.
pub const DONE: &str = "DONE.TXT";
/// Left when it ended with another one.
pub const FAILED: &str = "FAILED.TXT";
/// Ghost's own account of what went wrong, in the current folder, which is M:.
pub const ERROR_FILE: &str = "GHOSTERR.TXT";
/// The first file of an image, and the beginning of the names of all.
const IMAGE: &str = "IMAGE.GHO";
/// So much of an error file is put into the outcome.
const LONGEST_REASON: usize = 500;

/// A store with less room than this, in bytes, is full. What DOS has written may then have been refused only when
/// its file was closed, long after DOS was told that all went well; so the end of the image may be missing.
const LEAST_FREE: u64 = 1 << 20;

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Its name, as it stands in the folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What an imager left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    pub marks: Vec<FoundFile>,
    /// What is in the error file, if there is one.
    pub error_text: Option<String>,
    pub images: Vec<FoundFile>,
    /// Bytes that are free there.
    pub free: u64,
    /// What the emulator's log complains of, if anything.
    pub complaint: Option<String>,
}

impl Evidence {
    /// How the job ended. What a DOS program that was called has done to the disk, nobody can tell.
    pub fn judge(&self, mode: Mode) -> Judgement {
        let reason = self.fault().or_else(|| self.image_fault(mode));
        let outcome = reason.map_or(Outcome::Succeeded, |reason| Outcome::Failed { reason });
        let target = (!has_started(&self.marks)).then_some(TargetDisk::Untouched);
        Judgement { target, ..Judgement::of(outcome) }
    }

    /// What the marks, the error file and the log have against it.
    fn fault(&self) -> Option<String> {
        if let Some(text) = self.error_text.as_deref().map(in_one_line).filter(|text| !text.is_empty()) {
            return Some(format!("the DOS program says: {text}"));
        }
        if has(&self.marks, ERROR_FILE) {
            return Some(format!("the DOS program wrote an empty {ERROR_FILE}"));
        }
        if has(&self.marks, FAILED) {
            return Some(self.with_complaint("the DOS program ended with an errorlevel"));
        }
        if !has_started(&self.marks) {
            return Some(self.with_complaint("the emulator ended before it had started DOS's batch file"));
        }
        if !has(&self.marks, DONE) {
            return Some(self.with_complaint("the emulator ended before the DOS program had"));
        }
        self.complaint.as_ref().map(|complaint| format!("the emulator complains: {complaint}"))
    }

    fn image_fault(&self, mode: Mode) -> Option<String> {
        if mode != Mode::Backup {
            return None;
        }
        match self.images.iter().find(|file| file.name.eq_ignore_ascii_case(IMAGE)) {
            None => Some(format!("the DOS program says that all went well, and there is no {IMAGE}")),
            Some(file) if file.size == 0 => {
                Some(format!("the DOS program says that all went well, and {} is empty", file.name))
            }
            Some(_) if self.free < LEAST_FREE => Some(format!(
                "the DOS program says that all went well, and the image store is full ({} bytes are free): the end of \
                 the image may be missing",
                self.free
            )),
            Some(_) => None,
        }
    }

    fn with_complaint(&self, what: &str) -> String {
        self.complaint.as_ref().map_or_else(|| what.to_owned(), |complaint| format!("{what}: {complaint}"))
    }
}

/// Whether the batch file has come to the DOS program, by its marks.
pub fn has_started(marks: &[FoundFile]) -> bool {
    has(marks, STARTED)
}

fn has(files: &[FoundFile], name: &str) -> bool {
    files.iter().any(|file| file.name.eq_ignore_ascii_case(name))
}

/// A text in one line, cut if it is very long.
fn in_one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<FoundFile> {
        names.iter().map(|name| FoundFile { name: (*name).to_owned(), size: 9 }).collect()
    }

    /// A backup that went well.
    fn good() -> Evidence {
        Evidence {
            marks: files(&[STARTED, DONE]),
            images: files(&["IMAGE.GHO", "IMAGE001.GHS", "screens"]),
            free: 1 << 30,
            ..Evidence::default()
        }
    }

    fn reason(evidence: &Evidence, mode: Mode) -> String {
        match evidence.judge(mode).outcome {
            Outcome::Failed { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_has_succeeded_when_everything_says_so() {
        assert_eq!(good().judge(Mode::Backup).outcome, Outcome::Succeeded);
        let small_letters =
            Evidence { marks: files(&["started.txt", "done.txt"]), images: files(&["image.gho"]), ..good() };
        assert_eq!(small_letters.judge(Mode::Backup).outcome, Outcome::Succeeded);
    }

    #[test]
    fn the_programs_own_words_are_the_reason() {
        let text = Some("ABORT: 19913\r\n  the drive is full\r\n".to_owned());
        let evidence = Evidence { error_text: text, marks: files(&[STARTED, DONE, ERROR_FILE]), ..good() };
        assert_eq!(reason(&evidence, Mode::Backup), "the DOS program says: ABORT: 19913 the drive is full");
    }

    #[test]
    fn an_error_file_is_a_failure_whatever_the_marks_say() {
        let evidence = Evidence {
            error_text: Some("\r\n".to_owned()),
            marks: files(&[STARTED, DONE, "ghosterr.txt"]),
            ..good()
        };
        assert_eq!(reason(&evidence, Mode::Restore), "the DOS program wrote an empty GHOSTERR.TXT");
    }

    #[test]
    fn a_mark_that_is_missing_is_a_failure() {
        for (marks, expected) in [
            (vec![], "the emulator ended before it had started DOS's batch file: no such disk"),
            (vec![STARTED], "the emulator ended before the DOS program had: no such disk"),
            (vec![DONE], "the emulator ended before it had started DOS's batch file: no such disk"),
            (vec![STARTED, FAILED], "the DOS program ended with an errorlevel: no such disk"),
            (vec![STARTED, FAILED, DONE], "the DOS program ended with an errorlevel: no such disk"),
            (vec![STARTED, DONE], "the emulator complains: no such disk"),
        ] {
            let complaint = Some("no such disk".to_owned());
            let evidence = Evidence { marks: files(&marks), complaint, ..good() };
            for mode in Mode::ALL {
                assert_eq!(reason(&evidence, mode), expected, "{marks:?} {mode}");
            }
        }
    }

    #[test]
    fn a_disk_is_known_to_be_untouched_as_long_as_the_program_was_not_called() {
        for (marks, target) in
            [(vec![], Some(TargetDisk::Untouched)), (vec![STARTED], None), (vec![STARTED, DONE], None)]
        {
            let evidence = Evidence { marks: files(&marks), ..Evidence::default() };
            assert_eq!(evidence.judge(Mode::Restore).target, target, "{marks:?}");
        }
    }

    #[test]
    fn a_backup_without_an_image_is_a_failure() {
        let without = Evidence { images: files(&["IMAGE001.GHS"]), ..good() };
        assert_eq!(
            reason(&without, Mode::Backup),
            "the DOS program says that all went well, and there is no IMAGE.GHO"
        );
        let mut empty = good();
        empty.images[0].size = 0;
        assert_eq!(
            reason(&empty, Mode::Backup),
            "the DOS program says that all went well, and IMAGE.GHO is empty"
        );
        assert_eq!(without.judge(Mode::Restore).outcome, Outcome::Succeeded);
    }

    #[test]
    fn an_image_in_a_store_that_is_full_is_not_called_good() {
        let full = Evidence { free: LEAST_FREE - 1, ..good() };
        assert!(reason(&full, Mode::Backup).contains("the image store is full (1048575 bytes are free)"));
        for mode in [Mode::Verify, Mode::Restore] {
            assert_eq!(full.judge(mode).outcome, Outcome::Succeeded, "{mode} writes nothing to the store");
        }
        let just_not = Evidence { free: LEAST_FREE, ..good() };
        assert_eq!(just_not.judge(Mode::Backup).outcome, Outcome::Succeeded);
    }

    #[test]
    fn a_very_long_error_text_is_cut() {
        let evidence = Evidence { error_text: Some("x".repeat(10_000)), ..good() };
        assert!(reason(&evidence, Mode::Backup).len() < 600);
    }
}
