//! What a shell offers after Tab: verbs, flags and, wherever a host is meant, the hosts of the DHCP configuration.
//!
//! The script that a shell loads only asks this program what may come next, with the words so far behind `--`:
//!
//! ```text
//! shell: ghostctl backup jo⇥ ──▶ GHOSTCTL_COMPLETE=bash ghostctl -- ghostctl backup jo ──▶ john joe
//! ```
//! clap_complete's dynamic engine, rather than a script of our own for each shell: it comes from the same definitions as
//! the flags, and knows how each shell wants to be answered. It calls itself unstable, so a new version may need changes here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::env::{CompleteEnv, EnvCompleter};
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::ghostrc;
use crate::output;
use crate::site::Site;

/// The variable by which a shell's script asks. Not `COMPLETE`, which an administrator may have set for something else.
const VARIABLE: &str = "GHOSTCTL_COMPLETE";
const PROGRAM: &str = "ghostctl";

/// Answers a shell that asks what may come next. None: this is an ordinary call.
pub fn answer() -> Option<Exit> {
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    match asked.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(Exit::Done),
        Err(error) => {
            output::complain(&error);
            Some(Exit::Failed)
        }
    }
}

/// The script that makes a shell ask.
pub(crate) fn script(shell: &dyn EnvCompleter) -> std::io::Result<Vec<u8>> {
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    Ok(script)
}

/// The command line's definition, in which every host is completed.
fn command() -> Command {
    with_hosts(Cli::command())
}

fn with_hosts(command: Command) -> Command {
    let is_host = |arg: &Arg| {
        let mut names = arg.get_value_names().unwrap_or_default().iter();
        names.any(|name| name == "HOST" || name == "HOST|MAC")
    };
    let command =
        command.mut_args(|arg| if is_host(&arg) { arg.add(ArgValueCandidates::new(hosts)) } else { arg });
    command.mut_subcommands(with_hosts)
}

/// The hosts. Empty if the files cannot be read, since a shell shows no message here.
fn hosts() -> Vec<CompletionCandidate> {
    let site = Site::open(&settings(std::env::args_os().skip_while(|word| word != "--")), Duration::ZERO);
    let hosts = site.ok().and_then(|site| site.hosts().ok()).map(|hosts| hosts.list());
    hosts.into_iter().flatten().map(|host| CompletionCandidate::new(host.name)).collect()
}

/// The settings that the words so far name.
fn settings(mut words: impl Iterator<Item = std::ffi::OsString>) -> PathBuf {
    while let Some(word) = words.next() {
        let attached = word.to_str().and_then(|word| word.strip_prefix("--config="));
        let named = if word == "--config" { words.next() } else { attached.map(Into::into) };
        if let Some(named) = named {
            return PathBuf::from(named);
        }
    }
    PathBuf::from(ghostrc::PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_those_that_the_command_line_names() {
        let found = |words: &[&str]| settings(words.iter().map(Into::into));
        assert_eq!(found(&["--", "ghostctl", "backup", ""]), PathBuf::from("/etc/ghostrc"));
        assert_eq!(found(&["--", "ghostctl", "--config", "/a", "backup"]), PathBuf::from("/a"));
        assert_eq!(found(&["--", "ghostctl", "backup", "--config=/a"]), PathBuf::from("/a"));
    }

    #[test]
    fn the_definitions_stay_sound() {
        command().debug_assert();
    }
}
