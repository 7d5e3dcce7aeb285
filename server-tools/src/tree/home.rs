//! The folder that a client's tree lies in: the base root, or a folder of the client's own beside it.
//!
//! ```text
//! PXEBASE/<ip>etc                      all clients write to the base root
//! PXEBASE.trees/<ip>/<ip>etc           this client writes to PXEBASE.trees/<ip>, and to nothing else
//! ```

use std::io;
use std::net::Ipv4Addr;

use anyhow::Context as _;
use ghost_contract::layout;

use super::{ROOT_ONLY, Tree, cannot};
use crate::ghostrc::{Exports, Ghostrc};
use crate::sys::folder::Folder;
use crate::sys::private;

impl Tree {
    /// The tree of the client with this address, where the settings have it.
    pub fn at(ghostrc: &Ghostrc, ip: Ipv4Addr) -> Self {
        match ghostrc.exports {
            Exports::Common => Self::of(&ghostrc.base_root, ip),
            Exports::Own | Exports::Job => Self::in_own_folder(&ghostrc.base_root, ip),
        }
    }

    /// Makes the folder that it lies in, if that is not there. NFS servers export only what is there.
    pub fn make_home(&self) -> anyhow::Result<()> {
        let making = || cannot("make", &self.home);
        let above = self.home.parent().filter(|_| self.home != self.base_root);
        let Some((above, name)) = above.zip(self.home.file_name()) else { return Ok(()) };
        private::folder(above).with_context(making)?;
        let above = Folder::open(above).with_context(making)?;
        match above.make_folder(name, ROOT_ONLY) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| above.sync()).with_context(making),
        }
    }

    /// Removes the client's tree of the time when trees lay in the base root, with an order in it that all clients could read.
    pub(super) fn remove_from_base_root(&self, base: &Folder) -> anyhow::Result<()> {
        if self.home == self.base_root {
            return Ok(());
        }
        [layout::tree_etc(self.ip), layout::tree_var(self.ip)].into_iter().try_for_each(|name| {
            // A base root that is mounted read-only here refuses to remove what is not there.
            let removed =
                base.has(&name).and_then(|is_there| if is_there { base.remove(&name) } else { Ok(()) });
            removed.with_context(|| cannot("remove the old tree", &self.base_root.join(name)))
        })
    }
}
