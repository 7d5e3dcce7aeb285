//! One `ghostctl` at a time changes what [`crate::state::made`] keeps: each reads it and writes it as a whole.

use anyhow::Context as _;

use crate::output::Output;
use crate::site::Site;
use crate::state::paths;
use crate::sys::lock::Lock;
use crate::sys::private;

/// Keeps others from changing it until the result is dropped. They are told the `purpose` while they wait.
pub(crate) fn take(site: &Site, purpose: &str, output: &mut Output) -> anyhow::Result<Lock> {
    let state = &site.ghostrc.state_folder;
    private::folder(state).with_context(|| format!("cannot make {}", state.display()))?;
    let mut waiting = |holder: &str| output.waiting_for("the record of what setup makes", holder);
    Lock::take(&paths::made_lock(state), purpose, site.lock_timeout, &mut waiting)
        .context("another ghostctl is setting this machine up; give the command again when it has ended")
}
