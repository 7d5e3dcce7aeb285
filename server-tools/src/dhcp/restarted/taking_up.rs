//! Restarts the server, and sees that it runs with the configuration.
//!
//! A restart that failed may have started it all the same, a little later than anybody waited for it. So what is tried again
//! looks first, and a healthy server is not restarted a second time.
//!
//! ```text
//! files as at the last try that failed? ──no──▶ command ──▶ another process serves them ──▶ taken up
//!    └─yes─▶ a process begun since serves them ──▶ taken up                └─ none ──▶ the try is written down
//! ```

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Program;
use super::running::{self, Command, Missing};
use crate::exit::{Exit, WithExit as _};
use crate::sys::private;
use crate::sys::process::Identity;
use crate::sys::service::{self, RunError};

/// One restart, and what is known for it.
#[derive(Debug)]
pub(super) struct TakingUp<'a> {
    pub program: &'static Program,
    /// The restart command.
    pub words: Vec<String>,
    pub configuration: &'a Path,
    /// The files of the configuration; none if it cannot be read.
    pub files: Option<Vec<Stamp>>,
    /// The part of the state folder that is about restarts.
    pub folder: &'a Path,
    /// How long the command may take.
    pub deadline: Duration,
}

/// A file as it is now: any edit makes another one of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    file: PathBuf,
    device: u64,
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    /// None if the file cannot be looked at.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(file).ok()?;
        Some(Self {
            file: file.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.len(),
        })
    }
}

/// A restart that has failed.
#[derive(Debug, Serialize, Deserialize)]
struct Tried {
    /// Which ghostctl has tried: another one is a person who has mended something.
    by: u32,
    /// What its command's processes have inherited.
    mark: String,
    files: Vec<Stamp>,
    /// Every process of the server that ran before it.
    before: Vec<Identity>,
}

impl TakingUp<'_> {
    pub(super) fn perform(&self) -> anyhow::Result<()> {
        if let Some(tried) = self.tried() {
            match self.wait_for_another(&tried.before, Command::Earlier(&tried.mark))? {
                Ok(()) => return self.runs_here(),
                // It would only be restarted with that configuration once more.
                Err(missing @ Missing::Others(_)) if tried.by == std::process::id() => {
                    return Err(self.not_restarted(missing));
                }
                Err(_) => {}
            }
        }
        let before = running::all(self.program)?;
        let serving = running::serving(self.program, &before, self.configuration);
        if !serving.is_empty() {
            self.remember_that_it_is_seen();
        }
        let before: Vec<Identity> = before.into_iter().map(|process| process.identity).collect();
        let mark = service::mark();
        self.keep(&before, &mark);
        match service::run_sparing(&self.words, self.deadline, &mark, self.program.name) {
            Ok(_) if serving.is_empty() && !self.is_seen() => return self.taken_up(),
            Ok(_) => {}
            // What it was to do, it has done.
            Err(hung @ RunError::Hung { .. }) => {
                let became = self.wait_for_another(&before, Command::Earlier(&mark))?;
                became.map_err(|_missing| hung).exit(Exit::Configuration)?;
                return self.runs_here();
            }
            Err(error) => return Err(error).exit_by_default(Exit::Configuration),
        }
        match self.wait_for_another(&before, Command::JustEnded(&mark))? {
            Ok(()) => self.runs_here(),
            Err(missing) => Err(self.not_restarted(missing)),
        }
    }

    fn wait_for_another(
        &self,
        before: &[Identity],
        command: Command<'_>,
    ) -> anyhow::Result<Result<(), Missing>> {
        running::wait_for_another(self.program, self.configuration, before, command)
    }

    fn not_restarted(&self, missing: Missing) -> anyhow::Error {
        let command = self.words.join(" ");
        missing
            .in_words(self.program, self.configuration)
            .context(format!("'{command}' did not restart the DHCP server"))
            .exit(Exit::Configuration)
    }

    /// The last restart, if it failed and the files are as they were then.
    fn tried(&self) -> Option<Tried> {
        let tried: Tried = serde_json::from_slice(&std::fs::read(self.folder.join("tried")).ok()?).ok()?;
        (Some(&tried.files) == self.files.as_ref()).then_some(tried)
    }

    fn keep(&self, before: &[Identity], mark: &str) {
        let Some(files) = self.files.clone() else { return };
        let tried = Tried { by: std::process::id(), mark: mark.to_owned(), files, before: before.to_vec() };
        // Where it cannot be written, the server is restarted once more if this fails.
        let _unsaid =
            serde_json::to_vec(&tried).map(|text| private::write(&self.folder.join("tried"), &text));
    }

    fn runs_here(&self) -> anyhow::Result<()> {
        self.remember_that_it_is_seen();
        self.taken_up()
    }

    fn taken_up(&self) -> anyhow::Result<()> {
        // Who finds it later looks whether its files are the same, and who serves them.
        let _stays = std::fs::remove_file(self.folder.join("tried"));
        Ok(())
    }

    /// With which command the server was seen running here: then it must run after each restart.
    fn seen_with(&self) -> String {
        format!("{} for {}\n", self.words.join(" "), self.configuration.display())
    }

    fn remember_that_it_is_seen(&self) {
        // Without it a server that is down before the restart is not waited for.
        let _unsaid = private::write(&self.folder.join("seen"), self.seen_with().as_bytes());
    }

    pub(super) fn is_seen(&self) -> bool {
        std::fs::read_to_string(self.folder.join("seen")).is_ok_and(|seen| seen == self.seen_with())
    }
}

/// The files of a configuration as they are now; none if one cannot be looked at.
pub(super) fn stamps<'a>(files: impl Iterator<Item = &'a Path>) -> Option<Vec<Stamp>> {
    files.map(Stamp::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::sample::effects::write_program;
    use std::fs;

    /// A folder with a `dhcpd` that only runs, and a restart command.
    struct Here(tempfile::TempDir);

    /// Ends the dhcpd that there is.
    const STOP: &str = "[ ! -e FOLDER/pid ] || kill -9 $(cat FOLDER/pid); rm -f FOLDER/pid";
    /// Starts one in the background of the command's own process group. As with a daemon, the process is there when that has ended.
    const START: &str =
        "FOLDER/dhcpd -q -cf FOLDER/dhcpd.conf >/dev/null 2>&1 </dev/null & echo $! > FOLDER/pid
        until grep -qa -- -cf /proc/$!/cmdline; do sleep 0.01; done";

    impl Here {
        fn new() -> Self {
            let here = Self(tempfile::tempdir().unwrap());
            fs::write(here.path("dhcpd.conf"), "").unwrap();
            // Without another process that would be taken for something that may still start it.
            nix::unistd::mkfifo(&here.path("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
            here.script("dhcpd", &["read never < FOLDER/fifo"]);
            here
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn script(&self, name: &str, lines: &[&str]) {
            let folder = self.path("").display().to_string();
            let text = format!("#!/bin/sh\n{}\n", lines.join("\n")).replace("FOLDER/", &folder);
            write_program(&self.path(name), &text);
        }

        /// A restart by a command that does this.
        fn restart(&self, lines: &[&str], deadline: Duration) -> anyhow::Result<()> {
            self.script("service", &[&["echo x >> FOLDER/restarts"], lines].concat());
            let (folder, configuration) = (self.path(""), self.path("dhcpd.conf"));
            let taking_up = TakingUp {
                program: &crate::dhcp::isc::PROGRAM,
                words: vec![self.path("service").display().to_string(), "restart".to_owned()],
                configuration: &configuration,
                files: stamps([configuration.as_path()].into_iter()),
                folder: &folder,
                deadline,
            };
            taking_up.perform()
        }

        fn restarts(&self) -> usize {
            fs::read_to_string(self.path("restarts")).unwrap().lines().count()
        }

        fn runs(&self) -> bool {
            let pid = fs::read_to_string(self.path("pid")).unwrap();
            fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z"))
        }
    }

    impl Drop for Here {
        fn drop(&mut self) {
            self.script("service", &[STOP]);
            std::process::Command::new(self.path("service")).status().unwrap();
        }
    }

    const LONG: Duration = Duration::from_secs(60);
    /// Within this a command that hangs has done what it does before.
    const DONE_BY_THEN: Duration = Duration::from_secs(5);
    const SHORT: Duration = Duration::from_secs(1);

    #[test]
    fn a_command_that_hangs_after_it_has_started_dhcpd_has_restarted_it_and_dhcpd_lives() {
        let here = Here::new();
        here.restart(&[STOP, START], LONG).unwrap();
        here.restart(&[STOP, START, "sleep 60"], DONE_BY_THEN).unwrap();
        assert!(here.runs());
        let error = here.restart(&[STOP, "sleep 60"], SHORT).unwrap_err();
        assert!(error.to_string().contains("did not end within 1 s and was killed"), "{error:#}");
    }

    #[test]
    fn one_that_comes_late_is_waited_for_while_the_command_has_left_something_that_runs() {
        let here = Here::new();
        here.restart(&[STOP, START], LONG).unwrap();
        let later = "setsid sh -c 'sleep 7; exec FOLDER/dhcpd -q -cf FOLDER/dhcpd.conf' >/dev/null 2>&1 </dev/null & echo $! > FOLDER/pid";
        here.restart(&[STOP, later], LONG).unwrap();
        assert_eq!((here.restarts(), here.runs()), (2, true));
    }

    #[test]
    fn one_that_has_come_since_the_last_try_is_not_restarted_again_unless_the_files_are_others() {
        let here = Here::new();
        here.restart(&[STOP, START], LONG).unwrap();
        here.restart(&[STOP, START, "exit 1"], LONG).unwrap_err();
        here.restart(&[STOP, START], LONG).unwrap();
        assert_eq!(here.restarts(), 2, "it runs with these files already");
        here.restart(&[STOP, START, "exit 1"], LONG).unwrap_err();
        fs::write(here.path("dhcpd.conf"), "# edited\n").unwrap();
        here.restart(&[STOP, START], LONG).unwrap();
        assert_eq!(here.restarts(), 4);
    }

    #[test]
    fn a_server_that_comes_up_with_another_configuration_is_told_and_not_restarted_again() {
        let here = Here::new();
        here.restart(&[STOP, START], LONG).unwrap();
        let other = START.replace("-cf FOLDER/dhcpd.conf", "-cf FOLDER/other.conf");
        for _ in 0..2 {
            let error = here.restart(&[STOP, &other], LONG).unwrap_err();
            let words = format!("{error:#}");
            assert!(words.contains("other.conf") && words.contains("DHCPDCONF"), "{words}");
        }
        assert_eq!(here.restarts(), 2);
    }

    #[test]
    fn a_server_that_goes_on_beside_the_new_one_is_told_with_both_processes() {
        let here = Here::new();
        here.restart(&[STOP, START], LONG).unwrap();
        let old = fs::read_to_string(here.path("pid")).unwrap();
        let error = here.restart(&["cp FOLDER/pid FOLDER/old", START], LONG).unwrap_err();
        let new = fs::read_to_string(here.path("pid")).unwrap();
        let words = format!("{error:#}");
        assert!(words.contains("two DHCP servers run"), "{words}");
        for pid in [old.trim(), new.trim()] {
            assert!(
                words.contains(&format!("process {pid} that ran before"))
                    || words.contains(&format!("and {pid};")),
                "{words}"
            );
        }
        let later = "sh -c 'sleep 2; kill -9 $(cat FOLDER/old)' >/dev/null 2>&1 </dev/null &";
        here.restart(&["kill -9 $(cat FOLDER/pid)", later, START], LONG).unwrap();
        assert!(here.runs(), "the old one may take a moment");
    }
}
