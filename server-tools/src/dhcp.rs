//! The seam between a job and the DHCP server: find a host, swap, revert, check, take effect.
//!
//! Outside this folder only the settings and what `doctor` advises name a server. A server is one folder here with a [`Server`] and a
//! [`Configuration`]; [`Kind`] names it, in the journal too. What is the same for every server stands in [`offer`] (locks,
//! files, what was read back) and [`restart`] (who restarts for whom, and when).
//!
//! ```text
//! offers its own file ──swap──▶ offers the boot file ──revert──▶ offers its own file, byte for byte
//!                                                     └─ another person has changed it: left alone, and said
//! ```

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::{HostName, MacAddress};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;
use crate::place::Place;
use crate::sys::process::{self, Process};

pub use checker::Checker;
pub use entries::Entries;
pub use kind::Kind;
pub use network::Network;
pub use private_copy::PrivateCopy;

pub mod adding;
mod checker;
pub mod dnsmasq;
pub mod entries;
pub mod found;
pub mod isc;
pub mod kea;
pub(crate) mod kind;
pub mod network;
pub mod offer;
mod private_copy;
pub mod probe;
pub mod proxy;
pub mod restart;
mod restarted;
mod text;

impl Kind {
    /// The server of this kind at a boot server, with the file in which its configuration begins.
    pub fn server(self, ghostrc: &Ghostrc, configuration: &Path) -> Box<dyn Server> {
        match self {
            Self::Isc => Box::new(isc::Dhcpd::new(ghostrc, configuration)),
            Self::Kea => Box::new(kea::Kea::new(ghostrc, configuration)),
            Self::Dnsmasq => Box::new(dnsmasq::Dnsmasq::new(ghostrc, configuration)),
            Self::Proxy => Box::new(proxy::Proxy::new(ghostrc, configuration)),
        }
    }

    /// What holds for servers of this kind wherever they run.
    pub const fn traits(self) -> &'static Traits {
        match self {
            Self::Isc => &isc::TRAITS,
            Self::Kea => &kea::TRAITS,
            Self::Dnsmasq => &dnsmasq::TRAITS,
            Self::Proxy => &proxy::TRAITS,
        }
    }
}

/// What holds for a kind of server wherever it runs.
#[derive(Debug)]
pub struct Traits {
    /// What people call it.
    pub name: &'static str,
    /// The name of its processes.
    pub process: &'static str,
    /// The configurations that a process of it may read, by its arguments. None of a checker.
    pub(crate) read_by: fn(&Process) -> Vec<PathBuf>,
    /// Debian's package of it.
    pub package: &'static str,
    /// systemd's service.
    pub unit: &'static str,
    /// Whether it answers hosts that are swapped and nobody else, beside a server that gives them their addresses.
    pub is_beside_another: bool,
    /// Whether it ends at once where its configuration has no network.
    pub needs_network: bool,
    /// Debian's file that says which interface it listens on (`INTERFACESv4`).
    pub defaults: Option<&'static str>,
    /// Where its configuration may be, the likeliest first.
    pub configurations: &'static [&'static str],
    /// How people write in its configuration.
    pub terms: Terms,
    /// Whether a file looks like its configuration. Pure.
    pub is_its: fn(&[u8]) -> bool,
    /// Whether one with this configuration gives clients addresses: some are there for other purposes.
    pub has_clients: fn(&Path) -> bool,
}

/// How people write in a server's configuration, for advice.
#[derive(Debug)]
pub struct Terms {
    /// What says a host's address.
    pub address: &'static str,
    /// What makes an entry one that a job can use, as something to do.
    pub needs: &'static str,
    pub next_server: Setting,
    pub tftp_server: Setting,
    /// A host's boot file of this name.
    pub boot_file: fn(&str) -> String,
    pub boot_file_option: &'static str,
    /// A network's router of this address, as it has to be written.
    pub router: fn(&str) -> String,
    /// What keeps the server from answering, by the value that it has.
    pub denied: fn(&str) -> String,
    /// What to do about that.
    pub allow: &'static str,
}

/// How people write a setting.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    /// With the value that it has, in messages.
    pub said: fn(&str) -> String,
    /// With the value that it shall have, as it has to be written.
    pub written: fn(&str) -> String,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    pub what: String,
    pub mend: String,
}

/// One DHCP server: how its configuration is read, checked and taken up.
pub trait Server: fmt::Debug + Send + Sync {
    fn kind(&self) -> Kind;

    /// Its own checker, and the file in which its configuration begins.
    fn checker(&self) -> &Checker;

    /// Reads the configuration with all that belongs to it.
    fn read(&self) -> anyhow::Result<Box<dyn Configuration>> {
        self.read_with(&[])
    }

    /// The same as it would be with these changes.
    fn read_with(&self, changes: &[Change]) -> anyhow::Result<Box<dyn Configuration>>;

    /// Puts the original values of swapped hosts back into the one file that they are written in, as that file is `now`. Pure.
    /// The rest of the configuration may be broken or gone meanwhile.
    fn revert(&self, file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts;

    /// Copies of the configuration's files with these changes, for its checker.
    fn private_copy(&self, changes: &[Change]) -> anyhow::Result<PrivateCopy>;

    /// Has the server's own checker look at the whole configuration, as it would be with these changes.
    fn check(&self, changes: &[Change]) -> anyhow::Result<()> {
        self.checker().check(changes, || self.private_copy(changes))
    }

    /// What new entries come to. A configuration that is not there yet is taken for an empty one. Changes nothing.
    fn add(&self, asked: &adding::Additions) -> anyhow::Result<adding::Added> {
        if asked.hosts.is_empty() && asked.network.is_none() {
            return Ok(adding::Draft::default().comes_to(self.read()?, None));
        }
        Err(anyhow::anyhow!(
            "entries cannot be added to the configuration of {}; write them by hand: {}",
            self.kind().traits().name,
            self.kind().traits().terms.needs
        ))
    }

    /// The command after which it serves these files' new contents, where it reads them only when it starts and [`Server::take_up`]
    /// does not restart it.
    fn restart_for(&self, _files: &[&Path]) -> Option<Vec<String>> {
        None
    }

    /// Restarts the running server, and sees that another process of it serves the configuration. Does not ask the checker.
    fn restart(&self) -> anyhow::Result<()> {
        self.take_up()
    }

    /// Whether it starts though another program that shares the DHCP port has it, for another interface.
    fn shares_port(&self) -> bool {
        true
    }

    /// Has the server's own checker look at a file that shall become the configuration, where there is none yet.
    fn check_alone(&self, file: &Path) -> anyhow::Result<()> {
        self.checker().ask(file).exit_by_default(Exit::Configuration)
    }

    /// Whether the running server may be told to take up its configuration as it is: what the checker refuses might stop it.
    fn may_take_up(&self) -> anyhow::Result<()> {
        self.check(&[])
    }

    /// Makes the running server take up its configuration, and sees that it has, as far as it tells. Does not ask the checker.
    fn take_up(&self) -> anyhow::Result<()>;

    /// How it takes its configuration up, and whether it could now. Changes nothing.
    fn way(&self) -> Result<String, Advice>;

    /// Which configuration the server runs with, as far as this machine's processes tell.
    fn running(&self) -> Running;

    /// What its configuration names and the server cannot read, though its checker accepts that. Changes nothing.
    fn unread(&self) -> Vec<Advice> {
        Vec::new()
    }

    /// Why the server does not run here with its configuration any more, in words; none of one that does, or never was seen to.
    fn has_gone(&self) -> Option<String>;

    /// How far apart two calls of [`Server::take_up`] must be at least.
    fn distance(&self) -> std::time::Duration;
}

/// A configuration that was read. Looking a host up takes the same time however many there are.
pub trait Configuration: fmt::Debug + Send + Sync {
    /// The files that it consists of, the one first in which it begins.
    fn files(&self) -> Vec<PathBuf>;

    /// Every host, in the order in which they are declared.
    fn list(&self) -> Vec<Listed>;

    /// Every host that has both a name that can be a client's and a hardware address.
    fn clients(&self) -> Vec<(HostName, MacAddress)>;

    /// The host of this name, with all that a job needs.
    fn host(&self, name: &HostName) -> Result<Host, Fault>;

    /// Every host whose own boot file is one of those meant, whether a job can be done for it or not. Found as they are asked for.
    fn booting<'a>(&'a self, is_meant: IsMeant<'a>) -> Box<dyn Iterator<Item = Booting> + 'a>;

    /// Every network that it gives addresses in.
    fn networks(&self) -> Vec<Network>;

    /// The interfaces that it names; none if the server listens on all, or if something else says on which.
    fn listens_on(&self) -> Vec<String> {
        Vec::new()
    }

    /// What besides the boot file decides how these hosts boot, in their order. Looks at the configuration once for all.
    fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach>;

    /// Looks for swapped hosts wherever they stand now, by name and by hardware address, and puts their original values back
    /// there. Pure.
    fn put_back(&self, swapped: &[(HostName, Swap)]) -> PutBack;

    /// Lets hosts be offered their boot files, all in one edit. Pure. Those that cannot be are left as they are.
    fn swap(&self, wanted: &[Wanted]) -> Edit;
}

/// A host that a job can be done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub name: HostName,
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    /// The boot file that it is offered, as the client is told.
    pub offered: Vec<u8>,
    /// The file that says so.
    pub file: PathBuf,
    /// Where in that file it is said.
    pub place: Box<Place>,
    /// Other hosts with the same address, which must not be on together.
    pub shares_ip_with: Vec<String>,
}

/// What a list shows of a host, whether a job can be done for it or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As it is written, which may be what is no [`HostName`].
    pub name: String,
    pub mac: Option<MacAddress>,
    pub ip: Option<Ipv4Addr>,
    /// The boot file that it is offered, if that is plain.
    pub offered: Option<Vec<u8>>,
    /// What stands in the way of a job, to be read after the host's name.
    pub problem: Option<String>,
}

/// Whether the host of this name with this boot file is meant.
pub type IsMeant<'a> = &'a dyn Fn(&str, &[u8]) -> bool;

/// A host by its boot file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booting {
    /// As it is written.
    pub name: String,
    pub mac: Option<MacAddress>,
    pub ip: Option<Ipv4Addr>,
    pub boot_file: String,
    /// Where that is said.
    pub place: Box<Place>,
}

/// How far a swap of a host's boot file gets: what else the configuration says about how it boots. Nothing is judged here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The network that its address is in; none if the configuration has none for it, and so never answers it.
    pub network: Option<Network>,
    /// The machine that it fetches the boot file from.
    pub next_server: Option<Said>,
    /// A boot file as an option, which many boot ROMs prefer to the one that is swapped.
    pub boot_file_option: Option<Said>,
    /// The machine to fetch from, as an option.
    pub tftp_server_option: Option<Said>,
    /// Whether it is told no router, so that it reaches the machines of its own network only. What another server tells is not known.
    pub has_no_router: bool,
    /// That it is not to be answered when it boots.
    pub booting_denied: Option<Said>,
}

/// A value, and where the configuration says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub value: String,
    /// Whether it holds for the host in any case, and not only under conditions.
    pub is_certain: bool,
    pub place: Box<Place>,
}

/// What the processes of this machine tell about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// One runs with the configuration that is edited.
    Ours,
    /// Those that run have these configurations.
    Others(Vec<PathBuf>),
    /// The kernel does not tell now, for this reason.
    Unknown(String),
    /// None is seen. It may run where this program cannot look, such as in a container.
    Nobody,
}

impl Running {
    /// What the processes of this name tell, each of which reads these configurations.
    fn of<R: IntoIterator<Item = PathBuf>>(
        program: &str,
        configuration: &Path,
        read_by: impl Fn(&Process) -> R,
    ) -> Self {
        let all = match process::named(program) {
            Ok(all) => all,
            Err(error) => return Self::Unknown(error.to_string()),
        };
        let read: Vec<PathBuf> = all.iter().flat_map(read_by).collect();
        if read.iter().any(|read| text::same(read, configuration)) {
            return Self::Ours;
        }
        if read.is_empty() { Self::Nobody } else { Self::Others(read) }
    }
}

/// A host that shall be offered a boot file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub host: HostName,
    pub boot_file: String,
}

/// A file of the configuration with other contents than it has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub file: PathBuf,
    /// What the file held when it was read: if it holds something else by now, another person's edit would be lost.
    pub read: Vec<u8>,
    pub contents: Vec<u8>,
}

/// What a swap of several hosts comes to.
#[derive(Debug)]
pub struct Edit {
    /// The files that change, each once.
    pub changes: Vec<Change>,
    /// What became of each host, in the order in which they were wanted.
    pub swaps: Vec<Result<Swap, SwapError>>,
}

/// What must be known to undo a swap. The journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    #[serde(default)]
    pub server: Kind,
    /// The file that holds the host's entry.
    pub file: PathBuf,
    /// What stood there, byte for byte, quotes included.
    pub original: Original,
    /// The file name that was put in its place.
    pub boot_file: String,
    /// The host's hardware address, by which it is found under another name. Journals of before do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Its address, by which it is found with another name and another network card. Journals of before do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Ipv4Addr>,
    /// The file that `file` led to, without symbolic links: a link may lead elsewhere by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<PathBuf>,
    /// Who was offered this boot file before, on purpose; none if that was not looked at, or if there were too many to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Entries>,
}

/// The exact bytes of the value before the swap; text where they are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Original {
    Text(String),
    /// Each byte as a number.
    Bytes(Vec<u8>),
}

impl Original {
    /// Keeps these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes)
            .map_or_else(|_| Self::Bytes(bytes.to_owned()), |text| Self::Text(text.to_owned()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// What a revert of several hosts of one file comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverts {
    /// What the file shall contain; what others have changed in it meanwhile is kept. None if nothing is to be changed.
    pub contents: Option<Vec<u8>>,
    /// What becomes of each host, in the order in which they were given.
    pub each: Vec<Back>,
}

/// What a revert comes to in the whole configuration, as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// The files that change, each once.
    pub changes: Vec<Change>,
    /// What becomes of each host, in the order in which they were given; none of one that stands nowhere.
    pub each: Vec<Option<Back>>,
}

/// What a revert comes to for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// Its own value takes the place of ours.
    Put,
    /// It is offered its own file already.
    Already,
    /// Our value is not there any more, for this reason. It is left alone.
    Gone(Fault),
    /// For this reason it cannot be told what the host is offered: our value may still be there.
    Unclear(Fault),
}

impl Back {
    /// Of several entries of one host the gravest decides.
    const fn gravity(&self) -> u8 {
        match self {
            Self::Gone(_) => 0,
            Self::Already => 1,
            Self::Put => 2,
            Self::Unclear(_) => 3,
        }
    }
}

/// Why a host is not swapped. Nothing has been changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// The configuration does not say about the host what a job needs.
    #[error(transparent)]
    NotUsable(#[from] Fault),
    /// The host is offered the boot file without us, so that it is not ours to put back.
    #[error("{place}: host {host} is offered the boot file '{boot_file}' already; that is not ours to change\n{}", place.excerpt())]
    AlreadyBootFile { host: String, boot_file: String, place: Box<Place> },
}

/// What is wrong in a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    /// Where; nowhere if what is meant is missing.
    pub place: Option<Box<Place>>,
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}\n{}", self.what, place.excerpt()),
            None => f.write_str(&self.what),
        }
    }
}

/// Whether a network card can have this address. People write zeros where they do not know it yet, and ones are everybody's.
const fn is_a_cards(mac: MacAddress) -> bool {
    !matches!(mac.bytes(), [0, 0, 0, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
}

impl dyn Configuration + '_ {
    /// The host of this name, if a job may swap it.
    pub fn swappable(&self, name: &HostName, boot_file: &str) -> Result<Host, SwapError> {
        let host = self.host(name)?;
        if host.offered == boot_file.as_bytes() {
            let (host, place) = (host.name.to_string(), host.place);
            return Err(SwapError::AlreadyBootFile { host, boot_file: boot_file.to_owned(), place });
        }
        Ok(host)
    }
}
