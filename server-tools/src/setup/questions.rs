//! What a person is asked who has given no flag, where there are no settings yet. Pure: `ask` gets the answers.

use std::path::PathBuf;

use anyhow::anyhow;

use super::settings::STORE;
use super::{Wishes, network};
use crate::dhcp::Kind;
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::{Export, Firmware};

/// Asks a question with the answer that Enter stands for.
pub(crate) type Ask<'a> = &'a mut dyn FnMut(&str, &str) -> anyhow::Result<String>;

/// What is proposed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proposed {
    pub(crate) interface: Option<String>,
    /// The network of that interface, if nobody is seen to answer in it by DHCP.
    pub(crate) network: Option<String>,
    pub(crate) dhcp_server: Kind,
}

/// Fills in what was not given.
pub(crate) fn answered(mut wishes: Wishes, proposed: &Proposed, ask: Ask<'_>) -> anyhow::Result<Wishes> {
    if wishes.interface.is_none() && wishes.address.is_none() {
        let default = proposed.interface.clone().unwrap_or_default();
        let answer = ask("The network interface that the clients are on", &default)?;
        wishes.interface = Some(answer.clone()).filter(|answer| !answer.is_empty() && *answer != default);
    }
    if wishes.store.is_none() && wishes.store_export.is_none() {
        let answer =
            ask("The image store: a folder of this server, or SERVER:/FOLDER of another one", STORE)?;
        if answer.starts_with('/') {
            wishes.store = Some(PathBuf::from(answer));
        } else {
            let export = Export::parse(&answer, &PathBuf::from("/"), std::net::Ipv4Addr::UNSPECIFIED)
                .filter(|_| answer.contains(":/"));
            wishes.store_export =
                Some(export.ok_or_else(|| no_answer(&answer, "/FOLDER or SERVER:/FOLDER"))?);
            let mounted = ask("The folder that it is mounted on here", "/srv/ghost")?;
            wishes.store = Some(PathBuf::from(mounted));
        }
    }
    if wishes.firmware.is_none() {
        let answer = ask("The firmware of most clients, bios or uefi", Firmware::Bios.word())?;
        wishes.firmware = Some(Firmware::parse(&answer).ok_or_else(|| no_answer(&answer, "bios or uefi"))?);
    }
    if wishes.firmware == Some(Firmware::Uefi) && !wishes.http_boot {
        let question = "Whether UEFI clients load kernel and initramfs over HTTP, which a web server on port 80 has to give from the TFTP \
            server's folder: yes or no";
        wishes.http_boot = match ask(question, "no")?.as_str() {
            "yes" => true,
            "no" => false,
            answer => return Err(no_answer(answer, "yes or no")),
        };
    }
    if let Some(own) = proposed.network.as_ref().filter(|_| wishes.network.is_none()) {
        let question = format!(
            "The DHCP configuration has no network. The one that this machine shall answer in, such as {own}, or no"
        );
        let answer = ask(&question, "no")?;
        if answer != "no" {
            wishes.network = Some(network(&answer).map_err(|words| anyhow!(words).exit(Exit::Usage))?);
            if wishes.dhcp_server.is_none() {
                wishes.dhcp_server = Some(dhcp_server(proposed.dhcp_server, ask)?);
            }
        }
    }
    Ok(wishes)
}

fn dhcp_server(proposed: Kind, ask: Ask<'_>) -> anyhow::Result<Kind> {
    let words = Kind::ALL.map(Kind::word).join(", ");
    let answer = ask(&format!("The DHCP server that does so: {words}"), proposed.word())?;
    Kind::named(&answer).ok_or_else(|| no_answer(&answer, &format!("one of {words}")))
}

fn no_answer(answer: &str, wanted: &str) -> anyhow::Error {
    anyhow!("'{answer}' is not {wanted}: nothing was done").exit(Exit::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(answers: &[&str]) -> (anyhow::Result<Wishes>, usize) {
        let mut left = answers.iter();
        let mut ask = |_: &str, default: &str| {
            let answer = left.next().copied().unwrap_or_default();
            Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
        };
        let proposed = Proposed {
            interface: Some("eth0".to_owned()),
            network: Some("10.0.0.0/24".to_owned()),
            ..Proposed::default()
        };
        let wishes = answered(Wishes::default(), &proposed, &mut ask);
        (wishes, left.count())
    }

    #[test]
    fn enter_takes_what_is_proposed_and_no_network() {
        let wishes = answer(&[]).0.unwrap();
        assert_eq!((wishes.interface, wishes.store, wishes.network), (None, Some(STORE.into()), None));
    }

    #[test]
    fn answers_are_wishes() {
        let (wishes, left) =
            answer(&["eth1", "nas:/images", "/mnt/images", "uefi", "yes", "10.0.0.0/24", "kea"]);
        let wishes = wishes.unwrap();
        assert_eq!((wishes.interface.as_deref(), left), (Some("eth1"), 0));
        assert_eq!(wishes.store_export.unwrap().server, "nas");
        assert_eq!((wishes.store, wishes.firmware), (Some("/mnt/images".into()), Some(Firmware::Uefi)));
        assert!(wishes.http_boot);
        assert_eq!(wishes.network.unwrap().to_string(), "10.0.0.0/24");
        assert_eq!(wishes.dhcp_server, Some(Kind::Kea));
        let isc = answer(&["", "", "", "10.0.0.0/24", ""]).0.unwrap();
        assert_eq!(isc.dhcp_server, Some(Kind::Isc));
    }

    #[test]
    fn an_answer_that_is_none_ends_it() {
        for answers in [
            &["", "images"][..],
            &["", "", "efi"],
            &["", "", "uefi", "http"],
            &["", "", "", "yes"],
            &["", "", "", "10.0.0.0/24", "bind"],
        ] {
            let error = answer(answers).0.unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage, "{answers:?}: {error}");
        }
    }
}
