//! What stands between a swapped boot file and the client that shall boot it. Pure.
//!
//! One fault of a configuration is usually that of many hosts: each is reported once, with the names of them all.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::facts::{Host, Tried, names};
use super::{Check, Finding, State};
use crate::dhcp::{Reach, Said, Terms};

/// What is wrong, without the hosts that it is wrong for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    state: State,
    what: String,
    mend: String,
}

/// All that keeps these hosts from booting what a job has them offered.
pub(super) fn booting(
    hosts: &[Host],
    machines: &BTreeMap<String, Tried<bool>>,
    boot_server: Ipv4Addr,
    terms: &Terms,
) -> Vec<Finding> {
    let mut faulty: BTreeMap<Fault, Vec<&Host>> = BTreeMap::new();
    for host in hosts {
        let own = faults(&host.reach, machines, boot_server, terms);
        for fault in own.into_iter().chain(unreached(host, boot_server, terms)) {
            faulty.entry(fault).or_default().push(host);
        }
    }
    if faulty.is_empty() && !hosts.is_empty() {
        let found = "hosts load their boot files from this boot server, and no other setting of the DHCP server overrides that";
        return vec![Finding::good(Check::Booting, found)];
    }
    let found = |(fault, hosts): (Fault, Vec<&Host>)| Finding {
        check: Check::Booting,
        state: fault.state,
        found: format!("{}: {}", names(hosts.into_iter()), fault.what),
        mend: Some(fault.mend),
    };
    faulty.into_iter().map(found).collect()
}

fn faults(
    reach: &Reach,
    machines: &BTreeMap<String, Tried<bool>>,
    boot_server: Ipv4Addr,
    terms: &Terms,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |state, what: String, mend: String| faults.push(Fault { state, what, mend });
    if reach.network.is_none() {
        add(
            State::Bad,
            "no subnet of the DHCP configuration has the address, so that the DHCP server never answers"
                .to_owned(),
            format!("declare the subnet that the address is in, or correct {}", terms.address),
        );
    }
    if let Some(denied) = &reach.booting_denied {
        let what = format!(
            "{}: {} keeps the DHCP server from answering",
            denied.place,
            (terms.denied)(&denied.value)
        );
        add(state(denied), what, terms.allow.to_owned());
    }
    if let Some(option) = reach.boot_file_option.as_ref().filter(|option| !is_for_http_only(option)) {
        let (place, value) = (&option.place, &option.value);
        let what = format!(
            "{place}: many boot ROMs load \"{value}\" ('{}') and not the file that a job swaps",
            terms.boot_file_option
        );
        let mend = "take that option out; the boot file of the host's own entry says what it boots";
        add(state(option), what, mend.to_owned());
    }
    let is_here = |said: &Said| machines.get(&said.value).is_some_and(|here| *here == Ok(true));
    for (said, setting) in
        [(&reach.next_server, &terms.next_server), (&reach.tftp_server_option, &terms.tftp_server)]
    {
        let Some(said) = said.as_ref().filter(|said| !is_here(said)) else { continue };
        let (place, value) = (&said.place, (setting.said)(&said.value));
        let (what, state) = match machines.get(&said.value) {
            Some(Err(reason)) => (format!("{place}: '{value}' has no address: {reason}"), State::Warning),
            _ => (
                format!(
                    "{place}: '{value}' has the boot file loaded from another machine than this boot server"
                ),
                state(said),
            ),
        };
        let mend =
            format!("write '{}' there (PXEADDR in ghostrc)", (setting.written)(&boot_server.to_string()));
        add(state, what, mend);
    }
    if reach.next_server.is_none() && !reach.tftp_server_option.as_ref().is_some_and(is_here) {
        let what = format!(
            "no '{}' says which machine the boot file is on, so that the boot ROM is told 0.0.0.0 and boots its own disk",
            terms.next_server.name
        );
        let written = (terms.next_server.written)(&boot_server.to_string());
        add(State::Bad, what, format!("add '{written}' to its entry"));
    }
    faults
}

/// That the base root is in another network than the client, and nothing is seen to lead there. Only what holds for a whole network is seen: a router may be
/// told to a class or to a pool, or not be needed.
fn unreached(host: &Host, boot_server: Ipv4Addr, terms: &Terms) -> Option<Fault> {
    let network = host.reach.network.filter(|network| !network.contains(boot_server))?;
    host.reach.has_no_router.then(|| Fault {
        state: State::Warning,
        what: format!(
            "the boot server's address {boot_server} (PXEADDR) is not in the network {network}, and that network names no router: \
             clients that are told none elsewhere do not reach their base root"
        ),
        mend: match host.near {
            // It need not forward: its other address is its own, too.
            Some(near) => format!(
                "write '{}', which is this machine's address there, into what declares that network",
                (terms.router)(&near.to_string())
            ),
            None => format!(
                "write '{}' into what declares that network, with a router in it that leads to {boot_server}",
                (terms.router)("ADDRESS")
            ),
        },
    })
}

/// Whether this is what some clients only are answered, and is no name of a file over TFTP: those that boot over HTTP.
fn is_for_http_only(option: &Said) -> bool {
    !option.is_certain && ["http://", "https://"].iter().any(|scheme| option.value.starts_with(scheme))
}

/// What may hold is worth a look, and what holds in any case makes a job fail.
const fn state(said: &Said) -> State {
    if said.is_certain { State::Bad } else { State::Warning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::{Kind, Network};
    use crate::place::Place;
    use std::path::Path;

    const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);

    fn said(value: &str) -> Option<Said> {
        let place = Box::new(Place::at(Path::new("/dhcpd.conf"), b"x", 0));
        Some(Said { value: value.to_owned(), is_certain: true, place })
    }

    fn good() -> Reach {
        let network =
            Network { address: Ipv4Addr::new(192, 168, 7, 0), netmask: Ipv4Addr::new(255, 255, 255, 0) };
        Reach { network: Some(network), next_server: said("192.168.7.1"), ..Reach::default() }
    }

    fn found(reach: &Reach) -> Vec<(State, String)> {
        let machines =
            [("192.168.7.1", Ok(true)), ("10.0.0.9", Ok(false)), ("gone.lab", Err("unknown".to_owned()))];
        let machines = machines.into_iter().map(|(name, here)| (name.to_owned(), here)).collect();
        faults(reach, &machines, SERVER, &Kind::Isc.traits().terms)
            .into_iter()
            .map(|fault| (fault.state, fault.what))
            .collect()
    }

    #[test]
    fn what_a_swap_cannot_reach_is_found_and_nothing_else() {
        assert_eq!(found(&good()), []);
        type Spoil = fn(&mut Reach);
        let table: [(Spoil, State, &str); 8] = [
            (|r| r.network = None, State::Bad, "no subnet"),
            (|r| r.next_server = None, State::Bad, "told 0.0.0.0"),
            (
                |r| r.next_server = said("10.0.0.9"),
                State::Bad,
                "'next-server 10.0.0.9' has the boot file loaded from another",
            ),
            (|r| r.next_server = said("gone.lab"), State::Warning, "has no address: unknown"),
            (
                |r| r.boot_file_option = said("other.0"),
                State::Bad,
                "load \"other.0\" ('option bootfile-name')",
            ),
            (
                |r| r.tftp_server_option = said("10.0.0.9"),
                State::Bad,
                "'option tftp-server-name 10.0.0.9' has",
            ),
            (|r| r.booting_denied = said("deny"), State::Bad, "/dhcpd.conf:1:1: 'deny booting' keeps"),
            (
                |r| r.boot_file_option = said("a").map(|said| Said { is_certain: false, ..said }),
                State::Warning,
                "bootfile-name",
            ),
        ];
        for (spoil, state, what) in table {
            let mut reach = good();
            spoil(&mut reach);
            let found = found(&reach);
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            assert_eq!(found[0].0, state, "{what}");
            assert!(found[0].1.contains(what), "{what}: {found:?}");
        }
    }

    #[test]
    fn what_clients_of_http_are_answered_is_no_fault_and_what_all_are_is_one() {
        let url = said("http://192.168.7.1/nobackup");
        let for_all = Reach { boot_file_option: url.clone(), ..good() };
        assert_eq!(found(&for_all).len(), 1);
        let of_a_class = url.map(|said| Said { is_certain: false, ..said });
        assert_eq!(found(&Reach { boot_file_option: of_a_class, ..good() }), []);
    }

    #[test]
    fn a_boot_server_in_another_network_needs_a_router_to_it() {
        let mut host = crate::doctor::judge::tests::facts().hosts.unwrap().remove(0);
        let elsewhere = Ipv4Addr::new(10, 0, 0, 5);
        let terms = &Kind::Isc.traits().terms;
        assert_eq!(unreached(&host, elsewhere, terms), None, "a router is told");
        host.reach.has_no_router = true;
        assert_eq!(unreached(&host, SERVER, terms), None, "both are in one network");
        let found = unreached(&host, elsewhere, terms).unwrap();
        assert!(found.what.contains("10.0.0.5 (PXEADDR) is not in the network 192.168.7.0/25"), "{found:?}");
        assert!(found.mend.contains("a router in it that leads to 10.0.0.5"), "{found:?}");
        host.near = Some(SERVER);
        let found = unreached(&host, elsewhere, terms).unwrap();
        assert!(found.mend.starts_with("write 'option routers 192.168.7.1;'"), "{found:?}");
    }

    #[test]
    fn an_option_is_taken_out_where_it_stands_and_not_written_again() {
        let reach = Reach { boot_file_option: said("EST5EDT4"), ..good() };
        let mend = faults(&reach, &BTreeMap::new(), SERVER, &Kind::Kea.traits().terms).remove(0).mend;
        assert!(mend.starts_with("take that option out; ") && !mend.contains("EST5EDT4"), "{mend}");
    }

    #[test]
    fn an_option_that_names_this_machine_stands_in_for_next_server() {
        let reach = Reach { next_server: None, tftp_server_option: said("192.168.7.1"), ..good() };
        assert_eq!(found(&reach), []);
    }
}
