//! Makes a boot server of a machine, and takes that away again.
//!
//! ```text
//! observe ─▶ Seen ─┐
//!                  ├─ plan ─▶ steps, shown and agreed to ─▶ perform ─▶ kept in STATEDIR/setup.json
//! flags, answers ──┘
//! ```
//! [`plan`] and [`removal`] are pure. A step is one effect, and none is planned for what is as it should be already: so the same
//! command can be given again, after a failure too. What was made is written down before it is made ([`crate::state::made`]).

pub(crate) mod alone;
pub(crate) mod diff;
pub(crate) mod exported;
pub(crate) mod listening;
pub(crate) mod lists;
pub(crate) mod observe;
pub(crate) mod old;
pub(crate) mod perform;
pub(crate) mod plan;
pub(crate) mod questions;
pub(crate) mod removal;
pub(crate) mod settings;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::HostName;
use serde::Serialize;

use crate::dhcp::adding::Written;
use crate::dhcp::{Change, Kind, Network};
use crate::exports;
use crate::ghostrc::{Export, Firmware};

/// What a person wants, where that is not the usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) interface: Option<String>,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) base: Option<PathBuf>,
    pub(crate) store: Option<PathBuf>,
    pub(crate) store_export: Option<Export>,
    pub(crate) tftp: Option<PathBuf>,
    pub(crate) dhcp_server: Option<Kind>,
    pub(crate) dhcp_configuration: Option<PathBuf>,
    pub(crate) firmware: Option<Firmware>,
    /// UEFI clients load kernel and initramfs over HTTP.
    pub(crate) http_boot: bool,
    /// The network that this machine shall answer in by DHCP.
    pub(crate) network: Option<Network>,
    /// The template of a boot floppy with Norton Ghost.
    pub(crate) floppy: Option<PathBuf>,
}

/// What is done, in this order, and what is not.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// What people should know, or have to do themselves.
    pub(crate) remarks: Vec<String>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Makes a folder that is not there.
    Folder(PathBuf),
    /// Makes a file, or gives it other contents.
    File(FileStep),
    /// Makes the folders of clients that have exports of their own.
    ClientFolders(Vec<(HostName, Ipv4Addr)>),
    BaseRoot,
    Dhcp(DhcpStep),
    /// The DHCP server serves what an earlier run has written.
    TakeUp,
    /// Runs a command.
    Run(Vec<String>),
    /// Has a service run now and after each boot.
    Unit(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStep {
    pub(crate) path: PathBuf,
    /// What is there; nothing if the file is not.
    pub(crate) before: Option<Vec<u8>>,
    pub(crate) after: Vec<u8>,
}

/// A change of the DHCP configuration. It is made on consent only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DhcpStep {
    pub(crate) changes: Vec<Change>,
    pub(crate) written: Vec<Written>,
    /// Whether the main file is made.
    pub(crate) is_new: bool,
    /// The command by which a server that runs serves them, where it reads these files only when it starts.
    pub(crate) restart: Option<Vec<String>>,
}

/// A step, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub(crate) enum Told<'a> {
    Folder { path: &'a Path },
    File { path: &'a Path },
    ClientFolders { hosts: Vec<&'a HostName> },
    BaseRoot,
    Dhcp { files: Vec<&'a Path> },
    TakeUp,
    Run { command: String },
    Unit { unit: &'a str },
}

impl Step {
    pub(crate) fn told(&self) -> Told<'_> {
        match self {
            Self::Folder(path) => Told::Folder { path },
            Self::File(file) => Told::File { path: &file.path },
            Self::ClientFolders(hosts) => {
                Told::ClientFolders { hosts: hosts.iter().map(|(host, _)| host).collect() }
            }
            Self::BaseRoot => Told::BaseRoot,
            Self::Dhcp(dhcp) => {
                Told::Dhcp { files: dhcp.changes.iter().map(|change| change.file.as_path()).collect() }
            }
            Self::TakeUp => Told::TakeUp,
            Self::Run(words) => Told::Run { command: words.join(" ") },
            Self::Unit(unit) => Told::Unit { unit },
        }
    }

    /// Lines that show what changes in files.
    pub(crate) fn diff(&self) -> Vec<String> {
        match self {
            Self::File(file) => diff::lines(&file.path, file.before.as_deref(), &file.after),
            Self::Dhcp(dhcp) => {
                let before = |change: &'_ Change| (!dhcp.is_new).then(|| change.read.clone());
                let of =
                    |change: &Change| diff::lines(&change.file, before(change).as_deref(), &change.contents);
                dhcp.changes.iter().flat_map(of).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "make the folder {}", path.display()),
            Self::File(FileStep { path, before: None, .. }) => write!(f, "write {}", path.display()),
            Self::File(FileStep { path, .. }) => write!(f, "change {}", path.display()),
            Self::ClientFolders(hosts) => write!(f, "make the folders of {}", few(hosts)),
            Self::BaseRoot => f.write_str(
                "make the base root and the boot files from Debian's packages (ghostctl root build)",
            ),
            Self::Dhcp(dhcp) => {
                let files: Vec<String> =
                    dhcp.changes.iter().map(|change| change.file.display().to_string()).collect();
                let verb = if dhcp.is_new { "write" } else { "change" };
                write!(
                    f,
                    "{verb} the DHCP configuration {}, once the DHCP server's own checker accepts it",
                    files.join(", ")
                )?;
                dhcp.restart.as_ref().map_or(Ok(()), |words| write!(f, ", and run '{}'", words.join(" ")))
            }
            Self::TakeUp => {
                f.write_str("have the DHCP server take up what an earlier run has written, if it runs")
            }
            Self::Run(words) => f.write_str(&command(words)),
            Self::Unit(unit) => write!(f, "have {unit} run, now and after each boot"),
        }
    }
}

/// What a command does.
fn command(words: &[String]) -> String {
    exports::always::in_words(words).unwrap_or_else(|| format!("run '{}'", words.join(" ")))
}

/// The first few hosts, and how many more there are.
fn few(hosts: &[(HostName, Ipv4Addr)]) -> String {
    crate::doctor::facts::few(hosts.iter().map(|(host, _)| host.as_str()))
}

/// `10.0.0.0/24`: a network that clients can be in.
pub(crate) fn network(text: &str) -> Result<Network, String> {
    let words = || format!("'{text}' is no network such as 10.0.0.0/24");
    let (address, bits) = text.split_once('/').ok_or_else(words)?;
    let address: Ipv4Addr = address.parse().map_err(|_| words())?;
    let bits: u32 = bits.parse().ok().filter(|bits| (8..=30).contains(bits)).ok_or_else(words)?;
    let netmask = Ipv4Addr::from(u32::MAX << (32 - bits));
    let first = Ipv4Addr::from(u32::from(address) & u32::from(netmask));
    if first != address {
        return Err(format!(
            "{address} is an address in the network {first}/{bits}; give the network itself"
        ));
    }
    Ok(Network { address, netmask })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_one() {
        let network = network("10.0.0.128/25").unwrap();
        assert_eq!(network.to_string(), "10.0.0.128/25");
        for wrong in
            ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "10.0.0/24", "10.0.0.1/24", "fe80::/64", "/", ""]
        {
            assert!(super::network(wrong).is_err(), "{wrong}");
        }
    }
}
