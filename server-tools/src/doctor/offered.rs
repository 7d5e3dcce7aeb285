//! What the DHCP servers really offer each host. Looked at by `doctor` alone: a job asks after it has edited.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use ghost_contract::HostName;

use super::facts::words;
use super::facts::{Tried, few};
use super::{Check, Finding, State};
use crate::dhcp::probe::{self, Client, Offer, Offered};
use crate::dhcp::{self, Configuration, Running};
use crate::site::Site;
use crate::sys::unit as services;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// For so many hosts other servers are looked for.
const ASKED_FOR: usize = 8;

/// What is known of one host's offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub name: String,
    /// The address in its entry.
    pub ip: Ipv4Addr,
    /// Whether another DHCP server gives it that, and ours answers it only while it is swapped.
    pub is_beside_another: bool,
    /// What the configuration says that it is offered.
    pub configured: Vec<u8>,
    /// What it is offered for a job.
    pub boot_file: String,
    pub offered: Tried<Offered>,
    /// Another server's offer of another address.
    pub astray: Option<Offer>,
    /// The service of this machine that would answer it, and is stopped.
    pub stopped: Option<&'static str>,
}

impl Host {
    /// What it heard when it was asked in its name.
    pub(crate) fn heard(&self) -> Heard {
        match &self.offered {
            Err(_) => Heard::Unknown,
            // Beside another server ours is silent most of the time.
            Ok(offered) if offered.ours.is_empty() && !self.is_beside_another => Heard::Nothing,
            Ok(_) => Heard::Offer,
        }
    }
}

/// What a host hears of the DHCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Offer,
    Nothing,
    Unknown,
}

/// Asks in the name of these hosts; of all that can have jobs, if none is named.
pub(crate) fn gather(site: &Site, configuration: &dyn Configuration, named: &[HostName]) -> Vec<Host> {
    let all = || configuration.clients().into_iter().map(|(name, _)| name).collect();
    let names: Vec<HostName> = if named.is_empty() { all() } else { named.to_vec() };
    let hosts: Vec<dhcp::Host> = names.iter().filter_map(|name| configuration.host(name).ok()).collect();
    let client = |host: &dhcp::Host| Client { host: host.name.clone(), mac: host.mac, ip: host.ip };
    let clients: Vec<Client> = hosts.iter().map(client).collect();
    let offered = probe::offered(site, &clients, PATIENCE).into_iter().map(words);
    // A server that nobody here knows of answers one as it answers another.
    let some = clients.get(..ASKED_FOR).unwrap_or(&clients);
    let astray = probe::astray(site, some).into_iter().chain(std::iter::repeat(None));
    let stopped = stopped(site);
    let describe = |((host, offered), astray): ((dhcp::Host, Tried<Offered>), Option<Offer>)| Host {
        astray,
        stopped,
        boot_file: site.ghostrc.for_host(&host.name).boot_file,
        name: host.name.to_string(),
        ip: host.ip,
        is_beside_another: site.dhcp_kind.traits().is_beside_another,
        configured: host.offered,
        offered,
    };
    hosts.into_iter().zip(offered).zip(astray).map(describe).collect()
}

/// The service of this machine, if it is what runs the DHCP server and is stopped. One in a container is restarted by another command.
fn stopped(site: &Site) -> Option<&'static str> {
    let unit = site.dhcp_kind.traits().unit;
    let restart = site.ghostrc.dhcp_restart.as_ref()?;
    let is_service = Path::new(restart.program()).file_name().is_some_and(|name| name == "systemctl")
        && restart.arguments().iter().any(|word| word.strip_suffix(".service").unwrap_or(word) == unit);
    let is_stopped = is_service
        && site.dhcp().running() == Running::Nobody
        && services::has_systemd()
        && services::is_there(unit)
        && !services::is("is-active", unit);
    is_stopped.then_some(unit)
}

/// What to think of that. Pure. What is so for many hosts is told once.
pub(crate) fn judge(hosts: &[Host]) -> Vec<Finding> {
    let mut told: BTreeMap<(State, String, String), Vec<&str>> = BTreeMap::new();
    for host in hosts {
        for (state, found, mend) in of_host(host) {
            told.entry((state, found, mend)).or_default().push(&host.name);
        }
    }
    let finding = |((state, found, mend), names): ((State, String, String), Vec<&str>)| Finding {
        check: Check::Offered,
        state,
        found: format!("{}: {found}", few(names.into_iter())),
        mend: Some(mend).filter(|mend| !mend.is_empty()),
    };
    told.into_iter().map(finding).collect()
}

/// The state, what was found, and how to mend it.
type Told = (State, String, String);

fn of_host(host: &Host) -> Vec<Told> {
    let offered = match &host.offered {
        Ok(offered) => offered,
        Err(reason) => {
            let found = format!("what is offered cannot be seen from here: {reason}");
            return vec![(State::Good, found, String::new())];
        }
    };
    if host.is_beside_another {
        return beside_another(host, offered);
    }
    let mut told: Vec<Told> = offered.ours.iter().map(|offer| ours(host, offer)).collect();
    if offered.ours.is_empty() {
        told.push(silent(host.stopped));
    }
    let late = host.astray.iter().filter(|late| !offered.others.contains(late));
    told.extend(offered.others.iter().chain(late).map(|offer| others(host, offer)));
    told
}

/// Bad where it is known why: a server that answers others may pass over what is asked from here.
fn silent(stopped: Option<&str>) -> Told {
    let found = "the DHCP server does not answer when it is asked as the host would ask";
    match stopped {
        Some(unit) => (
            State::Bad,
            format!("{found}, and its service {unit} is stopped"),
            format!("'systemctl start {unit}'; if it does not stay, 'journalctl -u {unit}' says why"),
        ),
        None => (State::Warning, found.to_owned(), START.to_owned()),
    }
}

const START: &str = "start it, and have it listen on the interface that leads to the host";

fn others(host: &Host, offer: &Offer) -> Told {
    if !offer.is_of_another_address(host.ip) {
        let found = format!("another DHCP server answers too, and offers {}", offer.words());
        return (State::Warning, found, "see that the host takes the offer of this boot server".to_owned());
    }
    (State::Warning, offer.leading_astray(), probe::KEEP_AWAY.to_owned())
}

fn beside_another(host: &Host, offered: &Offered) -> Vec<Told> {
    let mut told: Vec<Told> = offered.ours.iter().map(|offer| ours(host, offer)).collect();
    if offered.ours.is_empty() {
        told.push(match host.configured.is_empty() {
            true => {
                let found = "the proxy is silent, as it is meant to be while no job runs";
                (State::Good, found.to_owned(), String::new())
            }
            false => (
                State::Warning,
                "the proxy is silent, though the host is swapped".to_owned(),
                "start ghost4linux-proxy".to_owned(),
            ),
        });
    }
    let given = || offered.others.iter().filter(|other| !other.address.is_unspecified());
    if given().next().is_none() {
        let found = "no other DHCP server gives it an address".to_owned();
        let mend = "check that the other DHCP server runs and knows the host";
        told.push((State::Warning, found, mend.to_owned()));
    } else if !given().any(|other| other.address == host.ip) {
        let addresses: Vec<String> = given().map(|other| other.address.to_string()).collect();
        let (words, ip) = (addresses.join(" or "), host.ip);
        let found = format!(
            "the other DHCP server would give it {words}, and its line in the proxy's configuration says {ip}"
        );
        let mend = "have the address reserved for it in the other DHCP server, or correct the line";
        told.push((State::Bad, found, mend.to_owned()));
    }
    told
}

fn ours(host: &Host, offer: &probe::Offer) -> Told {
    let configured = String::from_utf8_lossy(&host.configured);
    if offer.may_boot(&host.configured) {
        return (State::Good, format!("is offered {}", offer.words()), String::new());
    }
    let found = format!("is offered {}, and the configuration says '{configured}'", offer.words());
    let mend =
        "have the DHCP server take up its configuration; if it has, look for what else says a boot file";
    let state = if offer.may_boot(host.boot_file.as_bytes()) { State::Bad } else { State::Warning };
    (state, found, mend.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(server: u8, file: &str) -> probe::Offer {
        probe::Offer {
            server: Some([192, 168, 7, server].into()),
            address: [192, 168, 7, 2].into(),
            next_server: [192, 168, 7, 1].into(),
            file: file.as_bytes().to_vec(),
            file_option: None,
            menu_entry: None,
        }
    }

    fn host(name: &str, ours: &[&str], others: &[&str]) -> Host {
        let offers = |server, files: &[&str]| files.iter().map(|file| offer(server, file)).collect();
        let offered = Ok(Offered { ours: offers(1, ours), others: offers(9, others), is_guessed: false });
        Host {
            name: name.to_owned(),
            ip: [192, 168, 7, 2].into(),
            is_beside_another: false,
            configured: b"nobackup".to_vec(),
            boot_file: "pxelinux.0".to_owned(),
            offered,
            astray: None,
            stopped: None,
        }
    }

    #[test]
    fn what_is_offered_is_judged_by_what_the_configuration_says() {
        let told = |host: Host| {
            let findings = judge(&[host]);
            findings.into_iter().map(|finding| (finding.state, finding.found)).collect::<Vec<_>>()
        };
        let one = |state, words: &str| vec![(state, words.to_owned())];
        assert_eq!(
            told(host("a", &["nobackup"], &[])),
            one(State::Good, "a: is offered 'nobackup' (says 192.168.7.1)")
        );
        let swapped = "a: is offered 'pxelinux.0' (says 192.168.7.1), and the configuration says 'nobackup'";
        assert_eq!(told(host("a", &["pxelinux.0"], &[])), one(State::Bad, swapped));
        let odd = "a: is offered no boot file (says 192.168.7.1), and the configuration says 'nobackup'";
        assert_eq!(told(host("a", &[""], &[])), one(State::Warning, odd));
        let silent = "a: the DHCP server does not answer when it is asked as the host would ask";
        assert_eq!(told(host("a", &[], &[])), one(State::Warning, silent));
        let stopped = Host { stopped: Some("isc-dhcp-server"), ..host("a", &[], &[]) };
        let words = format!("{silent}, and its service isc-dhcp-server is stopped");
        assert_eq!(told(stopped), one(State::Bad, &words));
        let other = "a: another DHCP server answers too, and offers 'other.0' (says 192.168.7.9)";
        assert!(told(host("a", &["nobackup"], &["other.0"])).contains(&(State::Warning, other.to_owned())));
        let astray = probe::Offer { address: [192, 168, 7, 66].into(), ..offer(9, "") };
        let words = "a: another DHCP server, 192.168.7.9, answers too, and offers the address 192.168.7.66 and no boot file";
        let with_another = Host { astray: Some(astray), ..host("a", &["nobackup"], &[]) };
        assert!(told(with_another).contains(&(State::Warning, words.to_owned())));
        let unseen = Host { offered: Err("no route".to_owned()), ..host("a", &[], &[]) };
        assert_eq!(told(unseen), one(State::Good, "a: what is offered cannot be seen from here: no route"));
    }

    #[test]
    fn beside_another_server_silence_is_good_and_another_address_is_not() {
        let told = |host: Host| judge(&[host]).into_iter().map(|finding| finding.state).collect::<Vec<_>>();
        let beside = |ours: &[&str], others: &[&str], configured: &str| Host {
            is_beside_another: true,
            configured: configured.as_bytes().to_vec(),
            ..host("a", ours, others)
        };
        assert_eq!(told(beside(&[], &[""], "")), [State::Good]);
        assert_eq!(told(beside(&[], &[], "")), [State::Good, State::Warning], "no address");
        assert_eq!(told(beside(&[], &[""], "pxelinux.0")), [State::Warning]);
        assert_eq!(told(beside(&["pxelinux.0"], &[""], "pxelinux.0")), [State::Good]);
        assert_eq!(told(beside(&["pxelinux.0"], &[""], "")), [State::Bad], "it is not swapped");
        let elsewhere = Host { ip: [192, 168, 7, 3].into(), ..beside(&[], &[""], "") };
        assert_eq!(told(elsewhere), [State::Good, State::Bad]);
    }

    #[test]
    fn what_is_so_for_many_is_told_once() {
        let findings = judge(&[host("a", &["nobackup"], &[]), host("b", &["nobackup"], &[])]);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].found.starts_with("a, b: "), "{findings:?}");
    }
}
