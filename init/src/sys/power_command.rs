//! What is poweroff(8), halt(8) and reboot(8) in the base root: this program under another name. It asks PID 1, which ends
//! the job first and tells the server.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ghost_contract::order::AtEnd;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{file, power};
use crate::failure::Failure;
use crate::task::NO_SWITCH;

/// A command, what asks PID 1 for it, and what it does to the machine. Those of busybox for PID 1 send the same to halt and to
/// power off. A machine that is only halted would stay on.
struct Command {
    name: &'static str,
    signal: Signal,
    /// The same with `-f`. The kernel sends these signals for limits and timers that PID 1 does not have.
    forced: (&'static str, Signal),
    leaves: AtEnd,
}

const COMMANDS: [Command; 3] = [
    Command {
        name: "poweroff",
        signal: Signal::SIGUSR2,
        forced: ("poweroff -f", Signal::SIGXCPU),
        leaves: AtEnd::PowerOff,
    },
    Command {
        name: "halt",
        signal: Signal::SIGUSR1,
        forced: ("halt -f", Signal::SIGXFSZ),
        leaves: AtEnd::PowerOff,
    },
    Command {
        name: "reboot",
        signal: Signal::SIGQUIT,
        forced: ("reboot -f", Signal::SIGVTALRM),
        leaves: AtEnd::Reboot,
    },
];

/// How soon PID 1 has begun to leave if it still can: its loop waits for nothing.
const SOON: Duration = Duration::from_secs(5);

/// What PID 1 is asked for: by which command, and how the machine is to be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The job is ended first.
    End(&'static str, AtEnd),
    LeaveAtOnce(&'static str, AtEnd),
}

/// Under which name the kernel lists PID 1 if it is this program.
const PID_ONE: &str = "ghost-init";
const ITS_NAME: &str = "/proc/1/comm";

/// Whether a program of this name is one of them.
pub fn is_one(name: &str) -> bool {
    COMMANDS.iter().any(|command| command.name == name)
}

/// What PID 1 is asked for by a signal.
pub(crate) fn asked_by(signal: Signal) -> Option<Wish> {
    COMMANDS.iter().find_map(|command| match signal {
        asked if asked == command.signal => Some(Wish::End(command.name, command.leaves)),
        asked if asked == command.forced.1 => Some(Wish::LeaveAtOnce(command.forced.0, command.leaves)),
        _ => None,
    })
}

/// The signals that PID 1 must not miss.
pub(crate) fn signals() -> impl Iterator<Item = Signal> {
    COMMANDS.iter().flat_map(|command| [command.signal, command.forced.1])
}

/// Has the kernel list this program by its own name; as /init of an initramfs it would have another.
pub fn take_name() -> anyhow::Result<()> {
    nix::sys::prctl::set_name(c"ghost-init").context("cannot take a name")
}

/// Asks PID 1; with `-f` the kernel itself if PID 1 does nothing.
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
    let pid_one = Pid::from_raw(1);
    if !is_forced {
        return kill(pid_one, command.signal).context("cannot ask PID 1");
    }
    let how = power::switch().way_out(command.leaves);
    if how != command.leaves {
        eprintln!("{name}: {NO_SWITCH}; booting its own disk instead");
    }
    // PID 1 knows its watchdogs too, of which some would switch the machine on again.
    if kill(pid_one, command.forced.1).is_ok() {
        thread::sleep(SOON);
    }
    Err(power::leave(how))
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
        let asked: Vec<_> = signals().map(|signal| asked_by(signal).unwrap()).collect();
        let expected = [
            Wish::End("poweroff", AtEnd::PowerOff),
            Wish::LeaveAtOnce("poweroff -f", AtEnd::PowerOff),
            Wish::End("halt", AtEnd::PowerOff),
            Wish::LeaveAtOnce("halt -f", AtEnd::PowerOff),
            Wish::End("reboot", AtEnd::Reboot),
            Wish::LeaveAtOnce("reboot -f", AtEnd::Reboot),
        ];
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
