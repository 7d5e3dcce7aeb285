//! Decides the outcome of a DOS job from what the imager has left.
//!
//! The rule: a job has succeeded only if everything says so. There must be a mark of success, no mark of failure, no
//! error file, and after a backup an image that is not empty.
//!
//! Two batch files write marks: ours and the HOWTO's. The HOWTO's writes `BackUpName.sta` before it calls Ghost, and
//! afterwards `BackUpName.end` with the error text, if there is one, and the words `Ghost exited`.

use ghost_contract::Mode;
use ghost_contract::image::TargetDisk;
use ghost_contract::report::Outcome;

use super::Judgement;

/// Left by the batch file before the DOS program is called. DOS writes names of files in capitals or in small
/// letters, as the emulator likes, so letter case never counts.
pub(crate) const STARTED: &str = "STARTED.TXT";
/// Left when the program ended with errorlevel 0.
pub(crate) const DONE: &str = "DONE.TXT";
/// Left when it ended with another one.
pub(crate) const FAILED: &str = "FAILED.TXT";
/// Left by the HOWTO's batch file before Ghost is called.
pub(crate) const BEGINNING: &str = "IMAGE.STA";
/// Left by it when Ghost has ended, however that was.
pub(crate) const END: &str = "IMAGE.END";
/// The line of the log that says that the program ended.
const EXITED: &str = "ghost exited";
/// Ghost's own account of what went wrong, in the current folder: M:, or Z: with the HOWTO's batch file.
pub(crate) const ERROR_FILE: &str = "GHOSTERR.TXT";
/// The first file of an image, and the beginning of the names of all.
const IMAGE: &str = "IMAGE.GHO";
/// So much of an error file is put into the outcome.
const LONGEST_REASON: usize = 500;

/// A store with less room than this, in bytes, is full. What DOS has written may then have been refused only when
/// its file was closed, long after DOS was told that all went well; so the end of the image may be missing.
const LEAST_FREE: u64 = 1 << 20;

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// Its name, as it stands in the folder.
    pub name: String,
    /// The file's size in bytes.
    pub size: u64,
}

/// What an imager left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub marks: Vec<FoundFile>,
    /// What is in the error file, if there is one.
    pub error_text: Option<String>,
    /// What is in the HOWTO's first mark, if there is one.
    pub beginning: Option<String>,
    /// What is in its second.
    pub end: Option<String>,
    pub images: Vec<FoundFile>,
    /// Bytes that are free there.
    pub free: u64,
    /// What the emulator's log complains of, if anything.
    pub complaint: Option<String>,
}

impl Evidence {
    /// How the job ended. If the DOS program was called, it is unknown what it did to the disk.
    pub(crate) fn judge(&self, mode: Mode) -> Judgement {
        let reason = self.fault().or_else(|| self.image_fault(mode));
        let outcome = reason.map_or(Outcome::Succeeded, |reason| Outcome::Failed { reason });
        let target = (!self.has_started()).then_some(TargetDisk::Untouched);
        Judgement { target, ..Judgement::of(outcome) }
    }

    fn has_started(&self) -> bool {
        has(&self.marks, STARTED) || self.beginning.is_some()
    }

    fn has_exited(&self) -> bool {
        let says_so = |text: &String| text.to_ascii_lowercase().contains(EXITED);
        has(&self.marks, DONE) || self.end.as_ref().is_some_and(says_so)
    }

    /// The error text in the HOWTO's second mark: its lines without those that every end writes.
    fn text_at_the_end(&self) -> Option<String> {
        let lines = self.end.as_deref()?.lines().filter(|line| !line.to_ascii_lowercase().contains(EXITED));
        Some(in_one_line(&lines.collect::<Vec<_>>().join(" "))).filter(|text| !text.is_empty())
    }

    /// What the marks, the error file and the log have against it.
    fn fault(&self) -> Option<String> {
        let error_text = self.error_text.as_deref().map(in_one_line).filter(|text| !text.is_empty());
        if let Some(text) = error_text.or_else(|| self.text_at_the_end()) {
            return Some(format!("the DOS program says: {text}"));
        }
        if self.error_text.is_some() || has(&self.marks, ERROR_FILE) {
            return Some(format!("the DOS program wrote an empty {ERROR_FILE}"));
        }
        if has(&self.marks, FAILED) {
            return Some(self.with_complaint(if self.has_started() {
                "the DOS program ended with an errorlevel"
            } else {
                "the boot floppy's batch file did not call the DOS program: DOS has no drive Z:, or the floppy no GHOST.EXE"
            }));
        }
        if !self.has_started() {
            let what = "the emulator ended before it had started DOS's batch file";
            return Some(match &self.complaint {
                None => format!(
                    "{what}, or DOS has no drives up to Z: (CONFIG.SYS of the boot floppy needs LASTDRIVE=Z; under dosemu2 FreeDOS needs a KERNEL.SYS of 2043 or later, as in FreeDOS 1.3)"
                ),
                Some(complaint) => format!("{what}: {complaint}"),
            });
        }
        if !self.has_exited() {
            return Some(self.with_complaint("the emulator ended before the DOS program did"));
        }
        self.complaint.as_ref().map(|complaint| format!("the emulator complains: {complaint}"))
    }

    fn image_fault(&self, mode: Mode) -> Option<String> {
        if mode != Mode::Backup {
            return None;
        }
        match self.images.iter().find(|file| file.name.eq_ignore_ascii_case(IMAGE)) {
            None => Some(format!("the DOS program reports success, but there is no {IMAGE}")),
            Some(file) if file.size == 0 => {
                Some(format!("the DOS program reports success, but {} is empty", file.name))
            }
            Some(_) if self.free < LEAST_FREE => Some(format!(
                "the DOS program reports success, but the image store is full ({} bytes are free): the end of \
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

/// Whether a file of this name is there; letter case never counts.
pub(crate) fn has(files: &[FoundFile], name: &str) -> bool {
    files.iter().any(|file| file.name.eq_ignore_ascii_case(name))
}

/// A text in one line, cut if it is very long.
pub(super) fn in_one_line(text: &str) -> String {
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

    /// What the HOWTO's batch file leaves beside an image: no mark of ours.
    fn howto(end: Option<&str>) -> Evidence {
        let beginning = Some("Ghost started\r\n".to_owned());
        Evidence { marks: Vec::new(), beginning, end: end.map(str::to_owned), ..good() }
    }

    #[test]
    fn the_marks_of_the_howto_count() {
        assert_eq!(howto(Some("Ghost exited\r\n")).judge(Mode::Backup).outcome, Outcome::Succeeded);
        for (end, expected) in [
            (None, "the emulator ended before the DOS program did"),
            (Some(""), "the emulator ended before the DOS program did"),
            (
                Some("ABORT: 19913\r\n  drive full\r\nGhost exited\r\n"),
                "the DOS program says: ABORT: 19913 drive full",
            ),
        ] {
            assert_eq!(reason(&howto(end), Mode::Backup), expected, "{end:?}");
        }
        let with_error_file =
            Evidence { error_text: Some("ABORT".to_owned()), ..howto(Some("Ghost exited")) };
        assert_eq!(reason(&with_error_file, Mode::Backup), "the DOS program says: ABORT");
        assert_eq!(howto(None).judge(Mode::Backup).target, None, "Ghost was called");
    }

    #[test]
    fn without_any_mark_it_may_be_the_drives_that_are_missing() {
        let reason = reason(&Evidence { marks: Vec::new(), ..good() }, Mode::Backup);
        assert!(reason.contains("LASTDRIVE=Z"), "{reason}");
    }

    #[test]
    fn a_batch_file_that_did_not_call_the_program_says_why() {
        let evidence = Evidence { marks: files(&["FAILED.TXT"]), ..good() };
        let reason = reason(&evidence, Mode::Restore);
        assert!(reason.contains("did not call the DOS program: DOS has no drive Z:"), "{reason}");
        assert_eq!(evidence.judge(Mode::Restore).target, Some(TargetDisk::Untouched));
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
            (vec![STARTED], "the emulator ended before the DOS program did: no such disk"),
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
            "the DOS program reports success, but there is no IMAGE.GHO"
        );
        let mut empty = good();
        empty.images[0].size = 0;
        assert_eq!(reason(&empty, Mode::Backup), "the DOS program reports success, but IMAGE.GHO is empty");
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
