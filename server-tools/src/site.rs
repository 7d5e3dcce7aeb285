//! The boot server as `/etc/ghostrc` describes it, with what follows from the settings and is looked up once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::order::ImageStore;
use ghost_contract::{Generation, HostName, layout};

use crate::dhcp::found::{self, Found};
use crate::dhcp::offer::kept::KeptFiles;
use crate::dhcp::{Configuration, Host, Kind, Server};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::{Exports, Ghostrc};
use crate::sys::regular;
use crate::tree::Tree;

/// The boot server's settings and the paths that follow from them.
#[derive(Debug, Clone)]
pub struct Site {
    pub ghostrc: Ghostrc,
    /// Which DHCP server is edited.
    pub dhcp_kind: Kind,
    /// Why that one, to follow its name.
    pub dhcp_because: &'static str,
    /// Its configuration, the file that includes all others.
    pub dhcp_configuration: PathBuf,
    /// How long is waited for locks.
    pub lock_timeout: Duration,
    /// What is kept beside the configuration because other programs were writing to it.
    pub kept_files: KeptFiles,
}

/// What to do about settings that cannot be read.
fn unreadable(ghostrc: &Path, why: io::ErrorKind) -> String {
    let path = ghostrc.display();
    if why == io::ErrorKind::NotFound {
        return format!("there are no settings: 'ghostctl setup' makes {path}, and --config names others");
    }
    format!("cannot read the settings {path}")
}

impl Site {
    pub fn open(ghostrc: &Path, lock_timeout: Duration) -> anyhow::Result<Self> {
        let bytes = regular::read(ghostrc)
            .map_err(|error| {
                let text = unreadable(ghostrc, error.kind());
                anyhow::Error::from(error).context(text)
            })
            .exit_by_default(Exit::Configuration)?;
        let ghostrc = Ghostrc::parse(ghostrc, &bytes)
            .context("the settings are not usable")
            .exit(Exit::Configuration)?;
        let found = Found::at(&ghostrc)?;
        Ok(Self::of(ghostrc, found, lock_timeout))
    }

    /// One whose settings may not be written yet, and whose DHCP configuration may not be there.
    pub(crate) fn planned(ghostrc: Ghostrc, lock_timeout: Duration) -> Self {
        let found = Found::or_likeliest(&ghostrc);
        Self::of(ghostrc, found, lock_timeout)
    }

    fn of(ghostrc: Ghostrc, found: Found, lock_timeout: Duration) -> Self {
        let Found { kind: dhcp_kind, because: dhcp_because, configuration: dhcp_configuration } = found;
        Self {
            ghostrc,
            dhcp_kind,
            dhcp_because,
            dhcp_configuration,
            lock_timeout,
            kept_files: KeptFiles::default(),
        }
    }

    /// The DHCP server whose configuration is edited.
    pub fn dhcp(&self) -> Box<dyn Server> {
        self.dhcp_of(self.dhcp_kind)
    }

    /// The DHCP server in which a swap was made, whatever the settings say since.
    pub fn dhcp_of(&self, kind: Kind) -> Box<dyn Server> {
        if kind == self.dhcp_kind {
            return kind.server(&self.ghostrc, &self.dhcp_configuration);
        }
        // The settings about files and commands are those of the other server.
        let mut ghostrc = self.ghostrc.clone();
        (ghostrc.dhcp_check, ghostrc.dhcp_restart) = (None, None);
        kind.server(&ghostrc, &found::configuration(kind))
    }

    /// Reads the DHCP configuration with all that belongs to it.
    pub fn hosts(&self) -> anyhow::Result<Box<dyn Configuration>> {
        self.dhcp().read().context("the DHCP configuration is not usable")
    }

    /// The host with all that a job needs, if a job may swap it.
    pub fn host(&self, hosts: &dyn Configuration, name: &HostName) -> anyhow::Result<Host> {
        let swappable = hosts.swappable(name, &self.ghostrc.for_host(name).boot_file);
        swappable.context("nothing was touched").exit(Exit::Configuration)
    }

    /// The tree of the client with this address.
    pub fn tree(&self, ip: Ipv4Addr) -> Tree {
        Tree::at(&self.ghostrc, ip)
    }

    /// The folder in which the trees of all clients lie, or the clients' own folders with their trees.
    pub fn trees(&self) -> PathBuf {
        match self.ghostrc.exports {
            Exports::Common => self.ghostrc.base_root.clone(),
            Exports::Own | Exports::Job => layout::trees(&self.ghostrc.base_root),
        }
    }

    /// The image store as this host's client sees it, with a numeric address, for a job that reads this generation.
    pub fn image_store(
        &self,
        host: &HostName,
        generation: Option<&Generation>,
    ) -> anyhow::Result<ImageStore> {
        let export = &self.ghostrc.store_export;
        let server = match export.address() {
            Some(address) => address,
            None => resolve(&export.server)?,
        };
        let (path, nfs) = (export.path.clone(), self.ghostrc.nfs_version);
        // Of another server's mountd nothing is known.
        let mountd_port = self.ghostrc.mountd_port.filter(|_| self.ghostrc.store_is_here());
        if !self.ghostrc.exports.keeps_apart() {
            return Ok(ImageStore { server, path, only: None, generation: None, nfs, mountd_port });
        }
        let generation = generation.map(|generation| path.join(layout::generation(host, generation)));
        let path = path.join(layout::CLIENTS);
        Ok(ImageStore { server, path, only: Some(host.clone()), generation, nfs, mountd_port })
    }
}

fn resolve(name: &str) -> anyhow::Result<IpAddr> {
    let addresses = || -> io::Result<IpAddr> {
        let found: Vec<IpAddr> = (name, 2049).to_socket_addrs()?.map(|address| address.ip()).collect();
        let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
        first.copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let named = || format!("cannot find the address of '{name}' (GHSTNFS)");
    addresses().with_context(named).exit(Exit::Configuration)
}
