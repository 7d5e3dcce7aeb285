//! Hosts that get no answer because the DHCP server is told to listen on other interfaces than theirs.

use std::path::Path;

use super::facts::few;
use crate::dhcp::{Advice, Configuration};
use crate::setup::{listening, observe};
use crate::site::Site;
use crate::sys::interface;

pub(super) fn look(site: &Site, configuration: &dyn Configuration) -> Vec<Advice> {
    let traits = site.dhcp_kind.traits();
    let own = configuration.listens_on();
    let (place, named) = match traits.defaults.filter(|_| own.is_empty()) {
        // It is read by Debian's service only.
        Some(defaults) if is_debians_service(site, traits.unit) => {
            let text = observe::file(Path::new(defaults)).ok().flatten().unwrap_or_default();
            (format!("INTERFACESv4 in {defaults}"), listening::named(&text))
        }
        _ => (format!("interface= in {}", site.dhcp_configuration.display()), own),
    };
    let hosts: Vec<_> =
        configuration.list().into_iter().filter_map(|host| Some((host.name, host.ip?))).collect();
    let unheard = listening::unheard(&named, &interface::with_networks(), &hosts);
    let told = |(interface, hosts): (String, Vec<String>)| Advice {
        what: format!(
            "{}: the DHCP server does not listen on {interface}, which is in their network, but on {} only",
            few(hosts.iter().map(String::as_str)),
            named.join(", ")
        ),
        mend: format!("add {interface} to those that {place} names, and restart {}", traits.unit),
    };
    unheard.into_iter().map(told).collect()
}

fn is_debians_service(site: &Site, unit: &str) -> bool {
    site.ghostrc.dhcp_restart.as_ref().is_some_and(|command| {
        [command.program()]
            .into_iter()
            .chain(command.arguments().iter().map(String::as_str))
            .any(|word| word.contains(unit))
    })
}
