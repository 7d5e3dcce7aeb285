//! Whether clients get over TFTP what they boot with. [`super::judge`] looks at it when a run begins; this looks once more at each swap, as
//! the jobs of one run may begin hours apart, and a PC that is woken into a GRUB without its configuration stays at a prompt.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use anyhow::anyhow;
use ghost_contract::HostName;

use super::facts::BootFile;
use super::gather::{boot_file, joined, served, with_those_loaded_after};
use super::{State, judge};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Firmware;
use crate::site::Site;

/// For each host, what keeps it from booting what it would be offered. Each file is asked for once, whatever the number of hosts.
pub(crate) fn served_to(site: &Site, hosts: &[HostName]) -> Vec<anyhow::Result<()>> {
    let offered: Vec<(String, bool)> = hosts
        .iter()
        .map(|host| site.ghostrc.for_host(host))
        .map(|settings| (settings.boot_file, settings.firmware == Firmware::Uefi))
        .collect();
    let different: BTreeSet<_> = offered.iter().cloned().collect();
    let wrong: BTreeMap<_, _> = different
        .into_iter()
        .filter_map(|(name, is_for_uefi)| {
            let wrong = what_is_wrong(site, &name, is_for_uefi)?;
            Some(((name, is_for_uefi), wrong))
        })
        .collect();
    let answer = |one: &(String, bool)| match wrong.get(one) {
        Some(wrong) => {
            Err(anyhow!("the client is not woken, as it would not get what it boots with: {wrong}")
                .exit(Exit::Configuration))
        }
        None => Ok(()),
    };
    offered.iter().map(answer).collect()
}

fn what_is_wrong(site: &Site, offered: &str, is_for_uefi: bool) -> Option<String> {
    let names = with_those_loaded_after(site, BTreeSet::from([offered.to_owned()]));
    let files: Vec<BootFile> = thread::scope(|scope| {
        let asked: Vec<_> = names.iter().map(|name| scope.spawn(|| served(site, name))).collect();
        let file = |(name, asked): (&String, _)| {
            boot_file(site, name, is_for_uefi && name == offered, joined(asked))
        };
        names.iter().zip(asked).map(file).collect()
    });
    let findings = files.iter().map(judge::boot_file);
    findings.filter(|finding| finding.state == State::Bad).map(|finding| finding.to_string()).next()
}
