//! The types of values that only `/etc/ghostrc` has, and how they are written there.
//!
//! Each reader returns `None` for what it does not understand; the key's owner says what was wanted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghost_contract::MacAddress;
use serde::{Deserialize, Serialize};

/// What of the boot server's folders a client can mount (`EXPORTS`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Exports {
    /// All clients share the base root, for writing, with all trees in it, and the image store.
    #[default]
    Common,
    /// The base root can only be read, and each client has a folder of its own for its tree, and one in the store.
    Own,
    /// The same, and `ghostctl` exports the client's own folders itself, for the time of its job only.
    Job,
}

impl Exports {
    /// The one that settings call so.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "common" => Some(Self::Common),
            "own" => Some(Self::Own),
            "job" => Some(Self::Job),
            _ => None,
        }
    }

    /// Whether each client has folders of its own.
    pub const fn keeps_apart(self) -> bool {
        matches!(self, Self::Own | Self::Job)
    }
}

/// The NFS servers that can be told what to export (`NFSSERVER`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NfsServer {
    /// Linux' own: exports(5)
    #[default]
    Nfsd,
    /// NFS-Ganesha: ganesha-export-config(8)
    Ganesha,
}

impl NfsServer {
    /// The one that settings call so.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "nfsd" => Some(Self::Nfsd),
            "ganesha" => Some(Self::Ganesha),
            _ => None,
        }
    }
}

/// A program and its arguments. No shell is between it and the system: words are split at blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
}

impl CommandLine {
    /// Splits a command line at blanks. Quotes inside it would reach the program, as they would from
    /// `$DHCPD restart` in a shell script, so that they are refused.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains(['"', '\'']) {
            return None;
        }
        let mut words = text.split_whitespace().map(str::to_owned);
        Some(Self { program: words.next()?, arguments: words.collect() })
    }

    /// A program and what it is called with.
    pub(crate) fn of(program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self { program: program.to_owned(), arguments }
    }

    /// The program, a path or a name to be looked for.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What it is called with.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The same with the word last, unless it is already there.
    pub(super) fn with(mut self, word: &str) -> Self {
        if !self.arguments.iter().any(|argument| argument == word) {
            self.arguments.push(word.to_owned());
        }
        self
    }

    /// The arguments with `file` for the word `FILE`, or last if that word is not there.
    pub fn for_file(&self, file: &Path) -> Vec<std::ffi::OsString> {
        let named = self.clone().with("FILE").arguments.into_iter();
        named.map(|word| if word == "FILE" { file.as_os_str().to_owned() } else { word.into() }).collect()
    }

    /// The value of an option of one letter, `-iIFACE` or `-i IFACE`.
    pub(super) fn option(&self, letter: &str) -> Option<&str> {
        let at = self.arguments.iter().position(|argument| argument.starts_with(letter))?;
        match self.arguments.get(at)?.strip_prefix(letter)? {
            "" => self.arguments.get(at + 1).map(String::as_str),
            attached => Some(attached),
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// An NFS export as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// An address or a name; clients have no resolver, so the boot server turns a name into an address.
    pub server: String,
    /// The exported folder, absolute.
    pub path: PathBuf,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.server, self.path.display())
    }
}

impl Export {
    /// `SERVER:/path`, `SERVER` (the path is `folder`) or `/path` (the server is `boot_server`).
    pub(crate) fn parse(text: &str, folder: &Path, boot_server: Ipv4Addr) -> Option<Self> {
        let (server, path) = match text.split_once(":/") {
            Some((server, rest)) => (server.to_owned(), Path::new("/").join(rest)),
            None if text.starts_with('/') => (boot_server.to_string(), PathBuf::from(text)),
            None => (text.to_owned(), folder.to_owned()),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let is_server = !server.is_empty() && server.chars().all(is_name);
        is_server.then_some(Self { server, path })
    }

    /// The server's address, when it is not written as a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.server.parse().ok()
    }
}

/// The password that some cards want at the end of a magic packet; four or six bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SecureOn(Vec<u8>);

impl SecureOn {
    /// The two forms that ether-wake's `-p` takes (its manual page).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let six = || text.parse::<MacAddress>().ok().map(|bytes| bytes.bytes().to_vec());
        let four = || text.parse::<Ipv4Addr>().ok().map(|bytes| bytes.octets().to_vec());
        six().or_else(four).map(Self)
    }

    /// The bytes in the order in which they go over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecureOn {
    /// Not the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecureOn({} bytes)", self.0.len())
    }
}

/// `90`, `90s`, `15m`, `12h`, `7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (text.get(..at)?, 1),
        (at, 'm') => (text.get(..at)?, 60),
        (at, 'h') => (text.get(..at)?, 3_600),
        (at, 'd') => (text.get(..at)?, 86_400),
        _ => (text, 1),
    };
    number_of(number)?.checked_mul(unit).map(Duration::from_secs)
}

/// Decimal digits and nothing else (`parse` alone would take a sign).
pub(super) fn number_of(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(super) fn absolute(text: &str) -> Option<PathBuf> {
    text.starts_with('/').then(|| PathBuf::from(text))
}

/// The name of a network interface: shorter than `IFNAMSIZ` (linux/if.h), no slash, no blank.
pub(super) fn interface(text: &str) -> Option<String> {
    let is_name = (1..16).contains(&text.len()) && !text.contains(|c: char| c == '/' || c.is_whitespace());
    is_name.then(|| text.to_owned())
}

/// An address that mail can go to: `night@example.org`, or a name that the mail server knows, such as `root`. Nothing in it has a
/// meaning in a header.
pub(super) fn address(text: &str) -> Option<String> {
    let is_of_an_address =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@".contains(&byte);
    let is_address = !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_of_an_address);
    let ends = text.starts_with('@') || text.ends_with('@') || text.matches('@').count() > 1;
    (is_address && !ends).then(|| text.to_owned())
}

/// Several, between blanks.
pub(super) fn addresses(text: &str) -> Option<Vec<String>> {
    text.split_ascii_whitespace().map(address).collect()
}
