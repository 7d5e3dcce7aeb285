//! Hosts that are still offered the boot file though no job needs it.

use ghost_contract::HostName;
use serde::Serialize;

use crate::dhcp::offer::outstanding;
use crate::site::Site;
use crate::state::{journal, paths, record};

/// A host that DHCP offers the boot file without a job that is responsible for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stray {
    pub host: String,
    pub boot_file: String,
}

impl Stray {
    pub(crate) fn found(&self) -> String {
        let Self { host, boot_file } = self;
        format!("{host}: DHCP offers it the boot file {boot_file} and no job is responsible for that")
    }

    pub(crate) fn mend(&self) -> String {
        format!("'ghostctl dhcp revert {}' puts back what it was offered before its last job", self.host)
    }

    pub(crate) fn words(&self) -> String {
        format!("{}; {}", self.found(), self.mend())
    }
}

/// Hosts that DHCP offers the boot file although no job is at it and nobody has swapped them by hand. Only those count that
/// have had a job: then they were offered something else once. Others may boot from the network always.
pub(crate) fn strays(site: &Site) -> anyhow::Result<Vec<Stray>> {
    let state_folder = &site.ghostrc.state_folder;
    let had_a_job: Vec<HostName> =
        record::all(state_folder)?.whole.into_iter().map(|record| record.identity.host).collect();
    let seen = journal::look_at_all(state_folder)?;
    let has_a_job: Vec<HostName> =
        seen.into_iter().filter_map(|seen| seen.says.state).map(|state| state.begun.identity.host).collect();
    let is_stray = |host: &HostName| {
        had_a_job.contains(host) && !has_a_job.contains(host) && !paths::by_hand(state_folder, host).exists()
    };
    let offered = outstanding(site)?.into_iter();
    let strays = offered.filter(|one| one.host.parse().is_ok_and(|host| is_stray(&host)));
    Ok(strays.map(|one| Stray { host: one.host, boot_file: one.boot_file }).collect())
}
