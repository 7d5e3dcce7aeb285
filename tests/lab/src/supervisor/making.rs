//! Makes a lab from inside its name spaces: mounts, servers, network, disks, sockets. Does not know the owner.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::Context;
use nix::mount::{MsFlags, mount};
use nix::unistd::Pid;

use crate::accelerator::{self, Accelerator};
use crate::config::LabConfig;
use crate::control;
use crate::folder::LabFolder;
use crate::network;
use crate::pc;
use crate::servers;
use crate::sys::packet::PacketSocket;

/// What a lab that is up consists of, besides its PCs.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) control: UnixListener,
    pub(super) packets: PacketSocket,
    pub(super) accelerator: Accelerator,
    pub(super) servers: HashMap<Pid, &'static str>,
}

pub(super) fn make(folder: &LabFolder, config: &LabConfig) -> anyhow::Result<Made> {
    tell_process(folder).context("cannot say which process holds the lab")?;
    make_mounts()?;
    servers::make_folders(folder).context("cannot make the lab's folders")?;
    if !config.servers_elsewhere {
        servers::prepare(config, folder).context("cannot prepare the servers")?;
    }
    if let Some(mebibytes) = config.store_mebibytes {
        limit_store(&folder.image_store(), mebibytes)?;
    }
    network::make(config).context("cannot make the network")?;
    for pc in &config.pcs {
        let folder = folder.pc(&pc.name);
        fs::create_dir(&folder).context("cannot make a PC's folder")?;
        pc::make_disk(pc, &config.netboot, &folder)
            .with_context(|| format!("cannot make the disk of {}", pc.name))?;
    }
    let accelerator =
        accelerator::choose(&servers::accelerator_cache(config), &servers::kernel(config), &folder.logs())
            .context("cannot see whether KVM works")?;
    let packets = PacketSocket::open(network::BRIDGE).context("cannot listen for magic packets")?;
    let servers = match config.servers_elsewhere {
        true => HashMap::new(),
        false => servers::start(config, folder).context("the servers do not run")?,
    };
    // Last, since who finds it takes the lab for up. Relative, for a path that fits into an address.
    std::env::set_current_dir(folder.path()).context("cannot go to the lab's folder")?;
    let control = UnixListener::bind(control::SOCKET).context("cannot make the control socket")?;
    Ok(Made { control, packets, accelerator, servers })
}

/// Writes this process's number as the host sees it: /proc is still the host's.
fn tell_process(folder: &LabFolder) -> io::Result<()> {
    let process = fs::read_link("/proc/self")?;
    fs::write(folder.join("pid"), format!("{}\n", process.display()))
}

/// Gives the image store a file system of its own. It is seen in the lab only.
fn limit_store(path: &Path, mebibytes: u32) -> anyhow::Result<()> {
    let size = format!("size={mebibytes}m");
    mount(Some("store"), path, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
        .with_context(|| format!("cannot mount {}", path.display()))
}

/// Mounts of the lab's own: none of them is seen outside, and none of them stays.
fn make_mounts() -> anyhow::Result<()> {
    let at = |path: &'static str| move || format!("cannot mount {path}");
    let nothing = None::<&Path>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).with_context(at("/"))?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing).with_context(at("/proc"))?;
    // Sockets and locks of the servers; those of the host's servers stay out of the way.
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), nothing).with_context(at("/run"))?;
    for below in ["/run/rpcbind", "/run/ganesha", "/run/lock", "/run/dbus"] {
        fs::create_dir(below).context("cannot make a folder below /run")?;
    }
    Ok(())
}
