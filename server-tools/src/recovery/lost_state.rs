//! What can still be told where all of STATEDIR was lost.

use super::strays::{Stray, boot_file_of};
use crate::site::Site;
use crate::state::{by_hand, damaged, journal, record};

/// The hosts that are offered the boot file while nothing below STATEDIR tells of any job or swap: where that was lost, a swap may have
/// been lost with it. Those that are strays all the same are not among them.
pub(crate) fn of_a_lost_state(site: &Site, strays: &[Stray]) -> anyhow::Result<Vec<String>> {
    let state_folder = &site.ghostrc.state_folder;
    let records = record::all(state_folder)?;
    let is_known = !records.whole.is_empty()
        || !records.damaged.is_empty()
        || !journal::entries(state_folder)?.is_empty()
        || !damaged::all(state_folder).is_empty()
        || by_hand::was_used(state_folder)
        || !by_hand::given_up(state_folder).is_empty();
    if is_known {
        return Ok(Vec::new());
    }
    let configuration = site.dhcp().read()?;
    let is_todays = |name: &str, offered: &[u8]| boot_file_of(site, name).as_bytes() == offered;
    let offered = configuration.booting(&is_todays).map(|one| one.name);
    Ok(offered.filter(|name| strays.iter().all(|stray| stray.host != *name)).collect())
}
