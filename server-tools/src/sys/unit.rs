//! Which services this machine has, and whether systemd has them run.

use std::path::Path;
use std::time::Duration;

use super::service;

const FOLDERS: [&str; 3] = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];
/// Where the services of before systemd are.
const SCRIPTS: &str = "/etc/init.d";

/// How long systemctl may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Whether systemd has started this machine (sd_booted(3)).
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether systemd says of a service that this is so: `is-active`, `is-enabled`.
pub(crate) fn is(verb: &str, name: &str) -> bool {
    let words = ["systemctl", "--quiet", verb, name].map(str::to_owned);
    service::run(&words, ANSWER_DEADLINE).is_ok()
}

/// Whether a service cannot be started by anybody, as Debian leaves some whose packages are gone (systemd.unit(5)).
pub(crate) fn is_masked(name: &str) -> bool {
    let masks = FOLDERS.iter().map(|folder| Path::new(folder).join(format!("{name}.service")));
    masks.filter_map(|path| path.read_link().ok()).any(|leads_to| leads_to == Path::new("/dev/null"))
}

/// Whether there is a service of this name.
pub(crate) fn is_there(name: &str) -> bool {
    let file = format!("{name}.service");
    FOLDERS.iter().any(|folder| Path::new(folder).join(&file).exists())
        || Path::new(SCRIPTS).join(name).exists()
}
