//! The boot server as `/etc/ghostrc` describes it, with what must be looked up once.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dhcp::{Configuration, Host, Kind, Server, SwapError};
use crate::ghostrc::{Ghostrc, GhostrcError};
use ghost_contract::HostName;
use ghost_contract::order::ImageStore;

use crate::sys::regular;

/// Why the boot server's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("the settings are not usable")]
    Ghostrc(#[from] GhostrcError),
    /// None of the places has a DHCP configuration.
    #[error("there is no DHCP configuration at {0}; set DHCPDCONF in ghostrc")]
    NoDhcpConfiguration(String),
    /// The DHCP configuration is wrong.
    #[error("the DHCP configuration is not usable")]
    Dhcp(#[source] anyhow::Error),
    /// A host that always boots from the network, or is not usable.
    #[error("nothing was touched")]
    Host(#[from] SwapError),
    /// The image store's server has no address.
    #[error("cannot find the address of '{0}' (GHSTNFS)")]
    StoreServer(String, #[source] io::Error),
}

/// The boot server's settings and the paths that follow from them.
#[derive(Debug, Clone)]
pub struct Site {
    pub ghostrc: Ghostrc,
    /// The DHCP server's configuration, the file that includes all others.
    pub dhcp_configuration: PathBuf,
    /// How long is waited for locks.
    pub lock_timeout: Duration,
}

impl Site {
    pub fn open(ghostrc: &Path, lock_timeout: Duration) -> Result<Self, SiteError> {
        let bytes = regular::read(ghostrc).map_err(|error| SiteError::Read(ghostrc.to_owned(), error))?;
        let ghostrc = Ghostrc::parse(ghostrc, &bytes)?;
        let places = &ghostrc.dhcp_configurations;
        let found = places.iter().find(|path| path.exists()).cloned();
        let named = || places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ");
        let dhcp_configuration = found.ok_or_else(|| SiteError::NoDhcpConfiguration(named()))?;
        Ok(Self { ghostrc, dhcp_configuration, lock_timeout })
    }

    /// The DHCP server whose configuration is edited.
    pub fn dhcp(&self) -> Box<dyn Server> {
        self.dhcp_of(Kind::default())
    }

    /// The DHCP server in which a swap was made, whatever the settings say since.
    pub fn dhcp_of(&self, kind: Kind) -> Box<dyn Server> {
        kind.server(&self.ghostrc, &self.dhcp_configuration)
    }

    /// Reads the DHCP configuration with all that belongs to it.
    pub fn hosts(&self) -> Result<Box<dyn Configuration>, SiteError> {
        self.dhcp().read().map_err(SiteError::Dhcp)
    }

    /// The host with all that a job needs, if a job may swap it.
    pub fn host(&self, hosts: &dyn Configuration, name: &HostName) -> Result<Host, SiteError> {
        Ok(hosts.swappable(name, &self.ghostrc.for_host(name).boot_file)?)
    }

    /// The image store as the clients see it, with a numeric address.
    pub fn image_store(&self) -> Result<ImageStore, SiteError> {
        let export = &self.ghostrc.store_export;
        let server = match export.address() {
            Some(address) => address,
            None => resolve(&export.server)?,
        };
        Ok(ImageStore { server, path: export.path.clone() })
    }
}

fn resolve(name: &str) -> Result<IpAddr, SiteError> {
    let error = |error| SiteError::StoreServer(name.to_owned(), error);
    let addresses: Vec<IpAddr> =
        (name, 2049).to_socket_addrs().map_err(error)?.map(|address| address.ip()).collect();
    let first = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first());
    first.copied().ok_or_else(|| error(io::ErrorKind::NotFound.into()))
}
