//! Who is offered the boot file besides the hosts that are swapped: remembered at the swap, and told of at the revert if that is new.
//!
//! A person may take a swapped entry for a template, or give a host that boots from the network the name or the network card of one
//! that is swapped.

use std::cell::OnceCell;

use ghost_contract::HostName;

use crate::dhcp::{Booting, Configuration, Entries, Swap};
use crate::site::Site;
use crate::state::{by_hand, journal};

/// Remembers with each swap who is offered its boot file already.
pub(super) fn remember(site: &Site, configuration: &dyn Configuration, swapped: &mut [(usize, Swap)]) {
    let responsible = Responsible::of(site);
    let mut known: Vec<(String, Option<Entries>)> = Vec::new();
    for (_, swap) in swapped {
        if known.iter().all(|(boot_file, _)| *boot_file != swap.boot_file) {
            let is_meant = |_: &str, offered: &[u8]| offered == swap.boot_file.as_bytes();
            let on_purpose =
                configuration.booting(&is_meant).filter(|booting| !responsible.has_its_address(booting));
            known.push((swap.boot_file.clone(), Entries::of(on_purpose)));
        }
        swap.before =
            known.iter().find(|(boot_file, _)| *boot_file == swap.boot_file).and_then(|(_, all)| all.clone());
    }
}

/// Who is offered the boot file of one of these swaps, and was not before it, though no job and no person has asked for that.
pub(crate) fn newcomers<'a>(
    site: &Site,
    configuration: &'a dyn Configuration,
    swapped: &'a [(HostName, Swap)],
) -> Vec<(Booting, &'a HostName)> {
    let responsible = Responsible::of(site);
    let is_meant = |name: &str, offered: &[u8]| {
        let of_it = |(_, swap): &&(HostName, Swap)| swap.boot_file.as_bytes() == offered;
        swapped.iter().filter(of_it).all(|(host, _)| host.as_str() != name)
            && swapped.iter().any(|(_, swap)| swap.boot_file.as_bytes() == offered && swap.before.is_some())
    };
    let since = |booting: Booting| {
        let of_its_file = || swapped.iter().filter(|(_, swap)| swap.boot_file == booting.boot_file);
        let is_known = of_its_file().any(|(_, swap)| {
            swap.was_booting(&booting.name, booting.mac) || (swap.mac.is_some() && swap.mac == booting.mac)
        });
        let (host, _) = of_its_file().find(|(_, swap)| swap.before.is_some())?;
        (!is_known && !responsible.is_for(&booting)).then_some((booting, host))
    };
    configuration.booting(&is_meant).filter_map(since).collect()
}

/// The same in words.
pub(crate) fn told((booting, host): &(Booting, &HostName)) -> String {
    let Booting { name, boot_file, place, .. } = booting;
    format!(
        "{place}: host {name} is offered '{boot_file}' too, which it was not when {host} was swapped, and no job has asked for that; if \
         its entry was made from the swapped one, write its own file there, and restart the DHCP server"
    )
}

/// The jobs and the swaps by hand that there are.
struct Responsible<'a> {
    site: &'a Site,
    by_hand: OnceCell<Vec<by_hand::Kept>>,
    journal: OnceCell<Vec<journal::Seen>>,
}

impl<'a> Responsible<'a> {
    fn of(site: &'a Site) -> Self {
        Self { site, by_hand: OnceCell::new(), journal: OnceCell::new() }
    }

    fn is_for(&self, booting: &Booting) -> bool {
        let state_folder = &self.site.ghostrc.state_folder;
        let by_hand = self.by_hand.get_or_init(|| by_hand::all(state_folder));
        // What cannot be read is told of by others.
        let journal = || self.journal.get_or_init(|| journal::look_at_all(state_folder).unwrap_or_default());
        by_hand.iter().any(|kept| kept.is_responsible_for(&booting.name, booting.mac))
            || self.has_its_address(booting)
            || journal().iter().any(|seen| is_of(seen, booting))
    }

    /// The same, as far as the journal's entry for its address tells: where many jobs run, reading all of it takes long.
    fn has_its_address(&self, booting: &Booting) -> bool {
        let look = |ip| journal::look_at(&self.site.ghostrc.state_folder, ip).ok().flatten();
        booting.ip.and_then(look).is_some_and(|seen| is_of(&seen, booting))
    }
}

fn is_of(seen: &journal::Seen, booting: &Booting) -> bool {
    let of_it = |state: &journal::State| {
        let identity = &state.begun.identity;
        identity.host.as_str() == booting.name || booting.mac == Some(identity.mac)
    };
    seen.says.state.as_ref().is_some_and(of_it)
}
