//! Looks at the machine. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, NfsVersion, layout};

use super::Wishes;
use super::exported::{Nfs, There};
use super::listening::Listener;
use super::plan::Seen;
use super::settings::Surroundings;
use crate::base_root::{Library, Place, boot_files};
use crate::dhcp::found;
use crate::dhcp::{Configuration, Kind, Network, Running};
use crate::doctor::facts::LiesOn;
use crate::doctor::mounted;
use crate::doctor::netboot::GRUB_CONFIGURATION;
use crate::doctor::root::versions;
use crate::exit::{Exit, WithExit as _};
use crate::exports::here;
use crate::ghostrc::{Exports, Ghostrc, NfsServer};
use crate::site::Site;
use crate::state::made::{Made, Unit};
use crate::sys::interface::{self, Interface};
use crate::sys::udp_port::{self, Holder};
use crate::sys::unit as unit_files;
use crate::sys::{io_flusher, own_address, program, regular, resolve};

const TFTP_DEFAULTS: &str = "/etc/default/tftpd-hpa";
/// How long the resolver may take for the name in GHSTNFS.
const NAME_DEADLINE: Duration = Duration::from_secs(5);

/// All bytes of a file; none if it is not there.
pub(crate) fn file(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match regular::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The interface of the boot network: the one that is named, that is in the clients' network, that has this address, or that the default
/// route leaves by.
pub(crate) fn boot_interface(
    wishes: &Wishes,
    address: Option<Ipv4Addr>,
) -> anyhow::Result<Option<Interface>> {
    match (&wishes.interface, address, wishes.network) {
        (Some(name), ..) => Interface::named(name).map(Some).exit(Exit::Usage),
        (None, Some(address), network) => {
            let in_it = network.and_then(interface::in_network);
            Ok(in_it.or_else(|| Interface::with_address(address).ok()))
        }
        (None, None, Some(network)) => {
            let none = || {
                let words = "no interface of this machine has an address in";
                anyhow!("{words} {network}: give --address, or the right --subnet").exit(Exit::Usage)
            };
            interface::in_network(network).map(Some).ok_or_else(none)
        }
        (None, None, None) => Ok(interface::of_default_route()),
    }
}

/// What is known before there are settings.
pub(crate) fn surroundings(
    interface: Option<&Interface>,
    wishes: &Wishes,
    own_address: Option<Ipv4Addr>,
) -> anyhow::Result<Surroundings> {
    let tftp = file(Path::new(TFTP_DEFAULTS))?.and_then(|text| value(&text, "TFTP_DIRECTORY"));
    Ok(Surroundings {
        address: interface.and_then(|interface| interface.address).map(|(ip, _)| ip),
        tftp: tftp.filter(|tftp| tftp.starts_with('/')).map(PathBuf::from),
        kind: wishes.dhcp_server.unwrap_or_else(found::kind_without_settings),
        is_routed: interface.is_some_and(|interface| is_routed(interface, wishes.network)),
        other_interface: own_address
            .filter(|ip| !interface.is_some_and(|interface| interface.has(*ip)))
            .and_then(|ip| Interface::with_address(ip).ok())
            .map(|interface| interface.name),
    })
}

/// Whether packets to this network, or to the interface's own, leave by it.
fn is_routed(interface: &Interface, network: Option<Network>) -> bool {
    let Some(network) = network.or_else(|| interface.network()) else { return false };
    let first = (1..=2).map(|number| Ipv4Addr::from(u32::from(network.address) + number));
    let mut clients = first.filter(|ip| network.contains(*ip) && !interface.has(*ip));
    let leaves_by_it = |ip| Interface::towards(ip).is_ok_and(|found| found.name == interface.name);
    clients.next().is_some_and(leaves_by_it)
}

/// `KEY="VALUE"` in one of Debian's files of defaults, which are shell scripts.
fn value(text: &[u8], key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    lines.next_back().map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// What is known once there are settings.
pub(crate) fn site(
    site: &Site,
    listener: Option<Listener>,
    configuration: &dyn Configuration,
) -> anyhow::Result<Seen> {
    let ghostrc = &site.ghostrc;
    let made = Made::read(&ghostrc.state_folder)?;
    let wanted_nfs = wanted_nfs(ghostrc);
    let nfs = Some(wanted_nfs).filter(|nfs| is_nfs_here(*nfs));
    let exports = match nfs {
        Some(nfs) => There {
            main: file(Path::new(nfs.main_file()))?,
            own: file(Path::new(nfs.own_file()))?.map(|bytes| {
                let is_ours = made.is_ours(Path::new(nfs.own_file()), &bytes);
                (bytes, is_ours)
            }),
            is_io_flusher_refused: io_flusher::is_refused(),
            has_base_root: ghostrc.base_root.is_dir(),
            pending: Vec::new(),
        },
        None => There::default(),
    };
    let hosts = able(site, configuration);
    Ok(Seen {
        without_folders: without_folders(site, &hosts),
        hosts,
        missing_folders: missing_folders(ghostrc),
        is_store_unmounted: is_store_unmounted(ghostrc),
        base_root: base_root(ghostrc)?,
        dhcp: site.dhcp_kind.traits(),
        dhcp_defaults: match site.dhcp_kind.traits().defaults {
            Some(defaults) => file(Path::new(defaults))?.map(|bytes| {
                let is_ours = made.is_ours(Path::new(defaults), &bytes);
                (bytes, is_ours)
            }),
            None => None,
        },
        networks: configuration.networks(),
        networks_here: interface::with_networks(),
        interface: listener,
        nfs,
        wanted_nfs,
        other_nfs: other_nfs(wanted_nfs),
        exports,
        is_to_take_up: !made.to_take_up.is_empty(),
        pending: made.pending,
        units: units(site.dhcp_kind, wanted_nfs),
        is_dhcp_installed: is_dhcp_installed(site),
        running: site.dhcp().running(),
        has_port: has_port(site),
    })
}

/// All hosts that can have jobs.
fn able(site: &Site, configuration: &dyn Configuration) -> Vec<(HostName, Ipv4Addr)> {
    let names = configuration.clients().into_iter().map(|(name, _)| name);
    names.filter_map(|name| site.host(configuration, &name).ok()).map(|host| (host.name, host.ip)).collect()
}

fn without_folders(site: &Site, hosts: &[(HostName, Ipv4Addr)]) -> Vec<(HostName, Ipv4Addr)> {
    if site.ghostrc.exports == Exports::Common {
        return Vec::new();
    }
    let trees = site.trees();
    let store = &site.ghostrc.store_folder;
    let lacks_one = |(host, ip): &&(HostName, Ipv4Addr)| {
        let tree = layout::own_folder(&trees, *ip);
        let of_store = [store.join(layout::CLIENTS), store.clone()].map(|above| above.join(host.as_str()));
        !tree.is_dir() || !of_store.iter().all(|folder| folder.is_dir())
    };
    hosts.iter().filter(lacks_one).cloned().collect()
}

fn missing_folders(ghostrc: &Ghostrc) -> Vec<PathBuf> {
    let folders = [&ghostrc.tftp_base, &ghostrc.store_folder];
    folders.into_iter().filter(|folder| !folder.exists()).cloned().collect()
}

/// Whether another machine exports the image store, and GHSTBASE lies on a disk of this one.
fn is_store_unmounted(ghostrc: &Ghostrc) -> bool {
    if ghostrc.store_is_here() {
        return false;
    }
    let export = &ghostrc.store_export;
    let server = export.address().map_or_else(|| resolve::address_of(&export.server, NAME_DEADLINE), Ok);
    // A name without an address may be this machine's; `doctor` tells of it.
    let Ok(server) = server else { return false };
    !own_address::is_own(server) && matches!(mounted::look(ghostrc, Some(server)), LiesOn::OwnDisk(_))
}

/// Why the base root has to be made; none if it is there as it should be.
fn base_root(ghostrc: &Ghostrc) -> anyhow::Result<Result<(), String>> {
    let place = Place::of(ghostrc)?;
    if place.made_from().is_none() {
        return Ok(Err("there is none".to_owned()));
    }
    let Ok(library) = Library::installed() else { return Ok(Ok(())) };
    let others = place.other_programs(&library)?;
    if !others.is_empty() {
        return Ok(Err(format!("it has other programs than the installed ones: {}", others.join(", "))));
    }
    let configuration = file(&place.boot_files.join(GRUB_CONFIGURATION))?.unwrap_or_default();
    let is_wanted = ghostrc.of_base_root.get("HTTPBOOT").is_some_and(|value| value == "yes");
    if loads_over_http(&configuration) != is_wanted {
        return Ok(Err("its boot files do not load over HTTP what HTTPBOOT says".to_owned()));
    }
    if is_of_another_version(&configuration, ghostrc.nfs_version) {
        return Ok(Err("it is mounted with another version of NFS than NFSVERSION says".to_owned()));
    }
    let behind = boot_files::behind(&place.boot_files, &ghostrc.tftp_base)?;
    Ok(if behind.is_empty() { Ok(()) } else { Err(format!("TFTP does not serve its {}", behind.join(", "))) })
}

/// Whether GRUB names HTTP's server for a file, as `rootfs/grub-config` writes it.
fn loads_over_http(configuration: &[u8]) -> bool {
    String::from_utf8_lossy(configuration).contains("(http,")
}

fn is_of_another_version(configuration: &[u8], version: NfsVersion) -> bool {
    versions(&String::from_utf8_lossy(configuration)).any(|said| said != version.word())
}

/// The server that jobs have export.
fn wanted_nfs(ghostrc: &Ghostrc) -> Nfs {
    match ghostrc.nfs_server.unwrap_or_else(here::nfs_server_here) {
        NfsServer::Nfsd => Nfs::Kernel,
        NfsServer::Ganesha => Nfs::Ganesha,
    }
}

/// Whether its programs are here.
fn is_nfs_here(nfs: Nfs) -> bool {
    match nfs {
        Nfs::Kernel => program::find("exportfs", &std::env::var_os("PATH").unwrap_or_default()).is_ok(),
        Nfs::Ganesha => Path::new(nfs.main_file()).exists(),
    }
}

/// The other NFS server, if it runs and this one does not.
fn other_nfs(nfs: Nfs) -> Option<Nfs> {
    let (other, own, server) = match nfs {
        Nfs::Kernel => (Nfs::Ganesha, NfsServer::Nfsd, NfsServer::Ganesha),
        Nfs::Ganesha => (Nfs::Kernel, NfsServer::Ganesha, NfsServer::Nfsd),
    };
    let is_active = || {
        let unit = other.unit();
        unit_files::has_systemd() && unit_files::is_there(unit) && unit_files::is("is-active", unit)
    };
    (!here::runs(own) && (here::runs(server) || is_active())).then_some(other)
}

/// Why the NFS server of this name has to go on: what it exports besides our file, which may go.
pub(crate) fn exports_of_others(unit: &str) -> anyhow::Result<Option<String>> {
    let Some(nfs) = Nfs::of_unit(unit) else { return Ok(None) };
    let mut files = vec![PathBuf::from(nfs.main_file())];
    if nfs == Nfs::Kernel {
        let others = std::fs::read_dir("/etc/exports.d").into_iter().flatten().flatten();
        files.extend(
            others
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|it| it == "exports")),
        );
    }
    for path in files.iter().filter(|path| path.as_path() != Path::new(nfs.own_file())) {
        if nfs.has_exports(&file(path)?.unwrap_or_default()) {
            return Ok(Some(format!("{} has exports", path.display())));
        }
    }
    Ok(None)
}

/// Why the TFTP server has to go on: the files that it serves besides those that were copied.
pub(crate) fn files_of_others(ghostrc: &Ghostrc) -> anyhow::Result<Option<String>> {
    let configured = file(Path::new(TFTP_DEFAULTS))?.and_then(|text| value(&text, "TFTP_DIRECTORY"));
    let folders: BTreeSet<PathBuf> =
        configured.map(PathBuf::from).into_iter().chain([ghostrc.tftp_base.clone()]).collect();
    for folder in folders {
        if boot_files::has_others(&Place::of(ghostrc)?.boot_files, &folder, &ghostrc.state_folder)? {
            return Ok(Some(format!("{} has other files", folder.display())));
        }
    }
    Ok(None)
}

pub(crate) fn is_dhcp_installed(site: &Site) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    site.ghostrc.dhcp_check.is_some() || program::find(site.dhcp_kind.traits().process, &path).is_ok()
}

/// The other program that keeps the DHCP server from its port. A proxy is beside another server anyway.
fn has_port(site: &Site) -> Option<String> {
    let traits = site.dhcp_kind.traits();
    // Who does not tell this does not keep anybody from anything that is known.
    let holders = udp_port::holders(udp_port::DHCP).unwrap_or_default();
    // dnsmasq has other purposes too, so that its name alone does not make it the one that is edited.
    let is_edited = |holder: &Holder| match site.dhcp_kind {
        Kind::Dnsmasq => site.dhcp().running() == Running::Ours && holder.name == traits.process,
        _ => holder.name == traits.process,
    };
    let has_it = holders.iter().any(|holder| holder.as_ref().is_none_or(is_edited));
    if traits.is_beside_another || has_it || udp_port::is_free(udp_port::DHCP, site.dhcp().shares_port()) {
        return None;
    }
    let holder = holders.into_iter().flatten().next()?;
    Some(format!("{} (process {})", holder.name, holder.pid))
}

/// The services that jobs need, as far as this machine has them; none at all without systemd.
fn units(kind: Kind, nfs: Nfs) -> Option<BTreeMap<String, Unit>> {
    if !unit_files::has_systemd() {
        return None;
    }
    let dhcp = kind.traits().unit;
    let wanted = [dhcp, "tftpd-hpa", nfs.unit(), "ghost4linux-recover"];
    let there = wanted.into_iter().filter(|name| unit_files::is_there(name));
    Some(there.map(|name| (name.to_owned(), unit(name))).collect())
}

/// How a service is now.
pub(crate) fn unit(unit: &str) -> Unit {
    Unit { is_enabled: unit_files::is("is-enabled", unit), is_active: unit_files::is("is-active", unit) }
}
