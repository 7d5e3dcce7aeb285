//! A server's own checker: it is asked about the configuration as it is, or as it would be.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::Change;
use super::private_copy::PrivateCopy;
use super::text::absolute;
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::CommandLine;
use crate::sys::regular;
use crate::sys::service::{self, RunError};

/// How long a checker may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Displayed as a person would call it.
#[derive(Debug)]
pub struct Checker {
    command: CommandLine,
    /// The file in which the configuration begins.
    pub(super) configuration: PathBuf,
}

impl Checker {
    /// The one that the settings name, else the server's own, which looks at the file that stands for `FILE`.
    pub(super) fn new(
        configuration: &Path,
        named: Option<CommandLine>,
        program: &str,
        words: &[&str],
    ) -> Self {
        let command = named.unwrap_or_else(|| CommandLine::of(program, words));
        Self { command, configuration: configuration.to_owned() }
    }

    /// Has the configuration checked as it would be with these changes. `copy` makes a private one with them.
    pub(super) fn check(
        &self,
        changes: &[Change],
        copy: impl FnOnce() -> anyhow::Result<PrivateCopy>,
    ) -> anyhow::Result<()> {
        if changes.is_empty() {
            // A FIFO would hold the checker up.
            regular::read(&self.configuration)
                .with_context(|| format!("cannot read {}", self.configuration.display()))
                .exit_by_default(Exit::Configuration)?;
            return self.ask(&self.configuration).exit_by_default(Exit::Configuration);
        }
        let copy = copy()?;
        self.ask(copy.main().unwrap_or(&self.configuration))
            .map_err(|error| error.in_other_words(|words| copy.in_words_of_the_files(words)))
            .exit(Exit::Configuration)
    }

    pub(super) fn ask(&self, file: &Path) -> Result<(), RunError> {
        let mut words = vec![self.command.program().to_owned()];
        words.extend(self.command.for_file(file).iter().map(|word| word.to_string_lossy().into_owned()));
        service::run(&words, DEADLINE)?;
        Ok(())
    }

    /// Reads the configuration as it would be with these changes. `table` makes a table of the main file's
    /// bytes, and asks for each included file.
    pub(super) fn read_with<T, E>(
        &self,
        changes: &[Change],
        table: impl FnOnce(Vec<u8>, &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>) -> Result<T, E>,
    ) -> anyhow::Result<T>
    where
        anyhow::Error: From<E>,
    {
        let mut content = |path: &Path| contents(path, changes);
        let bytes = content(&self.configuration)
            .with_context(|| format!("cannot read {}", self.configuration.display()))?;
        Ok(table(bytes, &mut content)?)
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.command.fmt(f)
    }
}

fn contents(path: &Path, changes: &[Change]) -> io::Result<Vec<u8>> {
    let path = absolute(path);
    let changed = changes.iter().find(|change| change.file == path);
    changed.map_or_else(|| regular::read(&path), |change| Ok(change.contents.clone()))
}
