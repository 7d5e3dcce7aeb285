//! The hosts of a configuration: by name, by hardware address.
//!
//! Reads the file and all that it includes, in dhcpd's order. Does not open files: it asks for the content of
//! each `include`. dhcpd takes a relative path there as relative to the folder that dhcpd was started in,
//! not to the including file (tried); started as a service that is `/`.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::lexer::{Lexer, Token, TokenKind, unquote};
use super::tree::{Keyword, Statement, SyntaxFault, Tree, host_name, sole_text};
use crate::dhcp::is_a_cards;
use crate::place::{Lines, Place};
use ghost_contract::{HostName, MacAddress};

/// How many files one configuration may have. A guard against files that include each other ever more often.
const MOST_FILES: usize = 1_000;

/// One host entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The name as it is written; dhcpd lets it be what is no [`HostName`], and tells letter case apart.
    pub name: String,
    /// Its hardware address, if it has exactly one and that is an Ethernet address.
    pub mac: Option<MacAddress>,
    /// Its fixed address, if it has exactly one and that is written as an IPv4 address.
    pub address: Option<Ipv4Addr>,
    pub(super) file: usize,
    pub(super) statement: usize,
}

/// A file and what was read in it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) tree: Tree,
    /// The file and the statement that included it.
    pub(super) included_by: Option<(usize, usize)>,
    /// Known once a place is asked for.
    lines: OnceLock<Lines>,
    /// The first `filename` of each block by the statement that has the block; known once one is asked for.
    filenames: OnceLock<HashMap<Option<usize>, usize>>,
}

/// All hosts of a configuration: those of the file itself in the order in which they are declared, then those
/// of the included files. A [`Host`] belongs to the table that it was got from.
#[derive(Debug, Clone)]
pub struct HostTable {
    pub(super) sources: Vec<Source>,
    hosts: Vec<Host>,
    /// The hosts in the order of their names, addresses and hardware addresses; known once one is asked for.
    by_name: OnceLock<Vec<usize>>,
    by_mac: OnceLock<Vec<usize>>,
    by_address: OnceLock<Vec<usize>>,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not what dhcpd would accept.
    #[error("{place}: {fault}\n{}", place.excerpt())]
    Syntax {
        /// Where.
        place: Box<Place>,
        /// What is wrong there.
        fault: SyntaxFault,
    },
    /// An included file could not be had.
    #[error("{place}: cannot include {}\n{}", path.display(), place.excerpt())]
    Include {
        /// Where it is included.
        place: Box<Place>,
        /// The file, as it is written there.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that includes itself, maybe through others. dhcpd dies of it.
    #[error("{place}: {} includes itself\n{}", path.display(), place.excerpt())]
    Cycle {
        /// Where it is included again.
        place: Box<Place>,
        /// The file, as it is written there.
        path: PathBuf,
    },
    /// More files than anybody means.
    #[error("{place}: this is include number {MOST_FILES}; no more are read\n{}", place.excerpt())]
    TooMany {
        /// Where the one too many is included.
        place: Box<Place>,
    },
}

impl HostTable {
    /// Reads a configuration with all that it includes. `content` gives the bytes of an included file, whose
    /// path comes as it is written: absolute, or relative to dhcpd's working folder.
    /// Fails at the first thing that is not syntax, and when an included file cannot be had or includes itself.
    pub fn read(
        path: &Path,
        bytes: Vec<u8>,
        content: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, ReadError> {
        let mut table = Self::of(Vec::new(), Vec::new());
        table.add(Source::new(path.to_owned(), bytes, None))?;
        // Files are read breadth first: each once its including file is there.
        let mut next = 0;
        while next < table.sources.len() {
            for (statement, path) in table.includes(next) {
                let place = || Box::new(table.place(next, statement));
                if table.is_ancestor(next, &path) {
                    return Err(ReadError::Cycle { place: place(), path });
                }
                if table.sources.len() >= MOST_FILES {
                    return Err(ReadError::TooMany { place: place() });
                }
                match content(&path) {
                    Ok(bytes) => table.add(Source::new(path, bytes, Some((next, statement))))?,
                    Err(source) => return Err(ReadError::Include { place: place(), path, source }),
                }
            }
            next += 1;
        }
        Ok(table)
    }

    /// Reads what one file alone says, as far as it can be understood: for a revert, which is about this file only.
    pub fn of_one_file(path: &Path, bytes: Vec<u8>) -> Self {
        let source = Source::new(path.to_owned(), bytes, None);
        let hosts = source.hosts(0).collect();
        Self::of(vec![source], hosts)
    }

    fn of(sources: Vec<Source>, hosts: Vec<Host>) -> Self {
        let (by_name, by_mac, by_address) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { sources, hosts, by_name, by_mac, by_address }
    }

    /// All hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The hosts of this name; a healthy configuration has at most one.
    pub fn by_name(&self, name: &str) -> impl Iterator<Item = &Host> {
        self.found(&self.by_name, |one, other| one.name.cmp(&other.name), |host| host.name.as_str().cmp(name))
    }

    /// The hosts with this hardware address; a healthy configuration has at most one.
    pub fn by_mac(&self, mac: MacAddress) -> impl Iterator<Item = &Host> {
        let of = |host: &Host| host.mac.map(MacAddress::bytes);
        self.found(
            &self.by_mac,
            move |one, other| of(one).cmp(&of(other)),
            move |host| of(host).cmp(&Some(mac.bytes())),
        )
    }

    /// The hosts with this fixed address.
    pub fn by_address(&self, address: Ipv4Addr) -> impl Iterator<Item = &Host> {
        self.found(
            &self.by_address,
            |one, other| one.address.cmp(&other.address),
            move |host| host.address.cmp(&Some(address)),
        )
    }

    /// The hosts that are equal to what is looked for, in the order in which they are declared.
    fn found(
        &self,
        index: &OnceLock<Vec<usize>>,
        order: impl Fn(&Host, &Host) -> Ordering,
        to_wanted: impl Fn(&Host) -> Ordering,
    ) -> impl Iterator<Item = &Host> {
        let index = index.get_or_init(|| {
            let mut all: Vec<usize> = (0..self.hosts.len()).collect();
            // This keeps equal ones in their order.
            all.sort_by(|one, other| order(&self.hosts[*one], &self.hosts[*other]));
            all
        });
        let first = index.partition_point(|at| to_wanted(&self.hosts[*at]).is_lt());
        let from_there = index[first..].iter().map(|at| &self.hosts[*at]);
        from_there.take_while(move |host| to_wanted(host).is_eq())
    }

    /// Every host that has both a name that can be a client's and a hardware address.
    pub fn clients(&self) -> impl Iterator<Item = (HostName, MacAddress)> {
        let mac = |host: &Host| host.mac.filter(|mac| is_a_cards(*mac));
        self.hosts.iter().filter_map(move |host| Some((host.name.parse().ok()?, mac(host)?)))
    }

    /// The files that were read and what is in them, the configuration itself first.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.sources.iter().map(|source| (source.path.as_path(), source.bytes.as_slice()))
    }

    /// Where a host is declared.
    pub fn place_of(&self, host: &Host) -> Place {
        self.place(host.file, host.statement)
    }

    /// The file that a host is declared in.
    pub fn path_of(&self, host: &Host) -> &Path {
        &self.source_of(host).path
    }

    /// What is in the file that a host is declared in.
    pub fn bytes_of(&self, host: &Host) -> &[u8] {
        &self.source_of(host).bytes
    }

    /// What is in the file of this name, if it was read.
    pub fn contents(&self, path: &Path) -> Option<&[u8]> {
        self.files().find(|(read, _)| *read == path).map(|(_, bytes)| bytes)
    }

    /// The first fault before the end of a host's entry: what stands there may not be what it seems to be.
    pub fn fault_before_end_of(&self, host: &Host) -> Option<(Place, SyntaxFault)> {
        let tree = self.tree_of(host);
        let end = tree.statements.get(host.statement)?.end;
        let (offset, fault) =
            tree.faults.iter().filter(|(offset, _)| *offset <= end).min_by_key(|(at, _)| *at)?;
        Some((self.place_at(host.file, *offset), *fault))
    }

    /// The value of a host's own `filename`, for lists; `None` if there is not exactly one.
    pub fn offered_file(&self, host: &Host) -> Option<Vec<u8>> {
        let source = self.source_of(host);
        let mut own = source.statements_of(host.statement, Keyword::Filename);
        let value = sole_text(&source.bytes, own.next()?)?;
        own.next().is_none().then(|| unquote(value.bytes))
    }

    pub(super) fn tree_of(&self, host: &Host) -> &Tree {
        &self.source_of(host).tree
    }

    /// Hosts are made by [`Source::hosts`] only, for the source that is at their index from then on.
    fn source_of(&self, host: &Host) -> &Source {
        &self.sources[host.file]
    }

    pub(super) fn place(&self, file: usize, statement: usize) -> Place {
        let offset = self.sources.get(file).and_then(|source| source.tree.statements.get(statement));
        self.place_at(file, offset.map_or(0, |statement| statement.start))
    }

    pub(super) fn place_at(&self, file: usize, offset: usize) -> Place {
        let Some(source) = self.sources.get(file) else { return Place::at(Path::new(""), &[], offset) };
        let lines = source.lines.get_or_init(|| Lines::of(&source.bytes));
        lines.place(&source.path, &source.bytes, offset)
    }

    fn add(&mut self, source: Source) -> Result<(), ReadError> {
        if let Some((offset, fault)) = source.tree.faults.first() {
            let place = Box::new(Place::at(&source.path, &source.bytes, *offset));
            return Err(ReadError::Syntax { place, fault: *fault });
        }
        self.hosts.extend(source.hosts(self.sources.len()));
        self.sources.push(source);
        Ok(())
    }

    /// The `include` statements of a file and the paths in them.
    fn includes(&self, file: usize) -> Vec<(usize, PathBuf)> {
        let Some(Source { bytes, tree, .. }) = self.sources.get(file) else { return Vec::new() };
        let includes = tree.statements.iter().enumerate().filter(|(_, s)| s.keyword == Keyword::Include);
        let path = |token: Token<'_>| PathBuf::from(std::ffi::OsString::from_vec(unquote(token.bytes)));
        includes.filter_map(|(index, s)| Some((index, path(sole_text(bytes, s)?)))).collect()
    }

    /// Whether this path is the file itself or one of those through which it was included.
    fn is_ancestor(&self, mut file: usize, path: &Path) -> bool {
        let mut seen = HashSet::new();
        while let Some(source) = self.sources.get(file).filter(|_| seen.insert(file)) {
            if source.path == path {
                return true;
            }
            let Some((includer, _)) = source.included_by else { return false };
            file = includer;
        }
        false
    }
}

impl Source {
    fn new(path: PathBuf, bytes: Vec<u8>, included_by: Option<(usize, usize)>) -> Self {
        let tree = Tree::parse(&bytes);
        Self { path, bytes, tree, included_by, lines: OnceLock::new(), filenames: OnceLock::new() }
    }

    fn hosts(&self, file: usize) -> impl Iterator<Item = Host> {
        let hosts = self.tree.statements.iter().enumerate().filter(|(_, s)| s.keyword == Keyword::Host);
        hosts.filter_map(move |(statement, s)| {
            Some(Host {
                name: host_name(&self.bytes, s)?,
                mac: self.only(statement, Keyword::Hardware).and_then(|own| mac_address(&self.bytes, own)),
                address: self
                    .only(statement, Keyword::FixedAddress)
                    .and_then(|own| address(&self.bytes, own)),
                file,
                statement,
            })
        })
    }

    /// The first `filename` in the block of this statement, or outside all blocks.
    pub(super) fn first_filename(&self, parent: Option<usize>) -> Option<&Statement> {
        let filenames = self.filenames.get_or_init(|| {
            let all = self.tree.statements.iter().enumerate().filter(|(_, s)| s.keyword == Keyword::Filename);
            // Of several the last one that is put in stays.
            all.rev().map(|(index, statement)| (statement.parent, index)).collect()
        });
        self.tree.statements.get(*filenames.get(&parent)?)
    }

    /// The statements of one kind that stand directly in a block.
    pub(super) fn statements_of(&self, parent: usize, keyword: Keyword) -> impl Iterator<Item = &Statement> {
        self.tree.children(parent).map(|(_, statement)| statement).filter(move |s| s.keyword == keyword)
    }

    /// The statement of this kind in a block, if there is exactly one.
    fn only(&self, parent: usize, keyword: Keyword) -> Option<&Statement> {
        let mut all = self.statements_of(parent, keyword);
        all.next().filter(|_| all.next().is_none())
    }
}

/// `hardware ethernet` and six bytes of one or two digits, which dhcpd lets stand apart.
pub(super) fn mac_address(bytes: &[u8], statement: &Statement) -> Option<MacAddress> {
    let mut tokens = Lexer::meaningful(bytes, statement.head()).skip(1);
    tokens.next().filter(|kind| kind.is_word("ethernet"))?;
    numbers(tokens, b':', 16, 2).map(MacAddress::new)
}

/// `fixed-address` and one address in numbers. Leading zeros and `0x` are not taken: people and dhcpd read
/// them differently.
pub(super) fn address(bytes: &[u8], statement: &Statement) -> Option<Ipv4Addr> {
    let mut parts = Lexer::meaningful(bytes, statement.head()).skip(1).step_by(2);
    if parts.any(|part| part.bytes.len() > 1 && part.bytes.starts_with(b"0")) {
        return None;
    }
    let tokens = Lexer::meaningful(bytes, statement.head()).skip(1);
    numbers::<4>(tokens, b'.', 10, 3).map(Ipv4Addr::from)
}

/// Exactly so many bytes in digits, with separators between them. Without a detour over a text: this is done
/// for every host of a file, and there may be a hundred thousand.
fn numbers<'a, const COUNT: usize>(
    mut tokens: impl Iterator<Item = Token<'a>>,
    separator: u8,
    base: u32,
    digits: usize,
) -> Option<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if at > 0 {
            tokens.next().filter(|token| token.is_symbol(separator))?;
        }
        let word =
            tokens.next().filter(|token| token.kind == TokenKind::Word && token.bytes.len() <= digits)?;
        let value = word
            .bytes
            .iter()
            .try_fold(0, |value, digit| Some(value * base + char::from(*digit).to_digit(base)?))?;
        *byte = u8::try_from(value).ok()?;
    }
    tokens.next().is_none().then_some(bytes)
}

/// The byte range of a token.
pub(super) const fn range(token: &Token<'_>) -> Range<usize> {
    token.start..token.end()
}

/// Whether a statement's head speaks of a boot file, in whatever way dhcpd knows: `filename …`,
/// `option server.filename …`, `supersede server.filename …`.
pub(super) fn speaks_of_filename(bytes: &[u8], statement: &Statement) -> bool {
    const WORD: &[u8] = b"filename";
    // Most do not hold it anywhere, which is quicker to see.
    let head = bytes.get(statement.head()).unwrap_or_default();
    head.windows(WORD.len()).any(|window| window.eq_ignore_ascii_case(WORD))
        && Lexer::meaningful(bytes, statement.head()).any(|t| t.is_word("filename"))
}
