//! Running a program of the host to its end.

use std::io;
use std::process::{Command, Output};

/// A program did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// It could not be started.
    #[error("cannot run {program}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed ({status}): {said}")]
    Failed {
        program: String,
        status: std::process::ExitStatus,
        /// What it said about it.
        said: String,
    },
}

/// Runs `command` and gives what it wrote to its standard output.
pub fn run(command: &mut Command) -> Result<String, ShellError> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ShellError::Failed {
        program: words(command),
        status: output.status,
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn output(command: &mut Command) -> Result<Output, ShellError> {
    command.output().map_err(|source| ShellError::Start { program: words(command), source })
}

/// The command line, for people.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
