//! Mounts the image store where all clients have it, and checks by the nonce that it is the one the server means.

use std::path::Path;

use anyhow::ensure;
use ghost_contract::order::ImageStore;
use ghost_contract::{Nonce, layout};

use super::mount;
use crate::fstab;

/// What a client keeps there is bytes: nothing of it is run, or taken for a device.
const OPTIONS: &str = "nosuid,nodev,noexec";

/// Mounts the store, or what of it is this client's, unless something is mounted there, and looks for the nonce.
pub(crate) fn open(store: &ImageStore, nonce: &Nonce) -> anyhow::Result<()> {
    let place = store.mount_point();
    let source = format!("{}:{}", store.server, store.exported().display());
    if store.only.is_some() {
        mount::mount_unless_mounted(&fstab::room_for_mount_points(layout::STORE_MOUNT_POINT))?;
    }
    let options = format!("{},{OPTIONS}", store.mount_options());
    mount::mount_unless_mounted(&fstab::nfs(&source, place.clone(), &options)?)?;
    if let Some(generation) = &store.generation {
        let source = format!("{}:{}", store.server, generation.display());
        let place = layout::GENERATION_MOUNT_POINT.into();
        mount::mount_unless_mounted(&fstab::nfs(&source, place, &format!("ro,{options}"))?)?;
    }
    ensure!(
        place.join(layout::nonce(nonce)).is_file(),
        "{source} does not hold the order's nonce: GHSTNFS and GHSTBASE in ghostrc must be the same place"
    );
    Ok(())
}

pub(crate) fn close() -> anyhow::Result<()> {
    mount::unmount_all(Path::new(layout::STORE_MOUNT_POINT))
}
