//! What is poweroff(8), halt(8) and reboot(8) in the base root: this program under another name. It asks PID 1, which ends
//! the job first and tells the server.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use ghost_contract::order::AtEnd;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{file, power};
use crate::failure::Failure;

/// A command, what asks PID 1 for it, and what it does to the machine. Those of busybox for PID 1 send the same to halt and to
/// power off. A machine that is only halted would stay on.
struct Command {
    name: &'static str,
    signal: Signal,
    leaves: AtEnd,
}

const COMMANDS: [Command; 3] = [
    Command { name: "poweroff", signal: Signal::SIGUSR2, leaves: AtEnd::PowerOff },
    Command { name: "halt", signal: Signal::SIGUSR1, leaves: AtEnd::PowerOff },
    Command { name: "reboot", signal: Signal::SIGQUIT, leaves: AtEnd::Reboot },
];

/// Under which name the kernel lists PID 1 if it is this program.
const PID_ONE: &str = "ghost-init";
const ITS_NAME: &str = "/proc/1/comm";

/// Whether a program of this name is one of them.
pub fn is_one(name: &str) -> bool {
    COMMANDS.iter().any(|command| command.name == name)
}

/// What PID 1 is asked for by a signal: the command's name, and how the machine is to be left.
pub(crate) fn asked_by(signal: Signal) -> Option<(&'static str, AtEnd)> {
    let command = COMMANDS.iter().find(|command| command.signal == signal)?;
    Some((command.name, command.leaves))
}

/// The signals that PID 1 must not miss.
pub(crate) fn signals() -> impl Iterator<Item = Signal> {
    COMMANDS.iter().map(|command| command.signal)
}

/// Has the kernel list this program by its own name; as /init of an initramfs it would have another.
pub fn take_name() -> anyhow::Result<()> {
    nix::sys::prctl::set_name(c"ghost-init").context("cannot take a name")
}

/// Asks PID 1, or with `-f` the kernel itself.
pub fn run(name: &str, arguments: impl Iterator<Item = String>) -> ExitCode {
    match ask(name, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", Failure::from(error));
            ExitCode::FAILURE
        }
    }
}

fn ask(name: &str, arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.with_context(|| format!("there is no command {name}"))?;
    let mut is_forced = false;
    for argument in arguments {
        match argument.as_str() {
            "-f" | "--force" => is_forced = true,
            // What others make of these is done here anyway.
            "-p" | "--poweroff" | "-n" | "-w" => {}
            other => bail!("{other} is not known; -f leaves at once, and the job is not ended first"),
        }
    }
    ensure!(
        is_there(&file::text(Path::new(ITS_NAME))?),
        "PID 1 of this machine is not ghost-init, so nothing was done"
    );
    if is_forced {
        return Err(power::leave(command.leaves));
    }
    kill(Pid::from_raw(1), command.signal).context("cannot ask PID 1")
}

/// In a chroot of the base root on the boot server, PID 1 is the boot server's own.
fn is_there(comm: &str) -> bool {
    comm.trim_end() == PID_ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_asked_for_by_a_signal_of_its_own_and_does_what_it_says() {
        let asked = COMMANDS.map(|command| asked_by(command.signal).unwrap());
        let expected = [("poweroff", AtEnd::PowerOff), ("halt", AtEnd::PowerOff), ("reboot", AtEnd::Reboot)];
        assert_eq!(asked, expected);
        assert_eq!(asked_by(Signal::SIGTERM), None);
    }

    #[test]
    fn on_a_machine_with_another_pid_1_nothing_is_done() {
        assert!(is_there("ghost-init\n") && !is_there("systemd\n") && !is_there("init\n"));
        for arguments in [vec![], vec!["-f".to_owned()]] {
            let error = ask("poweroff", arguments.into_iter()).unwrap_err().to_string();
            assert!(error.starts_with("PID 1 of this machine is not ghost-init"), "{error}");
        }
    }

    #[test]
    fn a_flag_that_is_not_known_is_an_error_that_names_it() {
        let error = ask("reboot", ["--frimware".to_owned()].into_iter()).unwrap_err().to_string();
        assert!(error.starts_with("--frimware is not known"), "{error}");
    }
}
