//! Which services this machine has, whether or not they run.

use std::path::Path;

const FOLDERS: [&str; 3] = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];
/// Where the services of before systemd are.
const SCRIPTS: &str = "/etc/init.d";

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
