//! The kernel command line: the `ghost.*` flags, and what the boot loader says about the network.
//!
//! Does not read files: the text is an argument.

use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::{MacAddress, Mode};

use crate::network::GivenAddress;
use crate::nfs_root::NfsRoot;

/// How long a person can see what is going to happen, unless `ghost.delay` says otherwise.
pub(crate) const DEFAULT_DELAY: Duration = Duration::from_secs(10);

/// The mode that the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum RequestedMode {
    /// None: the order's mode is meant.
    #[default]
    None,
    /// This one, instead of the order's.
    Mode(Mode),
    /// A word that is not a mode. Then nothing may be done, because the order's mode is not what was asked for.
    Unreadable(String),
}

/// Whether something that is off by default was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Switch {
    #[default]
    Off,
    On,
}

/// What the kernel command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootOptions {
    pub mode: RequestedMode,
    /// How long a person can see what is going to happen: `ghost.delay`, whole seconds.
    pub delay: Duration,
    /// `ghost.shell`: a root shell on tty2.
    pub shell: Switch,
    /// `ghost.debug`: each task is printed as it starts, with the time since the kernel's start.
    pub debug: Switch,
    /// `BOOTIF`: the address of the interface that the boot loader used (pxelinux, `IPAPPEND 2`).
    pub boot_interface: Option<MacAddress>,
    /// `nfsroot`: where the root is.
    pub root: Option<NfsRoot>,
    /// `ghost.trees`: where each client has a folder of its own for its tree; none if the trees lie in the root.
    pub trees: Option<NfsRoot>,
    /// `ip`: the address that the boot loader got (pxelinux, `IPAPPEND 1`).
    pub address: Option<GivenAddress>,
    /// `ghost.` flags that are unknown or have an unreadable value, as written.
    pub unknown: Vec<String>,
}

impl Default for BootOptions {
    fn default() -> Self {
        Self {
            mode: RequestedMode::None,
            delay: DEFAULT_DELAY,
            shell: Switch::Off,
            debug: Switch::Off,
            boot_interface: None,
            root: None,
            trees: None,
            address: None,
            unknown: Vec::new(),
        }
    }
}

impl BootOptions {
    /// Who is told what stands in the way of the root: where the boot files came from, else where the root is.
    pub(crate) fn boot_server(&self) -> Option<Ipv4Addr> {
        let loaded_from = self.address.and_then(|address| address.server);
        loaded_from.or_else(|| self.root.as_ref().map(|root| root.server))
    }

    /// Reads a kernel command line. If a flag is there twice, the last one counts, as in the kernel.
    pub(crate) fn parse(line: &str) -> Self {
        let mut options = Self::default();
        for word in line.split_ascii_whitespace() {
            options.take(word);
        }
        options
    }

    fn take(&mut self, word: &str) {
        let (key, value) = word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
        match (key, value) {
            ("ghost.mode", Some(mode)) => self.mode = requested_mode(mode),
            ("ghost.delay", Some(seconds)) => match seconds.parse() {
                Ok(seconds) => self.delay = Duration::from_secs(seconds),
                Err(_) => self.unknown.push(word.to_owned()),
            },
            ("ghost.shell", None) => self.shell = Switch::On,
            ("ghost.debug", None) => self.debug = Switch::On,
            ("ghost.trees", Some(place)) => match NfsRoot::parse(place) {
                Some(trees) => self.trees = Some(trees),
                None => self.unknown.push(word.to_owned()),
            },
            ("BOOTIF", Some(address)) => self.boot_interface = MacAddress::from_bootif(address).ok(),
            ("nfsroot", Some(root)) => self.root = NfsRoot::parse(root),
            // `ip=dhcp` of the configuration stands before what the boot loader adds.
            ("ip", Some(given)) => self.address = GivenAddress::parse(given),
            _ if key.starts_with("ghost.") => self.unknown.push(word.to_owned()),
            _ => {}
        }
    }
}

fn requested_mode(word: &str) -> RequestedMode {
    word.parse().map_or_else(|_| RequestedMode::Unreadable(word.to_owned()), RequestedMode::Mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_of_the_lab_is_understood() {
        let options = BootOptions::parse(
            "BOOT_IMAGE=vmlinuz root=/dev/nfs nfsroot=192.168.7.1:/srv/root,vers=3,tcp,nolock ip=dhcp \
             init=/sbin/ghost-init ghost.mode=test ghost.delay=3 ghost.shell BOOTIF=01-52-54-00-12-34-56\n",
        );
        let expected = BootOptions {
            mode: RequestedMode::Mode(Mode::Test),
            delay: Duration::from_secs(3),
            shell: Switch::On,
            boot_interface: Some("52:54:00:12:34:56".parse().unwrap()),
            root: NfsRoot::parse("192.168.7.1:/srv/root,vers=3,tcp,nolock"),
            ..BootOptions::default()
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn a_place_of_trees_that_is_none_is_told_and_does_not_count() {
        let options = BootOptions::parse("ghost.trees=192.168.7.1:/srv/root.trees");
        assert_eq!(options.trees, NfsRoot::parse("192.168.7.1:/srv/root.trees"));
        assert!(options.trees.is_some());
        let options = BootOptions::parse("ghost.trees=/srv/root.trees ghost.trees");
        assert_eq!(options.trees, None);
        assert_eq!(options.unknown, ["ghost.trees=/srv/root.trees", "ghost.trees"]);
    }

    #[test]
    fn nothing_said_means_the_orders_mode_after_ten_seconds() {
        assert_eq!(BootOptions::parse("quiet ro"), BootOptions::default());
        assert_eq!(BootOptions::default().delay, Duration::from_secs(10));
    }

    #[test]
    fn flags_that_nobody_knows_are_kept_for_the_report() {
        let options = BootOptions::parse("ghost.dealy=3 ghost.delay=soon ghost.shell=1 ghostly");
        assert_eq!(options.unknown, ["ghost.dealy=3", "ghost.delay=soon", "ghost.shell=1"]);
        assert_eq!((options.delay, options.shell), (DEFAULT_DELAY, Switch::Off));
    }

    #[test]
    fn a_mode_that_cannot_be_read_is_not_taken_for_none() {
        let mode = BootOptions::parse("ghost.mode=verfy").mode;
        assert_eq!(mode, RequestedMode::Unreadable("verfy".to_owned()));
    }

    #[test]
    fn the_boot_server_is_where_the_boot_files_came_from_and_else_where_the_root_is() {
        let server = |line: &str| BootOptions::parse(line).boot_server();
        let root = "nfsroot=192.168.7.9:/srv/root";
        let given = "ip=192.168.7.2:192.168.7.1::255.255.255.0";
        assert_eq!(server(&format!("{root} {given}")), Some(Ipv4Addr::new(192, 168, 7, 1)));
        assert_eq!(server(&format!("{root} ip=dhcp")), Some(Ipv4Addr::new(192, 168, 7, 9)));
        assert_eq!(server("quiet"), None);
    }

    #[test]
    fn the_address_that_the_boot_loader_adds_counts_more_than_the_configurations_wish() {
        let options =
            BootOptions::parse("ip=dhcp quiet ip=192.168.7.2:192.168.7.1:192.168.7.254:255.255.255.0");
        assert_eq!(
            options.address,
            GivenAddress::parse("192.168.7.2:192.168.7.1:192.168.7.254:255.255.255.0")
        );
        assert!(options.address.is_some());
        assert_eq!(BootOptions::parse("ip=dhcp").address, None);
    }
}
