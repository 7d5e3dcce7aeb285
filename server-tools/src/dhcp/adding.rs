//! New host entries, and a network for them: what is asked for, and what it comes to. How a server's configuration says it is the
//! server's own; nothing is ever taken away or written over but what is put back byte for byte.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ghost_contract::{HostName, MacAddress};
use serde::{Deserialize, Serialize};

use super::{Change, Configuration, Network};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewNetwork {
    pub network: Network,
    pub router: Option<Ipv4Addr>,
}

/// What shall be in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Additions {
    /// Where clients fetch their boot files.
    pub boot_server: Ipv4Addr,
    pub network: Option<NewNetwork>,
    pub hosts: Vec<NewHost>,
}

/// A stretch of a file that was put in, and what stood in its place before, so that it can be taken out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub file: PathBuf,
    pub text: String,
    pub was: String,
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
    /// The configuration as it will be.
    pub configuration: Box<dyn Configuration>,
}

impl Added {
    pub(crate) fn nothing(configuration: Box<dyn Configuration>) -> Self {
        let (changes, written, known, remarks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { changes, written, known, remarks, configuration }
    }
}

/// Takes stretches out of a file again. Gives its new contents, and those that do not stand there exactly once any more.
pub fn taken_out<'a>(now: &[u8], written: &[&'a Written]) -> (Vec<u8>, Vec<&'a Written>) {
    let (mut contents, mut left) = (now.to_vec(), Vec::new());
    // The last ones first: an earlier one may hold what a later one was put into.
    for one in written.iter().rev() {
        match sole(&contents, one.text.as_bytes()) {
            Some(at) => drop(contents.splice(at..at + one.text.len(), one.was.bytes())),
            None => left.push(*one),
        }
    }
    (contents, left)
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
        Written { file: "/etc/dhcp/dhcpd.conf".into(), text: text.to_owned(), was: was.to_owned() }
    }

    #[test]
    fn what_was_put_in_is_taken_out_and_nothing_else() {
        let (a, b) = (written("host a { x; }\n", ""), written("host a { x; y; }\n", "host a { x; }\n"));
        let (contents, left) = taken_out(b"# 1\nhost a { x; y; }\n# 2\n", &[&a, &b]);
        assert_eq!((contents.as_slice(), left.len()), (&b"# 1\n# 2\n"[..], 0));
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
