//! What a host needs to be usable, and what to write where it is not. Nothing is guessed.
//!
//! A host is usable if its entry, and nothing around it, says all that a job needs: one name, one Ethernet
//! address that no other host has, one IPv4 address in numbers, and one `filename` that holds always.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::PathBuf;

use super::lexer::unquote;
use super::table::{Host, HostTable, address, mac_address, range, speaks_of_filename};
use super::tree::{Keyword, Statement, Tree, sole_text};
use crate::dhcp::{Fault, is_a_cards};
use crate::place::Place;
use ghost_contract::{HostName, MacAddress};

/// A host that a job can be done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableHost {
    /// Its name.
    pub name: HostName,
    /// Its hardware address.
    pub mac: MacAddress,
    /// Its fixed address.
    pub ip: Ipv4Addr,
    /// The file that it is offered, quotes removed and escapes resolved.
    pub filename: Vec<u8>,
    /// The file of the configuration that it is declared in.
    pub file: PathBuf,
    /// The same file as a place in the table's list.
    pub(super) source: usize,
    /// Where in that file the value of its `filename` is, quotes included.
    pub value: Range<usize>,
    /// Other hosts with the same fixed address; a warning, since they must not be on together.
    pub shares_ip_with: Vec<String>,
}

/// Why a host is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProblem {
    /// The host's name as it was asked for.
    pub host: String,
    /// What is wrong.
    pub flaw: Flaw,
    /// Where; nowhere if there is no such host.
    pub place: Option<Box<Place>>,
}

/// What is wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is no such host; maybe one whose name differs in letter case.
    #[error("is not in the DHCP configuration{}", similar.as_ref().map_or_else(String::new, |name| format!("; dhcpd tells letter case apart, is {name} meant?")))]
    Unknown {
        /// The host that differs in letter case only.
        similar: Option<String>,
    },
    /// Two entries with the name.
    #[error("is declared a second time, the first time at {0}; give each host a name of its own")]
    DeclaredTwice(Box<Place>),
    /// Part of the entry is in another file.
    #[error("has part of its entry in another file; write that part here")]
    Include,
    /// No `hardware`.
    #[error("has no hardware address; write, with its own: hardware ethernet 00:11:22:33:44:55;")]
    NoMac,
    /// A `hardware` that is not six bytes of Ethernet.
    #[error("has no Ethernet address here; write six bytes: hardware ethernet 00:11:22:33:44:55;")]
    NotMac,
    /// An address that nobody has.
    #[error("has the hardware address {0}, which no network card has; write its own")]
    NoCards(MacAddress),
    /// Several `hardware`.
    #[error("has a second hardware address; a client is woken by one, remove the others")]
    MacTwice,
    /// Another host with the same address.
    #[error("has the hardware address of {other} at {at}; each client has its own")]
    SameMac {
        /// The other host.
        other: String,
        /// Where it is declared.
        at: Box<Place>,
    },
    /// No `fixed-address`.
    #[error("has no fixed address; write, with its own: fixed-address 192.168.7.2;")]
    NoAddress,
    /// A `fixed-address` that is not one IPv4 address in numbers.
    #[error(
        "needs one IPv4 address in plain numbers here, not a name or a list; write: fixed-address 192.168.7.2;"
    )]
    NotAddress,
    /// Several `fixed-address`.
    #[error("has a second fixed address; remove one")]
    AddressTwice,
    /// No `filename` anywhere.
    #[error("has no filename; write into its entry: filename \"nobackup\";")]
    NoFilename,
    /// A `filename` in a scope around it only.
    #[error(
        "has no filename of its own, it inherits this one, which cannot be changed for one host; write into its entry at {0} the same line"
    )]
    InheritedFilename(Box<Place>),
    /// A `filename` that holds sometimes only.
    #[error("is offered this file under a condition only; write it into the entry without one")]
    ConditionalFilename,
    /// Several `filename`, or one beside another way to say the same.
    #[error("has a second filename here; remove one")]
    FilenameTwice,
    /// A `filename` whose value is not one string.
    #[error("has a file name here that is not one string in double quotes; write: filename \"nobackup\";")]
    NotText,
}

impl std::error::Error for HostProblem {}

impl From<HostProblem> for Fault {
    fn from(HostProblem { host, flaw, place }: HostProblem) -> Self {
        Self { what: format!("host {host} {flaw}"), place }
    }
}

impl fmt::Display for HostProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, flaw, place } = self;
        match place {
            Some(place) => write!(f, "{place}: host {host} {flaw}\n{}", place.excerpt()),
            None => write!(f, "host {host} {flaw}"),
        }
    }
}

impl HostTable {
    /// The host of this name with all that a job needs.
    /// Fails when anything is missing, doubled, inherited, under a condition or not plain.
    pub fn usable(&self, name: &HostName) -> Result<UsableHost, HostProblem> {
        let Needed { host, mac, ip, value } = self.needed(name)?;
        Ok(UsableHost {
            name: name.clone(),
            mac,
            ip,
            filename: unquote(self.bytes_of(host).get(value.clone()).unwrap_or_default()),
            file: self.path_of(host).to_owned(),
            source: host.file,
            value,
            shares_ip_with: self.others_at(ip, host),
        })
    }

    /// What is wrong with the host of this name, if anything is, without the place, which takes longer than all else. Takes no
    /// longer where many share an address.
    pub(super) fn flaw(&self, name: &HostName) -> Option<Flaw> {
        self.sound(name).err().map(|found| found.flaw)
    }

    fn needed(&self, name: &HostName) -> Result<Needed<'_>, HostProblem> {
        self.sound(name).map_err(|found| self.placed(name.as_str(), found))
    }

    fn placed(&self, host: &str, Found { flaw, at }: Found) -> HostProblem {
        let place = at.map(|(file, offset)| Box::new(self.place_at(file, offset)));
        HostProblem { host: host.to_owned(), flaw, place }
    }

    fn sound(&self, name: &HostName) -> Result<Needed<'_>, Found> {
        let mut of_name = self.by_name(name.as_str());
        let Some(host) = of_name.next() else { return Err(Found { flaw: self.unknown(name), at: None }) };
        if let Some(second) = of_name.next() {
            let flaw = Flaw::DeclaredTwice(Box::new(self.place_of(host)));
            return Err(Found { flaw, at: Some(self.declared(second)) });
        }
        let flawed = |(offset, flaw)| Found { flaw, at: Some((host.file, offset)) };
        let entry = Entry::of(self, host);
        // What was read with the table is right; what was not is looked at again for what is wrong with it.
        let mac = host.mac.filter(|mac| is_a_cards(*mac)).map_or_else(|| entry.mac(), Ok).map_err(flawed)?;
        if let Some(other) = self.by_mac(mac).find(|other| other.name != host.name) {
            let flaw = Flaw::SameMac { other: other.name.clone(), at: Box::new(self.place_of(other)) };
            return Err(Found { flaw, at: Some(self.declared(host)) });
        }
        let ip = host.address.map_or_else(|| entry.ip(), Ok).map_err(flawed)?;
        let value = self.value(host)?;
        Ok(Needed { host, mac, ip, value })
    }

    /// Where in its file the value of a host's own `filename` is, quotes included, whatever else the host
    /// lacks.
    /// Fails when it is missing, doubled, inherited, under a condition or not one string.
    pub fn own_filename(&self, host: &Host) -> Result<Range<usize>, HostProblem> {
        self.value(host).map_err(|found| self.placed(&host.name, found))
    }

    fn value(&self, host: &Host) -> Result<Range<usize>, Found> {
        let entry = Entry::of(self, host);
        let value = entry.is_whole().and_then(|()| entry.filename());
        let value = value.map_err(|(offset, flaw)| Found { flaw, at: Some((host.file, offset)) })?;
        value.ok_or_else(|| self.without_filename(host))
    }

    fn declared(&self, host: &Host) -> (usize, usize) {
        (host.file, Entry::of(self, host).declared())
    }

    fn unknown(&self, name: &HostName) -> Flaw {
        let similar = self.hosts().iter().find(|host| host.name.eq_ignore_ascii_case(name.as_str()));
        Flaw::Unknown { similar: similar.map(|host| host.name.clone()) }
    }

    fn others_at(&self, ip: Ipv4Addr, host: &Host) -> Vec<String> {
        let others = self.by_address(ip).filter(|other| other.name != host.name);
        others.map(|other| other.name.clone()).collect()
    }

    /// Looks in the scopes around a host, and around the `include` that brought its file, for the `filename`
    /// that it inherits.
    fn without_filename(&self, host: &Host) -> Found {
        let mut position = Some((host.file, host.statement));
        let inherited = std::iter::from_fn(|| {
            let here = position?;
            position = self.outwards(here);
            Some(self.filename_beside(here))
        });
        match inherited.flatten().next() {
            Some(at) => Found { flaw: Flaw::InheritedFilename(Box::new(self.place_of(host))), at: Some(at) },
            None => Found { flaw: Flaw::NoFilename, at: Some(self.declared(host)) },
        }
    }

    /// The statement in whose block this one stands, be it in the file that included this one.
    fn outwards(&self, (file, statement): (usize, usize)) -> Option<(usize, usize)> {
        let source = self.sources.get(file)?;
        let parent = source.tree.statements.get(statement)?.parent;
        parent.map(|parent| (file, parent)).or(source.included_by)
    }

    /// Where in the same block as this statement a `filename` stands, before it or after it.
    fn filename_beside(&self, (file, statement): (usize, usize)) -> Option<(usize, usize)> {
        let source = self.sources.get(file)?;
        let parent = source.tree.statements.get(statement)?.parent;
        Some((file, source.first_filename(parent)?.start))
    }
}

/// A flaw, and in which file at which offset it is.
struct Found {
    flaw: Flaw,
    at: Option<(usize, usize)>,
}

/// What a job needs of a host, as it stands in the table.
struct Needed<'a> {
    host: &'a Host,
    mac: MacAddress,
    ip: Ipv4Addr,
    value: Range<usize>,
}

/// A flaw and its offset in the entry's file.
type Flawed = (usize, Flaw);

/// The block of one host.
struct Entry<'a> {
    bytes: &'a [u8],
    tree: &'a Tree,
    statement: usize,
}

impl<'a> Entry<'a> {
    fn of(table: &'a HostTable, host: &Host) -> Self {
        Self { bytes: table.bytes_of(host), tree: table.tree_of(host), statement: host.statement }
    }

    /// dhcpd lets an included file hold a host's `filename`, though not its addresses (tried).
    fn is_whole(&self) -> Result<(), Flawed> {
        let mut inside = self.tree.below(self.statement);
        inside
            .find(|(_, s)| s.keyword == Keyword::Include)
            .map_or(Ok(()), |(_, s)| Err((s.start, Flaw::Include)))
    }

    fn mac(&self) -> Result<MacAddress, Flawed> {
        let own = self.sole(Keyword::Hardware, Flaw::NoMac, Flaw::MacTwice)?;
        let mac = mac_address(self.bytes, own).ok_or((own.start, Flaw::NotMac))?;
        if is_a_cards(mac) { Ok(mac) } else { Err((own.start, Flaw::NoCards(mac))) }
    }

    fn ip(&self) -> Result<Ipv4Addr, Flawed> {
        let own = self.sole(Keyword::FixedAddress, Flaw::NoAddress, Flaw::AddressTwice)?;
        address(self.bytes, own).ok_or((own.start, Flaw::NotAddress))
    }

    /// Where the value of the entry's own `filename` is; `None` if it has none.
    fn filename(&self) -> Result<Option<Range<usize>>, Flawed> {
        let bytes = self.bytes;
        let mut speaking =
            self.tree.below(self.statement).map(|(_, s)| s).filter(|s| speaks_of_filename(bytes, s));
        let Some(first) = speaking.next() else { return Ok(None) };
        if first.parent != Some(self.statement) {
            return Err((first.start, Flaw::ConditionalFilename));
        }
        if let Some(second) = speaking.next() {
            return Err((second.start, Flaw::FilenameTwice));
        }
        let text = (first.keyword == Keyword::Filename).then(|| sole_text(bytes, first)).flatten();
        text.map(|text| Some(range(&text))).ok_or((first.start, Flaw::NotText))
    }

    fn declared(&self) -> usize {
        self.tree.statements.get(self.statement).map_or(0, |host| host.start)
    }

    /// The one statement of this kind in the entry.
    fn sole(&self, keyword: Keyword, none: Flaw, twice: Flaw) -> Result<&'a Statement, Flawed> {
        let mut all = self.tree.children(self.statement).map(|(_, s)| s).filter(|s| s.keyword == keyword);
        let first = all.next().ok_or((self.declared(), none))?;
        all.next().map_or(Ok(first), |second| Err((second.start, twice)))
    }
}
