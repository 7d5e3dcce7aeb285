//! A server that takes its configuration up by a restart only, whichever it is: the command, and what is seen of it.

mod running;
mod taking_up;
mod way;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Advice, Running};
use crate::ghostrc::{CommandLine, Ghostrc};
use crate::state::paths;
use crate::sys::process::Process;
use crate::sys::service;
use taking_up::{TakingUp, stamps};
use way::SHOW_DEADLINE;

/// How long the restart command may take. A service manager's own limit is 90 s (systemd-system.conf(5)).
const RESTART_DEADLINE: Duration = Duration::from_secs(120);

/// What a server is called, and how its processes are told apart.
#[derive(Debug)]
pub(super) struct Program {
    /// Of its processes.
    pub(super) name: &'static str,
    /// The service that is restarted, unless the settings name a command.
    pub(super) unit: &'static str,
    /// The configurations that a process of it may read, by its arguments. None of a checker.
    pub(super) read_by: fn(&Process) -> Vec<PathBuf>,
}

/// The server of this kind at a boot server.
#[derive(Debug)]
pub(super) struct Restarted {
    program: &'static Program,
    configuration: PathBuf,
    restart: CommandLine,
    /// Between restarts, where systemd does not tell.
    distance: Duration,
    /// What is kept about restarts.
    kept: PathBuf,
}

impl Restarted {
    pub(super) fn new(program: &'static Program, ghostrc: &Ghostrc, configuration: &Path) -> Self {
        let own = || CommandLine::of("systemctl", &["restart", program.unit]);
        Self {
            program,
            configuration: configuration.to_owned(),
            restart: ghostrc.dhcp_restart.clone().unwrap_or_else(own),
            distance: ghostrc.restart_distance,
            kept: paths::restarts(&ghostrc.state_folder),
        }
    }

    /// Restarts it. `files` are those of its configuration, if that can be read.
    pub(super) fn take_up(&self, files: Option<Vec<PathBuf>>) -> anyhow::Result<()> {
        let files = files.and_then(|files| stamps(files.iter().map(PathBuf::as_path)));
        TakingUp { files, ..self.taking_up() }.perform()
    }

    /// The restart command.
    pub(super) fn command(&self) -> Vec<String> {
        [&[self.restart.program().to_owned()], self.restart.arguments()].concat()
    }

    /// One that is not performed.
    fn taking_up(&self) -> TakingUp<'_> {
        TakingUp {
            program: self.program,
            words: self.command(),
            configuration: &self.configuration,
            files: None,
            folder: &self.kept,
            deadline: RESTART_DEADLINE,
        }
    }

    /// Whether it could be restarted now. Changes nothing.
    pub(super) fn way(&self) -> Result<String, Advice> {
        way::look(&self.restart, self.program.unit)
    }

    pub(super) fn running(&self) -> Running {
        Running::of(self.program.name, &self.configuration, self.program.read_by)
    }

    pub(super) fn has_gone(&self) -> Option<String> {
        let name = self.program.name;
        let words = match self.running() {
            Running::Nobody => {
                format!("{name} does not run any more; its log says why (journalctl, /var/log/syslog)")
            }
            Running::Others(read) => format!(
                "the {name} that runs reads {} and not {}; have it started with that file",
                running::listed(&read),
                self.configuration.display()
            ),
            Running::Ours | Running::Unknown(_) => return None,
        };
        self.taking_up().is_seen().then_some(words)
    }

    pub(super) fn distance(&self) -> Duration {
        let program = Path::new(self.restart.program()).file_name();
        let unit = self.restart.arguments().iter().find(|word| *word != "restart" && !word.starts_with('-'));
        let Some(unit) = unit.filter(|_| program.is_some_and(|name| name == "systemctl")) else {
            return self.distance;
        };
        let show =
            [self.restart.program(), "show", "-p", "StartLimitIntervalUSec", "-p", "StartLimitBurst", unit];
        let shown = service::run(&show.map(str::to_owned), SHOW_DEADLINE);
        shown.ok().and_then(|shown| running::distance(&shown)).unwrap_or(self.distance)
    }
}
