//! The image store: mounted where all clients have it, and proved to be the one that the server means.

use std::path::Path;

use ghost_contract::order::ImageStore;
use ghost_contract::{Nonce, layout};

use super::mount::{self, MountError};
use crate::fstab::{self, FstabError};

/// Why there is no image store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its address cannot be mounted.
    #[error(transparent)]
    Address(#[from] FstabError),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("{0} has not got the order's nonce: GHSTNFS and GHSTBASE in ghostrc are not the same place")]
    OtherPlace(String),
}

/// Mounts the store unless something is mounted there, and looks for the nonce.
pub fn open(store: &ImageStore, nonce: &Nonce) -> Result<(), StoreError> {
    let place = Path::new(layout::STORE_MOUNT_POINT);
    let source = format!("{}:{}", store.server, store.path.display());
    mount::mount_unless_mounted(&fstab::nfs(&source, place.to_owned(), "")?)?;
    if place.join(layout::nonce(nonce)).is_file() {
        return Ok(());
    }
    Err(StoreError::OtherPlace(source))
}

pub fn close() -> Result<(), MountError> {
    mount::unmount(Path::new(layout::STORE_MOUNT_POINT))
}
