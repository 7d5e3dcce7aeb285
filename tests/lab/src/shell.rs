//! Runs a program of the host and returns an error if it fails.

use std::process::Command;

use anyhow::{Context, bail};

/// Runs `command` and gives what it wrote to its standard output.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", words(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("{} failed ({}): {}", words(command), output.status, said.trim());
}

/// The command line, for people.
fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
