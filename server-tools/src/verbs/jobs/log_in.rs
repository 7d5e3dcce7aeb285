//! Who may log in at a client in mode `test`, and what is said where nobody may.

use std::fs;

use anyhow::Context as _;
use ghost_contract::HostName;

use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Settings;

/// The public keys of the file that the settings name, one a line, comments left out.
pub(super) fn authorized_keys(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let Some(path) = &settings.ssh_keys else { return Ok(Vec::new()) };
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {} (SSHKEYS)", path.display()));
    let text = text.exit_by_default(Exit::Configuration)?;
    let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(keys.map(str::to_owned).collect())
}

/// What a person should know who wants to log in, where no key is there; a file that cannot be read is an error of its own.
pub(super) fn impossible(host: &HostName, settings: &Settings) -> Option<String> {
    let has_none = authorized_keys(settings).is_ok_and(|keys| keys.is_empty());
    has_none.then(|| {
        let why = match &settings.ssh_keys {
            Some(path) => format!("{} (SSHKEYS) has no public key in it", path.display()),
            None => "SSHKEYS in ghostrc names no file of public keys".to_owned(),
        };
        format!(
            "{why}, so nobody can log in by ssh in the {} s that it stays on (SLEEP); at the PC itself, Alt+F2 is a root shell if its kernel \
             command line has ghost.shell; 'ghostctl cancel {host}' ends the test",
            settings.sleep.as_secs()
        )
    })
}
