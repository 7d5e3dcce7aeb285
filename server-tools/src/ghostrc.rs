//! `/etc/ghostrc`: the settings of the boot server. Written by the administrator only.
//!
//! The file of the HOWTO works unchanged: a `#!/bin/bash` line, comments, `KEY=VALUE`, quotes, `export`, and
//! `$NAME` or `${NAME}` of what is defined above. It is read, never executed. Anything else that a shell
//! would do (a command, `` `…` ``, `$(…)`, a name from the environment) is an error with its place.
//!
//! - In single quotes everything is literal. In double quotes `$NAME` expands and a backslash stands before
//!   `$`, `` ` ``, `"`, `\` or the end of the line; before anything else it is itself, as in the shell.
//! - Outside quotes a backslash stands before a blank, a punctuation character or the end of the line; before
//!   a letter it is an error, since the shell would drop it: write `'z:\image.gho'` with quotes.
//! - A quoted text does not go over the end of a line. Lines may end in CR LF. Values are UTF-8; comments
//!   may be anything.
//!
//! `reference` says what each key means and what holds without it; the manual page ghostrc(5) is made from that. A key that
//! a host can have for itself is followed by its name: `UP_DEADLINE_john=900`. What cannot be in a shell variable's name is
//! written `_`: `UP_DEADLINE_PC_12` is for the host `PC-12` (and for `PC_12`, should there be both).
//!
//! A key that begins with `GROUP_` is a group of hosts: `GROUP_lab1='john joe pc*'`.
//!
//! Times are whole seconds, or a number with `s`, `m`, `h` or `d`. Any other key is a variable of the
//! administrator's own; one that looks like a misspelling of ours gives a [`Warning`].

mod firmware;
mod keys;
pub(crate) mod reference;
mod settings;
mod shell;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use firmware::Firmware;
pub use ghost_contract::ImagerName;
pub use settings::Settings;
pub use values::{CommandLine, Export, Exports, NfsServer, SecureOn};

use anyhow::anyhow;
use ghost_contract::{HostName, NfsVersion};

use crate::dhcp::kind::Kind;
use crate::fleet::Member;
use crate::place::Place;
use shell::{Assignment, Misread};

/// Where the file is, unless the administrator names another.
pub const PATH: &str = "/etc/ghostrc";
/// The settings of the boot server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ghostrc {
    /// The boot server's address as clients see it (`PXEADDR`).
    pub boot_server: Ipv4Addr,
    /// The base root (`PXEBASE`).
    pub base_root: PathBuf,
    /// Whether clients have exports of their own (`EXPORTS`).
    pub exports: Exports,
    /// Which NFS server is told what to export (`NFSSERVER`); if it is not said, the one that runs, or is here.
    pub nfs_server: Option<NfsServer>,
    /// The version of NFS that clients mount with (`NFSVERSION`).
    pub nfs_version: NfsVersion,
    /// The port of the boot server's mountd, if the administrator has given it one (`MOUNTDPORT`).
    pub mountd_port: Option<NonZeroU16>,
    /// Where nfsd finds what it is to export after a reboot (`EXPORTSDIR`).
    pub exports_folder: PathBuf,
    /// The image store as the boot server sees it (`GHSTBASE`).
    pub store_folder: PathBuf,
    /// The image store as clients see it (`GHSTNFS`).
    pub store_export: Export,
    /// Which DHCP server is edited (`DHCPSERVER`); if it is not said, the one that is found.
    pub dhcp_server: Option<Kind>,
    /// Makes the DHCP server take up its configuration (`DHCPD`), `restart` included; not every server needs one.
    pub dhcp_restart: Option<CommandLine>,
    /// The DHCP server's configuration (`DHCPDCONF`), if it is not where the server has it by default.
    pub dhcp_configuration: Option<PathBuf>,
    /// Accepts or refuses a configuration (`DHCPDCHECK`), in place of the server's own checker; see [`CommandLine::for_file`].
    pub dhcp_check: Option<CommandLine>,
    /// How far apart restarts are at least, where systemd does not tell (`RESTART_DISTANCE`).
    pub restart_distance: Duration,
    /// The TFTP server's folder (`TFTPBASE`).
    pub tftp_base: PathBuf,
    /// Journal and job records (`STATEDIR`).
    pub state_folder: PathBuf,
    /// How many jobs run at the same time (`PARALLEL`); if it is not said, as many as the image store can take.
    pub parallel: Option<NonZeroUsize>,
    /// How many records of jobs are kept of each host, and how many of runs (`KEEPRECORDS`).
    pub keep_records: NonZeroUsize,
    /// After so long without a sign of life of a boot server its hosts are free for others (`LEASE`).
    pub lease: Duration,
    /// How often a client that does not come up is tried again (`RETRIES`), if that is said.
    pub retries: Option<u32>,
    /// The programs that are told of jobs and runs that have ended (`HOOKS`).
    pub hooks: PathBuf,
    /// The user that they run as (`HOOKUSER`); if it is not said, root.
    pub hook_user: Option<String>,
    /// How long each of them may take (`HOOK_DEADLINE`).
    pub hook_deadline: Duration,
    /// The file for Prometheus that is written after each run (`METRICS`).
    pub metrics: Option<PathBuf>,
    /// Who gets a mail after each run (`MAILTO`); if it is nobody, there is none.
    pub mail_to: Vec<String>,
    /// Who it is from (`MAILFROM`), if that is said.
    pub mail_from: Option<String>,
    /// What sends it (`SENDMAIL`).
    pub sendmail: PathBuf,
    /// The secret key that signs the generations that this boot server vouches for (`SIGNINGKEY`).
    pub signing_key: Option<PathBuf>,
    /// The public keys of boot servers that are believed (`TRUSTEDKEYS`).
    pub trusted_keys: Option<PathBuf>,
    /// What the base root is made with (`OVERLAY`, `MIRROR`, `COMPONENTS`, `EXTRA_PACKAGES`, `CARDS`, `KERNEL_FLAGS`, `HTTPBOOT`,
    /// `NFSVERSION`), by key.
    pub of_base_root: BTreeMap<String, String>,
    /// What deserves a look but is no error.
    pub warnings: Vec<Warning>,
    settings: Settings,
    overrides: Vec<Override>,
    groups: BTreeMap<String, Vec<Member>>,
    variables: BTreeMap<String, String>,
}

/// One `KEY_host=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Override {
    key: &'static str,
    /// The part of the key after ours, in which the host's `-` and `.` have become `_`.
    host: String,
    value: String,
}

/// A key that looks like a misspelling of one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub place: Box<Place>,
    pub key: String,
    /// Our key that it looks like.
    pub meant: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, meant } = self;
        write!(f, "{place}: {key} is not a setting; is {meant} meant?\n{}", place.excerpt())
    }
}

impl Ghostrc {
    /// Whether the boot server itself exports the image store.
    pub fn store_is_here(&self) -> bool {
        self.store_export.address() == Some(IpAddr::V4(self.boot_server))
    }

    /// Reads a file; `file` is its name for complaints. Stops at the first thing that is not an assignment or has not the
    /// type that its key needs.
    pub fn parse(file: &Path, bytes: &[u8]) -> anyhow::Result<Self> {
        let complain = |(offset, fault): Misread| {
            let place = Place::at(file, bytes, offset);
            anyhow!("{place}: {fault}\n{}", place.excerpt())
        };
        let assignments = shell::assignments(bytes).map_err(complain)?;
        let mut draft = keys::Draft::default();
        for assignment in assignments {
            let (key_at, value_at) = (assignment.key_at, assignment.value_at);
            let meant = draft.take(assignment).map_err(|fault| complain((value_at, fault)))?;
            if let Some((key, meant)) = meant {
                let place = Box::new(Place::at(file, bytes, key_at));
                draft.warnings.push(Warning { place, key, meant });
            }
        }
        draft.finish(file)
    }

    /// What holds for hosts that have nothing of their own.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The boot files that hosts may be offered for jobs, each with the firmware that it is for.
    pub(crate) fn boot_files(&self) -> BTreeSet<(String, Firmware)> {
        let of_hosts = self.overrides.iter().map(|own| self.for_variable(&own.host));
        let all =
            of_hosts.chain([self.settings.clone()]).map(|settings| (settings.boot_file, settings.firmware));
        let usual = Firmware::ALL.map(|firmware| (firmware.boot_file().to_owned(), firmware));
        all.chain(usual).collect()
    }

    /// What holds for this host.
    pub fn for_host(&self, host: &HostName) -> Settings {
        self.for_variable(&as_variable(host.as_str()))
    }

    fn for_variable(&self, name: &str) -> Settings {
        let mut settings = self.settings.clone();
        for own in self.overrides.iter().filter(|own| own.host == name) {
            // The value has been taken once when the file was read: it cannot be refused now.
            let _taken_before = settings.set(own.key, &own.value);
        }
        settings
    }

    /// The keys for one host that are for none of these hosts, as they are written.
    pub fn for_nobody<'a>(&self, hosts: impl Iterator<Item = &'a str>) -> Vec<String> {
        let known: std::collections::HashSet<String> = hosts.map(as_variable).collect();
        let unknown = self.overrides.iter().filter(|own| !known.contains(&own.host));
        unknown.map(|own| format!("{}_{}", own.key, own.host)).collect()
    }

    /// The groups of hosts, by their names.
    pub const fn groups(&self) -> &BTreeMap<String, Vec<Member>> {
        &self.groups
    }

    /// The value of any key of the file, ours or not, as the shell would have it.
    pub fn variable(&self, key: &str) -> Option<&str> {
        self.variables.get(key).map(String::as_str)
    }
}

/// A host name as it can be part of a shell variable's name.
fn as_variable(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
