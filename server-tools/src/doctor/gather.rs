//! Looks at everything that is to be judged, each question with a deadline. Changes nothing; what it makes to see
//! whether it can, it takes away again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use crate::dhcp::{self, Configuration, Reach};
use crate::ghostrc::{Exports, Firmware, ImagerName, Settings};
use ghost_contract::{HostName, layout};

use super::exports::{self, DEADLINE};
use super::facts::{
    BaseRoot, BootFile, Boundary, Dhcp, Export, Facts, FileSystems, Host, OverHttp, Place, Program,
    SamePlace, Store, Tried, Usage, Writable, words,
};
use super::{listening, mounted, netboot, over_http, root};
use crate::catalog::Catalog;
use crate::confined::Parser;
use crate::exports::{for_job, here};
use crate::hooks;
use crate::site::Site;
use crate::state::journal;
use crate::sys::interface::Interface;
use crate::sys::packet::PacketSocket;
use crate::sys::{disk_space, file_system, http, own_address, program, regular, resolve, tftp, writable};
use crate::wake;

/// How many threads of the kernel's NFS server there are.
const KERNEL_THREADS: &str = "/proc/fs/nfsd/threads";
/// How the names of UEFI's boot loaders end.
const EFI: &str = ".efi";
/// The folders that a tree is made from.
const TREE_SOURCES: [&str; 2] = ["etc", "var"];

/// All facts about a boot server, and these hosts; about all hosts that can have jobs if none is named. What is asked
/// over the network is asked at once, and once for all hosts: so it takes as long as the slowest answer, and no
/// longer for a thousand hosts than for one.
pub(crate) fn gather(site: &Site, configuration: Tried<&dyn Configuration>, named: &[HostName]) -> Facts {
    let ghostrc = &site.ghostrc;
    let hosts = configuration.clone().and_then(|configuration| hosts(site, configuration, named));
    let of_hosts = hosts.as_deref().unwrap_or_default();
    let machines = machines(site, of_hosts);
    let public_keys = public_keys(site, of_hosts);
    let for_nobody = configuration.as_ref().map(|all| for_nobody(site, *all)).unwrap_or_default();
    let offered = boot_file_names(site, of_hosts);
    let names = with_those_loaded_after(site, offered.keys().cloned().collect());
    let store_server = store_server(site);
    std::thread::scope(|scope| {
        let served: Vec<_> = names.iter().map(|name| scope.spawn(|| served(site, name))).collect();
        let over_http = files_over_http(site, offered.values().any(|is_for_uefi| *is_for_uefi));
        let over_http = over_http.map(|name| scope.spawn(move || by_http(site, name))).collect::<Vec<_>>();
        let boot_server = Ok(ghostrc.boot_server.into());
        let (of_base_root, of_store) = match ghostrc.exports {
            Exports::Common => (Usage::Write, Usage::Write),
            Exports::Own | Exports::Job => (Usage::Read, Usage::InParts),
        };
        let exports = [
            ("PXEADDR", boot_server, &ghostrc.base_root, of_base_root),
            ("GHSTNFS", store_server.clone(), &ghostrc.store_export.path, of_store),
        ];
        let exports = exports
            .map(|(key, server, path, usage)| scope.spawn(move || export(site, key, server, (path, usage))));
        let boundary = boundary(site, &names);
        Facts {
            doubts: ghostrc.warnings.iter().map(ToString::to_string).collect(),
            for_nobody,
            public_keys,
            hook_user: ghostrc
                .hook_user
                .clone()
                .map(|name| (name.clone(), words(hooks::user(&name)).map(drop))),
            machines,
            dhcp: dhcp(site, configuration.ok()),
            base_root: base_root(site, &boundary.told),
            boundary,
            store: store(site, store_server),
            programs: programs(site, hosts.as_deref().unwrap_or_default()),
            confinement: words(Parser::own().lacks()),
            state_folder: can_write(existing(&ghostrc.state_folder)),
            may_send_frames: may_send_frames(hosts.as_deref().unwrap_or_default()),
            boot_server: ghostrc.boot_server,
            hosts,
            // The answers last: meanwhile the rest was looked at.
            exports: exports.map(joined).into(),
            over_http: over_http.into_iter().map(joined).collect(),
            boot_files: names
                .iter()
                .zip(served)
                .map(|(name, of)| boot_file(site, name, offered.get(name) == Some(&true), joined(of)))
                .collect(),
        }
    })
}

/// What a question's thread found out; a panic there is one here.
pub(super) fn joined<T>(question: ScopedJoinHandle<'_, T>) -> T {
    question.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn can_write(folder: &Path) -> Writable {
    Writable { folder: folder.to_owned(), tried: words(writable::probe(folder)) }
}

/// The folder itself, or the nearest one above it that is there: a job makes what is missing.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|above| above.exists()).unwrap_or(folder)
}

fn dhcp(site: &Site, all: Option<&dyn Configuration>) -> Dhcp {
    let (server, configuration) = (site.dhcp(), site.dhcp_configuration.clone());
    Dhcp {
        kind: site.dhcp_kind,
        because: site.dhcp_because,
        accepted: words(server.check(&[])),
        checker: server.checker().to_string(),
        folder: can_write(configuration.parent().unwrap_or(Path::new("/"))),
        way: server.way(),
        running: server.running(),
        unread: server.unread(),
        unheard: all.map(|all| listening::look(site, all)).unwrap_or_default(),
        configuration,
    }
}

/// A named host that cannot have a job is the reason; of all hosts, those that cannot are passed over, since not every
/// machine in a DHCP configuration is meant to.
fn hosts(site: &Site, configuration: &dyn Configuration, named: &[HostName]) -> Tried<Vec<Host>> {
    let found: Vec<dhcp::Host> = match named {
        [] => {
            let clients = configuration.clients().into_iter();
            clients.filter_map(|(name, _)| site.host(configuration, &name).ok()).collect()
        }
        named => named.iter().map(|name| words(site.host(configuration, name))).collect::<Tried<_>>()?,
    };
    let addresses: Vec<_> = found.iter().map(|host| (host.name.clone(), host.ip)).collect();
    let reaches = configuration.reaches(&addresses);
    let describe = |(host, reach): (dhcp::Host, Reach)| {
        let settings = site.ghostrc.for_host(&host.name);
        let interface = words(interface(&host, &settings));
        let is_neighbour = interface.as_ref().is_ok_and(|found| found.is_neighbour(host.ip));
        let is_near = |ip: &Ipv4Addr| reach.network.is_some_and(|network| network.contains(*ip));
        let own = interface.as_ref().ok().and_then(|found| found.address).map(|(ip, _)| ip);
        Host {
            near: own.filter(is_near),
            nearer: settings.interface.as_ref().filter(|_| !is_neighbour).and(nearer(host.ip)),
            interface: interface.map(|found| found.name),
            is_neighbour,
            beyond: wake::beyond(settings.wake_relay, is_neighbour, reach.network),
            zero: zero(&settings),
            name: host.name.to_string(),
            ip: host.ip,
            reach,
        }
    };
    Ok(found.into_iter().zip(reaches).map(describe).collect())
}

/// The interface that reaches this address without a router, if there is one.
fn nearer(ip: Ipv4Addr) -> Option<String> {
    Interface::towards(ip).ok().filter(|found| found.is_neighbour(ip)).map(|found| found.name)
}

fn zero(settings: &Settings) -> Vec<&'static str> {
    let deadlines = [
        ("UP_DEADLINE", settings.up_deadline),
        ("JOB_DEADLINE", settings.job_deadline),
        ("OFF_DEADLINE", settings.off_deadline),
        ("EXPIRES", settings.expires),
    ];
    deadlines.into_iter().filter(|(_, deadline)| deadline.is_zero()).map(|(key, _)| key).collect()
}

/// The machines that these hosts are told to boot from, each looked at once.
fn machines(site: &Site, hosts: &[Host]) -> BTreeMap<String, Tried<bool>> {
    let reaches = hosts.iter().map(|host| &host.reach);
    let said = reaches.flat_map(|reach| [&reach.next_server, &reach.tftp_server_option]).flatten();
    let names: BTreeSet<&str> = said.map(|said| said.value.as_str()).collect();
    let is_here = |name: &str| {
        let address = words(resolve::address_of(name, DEADLINE))?;
        Ok(address == IpAddr::from(site.ghostrc.boot_server) || own_address::is_own(address))
    };
    names.into_iter().map(|name| (name.to_owned(), is_here(name))).collect()
}

fn public_keys(site: &Site, hosts: &[Host]) -> Vec<(PathBuf, Tried<()>)> {
    let of_host = |host: &Host| site.ghostrc.for_host(&host.name.parse().ok()?).ssh_keys;
    let paths: BTreeSet<PathBuf> = hosts.iter().filter_map(of_host).collect();
    paths.into_iter().map(|path| (path.clone(), words(fs::read_to_string(path)).map(drop))).collect()
}

fn for_nobody(site: &Site, configuration: &dyn Configuration) -> Vec<String> {
    let hosts = configuration.list();
    site.ghostrc.for_nobody(hosts.iter().map(|host| host.name.as_str()))
}

/// The interface that leads to a host, if something that is sent would leave it.
fn interface(host: &dhcp::Host, settings: &Settings) -> anyhow::Result<Interface> {
    let found =
        settings.interface.as_deref().map_or_else(|| Interface::towards(host.ip), Interface::named)?;
    found.require_link()?;
    Ok(found)
}

fn may_send_frames(hosts: &[Host]) -> Tried<()> {
    let Some(name) = hosts.iter().find_map(|host| host.interface.as_deref().ok()) else { return Ok(()) };
    let interface = words(Interface::named(name))?;
    words(PacketSocket::open(interface.index, wake::ETHERTYPE)).map(drop)
}

/// The name, the package and the purpose of each program that ghostctl runs on images, and whether a backup by the Linux
/// imager fails without it.
const PROGRAMS: [(&str, &str, &str, bool); 4] = [
    ("partclone.chkimg", "partclone", "checks the images of partclone after a backup", true),
    ("partclone.restore", "partclone", "is what 'ghostctl images mount' and 'export' restore with", true),
    ("qemu-img", "qemu-utils", "is what 'ghostctl images export --format qcow2' converts with", false),
    ("ntfs-3g", "ntfs-3g", "is what 'ghostctl images mount --kernel' mounts NTFS with", false),
];

fn programs(site: &Site, hosts: &[Host]) -> Vec<Program> {
    let has_template_floppy = site.ghostrc.base_root.join(layout::TEMPLATE_FLOPPY).exists();
    let unset = ImagerName::without_a_setting(has_template_floppy);
    let of_host = |host: &Host| Some(site.ghostrc.for_host(&host.name.parse().ok()?).imager);
    let uses_linux =
        hosts.iter().filter_map(of_host).any(|imager| imager.unwrap_or(unset) == ImagerName::Linux);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let describe = |(name, package, purpose, is_needed)| Program {
        name,
        package,
        purpose,
        is_needed: is_needed && uses_linux,
        found: words(program::find(name, &path)),
    };
    PROGRAMS.map(describe).into()
}

/// Which files the hosts are offered for a job, and whether any of the hosts that are offered it has UEFI.
fn boot_file_names(site: &Site, hosts: &[Host]) -> BTreeMap<String, bool> {
    let of_host = |host: &Host| Some(site.ghostrc.for_host(&host.name.parse().ok()?));
    let mut settings: Vec<Settings> = hosts.iter().filter_map(of_host).collect();
    if settings.is_empty() {
        settings.push(site.ghostrc.settings().clone());
    }
    let mut names = BTreeMap::new();
    for Settings { boot_file, firmware, .. } in settings {
        *names.entry(boot_file).or_insert(false) |= firmware == Firmware::Uefi;
    }
    names
}

/// With what pxelinux loads after itself, as far as the files here tell.
pub(super) fn with_those_loaded_after(site: &Site, boot_files: BTreeSet<String>) -> BTreeSet<String> {
    let mut read = |name: &str| regular::read(&on_disk(site, name)).ok();
    let mut names: BTreeSet<String> =
        boot_files.iter().flat_map(|name| netboot::loaded_after(name, &mut read)).collect();
    // Each client may have a configuration of its own in place of the one for all.
    names.retain(|name| !(name.ends_with(netboot::CONFIGURATION) && has_others_beside(&on_disk(site, name))));
    names.extend(boot_files);
    names
}

/// Whether a file is missing and its folder has others.
fn has_others_beside(path: &Path) -> bool {
    let others = || fs::read_dir(path.parent()?).ok()?.next();
    !path.exists() && others().is_some()
}

fn on_disk(site: &Site, name: &str) -> PathBuf {
    site.ghostrc.tftp_base.join(name.trim_start_matches('/'))
}

pub(super) fn served(site: &Site, name: &str) -> Tried<Vec<u8>> {
    words(tftp::first_block((site.ghostrc.boot_server, tftp::PORT).into(), name, DEADLINE))
}

pub(super) fn boot_file(site: &Site, name: &str, is_for_uefi: bool, served: Tried<Vec<u8>>) -> BootFile {
    let path = on_disk(site, name);
    BootFile { on_disk: words(first_block(&path)), served, path, name: name.to_owned(), is_for_uefi }
}

/// The files that are to come over HTTP: none if the settings do not say so, or no host has UEFI.
fn files_over_http(site: &Site, has_uefi: bool) -> impl Iterator<Item = &'static str> {
    let is_wanted = site.ghostrc.of_base_root.get("HTTPBOOT").is_some_and(|value| value == "yes");
    over_http::FILES.into_iter().filter(move |_| has_uefi && is_wanted)
}

fn by_http(site: &Site, name: &'static str) -> OverHttp {
    let at = (site.ghostrc.boot_server, http::PORT).into();
    OverHttp {
        name,
        on_disk: words(first_block(&on_disk(site, name))),
        served: words(http::first_bytes(at, name, tftp::BLOCK, DEADLINE)),
    }
}

fn first_block(path: &Path) -> io::Result<Vec<u8>> {
    let mut block = Vec::new();
    let limit = u64::try_from(tftp::BLOCK).map_err(io::Error::other)?;
    regular::open(path)?.take(limit).read_to_end(&mut block)?;
    Ok(block)
}

fn base_root(site: &Site, told: &[(PathBuf, String)]) -> BaseRoot {
    let root = site.ghostrc.base_root.clone();
    let trees = site.trees();
    // Without a base root nothing can be made above it either.
    let folder = if trees == root { &root } else { existing(&trees) };
    BaseRoot {
        version: site.ghostrc.nfs_version,
        mountd_port: site.ghostrc.mountd_port,
        folder: can_write(folder),
        missing: TREE_SOURCES.into_iter().filter(|name| !root.join(name).is_dir()).collect(),
        has_init: root.join(root::INIT).is_file(),
        known_as: told
            .iter()
            .flat_map(|(_, text)| root::named(text))
            .map(|(_, path)| path)
            .filter(|path| same_place(&root, path) == SamePlace::Same)
            .map(Path::to_owned)
            .collect(),
        space: words(disk_space::of(folder)),
        root,
    }
}

fn boundary(site: &Site, boot_files: &BTreeSet<String>) -> Boundary {
    // The netboot files have both; what no host is offered says nothing to anybody.
    let configurations = boot_files.iter().map(|name| match name.ends_with(EFI) {
        true => netboot::GRUB_CONFIGURATION,
        false => netboot::CONFIGURATION,
    });
    let of_all = boot_files.iter().map(String::as_str).filter(|name| name.ends_with(netboot::CONFIGURATION));
    let paths: BTreeSet<PathBuf> = configurations.chain(of_all).map(|name| on_disk(site, name)).collect();
    let read = |path: PathBuf| {
        Some((path.clone(), String::from_utf8_lossy(&regular::read(&path).ok()?).into_owned()))
    };
    Boundary {
        exports: site.ghostrc.exports,
        trees: layout::trees(&site.ghostrc.base_root),
        store_is_here: site.ghostrc.store_is_here(),
        is_told: (site.ghostrc.exports == Exports::Job).then(|| words(for_job::can_be_told(&site.ghostrc))),
        busy: busy(site),
        told: paths.into_iter().filter_map(read).collect(),
        file_systems: (site.ghostrc.exports != Exports::Common).then(|| file_systems(site)),
    }
}

fn file_systems(site: &Site) -> FileSystems {
    let ghostrc = &site.ghostrc;
    // What is not there yet will be made on the file system of the folder above it.
    let place = |path: &Path| Place {
        path: path.to_owned(),
        file_system: words(file_system::of(existing(path))),
        // Who cannot be asked is told of by the one above.
        lacks: file_system::lacks(existing(path)).unwrap_or_default(),
    };
    // Clients may know the store by a name that the NFS server has for it alone.
    let exported = ghostrc.store_export.path.as_path();
    let store = if exported.exists() { exported } else { &ghostrc.store_folder };
    let table = || exports::grants(&fs::read_to_string(here::TABLE).unwrap_or_default());
    FileSystems {
        by_kernel: kernel_serves().then(table),
        root: place(Path::new("/")),
        state_folder: place(&ghostrc.state_folder),
        base_root: place(&ghostrc.base_root),
        trees: place(&layout::trees(&ghostrc.base_root)),
        store: ghostrc.store_is_here().then(|| place(store)),
    }
}

/// Whether the kernel's NFS server runs. What its table exports is left there by one that was stopped by force.
fn kernel_serves() -> bool {
    let threads = fs::read_to_string(KERNEL_THREADS).unwrap_or_default();
    threads.trim().parse().is_ok_and(|threads: u32| threads > 0)
}

/// Those that the journal has an entry of. Who has one that says nothing is told of elsewhere.
fn busy(site: &Site) -> BTreeSet<Ipv4Addr> {
    let seen = journal::look_at_all(&site.ghostrc.state_folder).unwrap_or_default();
    seen.into_iter().filter_map(|seen| Some(seen.says.state?.begun.identity.ip)).collect()
}

fn store_server(site: &Site) -> Tried<IpAddr> {
    let export = &site.ghostrc.store_export;
    export.address().map_or_else(|| words(resolve::address_of(&export.server, DEADLINE)), Ok)
}

fn export(site: &Site, key: &'static str, server: Tried<IpAddr>, (path, usage): (&Path, Usage)) -> Export {
    let version = site.ghostrc.nfs_version;
    let is_here = server.as_ref().is_ok_and(|server| own_address::is_own(*server));
    let mountd = site.ghostrc.mountd_port.filter(|_| is_here);
    let nfs = server.clone().and_then(|server| words(exports::nfs_answers(server, version, mountd)));
    // Where NFS itself does not answer, a second question would only wait as long again.
    let listed = |server| {
        let listed = exports::exported(server, mountd);
        let told = |error| is_here.then(|| here::told(&site.ghostrc)).flatten().ok_or(error);
        words(listed.or_else(told))
    };
    let exported = nfs.clone().and_then(|()| server.clone()).and_then(listed);
    let table = is_here.then(|| fs::read_to_string(here::TABLE).ok()).flatten();
    let table = table.unwrap_or_default();
    let mut grants = exports::grants(&table);
    grants.retain(|grant| path.starts_with(&grant.path));
    let begins_in = exports::root_of_version_4(&table);
    Export { key, version, nfs, exported, grants, begins_in, server, path: path.to_owned(), usage }
}

fn store(site: &Site, server: Tried<IpAddr>) -> Store {
    let folder = &site.ghostrc.store_folder;
    let generations = Catalog::of(&site.ghostrc).list().unwrap_or_default();
    let good = generations.iter().filter(|one| one.is_good());
    Store {
        folder: can_write(folder),
        same_place: match server {
            Ok(server) if own_address::is_own(server) => same_place(folder, &site.ghostrc.store_export.path),
            Ok(server) => SamePlace::Elsewhere {
                export: site.ghostrc.store_export.to_string(),
                lies_on: mounted::look(&site.ghostrc, Some(server)),
            },
            Err(reason) => SamePlace::Unknown(reason),
        },
        space: words(disk_space::of(folder)),
        largest_generation: good.filter_map(|one| Some(one.manifest.as_ref().ok()?.bytes)).max(),
    }
}

fn same_place(folder: &Path, exported: &Path) -> SamePlace {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (identity(folder), identity(exported)) {
        (Ok(ours), Ok(theirs)) if ours == theirs => SamePlace::Same,
        (Ok(_), Ok(_)) => SamePlace::Different,
        (Ok(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => SamePlace::NotHere,
        (Err(error), _) => SamePlace::Unknown(format!("cannot look at {}: {error}", folder.display())),
        (_, Err(error)) => SamePlace::Unknown(format!("cannot look at {}: {error}", exported.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_folder_under_two_names_is_the_same_place() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = other.path().join("store");
        std::os::unix::fs::symlink(one.path(), &link).unwrap();
        assert_eq!(same_place(one.path(), &link), SamePlace::Same);
        assert_eq!(same_place(one.path(), other.path()), SamePlace::Different);
        assert_eq!(same_place(one.path(), Path::new("/nonexistent")), SamePlace::NotHere);
        assert!(matches!(same_place(Path::new("/nonexistent"), one.path()), SamePlace::Unknown(_)));
    }

    #[test]
    fn a_folder_that_a_job_would_make_is_tried_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
    }
}
