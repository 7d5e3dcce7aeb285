//! Whether the command is there that restarts the server, and the service that it restarts. Changes nothing.

use std::path::Path;
use std::time::Duration;

use crate::dhcp::Advice;
use crate::ghostrc::CommandLine;
use crate::sys::{program, service};

/// How long systemd may take to tell of a unit.
pub(super) const SHOW_DEADLINE: Duration = Duration::from_secs(5);

pub(super) fn look(restart: &CommandLine, unit: &str) -> Result<String, Advice> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mend = || {
        format!("set DHCPD in ghostrc to what restarts the DHCP server, such as 'systemctl restart {unit}'")
    };
    let unfit = |what| Err(Advice { what, mend: mend() });
    let found = match program::find(restart.program(), &path) {
        Ok(found) => found,
        Err(reason) => return unfit(format!("'{restart}' cannot be run: {reason}")),
    };
    match restarted_service(restart) {
        Ok(()) => Ok(format!("'{restart}' can be run: {} is there", found.display())),
        Err(reason) => unfit(format!("'{restart}' restarts nothing: {reason}")),
    }
}

/// Whether systemd knows the unit that a command restarts, or there is such a script.
fn restarted_service(restart: &CommandLine) -> Result<(), String> {
    let program = Path::new(restart.program()).file_name().unwrap_or_default();
    let is_name = |word: &&String| *word != "restart" && !word.starts_with('-');
    let Some(name) = restart.arguments().iter().find(is_name) else { return Ok(()) };
    if program == "service" && !Path::new("/etc/init.d").join(name).exists() {
        let known = shown_state("systemctl", name);
        return known.map_err(|_| format!("there is no service {name}"));
    }
    if program == "systemctl" { shown_state(restart.program(), name) } else { Ok(()) }
}

fn shown_state(systemctl: &str, unit: &str) -> Result<(), String> {
    let words = [systemctl, "show", "--property=LoadState", unit].map(str::to_owned);
    // Whoever cannot be asked may restart all the same.
    let Ok(shown) = service::run(&words, SHOW_DEADLINE) else { return Ok(()) };
    match shown.trim().strip_prefix("LoadState=") {
        Some("not-found") => Err(format!("systemd knows no unit {unit}")),
        Some("masked") => Err(format!("the unit {unit} is masked")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_there_and_one_that_is_not() {
        let there = look(&CommandLine::of("/bin/true", &["restart"]), "a");
        assert_eq!(there, Ok("'/bin/true restart' can be run: /bin/true is there".to_owned()));
        let Advice { what, mend } = look(&CommandLine::of("/nonexistent", &["restart"]), "a").unwrap_err();
        assert!(what.starts_with("'/nonexistent restart' cannot be run: "), "{what}");
        assert!(mend.contains("set DHCPD in ghostrc"));
    }
}
