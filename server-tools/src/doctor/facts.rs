//! What is known of a boot server before anybody judges it. Reasons are the words that a person shall read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::path::PathBuf;

use ghost_contract::NfsVersion;

use crate::dhcp::{Advice, Kind, Reach, Running};
use crate::ghostrc::Exports;
use crate::sys::disk_space::DiskSpace;
use crate::sys::file_system::FileSystem;

/// A try and, if it failed, why.
pub(crate) type Tried<T> = Result<T, String>;

/// An error in the words that a person shall read.
pub(crate) fn words<T, E: Into<anyhow::Error>>(result: Result<T, E>) -> Tried<T> {
    result.map_err(|error| format!("{:#}", error.into()))
}

/// All that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Lines of the settings that look like mistakes.
    pub doubts: Vec<String>,
    /// Keys of the settings for one host that no host of the DHCP configuration has.
    pub for_nobody: Vec<String>,
    /// The files with public keys that the settings of the hosts name, and whether each can be read.
    pub public_keys: Vec<(PathBuf, Tried<()>)>,
    /// The user that hooks run as if it is not root, and whether it is there.
    pub hook_user: Option<(String, Tried<()>)>,
    pub dhcp: Dhcp,
    pub boot_server: Ipv4Addr,
    /// The hosts that can have jobs, or why nobody knows.
    pub hosts: Tried<Vec<Host>>,
    /// The machines that the DHCP configuration has hosts boot from, and whether each is this boot server.
    pub machines: BTreeMap<String, Tried<bool>>,
    /// The files that hosts are offered for a job.
    pub boot_files: Vec<BootFile>,
    /// What UEFI clients are to load over HTTP; nothing if they are not.
    pub over_http: Vec<OverHttp>,
    pub base_root: BaseRoot,
    pub boundary: Boundary,
    /// What clients mount: the base root, and the image store.
    pub exports: Vec<Export>,
    pub store: Store,
    /// The programs that ghostctl runs on images.
    pub programs: Vec<Program>,
    /// What this machine lacks to confine what parses a client's image.
    pub confinement: Tried<Vec<String>>,
    /// The folder of lock, journal and records, and whether it can be written to.
    pub state_folder: Writable,
    /// Whether whole frames, as magic packets are, may be sent.
    pub may_send_frames: Tried<()>,
}

/// A file as it is on the disk, and as the HTTP server gives it: the first block of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OverHttp {
    pub name: &'static str,
    pub on_disk: Tried<Vec<u8>>,
    pub served: Tried<Vec<u8>>,
}

/// A folder, and whether it can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writable {
    pub folder: PathBuf,
    /// What became of a file that was made there.
    pub tried: Tried<()>,
}

/// What is known of the DHCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dhcp {
    pub kind: Kind,
    /// Why it is taken for one of this kind, to follow its name.
    pub because: &'static str,
    pub configuration: PathBuf,
    /// What its own checker says of it.
    pub accepted: Tried<()>,
    pub checker: String,
    /// The folder in which the edited file is written before it takes the old one's place.
    pub folder: Writable,
    /// How it takes its configuration up, and what keeps it from that now.
    pub way: Result<String, Advice>,
    pub running: Running,
    /// What its configuration names and it cannot read.
    pub unread: Vec<Advice>,
    /// Whom it does not answer because it listens elsewhere.
    pub unheard: Vec<Advice>,
}

/// A host of the DHCP configuration that can have jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub name: String,
    pub ip: Ipv4Addr,
    /// The interface that magic packets to it would leave by.
    pub interface: Tried<String>,
    /// Whether they need no router to get there.
    pub is_neighbour: bool,
    /// This machine's own address in its network.
    pub near: Option<Ipv4Addr>,
    /// The interface that is in its network, if `INTERFACE` names one that is not.
    pub nearer: Option<String>,
    /// Where they go besides: to a relay, or to the broadcast address of the host's subnet.
    pub beyond: Option<Ipv4Addr>,
    /// What the DHCP configuration says about how it boots.
    pub reach: Reach,
    /// The deadlines that are zero in its settings, so that a job would end before it begins.
    pub zero: Vec<&'static str>,
}

/// A program that ghostctl runs on images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub name: &'static str,
    /// The Debian package that it comes in.
    pub package: &'static str,
    pub purpose: &'static str,
    /// Whether a backup fails without it.
    pub is_needed: bool,
    pub found: Tried<PathBuf>,
}

/// A file that hosts are offered for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootFile {
    /// Its name, as the DHCP server says it.
    pub name: String,
    /// Whether it is offered to a host with UEFI.
    pub is_for_uefi: bool,
    pub path: PathBuf,
    /// Its first block on the disk.
    pub on_disk: Tried<Vec<u8>>,
    /// Its first block as the TFTP server gives it.
    pub served: Tried<Vec<u8>>,
}

/// What is to keep the clients apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub exports: Exports,
    /// The folder with the clients' own folders, if they have such.
    pub trees: PathBuf,
    /// Whether the boot server itself exports the image store.
    pub store_is_here: bool,
    /// With `EXPORTS=job`, the NFS server that is told what to export, or why it cannot be told.
    pub is_told: Option<Tried<&'static str>>,
    /// The addresses of clients whose folders may be exported now: of those that have a job.
    pub busy: BTreeSet<Ipv4Addr>,
    /// The configurations of boot loaders that can be read here, and what they say.
    pub told: Vec<(PathBuf, String)>,
    /// What a client could reach by file handles of its own making; nothing where all is shared anyway.
    pub file_systems: Option<FileSystems>,
}

/// On which file systems the exported folders are, and what must not be on the same ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileSystems {
    /// All that this machine's kernel exports; nothing if its NFS server does not run.
    pub by_kernel: Option<Vec<Grant>>,
    pub root: Place,
    pub state_folder: Place,
    pub base_root: Place,
    pub trees: Place,
    /// Nothing if another machine exports the image store.
    pub store: Option<Place>,
}

/// A folder, and the file system that it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub path: PathBuf,
    pub file_system: Tried<FileSystem>,
    /// What of nodev and nosuid it is mounted without.
    pub lacks: Vec<&'static str>,
}

/// What is known of the base root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseRoot {
    /// The version of NFS that clients are to mount it with.
    pub version: NfsVersion,
    /// The port of this machine's mountd that the settings name.
    pub mountd_port: Option<NonZeroU16>,
    pub root: PathBuf,
    /// Whether trees can be made where they lie.
    pub folder: Writable,
    /// The folders that trees are made from and that are not there.
    pub missing: Vec<&'static str>,
    /// Whether what clients run is in it.
    pub has_init: bool,
    /// Other paths to the same folder, of those that boot loaders name.
    pub known_as: Vec<PathBuf>,
    pub space: Tried<DiskSpace>,
}

/// An NFS export that clients mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// The key of the settings that names its server.
    pub key: &'static str,
    /// Its server's address, or why there is none.
    pub server: Tried<IpAddr>,
    /// The path that clients mount.
    pub path: PathBuf,
    /// What clients do with it.
    pub usage: Usage,
    /// The version of NFS that clients mount it with, and whether that answers.
    pub version: NfsVersion,
    pub nfs: Tried<()>,
    /// What the server says it exports.
    pub exported: Tried<Vec<Exported>>,
    /// How this machine's kernel exports it; nothing if another machine or another NFS server does.
    pub grants: Vec<Grant>,
    /// The folder in which the paths of version 4 begin on this machine's kernel, if it is not the root.
    pub begins_in: Option<PathBuf>,
}

/// What clients do with an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Read,
    Write,
    /// Each mounts a folder in it that is its own.
    InParts,
}

/// A folder that a server exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exported {
    pub path: PathBuf,
    /// Who may mount it, as the server writes it; all if nobody is named.
    pub clients: Vec<String>,
}

/// What some clients may do with an exported folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub path: PathBuf,
    pub clients: String,
    pub may_write: bool,
    /// Whether the client's root is root there.
    pub is_root: bool,
    /// Whether the server looks, each time that a client comes with a file handle, whether the file lies in that folder.
    pub checks_subtree: bool,
}

/// What is known of the image store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    /// Whether the boot server can write to it.
    pub folder: Writable,
    pub same_place: SamePlace,
    pub space: Tried<DiskSpace>,
    /// The size of the largest good generation, bytes.
    pub largest_generation: Option<u64>,
}

/// Whether boot server and clients mean the same folder. Without mounting the export as a client does, only one
/// case can be told: the export is a folder of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SamePlace {
    /// The exported folder has the same device and inode.
    Same,
    /// It is here, and it is another folder.
    Different,
    /// The export is this machine's, but the path is none of its own: a pseudo path, or a mistake.
    NotHere,
    /// Another machine has it.
    Elsewhere { export: String, lies_on: LiesOn },
    /// It could not be looked at.
    Unknown(String),
}

/// The first few names, and how many more there are.
pub(crate) fn names<'a>(hosts: impl ExactSizeIterator<Item = &'a Host>) -> String {
    few(hosts.map(|host| host.name.as_str()))
}

/// The first few of them, and how many more there are.
pub(crate) fn few<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.take(SHOWN).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}

/// What GHSTBASE lies on, where another machine exports GHSTNFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LiesOn {
    /// That very export.
    Export,
    /// A file system of this machine, in words.
    OwnDisk(String),
    /// What is another folder of the same server by its name, as it is mounted.
    OtherFolder(String),
    /// It cannot be told, for this reason.
    Unknown(String),
}
