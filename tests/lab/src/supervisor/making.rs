//! Making a lab from inside, one step after the other.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::Pid;

use crate::accelerator::{self, Accelerator};
use crate::config::LabConfig;
use crate::control;
use crate::folder::LabFolder;
use crate::network;
use crate::pc::{self, DiskError};
use crate::servers::{self, ServerError};
use crate::shell::ShellError;
use crate::sys::packet::PacketSocket;

/// What a lab that is up consists of, besides its PCs.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) control: UnixListener,
    pub(super) packets: PacketSocket,
    pub(super) accelerator: Accelerator,
    pub(super) servers: HashMap<Pid, &'static str>,
}

/// Why a lab could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakingError {
    /// The name space of mounts.
    #[error("cannot mount {}", .path.display())]
    Mount { path: PathBuf, source: Errno },
    /// Something in the lab's folder.
    #[error("cannot {what}")]
    System { what: &'static str, source: io::Error },
    #[error("the servers do not run")]
    Servers(#[from] ServerError),
    #[error("cannot make the network")]
    Network(#[from] ShellError),
    #[error("cannot make a PC")]
    Disk(#[from] DiskError),
    #[error("the thread that makes the lab panicked")]
    Panicked,
}

fn system(what: &'static str) -> impl Fn(io::Error) -> MakingError {
    move |source| MakingError::System { what, source }
}

pub(super) fn make(folder: &LabFolder, config: &LabConfig) -> Result<Made, MakingError> {
    tell_process(folder).map_err(system("say which process holds the lab"))?;
    make_mounts()?;
    servers::prepare(config, folder)?;
    if let Some(mebibytes) = config.store_mebibytes {
        limit_store(&folder.image_store(), mebibytes)?;
    }
    network::make(&config.pcs)?;
    for pc in &config.pcs {
        let folder = folder.pc(&pc.name);
        fs::create_dir(&folder).map_err(system("make a PC's folder"))?;
        pc::make_disk(pc, &folder)?;
    }
    let accelerator =
        accelerator::choose(&servers::accelerator_cache(config), &servers::kernel(config), &folder.logs())
            .map_err(system("see whether KVM works"))?;
    let packets = PacketSocket::open(network::BRIDGE).map_err(system("listen for magic packets"))?;
    let servers = servers::start(folder)?;
    // Last, since who finds it takes the lab for up. Relative, for a path that fits into an address.
    std::env::set_current_dir(folder.path()).map_err(system("go to the lab's folder"))?;
    let control = UnixListener::bind(control::SOCKET).map_err(system("make the control socket"))?;
    Ok(Made { control, packets, accelerator, servers })
}

/// Writes this process's number as it is seen from outside: /proc is still that of outside.
fn tell_process(folder: &LabFolder) -> io::Result<()> {
    let process = fs::read_link("/proc/self")?;
    fs::write(folder.join("pid"), format!("{}\n", process.display()))
}

/// Gives the image store a file system of its own. It is seen in the lab only.
fn limit_store(path: &Path, mebibytes: u32) -> Result<(), MakingError> {
    let size = format!("size={mebibytes}m");
    mount(Some("store"), path, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
        .map_err(|source| MakingError::Mount { path: path.to_owned(), source })
}

/// Mounts of the lab's own: none of them is seen outside, and none of them stays.
fn make_mounts() -> Result<(), MakingError> {
    let at = |path: &'static str| move |source| MakingError::Mount { path: PathBuf::from(path), source };
    let nothing = None::<&Path>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).map_err(at("/"))?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing).map_err(at("/proc"))?;
    // Sockets and locks of the servers; those of the host's servers stay out of the way.
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), nothing).map_err(at("/run"))?;
    for below in ["/run/rpcbind", "/run/ganesha", "/run/lock"] {
        fs::create_dir(below).map_err(system("make a folder below /run"))?;
    }
    Ok(())
}
