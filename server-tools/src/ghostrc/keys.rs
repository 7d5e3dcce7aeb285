//! Which keys there are: from assignments to typed settings.
//!
//! It is given names and values; `shell` knows how they are written.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use ghost_contract::NfsVersion;

use super::settings::TIME;
use super::values::{
    CommandLine, Export, Exports, NfsServer, SecureOn, absolute, address, addresses, duration, interface,
};
use super::{Assignment, Ghostrc, Override, Settings, Warning};
use crate::dhcp::kind::Kind;
use crate::fleet::{self, Member};

/// The keys that hold for the boot server as a whole.
pub(super) const SERVER_KEYS: [&str; 37] = [
    "PXEADDR",
    "PXEBASE",
    "EXPORTS",
    "NFSSERVER",
    "NFSVERSION",
    "MOUNTDPORT",
    "EXPORTSDIR",
    "GHSTBASE",
    "GHSTNFS",
    "DHCPD",
    "ETHERWAKE",
    "DHCPSERVER",
    "DHCPDCONF",
    "DHCPDCHECK",
    "RESTART_DISTANCE",
    "TFTPBASE",
    "STATEDIR",
    "PARALLEL",
    "KEEPRECORDS",
    "LEASE",
    "SIGNINGKEY",
    "TRUSTEDKEYS",
    "RETRIES",
    "HOOKS",
    "HOOK_DEADLINE",
    "HOOKUSER",
    "METRICS",
    "MAILTO",
    "MAILFROM",
    "SENDMAIL",
    "OVERLAY",
    "MIRROR",
    "COMPONENTS",
    "EXTRA_PACKAGES",
    "CARDS",
    "KERNEL_FLAGS",
    "HTTPBOOT",
];

/// Those of them that `rootfs/build` and `rootfs/install-init` take, by the same names. They say what is wrong with a value.
const OF_THE_BASE_ROOT: &str =
    "OVERLAY MIRROR COMPONENTS EXTRA_PACKAGES CARDS KERNEL_FLAGS HTTPBOOT NFSVERSION MOUNTDPORT";

/// More than a year of nights.
const KEEP_RECORDS: NonZeroUsize = NonZeroUsize::new(400).unwrap();

/// A renewal every half minute. A store that does not answer for minutes is a case for a person.
const LEASE: Duration = Duration::from_secs(300);
/// A tenth of it must be enough for a renewal.
const SHORTEST_LEASE: Duration = Duration::from_secs(10);
const A_LEASE: &str = "a time of 10 s at least, as 300 or 5m";

/// What a group's key begins with.
pub(super) const GROUP: &str = "GROUP_";

/// What has been read so far.
#[derive(Default)]
pub(super) struct Draft {
    boot_server: Option<Ipv4Addr>,
    base_root: Option<PathBuf>,
    exports: Exports,
    nfs_server: Option<NfsServer>,
    nfs_version: NfsVersion,
    mountd_port: Option<NonZeroU16>,
    exports_folder: Option<PathBuf>,
    store_folder: Option<PathBuf>,
    store_export: Option<String>,
    dhcp_server: Option<Kind>,
    dhcp_restart: Option<CommandLine>,
    ether_wake: Option<CommandLine>,
    dhcp_configuration: Option<PathBuf>,
    dhcp_check: Option<CommandLine>,
    restart_distance: Option<Duration>,
    tftp_base: Option<PathBuf>,
    state_folder: Option<PathBuf>,
    parallel: Option<NonZeroUsize>,
    keep_records: Option<NonZeroUsize>,
    lease: Option<Duration>,
    retries: Option<u32>,
    hooks: Option<PathBuf>,
    hook_deadline: Option<Duration>,
    hook_user: Option<String>,
    metrics: Option<PathBuf>,
    mail_to: Vec<String>,
    mail_from: Option<String>,
    sendmail: Option<PathBuf>,
    signing_key: Option<PathBuf>,
    trusted_keys: Option<PathBuf>,
    of_base_root: BTreeMap<String, String>,
    pub(super) warnings: Vec<Warning>,
    settings: Settings,
    overrides: Vec<Override>,
    groups: BTreeMap<String, Vec<Member>>,
    variables: BTreeMap<String, String>,
}

const WHOLE_PATH: &str = "a whole path, beginning with '/'";
const ADDRESSES: &str = "addresses between blanks, such as 'root night@example.org'";
const COMMAND: &str = "a command line of words between blanks, without quotes";

impl Draft {
    /// Takes one assignment. Returns the key and ours that it looks like, if it is not one of ours.
    pub(super) fn take(&mut self, assignment: Assignment) -> Result<Option<(String, &'static str)>, String> {
        let Assignment { key, value, .. } = assignment;
        self.variables.insert(key.clone(), value.clone());
        let taken = if SERVER_KEYS.contains(&key.as_str()) {
            self.set(&key, &value)
        } else if Settings::KEYS.contains(&key.as_str()) {
            self.settings.set(&key, &value)
        } else if let Some((own, host)) = own_key(&key) {
            let checked = self.settings.clone().set(own, &value);
            self.overrides.push(Override { key: own, host: host.to_owned(), value: value.clone() });
            checked
        } else if let Some(name) = key.strip_prefix(GROUP).filter(|name| !name.is_empty()) {
            let taken = fleet::members(&value).map(|members| self.groups.insert(name.to_owned(), members));
            return taken.map(|_before| None).map_err(|error| format!("{key}: {error}"));
        } else {
            return Ok(misspelt(&key).map(|meant| (key, meant)));
        };
        taken.map(|()| None).map_err(|wanted| format!("{key} is '{value}', which is not {wanted}"))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let command = || CommandLine::parse(value).ok_or(COMMAND);
        let path = || absolute(value).ok_or(WHOLE_PATH);
        match key {
            "PXEADDR" => self.boot_server = Some(value.parse().map_err(|_| "an IPv4 address")?),
            "PXEBASE" => self.base_root = Some(path()?),
            "EXPORTS" => self.exports = Exports::named(value).ok_or("common, own or job")?,
            "NFSSERVER" => {
                let named = NfsServer::named(value);
                self.nfs_server = Some(named.ok_or("an NFS server that can be told: nfsd or ganesha")?);
            }
            "NFSVERSION" => {
                self.nfs_version =
                    NfsVersion::parse(value).ok_or("a version of NFS that clients have: 3 or 4.1")?;
                // The base root is made with it too.
                self.of_base_root.insert(key.to_owned(), value.to_owned());
            }
            "MOUNTDPORT" => {
                self.mountd_port = Some(value.parse().map_err(|_| "a port, such as 20048")?);
                self.of_base_root.insert(key.to_owned(), value.to_owned());
            }
            "EXPORTSDIR" => self.exports_folder = Some(path()?),
            "GHSTBASE" => self.store_folder = Some(path()?),
            "GHSTNFS" => self.store_export = Some(export(value)?),
            "DHCPD" => self.dhcp_restart = Some(command()?.with("restart")),
            "ETHERWAKE" => self.ether_wake = Some(ether_wake(command()?)?),
            "DHCPSERVER" => {
                self.dhcp_server = Some(
                    Kind::named(value)
                        .ok_or("a DHCP server that can be edited: isc, kea, dnsmasq or proxy")?,
                );
            }
            "DHCPDCONF" => self.dhcp_configuration = Some(path()?),
            "DHCPDCHECK" => self.dhcp_check = Some(command()?),
            "RESTART_DISTANCE" => self.restart_distance = Some(duration(value).ok_or(TIME)?),
            "TFTPBASE" => self.tftp_base = Some(path()?),
            "STATEDIR" => self.state_folder = Some(path()?),
            "KEEPRECORDS" => self.keep_records = Some(value.parse().map_err(|_| "a number, at least 1")?),
            "PARALLEL" => self.parallel = Some(value.parse().map_err(|_| "a number, at least 1")?),
            "LEASE" => {
                self.lease = Some(duration(value).filter(|time| *time >= SHORTEST_LEASE).ok_or(A_LEASE)?)
            }
            "RETRIES" => self.retries = Some(value.parse().map_err(|_| "a number")?),
            "HOOKS" => self.hooks = Some(path()?),
            "HOOK_DEADLINE" => self.hook_deadline = Some(duration(value).ok_or(TIME)?),
            "HOOKUSER" => self.hook_user = Some(user(value).ok_or("the name of a user of this machine")?),
            "METRICS" => self.metrics = Some(path()?),
            "MAILTO" => self.mail_to = addresses(value).ok_or(ADDRESSES)?,
            "MAILFROM" => self.mail_from = Some(address(value).ok_or("an address such as root@example.org")?),
            "SENDMAIL" => self.sendmail = Some(path()?),
            "SIGNINGKEY" => self.signing_key = Some(path()?),
            "TRUSTEDKEYS" => self.trusted_keys = Some(path()?),
            own if OF_THE_BASE_ROOT.split(' ').any(|key| key == own) => {
                self.of_base_root.insert(key.to_owned(), value.to_owned());
            }
            // A key that is in the table and is not taken here.
            _ => return Err("a setting that this version understands"),
        }
        Ok(())
    }

    /// All together, once the file is at its end: some settings come from others.
    pub(super) fn finish(mut self, file: &Path) -> anyhow::Result<Ghostrc> {
        let missing =
            |key, example| anyhow!("{}: {key} is not set; write for example {example}", file.display());
        let boot_server = self.boot_server.ok_or_else(|| missing("PXEADDR", "PXEADDR=192.168.7.1"))?;
        let base_root = self.base_root.ok_or_else(|| missing("PXEBASE", "PXEBASE=/tftpboot/root"))?;
        let store_folder = self.store_folder.ok_or_else(|| missing("GHSTBASE", "GHSTBASE=/backup"))?;
        let store_export = self
            .store_export
            .and_then(|text| Export::parse(&text, &store_folder, boot_server))
            .ok_or_else(|| missing("GHSTNFS", "GHSTNFS=192.168.7.1:/backup"))?;
        if self.dhcp_restart.is_none() && self.dhcp_server.is_none_or(Kind::needs_restart) {
            return Err(missing("DHCPD", "DHCPD='systemctl restart isc-dhcp-server'"));
        }
        if let Some(command) = &self.ether_wake {
            let settings = &mut self.settings;
            settings.interface =
                settings.interface.take().or_else(|| command.option("-i").and_then(interface));
            settings.secure_on =
                settings.secure_on.take().or_else(|| command.option("-p").and_then(SecureOn::parse));
        }
        Ok(Ghostrc {
            boot_server,
            base_root,
            exports: self.exports,
            nfs_server: self.nfs_server,
            nfs_version: self.nfs_version,
            mountd_port: self.mountd_port,
            exports_folder: self.exports_folder.unwrap_or_else(|| PathBuf::from("/etc/exports.d")),
            store_folder,
            store_export,
            dhcp_server: self.dhcp_server,
            dhcp_restart: self.dhcp_restart,
            dhcp_configuration: self.dhcp_configuration,
            dhcp_check: self.dhcp_check,
            restart_distance: self.restart_distance.unwrap_or(Duration::from_secs(3)),
            tftp_base: self.tftp_base.unwrap_or_else(|| PathBuf::from("/srv/tftp")),
            state_folder: self.state_folder.unwrap_or_else(|| PathBuf::from("/var/lib/ghost4linux")),
            parallel: self.parallel,
            keep_records: self.keep_records.unwrap_or(KEEP_RECORDS),
            lease: self.lease.unwrap_or(LEASE),
            retries: self.retries,
            hooks: self.hooks.unwrap_or_else(|| PathBuf::from("/etc/ghost4linux/hooks.d")),
            hook_deadline: self.hook_deadline.unwrap_or(Duration::from_secs(60)),
            hook_user: self.hook_user,
            metrics: self.metrics,
            mail_to: self.mail_to,
            mail_from: self.mail_from,
            sendmail: self.sendmail.unwrap_or_else(|| PathBuf::from("/usr/sbin/sendmail")),
            signing_key: self.signing_key,
            trusted_keys: self.trusted_keys,
            of_base_root: self.of_base_root,
            warnings: self.warnings,
            settings: self.settings,
            overrides: self.overrides,
            groups: self.groups,
            variables: self.variables,
        })
    }
}

/// What `GHSTNFS` may be, before the keys are known that complete it.
fn export(value: &str) -> Result<String, &'static str> {
    Export::parse(value, Path::new("/"), Ipv4Addr::UNSPECIFIED)
        .map(|_completed_later| value.to_owned())
        .ok_or("the image store as clients see it, SERVER:/path")
}

/// A user's name, as useradd(8) makes them.
fn user(value: &str) -> Option<String> {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_name = !value.is_empty() && !value.starts_with(['-', '.']) && value.bytes().all(is_inside);
    is_name.then(|| value.to_owned())
}

/// Its options must be right even though the program is not run: they are heeded.
fn ether_wake(command: CommandLine) -> Result<CommandLine, &'static str> {
    if command.option("-i").is_some_and(|name| interface(name).is_none()) {
        return Err("a command with the name of a network interface after -i");
    }
    if command.option("-p").is_some_and(|password| SecureOn::parse(password).is_none()) {
        return Err("a command with a password like 00:11:22:33:44:55 or 1.2.3.4 after -p");
    }
    Ok(command)
}

/// Divides `UP_DEADLINE_john` into our key and the host.
fn own_key(key: &str) -> Option<(&'static str, &str)> {
    Settings::KEYS.into_iter().find_map(|own| {
        let host = key.strip_prefix(own)?.strip_prefix('_')?;
        (!host.is_empty()).then_some((own, host))
    })
}

/// One of our keys from which this differs by one or two strokes, letter case aside.
fn misspelt(key: &str) -> Option<&'static str> {
    let written = key.to_ascii_uppercase();
    // One whose length differs by more is further away.
    let ours = SERVER_KEYS.into_iter().chain(Settings::KEYS);
    let ours = ours.filter(|own| own.len().abs_diff(written.len()) <= 2);
    let near = ours.map(|own| (strokes(&written, own), own)).min()?;
    (near.0 <= 2 && near.0 * 4 <= near.1.len()).then_some(near.1)
}

/// How many characters must be put in, taken out or replaced to make one word of the other (Levenshtein's distance).
fn strokes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, a) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], done + 1);
        for (at, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
