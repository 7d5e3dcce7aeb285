//! What the answers to clients prove, after the server has taken a configuration up, and any time later.

use std::time::Duration;

use super::whose::{self, Known};
use super::{Client, Offer, Offered, offered_by};
use crate::dhcp::Running;
use crate::site::Site;

/// How long a server may take that has just been restarted.
const AFTER_RESTART: Duration = Duration::from_secs(3);
/// The same of one of this machine that is not believed without an answer.
const OF_ONE_THAT_MUST_ANSWER: Duration = Duration::from_secs(15);
/// The same of one that is meant to be silent. It is asked several times meanwhile.
const OF_ONE_THAT_IS_SILENT: Duration = Duration::from_secs(1);
/// The same where no server is seen here, nor has ever answered: mostly there is none to be heard.
const OF_ONE_UNSEEN: Duration = Duration::from_millis(700);
const OF_ONE_UNSEEN_AND_UNHEARD: Duration = Duration::from_millis(300);

/// What is seen of a client's offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is offered what is meant; and what others offer that is not, in words.
    AsMeant { besides: Option<String> },
    /// It is offered something else, in words.
    Otherwise(String),
    /// It could be heard, and our server does not answer, in words. Whoever else answers proves nothing.
    Silent(String),
    /// From here it cannot be heard, for this reason.
    Unseen(String),
}

/// What is seen of clients, each with the boot file of its swap: [`after_swap`] or [`after_revert`].
pub type Look = fn(&Site, &[(Client, &str)]) -> Vec<Seen>;

/// After which edit it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Swap,
    Revert,
}

/// Whether the clients are offered these boot files, after a swap.
pub fn after_swap(site: &Site, clients: &[(Client, &str)]) -> Vec<Seen> {
    look(site, clients, After::Swap)
}

/// Whether the clients are not offered these boot files any more, after a revert.
pub fn after_revert(site: &Site, clients: &[(Client, &str)]) -> Vec<Seen> {
    look(site, clients, After::Revert)
}

/// The wire is asked whatever processes are seen: the server may have another name, or be on another machine.
fn look(site: &Site, clients: &[(Client, &str)], after: After) -> Vec<Seen> {
    if clients.is_empty() {
        return Vec::new();
    }
    let known = Known::of(site);
    let is_unseen = known.answered.is_empty() && site.dhcp().running() == Running::Nobody;
    let patience = match (is_unseen, after) {
        // Its silence is what is waited for, and the process that would have answered has ended.
        (false, After::Revert) if known.is_beside_another => OF_ONE_THAT_IS_SILENT,
        // Its silence would fail the swap, however busy this machine is.
        (false, After::Swap) if known.is_beside_another => OF_ONE_THAT_MUST_ANSWER,
        (false, _) => AFTER_RESTART,
        (true, After::Swap) => OF_ONE_UNSEEN,
        (true, After::Revert) => OF_ONE_UNSEEN_AND_UNHEARD,
    };
    let asked: Vec<Client> = clients.iter().map(|(client, _)| client.clone()).collect();
    let offers = offered_by(&known, site, &asked, patience, |offer| known.is_awaited(offer));
    if after == After::Swap && !known.runs_here {
        whose::remember(
            site,
            clients.iter().zip(&offers).filter_map(|((_, boot_file), offered)| {
                let ours = &offered.as_ref().ok()?.ours;
                ours.iter().find(|offer| offer.may_boot(boot_file.as_bytes()))?.server
            }),
        );
    }
    let seen = |((client, boot_file), offered): (&(Client, &str), anyhow::Result<Offered>)| match offered {
        Ok(offered) if known.is_beside_another => {
            beside_another(client, boot_file.as_bytes(), &offered, after, known.runs_here)
        }
        Ok(offered) => judged(client, boot_file.as_bytes(), &offered, after),
        Err(error) => Seen::Unseen(format!("{error:#}")),
    };
    clients.iter().zip(offers).map(seen).collect()
}

fn judged(client: &Client, boot_file: &[u8], offered: &Offered, after: After) -> Seen {
    let Client { host, ip, .. } = client;
    let is_meant = |offer: &&Offer| offer.may_boot(boot_file) == (after == After::Swap);
    // A proxy, and who gives another address, has offered its boot file all the time.
    let may_be_ours = |offer: &&Offer| offer.address == *ip && offer.may_boot(boot_file);
    let still = offered.others.iter().filter(|_| after == After::Revert).find(may_be_ours);
    if let Some(other) = offered.ours.iter().find(|offer| !is_meant(offer)) {
        return Seen::Otherwise(format!("the DHCP server offers {host} {}", other.words()));
    }
    if offered.ours.is_empty() || (offered.is_guessed && after == After::Revert) {
        let silent = format!("this boot server's DHCP server does not answer when it is asked for {host}");
        return match still {
            Some(still) => Seen::Otherwise(format!("{silent}, and another one offers it {}", still.words())),
            None => Seen::Silent(silent + &of_others(offered)),
        };
    }
    let besides = still.map(|still| {
        format!(
            "another DHCP server still offers it {}; have it offer what it did before there too",
            still.words()
        )
    });
    Seen::AsMeant { besides }
}

/// The same of a proxy: it names the boot file to those who are swapped, and is silent to others, while another server gives addresses.
/// Where it is not seen to run here, its silence proves nothing.
fn beside_another(
    client: &Client,
    boot_file: &[u8],
    offered: &Offered,
    after: After,
    runs_here: bool,
) -> Seen {
    let Client { host, ip, .. } = client;
    if after == After::Revert {
        return match offered.ours.first() {
            Some(ours) => Seen::Otherwise(format!("the proxy still offers {host} {}", ours.words())),
            None if runs_here => Seen::AsMeant { besides: None },
            None => Seen::Silent(format!("the proxy is not seen to run here, and is silent about {host}")),
        };
    }
    let Some(ours) = offered.ours.first() else {
        let silent = format!("the proxy does not answer when it is asked for {host}");
        return if runs_here { Seen::Otherwise(silent) } else { Seen::Silent(silent) };
    };
    if !ours.may_boot(boot_file) {
        return Seen::Otherwise(format!("the proxy offers {host} {}", ours.words()));
    }
    let given = || offered.others.iter().filter(|other| !other.address.is_unspecified());
    match given().next() {
        Some(other) if given().all(|other| other.address != *ip) => {
            let server = other.server.map_or_else(String::new, |server| format!(" {server}"));
            Seen::Otherwise(format!(
                "the other DHCP server{server} would give {host} the address {}, and its line says {ip}, where its tree is: have {ip} \
                 reserved for it there, or write {} into the line",
                other.address, other.address
            ))
        }
        _ => Seen::AsMeant { besides: None },
    }
}

/// Who else has answered, and with what.
fn of_others(offered: &Offered) -> String {
    let mut others = offered.ours.iter().chain(&offered.others).peekable();
    let none = others.peek().is_none();
    let words: Vec<String> = others.map(Offer::words).collect();
    if none {
        String::new()
    } else {
        format!(", only another one does, which offers it {}", words.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::probe::tests::{client, offer};

    const BOOT: &str = "pxelinux.0";

    fn with(file: &str, offer: Offer) -> Offer {
        Offer { file: file.as_bytes().to_vec(), ..offer }
    }

    fn seen(ours: &[Offer], others: &[Offer], is_guessed: bool, after: After) -> Seen {
        let offered = Offered { ours: ours.to_vec(), others: others.to_vec(), is_guessed };
        judged(&client(), BOOT.as_bytes(), &offered, after)
    }

    #[test]
    fn another_servers_answer_and_silence_prove_nothing() {
        let (ours, peer) = (offer(1, 2), offer(9, 2));
        let nothing = Seen::AsMeant { besides: None };
        assert_eq!(seen(std::slice::from_ref(&ours), &[], false, After::Revert), nothing);
        let silent = "this boot server's DHCP server does not answer when it is asked for pc2";
        let by_peer =
            format!("{silent}, only another one does, which offers it 'nobackup' (says 192.168.7.9)");
        for after in [After::Swap, After::Revert] {
            assert_eq!(seen(&[], &[], false, after), Seen::Silent(silent.to_owned()));
            assert_eq!(seen(&[], std::slice::from_ref(&peer), false, after), Seen::Silent(by_peer.clone()));
        }
        assert_eq!(seen(&[peer], &[], true, After::Revert), Seen::Silent(by_peer), "a guess is no proof");
    }

    #[test]
    fn the_boot_file_that_is_still_offered_is_told_whoever_offers_it() {
        let (ours, peer) = (offer(1, 2), with(BOOT, offer(9, 2)));
        let Seen::Otherwise(words) = seen(&[], std::slice::from_ref(&peer), false, After::Revert) else {
            panic!()
        };
        assert!(words.ends_with("and another one offers it 'pxelinux.0' (says 192.168.7.9)"), "{words}");
        let Seen::AsMeant { besides: Some(words) } =
            seen(std::slice::from_ref(&ours), &[peer], false, After::Revert)
        else {
            panic!()
        };
        assert!(words.starts_with("another DHCP server still offers it 'pxelinux.0'"), "{words}");
        for proxy in [with(BOOT, offer(9, 0)), with(BOOT, offer(9, 77))] {
            let seen = seen(std::slice::from_ref(&ours), &[proxy], false, After::Revert);
            assert_eq!(seen, Seen::AsMeant { besides: None }, "it has all the time");
        }
    }

    #[test]
    fn a_proxy_is_heard_while_it_is_swapped_and_is_silent_else() {
        let (proxy, router, elsewhere) = (with(BOOT, offer(1, 0)), with("", offer(9, 2)), offer(9, 77));
        let seen = |ours: &[Offer], others: &[Offer], after, runs_here| {
            let offered = Offered { ours: ours.to_vec(), others: others.to_vec(), is_guessed: false };
            beside_another(&client(), BOOT.as_bytes(), &offered, after, runs_here)
        };
        let of_router = std::slice::from_ref(&router);
        let ours = std::slice::from_ref(&proxy);
        let as_meant = Seen::AsMeant { besides: None };
        assert_eq!(seen(ours, of_router, After::Swap, true), as_meant);
        assert_eq!(seen(ours, &[], After::Swap, true), as_meant, "the router may be slow");
        assert_eq!(seen(&[], of_router, After::Revert, true), as_meant);
        assert_eq!(seen(&[], &[], After::Revert, true), as_meant);
        assert!(matches!(seen(&[], of_router, After::Revert, false), Seen::Silent(_)));
        assert!(matches!(seen(&[], of_router, After::Swap, false), Seen::Silent(_)));
        assert!(matches!(seen(&[], of_router, After::Swap, true), Seen::Otherwise(_)));
        assert!(matches!(seen(ours, of_router, After::Revert, true), Seen::Otherwise(_)));
        assert!(matches!(seen(&[with("", offer(1, 0))], of_router, After::Swap, true), Seen::Otherwise(_)));
        let Seen::Otherwise(words) = seen(ours, std::slice::from_ref(&elsewhere), After::Swap, true) else {
            panic!()
        };
        assert!(words.contains("192.168.7.9 would give pc2 the address 192.168.7.77"), "{words}");
        assert_eq!(seen(ours, &[elsewhere, router], After::Swap, true), as_meant, "it may take that one");
    }

    #[test]
    fn one_of_ours_that_offers_something_else_is_enough() {
        let (own, boots) = (offer(1, 2), with(BOOT, offer(1, 2)));
        for after in [After::Swap, After::Revert] {
            let seen = seen(&[own.clone(), boots.clone()], &[], false, after);
            assert!(matches!(seen, Seen::Otherwise(_)), "{after:?}: {seen:?}");
        }
        assert_eq!(seen(&[boots], &[], true, After::Swap), Seen::AsMeant { besides: None });
    }
}
