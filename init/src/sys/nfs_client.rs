//! The name by which NFS servers know this client, in version 4: the kernel's own would be its host name.

use std::path::Path;

use super::child::Children;
use super::{file, modules};

/// The kernel module that has the name, and where it takes one (Linux, `fs/nfs/super.c`).
const MODULE: &str = "nfs";
const NAME: &str = "/sys/module/nfs/parameters/nfs4_unique_id";

/// Takes the hardware address of an interface for a name: no other client has it, and it is the same after each boot, so that a
/// server gives up at once what the boot before has left.
pub(crate) fn take_name(children: &Children, interface: &str) -> anyhow::Result<()> {
    modules::load(children, &[MODULE])?;
    let address = file::text(&Path::new("/sys/class/net").join(interface).join("address"))?;
    file::write(Path::new(NAME), address.trim_ascii())
}
