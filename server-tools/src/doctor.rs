//! Checks the whole set-up of a boot server, and says of each finding how to mend it.
//!
//! ```text
//! settings ──gather──▶ Facts ──judge──▶ findings, the worst of which decides
//! ```
//! [`gather`] touches the system and looks only at what the settings make necessary; [`judge`] is pure. The same findings are what a job looks at
//! before it begins.

pub(crate) mod boot_files;
mod booting;
mod boundary;
pub(crate) mod exports;
pub(crate) mod facts;
mod file_systems;
pub(crate) mod gather;
pub(crate) mod judge;
pub(crate) mod left;
mod listening;
pub(crate) mod mounted;
mod mounts;
pub(crate) mod netboot;
pub(crate) mod next;
pub(crate) mod offered;
pub(crate) mod over_http;
pub(crate) mod root;

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
    Settings,
    /// The DHCP configuration can be read, and the server accepts it.
    DhcpConfiguration,
    /// The DHCP configuration can be replaced.
    DhcpFolder,
    /// The DHCP server runs with the configuration that is edited.
    DhcpServer,
    /// The command that restarts the DHCP server is there, and so is the service.
    DhcpRestart,
    /// Hosts of the DHCP configuration can have jobs.
    Hosts,
    /// A swap decides what the hosts boot; no other setting of the DHCP server overrides it.
    Booting,
    /// What hosts are really offered is what the DHCP configuration says.
    Offered,
    /// Boot files are there and are served.
    BootFile,
    /// The base root is there, and trees can be made in it.
    BaseRoot,
    /// The exports that clients mount are served.
    Export,
    /// The image store is there and can be written to.
    Store,
    /// Boot server and clients mean the same image store.
    SamePlace,
    /// The image store has room.
    Room,
    /// The files with public keys can be read.
    PublicKeys,
    /// The user is there that hooks run as.
    Hooks,
    /// The programs are installed that look into images.
    Programs,
    /// What parses a client's image can be confined.
    Confinement,
    /// Lock, journal and records can be written.
    StateFolder,
    /// An interface routes to the hosts, and magic packets may be sent.
    Wake,
    /// No crash and no failed revert has left anything.
    LeftOver,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => "settings",
            Self::DhcpConfiguration => "DHCP configuration",
            Self::DhcpFolder => "DHCP folder",
            Self::DhcpServer => "DHCP server",
            Self::DhcpRestart => "DHCP restart",
            Self::Hosts => "hosts",
            Self::Booting => "booting",
            Self::Offered => "offered",
            Self::BootFile => "boot file",
            Self::BaseRoot => "base root",
            Self::Export => "NFS export",
            Self::Store => "image store",
            Self::SamePlace => "same place",
            Self::Room => "room",
            Self::PublicKeys => "public keys",
            Self::Hooks => "hooks",
            Self::Programs => "programs",
            Self::Confinement => "confinement",
            Self::StateFolder => "state folder",
            Self::Wake => "wake",
            Self::LeftOver => "left over",
        })
    }
}

/// How things stand. The last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Good,
    /// Jobs can run, but somebody should look at it.
    Warning,
    Bad,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub check: Check,
    pub state: State,
    /// What was found there, in a sentence.
    pub found: String,
    /// What to do about it; nothing where nothing needs to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    fn good(check: Check, found: impl Into<String>) -> Self {
        Self { check, state: State::Good, found: found.into(), mend: None }
    }

    fn warning(check: Check, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, state: State::Warning, found: found.into(), mend: Some(mend.into()) }
    }

    fn bad(check: Check, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, state: State::Bad, found: found.into(), mend: Some(mend.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Good => "good   ",
            State::Warning => "warning",
            State::Bad => "BAD    ",
        };
        write!(f, "{state}  {}: {}", self.check, self.found.replace('\n', "\n         "))?;
        self.mend.as_ref().map_or(Ok(()), |mend| write!(f, "\n         mend: {mend}"))
    }
}

/// The worst of them; good if there are none.
pub(crate) fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Good)
}
