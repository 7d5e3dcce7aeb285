//! The DHCP server of a lab: its files and the settings that name it, as its administrator would write them, and how it is started.
//!
//! A server is one more variant, its fixtures, and a line wherever one is asked for. "Inside" means in the lab's name spaces.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::Context;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::config::LabConfig;
use crate::folder::LabFolder;
use crate::network;
use crate::servers::{self, START};
use crate::shell::run;
use crate::wait;

/// dhcpd.conf, with which every lab begins that is not given another server.
pub const DHCPD_CONF: &str = include_str!("../fixtures/dhcpd.conf");
/// Where Kea keeps its control socket and its locks. Newer ones have them nowhere else, and let no others look.
const KEA_FOLDERS: [&str; 2] = ["/run/kea", "/run/lock/kea"];
/// The configuration of the DHCP server that is not the administrator's.
const ROUTERS: &str = "etc/router.conf";
/// Where DHCP servers listen (RFC 2131).
const PORT: u16 = 67;

/// A DHCP server that a lab can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DhcpServer {
    /// ISC dhcpd, which the HOWTO has.
    #[default]
    Isc,
    Kea,
    /// As a DHCP server only: files are offered by the lab's TFTP server.
    Dnsmasq,
    /// dnsmasq beside a dhcpd on another machine of the switch, which gives the addresses and knows no boot file.
    Proxy,
}

/// A word that is not a DHCP server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a DHCP server of the lab; choose isc, kea, dnsmasq or proxy")]
pub struct DhcpServerError(String);

impl DhcpServer {
    pub const ALL: [Self; 4] = [Self::Isc, Self::Kea, Self::Dnsmasq, Self::Proxy];

    /// What `DHCPSERVER` in ghostrc calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Isc => "isc",
            Self::Kea => "kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Proxy => "proxy",
        }
    }

    /// The program, as Debian installs it.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Isc => "/usr/sbin/dhcpd",
            Self::Kea => "/usr/sbin/kea-dhcp4",
            Self::Dnsmasq | Self::Proxy => "/usr/sbin/dnsmasq",
        }
    }

    /// The file in which john's boot file stands, below the lab's folder.
    pub const fn boot_files(self) -> &'static str {
        match self {
            Self::Isc => "etc/dhcpd.conf",
            Self::Kea => "etc/kea/kea-dhcp4.conf",
            Self::Dnsmasq => "etc/dnsmasq-options/hosts",
            Self::Proxy => "etc/proxy.conf",
        }
    }

    /// The files of its configuration, below the lab's folder, each with what it holds.
    fn files(self, has_uefi: bool) -> Vec<(&'static str, String)> {
        let for_uefi = |text: &'static str| if has_uefi { text } else { "" };
        match self {
            Self::Isc => {
                let for_uefi = for_uefi(include_str!("../fixtures/dhcpd-uefi.conf"));
                vec![(self.boot_files(), format!("{DHCPD_CONF}{for_uefi}"))]
            }
            Self::Kea => {
                let for_uefi = for_uefi(include_str!("../fixtures/kea-uefi.json"));
                let main = include_str!("../fixtures/kea-dhcp4.conf").replace("@UEFI@", for_uefi);
                let linux = include_str!("../fixtures/kea-linux.json").to_owned();
                vec![(self.boot_files(), main), ("etc/kea/linux.json", linux)]
            }
            Self::Dnsmasq => {
                let for_uefi = for_uefi(include_str!("../fixtures/dnsmasq-uefi.conf"));
                let main = format!("{}{for_uefi}", include_str!("../fixtures/dnsmasq.conf"));
                let options = include_str!("../fixtures/dnsmasq-options").to_owned();
                vec![("etc/dnsmasq.conf", main), (self.boot_files(), options)]
            }
            Self::Proxy => {
                let own = include_str!("../fixtures/proxy.conf").to_owned();
                vec![(self.boot_files(), own), (ROUTERS, include_str!("../fixtures/router.conf").to_owned())]
            }
        }
    }

    /// What ghostrc says of it, behind what the HOWTO's says of dhcpd; the last line with a key counts.
    pub(crate) const fn settings(self) -> &'static str {
        match self {
            Self::Isc => "DHCPSERVER=isc\n",
            Self::Kea => {
                "DHCPSERVER=kea\nDHCPDCONF=@LAB@/etc/kea/kea-dhcp4.conf\nDHCPDCHECK=\"@LAB@/sbin/kea-dhcp4 -t FILE\"\n"
            }
            Self::Dnsmasq => {
                "DHCPSERVER=dnsmasq\nDHCPDCONF=@LAB@/etc/dnsmasq.conf\nDHCPDCHECK=\"@LAB@/sbin/dnsmasq --test -C FILE\"\n"
            }
            Self::Proxy => {
                "DHCPSERVER=proxy\nDHCPDCONF=@LAB@/etc/proxy.conf\nDHCPDCHECK=\"@LAB@/sbin/dnsmasq --test -C FILE\"\n"
            }
        }
    }
}

impl FromStr for DhcpServer {
    type Err = DhcpServerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|server| server.as_str() == text)
            .ok_or_else(|| DhcpServerError(text.to_owned()))
    }
}

impl fmt::Display for DhcpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes its configuration, inside.
pub(crate) fn prepare(config: &LabConfig, folder: &LabFolder) -> anyhow::Result<()> {
    let server = config.dhcp;
    // Where the server is confined, it may read its configuration below /etc only. A copy of it is not.
    servers::copy(Path::new(server.program()), &own_program(server, folder))?;
    let has_uefi = config.pcs.iter().any(|pc| pc.firmware.is_uefi());
    for (path, text) in server.files(has_uefi) {
        let path = folder.join(path);
        let above = path.parent().unwrap_or(&path);
        fs::create_dir_all(above).with_context(servers::writing(above))?;
        servers::write(&path, &servers::filled_in(&text, folder))?;
    }
    match server {
        DhcpServer::Isc => write_service(folder, include_str!("../fixtures/dhcpd-service")),
        DhcpServer::Kea => {
            let mut private = fs::DirBuilder::new();
            private.recursive(true).mode(0o750);
            let mut make = KEA_FOLDERS.into_iter().map(Path::new);
            make.try_for_each(|folder| private.create(folder).with_context(servers::writing(folder)))
        }
        DhcpServer::Dnsmasq => Ok(()),
        DhcpServer::Proxy => {
            servers::copy(Path::new(DhcpServer::Isc.program()), &own_program(DhcpServer::Isc, folder))?;
            write_service(folder, include_str!("../fixtures/proxy-service"))
        }
    }
}

/// The administrator's script that restarts it.
fn write_service(folder: &LabFolder, script: &str) -> anyhow::Result<()> {
    let service = folder.dhcpd_service();
    servers::write(&service, script)?;
    fs::set_permissions(&service, fs::Permissions::from_mode(0o755)).with_context(servers::writing(&service))
}

fn own_program(server: DhcpServer, folder: &LabFolder) -> PathBuf {
    folder.join("sbin").join(Path::new(server.program()).file_name().unwrap_or_default())
}

/// Starts it, inside, and waits until it serves. Returns its process, which the caller must reap, or none if the administrator's script
/// holds it.
pub(crate) fn start(server: DhcpServer, folder: &LabFolder) -> anyhow::Result<Option<(Pid, &'static str)>> {
    let program = own_program(server, folder).display().to_string();
    let conf = |file: &str| folder.join(file).display().to_string();
    let started = match server {
        DhcpServer::Isc => {
            run(Command::new(folder.dhcpd_service()).arg("start"))?;
            return Ok(None);
        }
        DhcpServer::Proxy => {
            let router = start_router(folder)?;
            run(Command::new(folder.dhcpd_service()).arg("start"))?;
            return Ok(Some(router));
        }
        DhcpServer::Kea => {
            servers::named_daemon(folder, "kea-dhcp4", &program, &["-c", &conf(server.boot_files())])?
        }
        DhcpServer::Dnsmasq => {
            let words = ["--keep-in-foreground", "-C", &conf("etc/dnsmasq.conf")];
            servers::named_daemon(folder, "dnsmasq", &program, &words)?
        }
    };
    wait::until(started.1, START, || servers::udp_is_bound(PORT)).with_context(|| {
        format!("{} does not answer; its log is in {}", started.1, folder.logs().display())
    })?;
    Ok(Some(started))
}

/// Puts a machine on the switch that is not the administrator's, and starts its DHCP server.
fn start_router(folder: &LabFolder) -> anyhow::Result<(Pid, &'static str)> {
    network::add_router()?;
    let leases = folder.join("run/router.leases");
    servers::write(&leases, "")?;
    let [conf, pid] = [folder.join(ROUTERS), folder.join("run/router.pid")];
    let words = |path: &Path| path.display().to_string();
    let (inside, program) = (format!("--net={}", network::ROUTER), own_program(DhcpServer::Isc, folder));
    let arguments =
        [&words(&program), "-4", "-d", "-cf", &words(&conf), "-lf", &words(&leases), "-pf", &words(&pid)];
    let arguments: Vec<&str> =
        [inside.as_str()].into_iter().chain(arguments).chain([network::ROUTERS_INTERFACE]).collect();
    let router = servers::named_daemon(folder, "router", "nsenter", &arguments)?;
    wait::until("the router's dhcpd", START, || pid.exists().then_some(()))?;
    Ok(router)
}

/// All files of its configuration as they are now.
pub(crate) fn configuration(
    config: &LabConfig,
    folder: &LabFolder,
) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let paths = config.dhcp.files(false).into_iter().map(|(path, _)| folder.join(path));
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path, bytes))
    };
    paths.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pc_stands_in_each_servers_configuration_with_its_addresses() {
        for server in DhcpServer::ALL {
            let mut config = LabConfig::new("x".parse().unwrap());
            config.serve_dhcp_by(server);
            let all: String = server.files(false).into_iter().map(|(_, text)| text.to_lowercase()).collect();
            for pc in &config.pcs {
                let (_, entry) = all.split_once(&pc.mac.to_string()).unwrap();
                let entry: String = entry.chars().take(120).collect();
                assert!(entry.contains(&pc.ip.to_string()), "{server}: {}: {entry}", pc.name);
            }
            let for_fakebox = usize::from(server != DhcpServer::Proxy);
            assert_eq!(own_lines(&all).matches("pxelinux.0").count(), for_fakebox, "{server}: fakebox alone");
        }
    }

    /// Without those that say what a proxy may offer.
    fn own_lines(all: &str) -> String {
        let is_own = |line: &&str| !line.starts_with("pxe-service=") && !line.starts_with("dhcp-ignore=");
        all.lines().filter(is_own).collect()
    }

    #[test]
    fn the_sample_has_what_the_scenarios_are_about() {
        assert!(DHCPD_CONF.contains("00:E0:7D:C9:1A:2B"), "a hardware address in capitals");
        assert_eq!(DHCPD_CONF.matches("filename \"nobackup\"").count(), 3);
        assert_eq!(DHCPD_CONF.matches("filename \"pxelinux.0\"").count(), 1);
        assert_eq!(DHCPD_CONF.matches("fixed-address 192.168.7.4;").count(), 2);
    }

    #[test]
    fn only_a_lab_with_uefi_pcs_answers_those_that_boot_over_http() {
        // A server that is not the administrator's does not.
        for server in DhcpServer::ALL.into_iter().filter(|server| *server != DhcpServer::Proxy) {
            let says_so =
                |has_uefi| server.files(has_uefi).iter().any(|(_, text)| text.contains("HTTPClient"));
            assert!(says_so(true) && !says_so(false), "{server}");
        }
    }

    #[test]
    fn a_server_is_called_as_the_settings_call_it() {
        assert_eq!("dnsmasq".parse(), Ok(DhcpServer::Dnsmasq));
        assert_eq!("bind".parse::<DhcpServer>(), Err(DhcpServerError("bind".to_owned())));
        for server in DhcpServer::ALL {
            assert!(server.settings().starts_with(&format!("DHCPSERVER={server}\n")), "{server}");
        }
    }
}
