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
//! # Keys of the HOWTO, all but the last needed
//! | key | meaning |
//! |---|---|
//! | `PXEADDR` | the boot server's IPv4 address, as clients see it |
//! | `PXEBASE` | the base root's folder on the boot server |
//! | `GHSTBASE` | the image store's folder as the boot server sees it |
//! | `GHSTNFS` | the image store as clients see it: `SERVER:/path`; `SERVER` alone means the folder of `GHSTBASE` there; `/path` alone means the boot server |
//! | `DHCPD` | what makes the DHCP server take up its configuration: a script, which is called with `restart`, or a whole command line that has `restart` as a word, such as `systemctl restart isc-dhcp-server` |
//! | `ETHERWAKE` | the HOWTO's ether-wake program; it is not run, but `-i IFACE` and `-p PASSWORD` in it are heeded |
//!
//! # Further keys for the boot server, all optional
//! | key | meaning | default |
//! |---|---|---|
//! | `DHCPDCONF` | the configuration of dhcpd | `/etc/dhcp/dhcpd.conf`, then `/etc/dhcpd.conf` |
//! | `DHCPDCHECK` | what accepts or refuses a configuration; the word `FILE` stands for its path, which else comes last | `dhcpd -t -cf FILE` |
//! | `RESTART_DISTANCE` | how far apart restarts of the DHCP server are at least, where systemd does not tell the limit of its unit | `3` |
//! | `TFTPBASE` | the TFTP server's folder | `/srv/tftp` |
//! | `STATEDIR` | journal and job records | `/var/lib/ghost4linux` |
//!
//! # Further keys, all optional, that a host can have for itself
//! `KEY_host=VALUE` is for one host only: `UP_DEADLINE_john=900`. What cannot be in a shell variable's name
//! is written `_`: `UP_DEADLINE_PC_12` is for the host `PC-12` (and for `PC_12`, should there be both).
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `BOOTFILE` | the file that a swapped host is offered | `pxelinux.0` |
//! | `NOBOOTFILE` | the file that is offered to a host that shall boot from its disk; named in advice | `nobackup` |
//! | `INTERFACE` | the interface that magic packets go out of | from `ETHERWAKE`, else the one that routes to the host |
//! | `WAKE_RELAY` | a machine that broadcasts magic packets behind a router | the subnet's broadcast address |
//! | `SECUREON` | the password of magic packets: six bytes `00:11:22:33:44:55` or four `1.2.3.4` | from `ETHERWAKE`, else none |
//! | `SSHKEYS` | a file with the public keys that may log in in mode `test` | none |
//! | `UP_DEADLINE` | from waking to the report that the client is up | `10m` |
//! | `JOB_DEADLINE` | the whole job on the client | `12h` |
//! | `OFF_DEADLINE` | from the outcome until the machine is off | `5m` |
//! | `REVERT_DEADLINE` | how long a job that is over tries again to revert, if that fails | `10m` |
//! | `EXPIRES` | how long an order may be claimed | `1h` |
//! | `SLEEP` | how long mode `test` waits | `3600` |
//! | `STALL_WINDOW` | how long nothing may move | `300` |
//! | `STALL_RATE` | below this many bytes a second nothing moves | `1024` |
//! | `GENERATIONS` | how many generations are kept, at least 1 | all |
//! | `KEEP_DAYS` | generations younger than this are kept in any case | `0` |
//! | `DISK` | which disk: `first`, `/dev/NAME`, `serial:NUMBER`, `size:500G`, `all`; see [`ghost_contract::DiskChoice`] | `first` |
//! | `IMAGER` | `linux`, `dosbox-x` or `dosemu` | `dosbox-x` where the base root has the template floppy, else `linux` |
//! | `COMPRESSION` | linux: zstd's level, 1 to 19 | `3` |
//! | `PIECE_SIZE` | linux: the largest file of an image | `1Gi` |
//! | `RESCUE` | linux: `yes` goes on where a disk cannot be read | `no` |
//! | `DIRTY_NTFS` | linux: `refuse` an NTFS that was not closed, or save it `raw` | `refuse` |
//! | `GROW` | linux: `yes` gives a larger disk's room to the last partition | `no` |
//! | `SHRINK` | linux: `yes` shrinks a partition for a smaller disk, if its files fit | `no` |
//! | `BACKUPCOMMAND` `RESTORECOMMAND` `VERIFYCOMMAND` | the DOS program's command line, without its name | Ghost 2003's switches |
//!
//! Times are whole seconds, or a number with `s`, `m`, `h` or `d`. Any other key is a variable of the
//! administrator's own; one that looks like a misspelling of ours gives a [`Warning`].

mod keys;
pub(crate) mod reference;
mod settings;
mod shell;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use ghost_contract::ImagerName;
pub use settings::Settings;
pub use values::{CommandLine, Export, SecureOn};

use anyhow::anyhow;
use ghost_contract::HostName;

use crate::place::Place;
use shell::{Assignment, Misread};

/// Where the file is, unless the administrator names another.
pub const PATH: &str = "/etc/ghostrc";
/// Where dhcpd's configuration is looked for: Debian's place, then the HOWTO's.
pub const DHCPD_CONF: [&str; 2] = ["/etc/dhcp/dhcpd.conf", "/etc/dhcpd.conf"];

/// The settings of the boot server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ghostrc {
    /// The boot server's address as clients see it (`PXEADDR`).
    pub boot_server: Ipv4Addr,
    /// The base root (`PXEBASE`).
    pub base_root: PathBuf,
    /// The image store as the boot server sees it (`GHSTBASE`).
    pub store_folder: PathBuf,
    /// The image store as clients see it (`GHSTNFS`).
    pub store_export: Export,
    /// Makes the DHCP server take up its configuration (`DHCPD`), `restart` included.
    pub dhcp_restart: CommandLine,
    /// Where dhcpd's configuration may be, the likeliest first (`DHCPDCONF`, else [`DHCPD_CONF`]).
    pub dhcp_configurations: Vec<PathBuf>,
    /// Accepts or refuses a configuration of dhcpd (`DHCPDCHECK`); see [`CommandLine::for_file`].
    pub dhcp_check: CommandLine,
    /// How far apart restarts are at least, where systemd does not tell (`RESTART_DISTANCE`).
    pub restart_distance: Duration,
    /// The TFTP server's folder (`TFTPBASE`).
    pub tftp_base: PathBuf,
    /// Journal and job records (`STATEDIR`).
    pub state_folder: PathBuf,
    /// What deserves a look but is no error.
    pub warnings: Vec<Warning>,
    settings: Settings,
    overrides: Vec<Override>,
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

    /// What holds for this host.
    pub fn for_host(&self, host: &HostName) -> Settings {
        let name = as_variable(host.as_str());
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
