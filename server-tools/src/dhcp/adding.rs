//! New host entries, and a network for them: what is asked for, and what it comes to. How a server's configuration says it is the
//! server's own; nothing is ever taken away or written over but what is put back byte for byte.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::bail;
use ghost_contract::{HostName, MacAddress};
use serde::{Deserialize, Serialize};

use super::{Change, Configuration, Network};
use crate::place::Place;

/// A machine that shall have a host entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost {
    pub name: HostName,
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    /// The file that makes it boot from its own disk.
    pub no_boot_file: String,
}

/// A network that the configuration shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNetwork {
    pub network: Network,
    pub router: Option<Ipv4Addr>,
    /// This machine's interface in it.
    pub interface: Option<String>,
}

/// What shall be in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Additions {
    /// Where clients fetch their boot files.
    pub boot_server: Ipv4Addr,
    pub network: Option<NewNetwork>,
    pub hosts: Vec<NewHost>,
    /// The file that makes the clients that are there already boot from their own disks. A host that boots another one is left as it is.
    pub no_boot_file: String,
}

impl Additions {
    /// Whether a host that is offered this file is a client of the boot server.
    pub(super) fn is_client(&self, name: &HostName, offered: &[u8]) -> bool {
        offered == self.no_boot_file.as_bytes() || self.hosts.iter().any(|host| host.name == *name)
    }
}

/// A stretch of a file that was put in, and what stood in its place before, so that it can be taken out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub file: PathBuf,
    pub text: String,
    pub was: String,
    /// The host that it declares, if it declares one. Earlier versions wrote all hosts of a command as one stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
}

/// What the additions come to.
#[derive(Debug)]
pub struct Added {
    /// The files that change, each once. A file that is not there yet was read as empty.
    pub changes: Vec<Change>,
    pub written: Vec<Written>,
    /// Those of the hosts that were there already.
    pub known: Vec<HostName>,
    /// What people should know besides.
    pub remarks: Vec<String>,
    /// The command after which the server serves them, where it reads these files only when it starts.
    pub restart: Option<Vec<String>>,
    /// The configuration as it will be.
    pub configuration: Box<dyn Configuration>,
}

/// What is put where, before it is known what all of it comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) changes: Vec<Change>,
    pub(crate) written: Vec<Written>,
    pub(crate) known: Vec<HostName>,
    pub(crate) remarks: Vec<String>,
}

impl Draft {
    /// This one, and then another one that was made with it.
    pub(super) fn then(mut self, next: Self) -> Self {
        for change in next.changes {
            match self.changes.iter_mut().find(|earlier| earlier.file == change.file) {
                Some(earlier) => earlier.contents = change.contents,
                None => self.changes.push(change),
            }
        }
        self.written.extend(next.written);
        self.known.extend(next.known);
        self.remarks.extend(next.remarks);
        self
    }

    /// What is asked for, with the configuration as it will be.
    pub(super) fn comes_to(
        self,
        configuration: Box<dyn Configuration>,
        restart: Option<Vec<String>>,
    ) -> Added {
        let Self { changes, written, known, remarks } = self;
        Added { changes, written, known, remarks, restart, configuration }
    }

    /// Puts text behind all that is in a file.
    pub(super) fn append(&mut self, file: PathBuf, read: &[u8], text: &str) {
        self.append_each(file, read, vec![(None, text.to_owned())]);
    }

    /// Puts several texts behind all that is in a file, with one gap before them. Each can be taken out for itself.
    pub(super) fn append_each(&mut self, file: PathBuf, read: &[u8], texts: Vec<(Option<HostName>, String)>) {
        let earlier = self.changes.iter().find(|change| change.file == file);
        let now = earlier.map_or(read, |change| &change.contents);
        let end = new_line(now);
        let gap = match now {
            [] => "",
            [.., b'\n'] => end,
            _ => &end.repeat(2),
        };
        let mut contents = now.to_vec();
        for (at, (host, text)) in texts.into_iter().enumerate() {
            let gap = if at == 0 { gap } else { "" };
            let text = format!("{gap}{}", text.replace('\n', end));
            contents.extend(text.as_bytes());
            self.written.push(Written { file: file.clone(), text, was: String::new(), host });
        }
        match self.changes.iter_mut().find(|change| change.file == file) {
            Some(change) => change.contents = contents,
            None => self.changes.push(Change { file, read: read.to_vec(), contents }),
        }
    }
}

/// How the lines of a file end.
pub(super) fn new_line(bytes: &[u8]) -> &'static str {
    let first = bytes.iter().position(|byte| *byte == b'\n');
    if first.is_some_and(|at| at > 0 && bytes[at - 1] == b'\r') { "\r\n" } else { "\n" }
}

/// A host entry that is there.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) name: String,
    pub(super) mac: Option<MacAddress>,
    pub(super) ip: Option<Ipv4Addr>,
    pub(super) place: Place,
}

/// What a configuration has that a new host may collide with.
#[derive(Debug)]
pub(super) struct Around {
    /// With this name, whichever letters of it are capitals.
    pub(super) of_name: Option<Neighbour>,
    pub(super) of_mac: Option<Neighbour>,
    pub(super) of_address: Option<Neighbour>,
    /// The network that its address is in.
    pub(super) network: Option<Network>,
}

/// Whether the host is declared already. Fails where it cannot be.
pub(super) fn is_declared(host: &NewHost, boot_server: Ipv4Addr, around: &Around) -> anyhow::Result<bool> {
    let NewHost { name, mac, ip, .. } = host;
    if let Some(there) = &around.of_name {
        if there.name == name.as_str() && there.mac == Some(*mac) && there.ip == Some(*ip) {
            return Ok(true);
        }
        bail!(
            "{}: there is a host {} with other addresses than {mac} and {ip}; correct that entry, or give another name\n{}",
            there.place,
            there.name,
            there.place.excerpt()
        );
    }
    let others = [
        ("hardware address", mac.to_string(), &around.of_mac),
        ("address", ip.to_string(), &around.of_address),
    ];
    for (what, value, other) in others {
        if let Some(Neighbour { name: other, place, .. }) = other {
            bail!(
                "{place}: {name} cannot be added, since host {other} has the {what} {value}\n{}",
                place.excerpt()
            );
        }
    }
    let Some(network) = around.network else {
        bail!(
            "{name} cannot be added: no subnet of the DHCP configuration has its address {ip}; 'ghostctl setup --subnet NETWORK' declares one"
        );
    };
    if *ip == network.address || *ip == network.broadcast() {
        bail!("{name} cannot be added: {ip} is no host's address in the network {network}");
    }
    if *ip == boot_server {
        bail!("{name} cannot be added: {ip} is the boot server's own address (PXEADDR)");
    }
    Ok(false)
}

/// Whether a network is declared already. Fails where it would overlap one of those that are `declared`: a DHCP server answers from one
/// of the two, and the clients of the other get no address any more.
pub(super) fn is_network_declared(wanted: Network, declared: &[Network]) -> anyhow::Result<bool> {
    if declared.contains(&wanted) {
        return Ok(true);
    }
    match declared.iter().find(|other| other.overlaps(wanted)) {
        None => Ok(false),
        Some(other) => {
            bail!(
                "the DHCP configuration has the network {other} there already, which overlaps {wanted}; leave --subnet out, or give --subnet {other}"
            )
        }
    }
}

/// Whether jobs can be done for all of them once the configuration is as it will be.
pub(super) fn require_usable(configuration: &dyn Configuration, hosts: &[NewHost]) -> anyhow::Result<()> {
    let faults = hosts.iter().filter_map(|host| configuration.host(&host.name).err());
    let faults: Vec<String> = faults.map(|fault| fault.to_string()).collect();
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

/// Takes stretches out of a file again. Gives its new contents, and those that do not stand there exactly once any more.
pub fn taken_out<'a>(now: &[u8], written: &[&'a Written]) -> (Vec<u8>, Vec<&'a Written>) {
    let (mut contents, mut left) = (now.to_vec(), Vec::new());
    // The last ones first: an earlier one may hold what a later one was put into.
    for one in written.iter().rev() {
        match sole(&contents, one.text.as_bytes()).filter(|at| !is_behind_more(&contents[..*at], &one.text)) {
            Some(at) => {
                drop(contents.splice(at..at + one.text.len(), one.was.bytes()));
                if one.was.is_empty() {
                    drop_comma(&mut contents, at);
                }
            }
            None => left.push(*one),
        }
    }
    (contents, left)
}

/// Whether whole lines stand behind something that was put before them since, as a comment's sign. Without them it would be before the
/// next line.
fn is_behind_more(before: &[u8], text: &str) -> bool {
    let are_lines = text.ends_with('\n') && !text.starts_with(['\n', '\r', ' ', '\t', ',']);
    are_lines && !before.is_empty() && !before.ends_with(b"\n")
}

/// The first item of a list of Kea's takes the comma behind it with it. In no other server's configuration is one behind a bracket.
fn drop_comma(contents: &mut Vec<u8>, at: usize) {
    let is_first = contents[..at].trim_ascii_end().ends_with(b"[");
    let blanks = contents[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if is_first && contents.get(at + blanks) == Some(&b',') {
        contents.remove(at + blanks);
    }
}

/// Where these bytes stand, if they stand there once.
fn sole(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let mut found = bytes.windows(text.len().max(1)).enumerate().filter(|(_, window)| *window == text);
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, was: &str) -> Written {
        Written {
            file: "/etc/dhcp/dhcpd.conf".into(),
            text: text.to_owned(),
            was: was.to_owned(),
            host: None,
        }
    }

    #[test]
    fn what_was_put_in_is_taken_out_and_nothing_else() {
        let (a, b) = (written("host a { x; }\n", ""), written("host a { x; y; }\n", "host a { x; }\n"));
        let (contents, left) = taken_out(b"# 1\nhost a { x; y; }\n# 2\n", &[&a, &b]);
        assert_eq!((contents.as_slice(), left.len()), (&b"# 1\n# 2\n"[..], 0));
    }

    #[test]
    fn what_stands_behind_a_comments_sign_stays_with_it() {
        let one = written("dhcp-host=a\n", "");
        for (now, then) in [
            ("#dhcp-host=a\nbogus-priv\n", None),
            ("x\n# dhcp-host=a\n", None),
            ("x\ndhcp-host=a\ny\n", Some("x\ny\n")),
            ("dhcp-host=a\n", Some("")),
        ] {
            let (contents, left) = taken_out(now.as_bytes(), &[&one]);
            assert_eq!(String::from_utf8(contents).unwrap(), then.unwrap_or(now));
            assert_eq!(left.is_empty(), then.is_some(), "{now}");
        }
    }

    #[test]
    fn a_list_of_keas_is_one_without_its_first_item_too() {
        let (first, next) = (written("\n    { a }", ""), written(",\n    { b }", ""));
        for (now, then) in [
            ("[\n    { a },\n    { b }\n]", "[\n]"),
            ("[\n    { a },\n    { B }\n]", "[\n    { B }\n]"),
            ("[\n    { A },\n    { b }\n]", "[\n    { A }\n]"),
        ] {
            assert_eq!(String::from_utf8(taken_out(now.as_bytes(), &[&first, &next]).0).unwrap(), then);
        }
    }

    #[test]
    fn what_was_changed_since_or_stands_there_twice_is_left() {
        let one = written("host a { x; }\n", "");
        for now in ["host a { z; }\n", "host a { x; }\nhost a { x; }\n", ""] {
            let (contents, left) = taken_out(now.as_bytes(), &[&one]);
            assert_eq!((contents.as_slice(), left), (now.as_bytes(), vec![&one]), "{now}");
        }
    }
}
