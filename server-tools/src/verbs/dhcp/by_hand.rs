//! What is kept of a swap that a person made, until a person reverts it: one file a host in the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;

use crate::dhcp::Swap;
use crate::exit::{Exit, WithExit};
use crate::site::Site;
use crate::sys::atomic::{self, Real};

/// Writes down what a revert needs. To be called before the entry is changed.
pub(super) fn keep(site: &Site, host: &HostName, swap: &Swap) -> anyhow::Result<()> {
    let path = path(site, host);
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(atomic::replace(&path, &serde_json::to_vec(swap)?, &mut Real)?)
}

/// Whether this host was swapped by hand and not reverted since.
pub(crate) fn is_kept(site: &Site, host: &HostName) -> bool {
    path(site, host).exists()
}

pub(super) fn read(site: &Site, host: &HostName) -> anyhow::Result<Swap> {
    let path = path(site, host);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(anyhow!("{host} was not swapped by 'ghostctl dhcp swap'").exit(Exit::Failed));
        }
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let unusable = || {
        format!(
            "{} does not say what {host} was offered before; correct the entry by hand, then remove that file",
            path.display()
        )
    };
    serde_json::from_slice(&bytes).with_context(unusable).exit(Exit::Configuration)
}

pub(super) fn forget(site: &Site, host: &HostName) -> anyhow::Result<()> {
    let path = path(site, host);
    fs::remove_file(&path)
        .with_context(|| format!("cannot remove {}", path.display()))
        .exit_by_default(Exit::Failed)
}

/// Why a host cannot be swapped, with the way out if that is because it was swapped by hand.
pub(crate) fn explained(site: &Site, host: &HostName, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    let error = match is_kept(site, host) {
        true => error.context(format!(
            "{host} was swapped by 'ghostctl dhcp swap'; 'ghostctl dhcp revert {host}' puts its entry back"
        )),
        false => error,
    };
    error.exit_by_default(Exit::Configuration)
}

fn path(site: &Site, host: &HostName) -> PathBuf {
    site.ghostrc.state_folder.join("by-hand").join(format!("{host}.json"))
}
