//! Looking into a LUKS container with the administrator's key: what it holds is then looked at as a disk is.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use ghost_contract::image::{Decrypted, DiskFacts, Range};

use super::part_of;
use crate::plan::backup::Stretch;
use crate::sys::disk;
use crate::sys::mapping::Mapping;
use crate::sys::node::{Access, Node};
use crate::tool::blkid::Found;
use crate::tool::luks;

/// What blkid calls it.
const LUKS: &str = "crypto_LUKS";

/// A container that is open.
#[derive(Debug)]
pub(crate) struct Unlocked {
    /// All of it, on its disk.
    pub container: Range,
    /// What is decrypted, on its disk.
    pub inside: Range,
    /// The decrypted disk …
    pub facts: DiskFacts,
    /// … from which it is read.
    pub opened: File,
    pub mapping: Mapping,
}

impl Unlocked {
    /// What the image says of it.
    pub(crate) const fn described(&self) -> Decrypted {
        Decrypted { container: self.container, inside: self.inside }
    }

    pub(crate) fn close(self) -> Result<()> {
        let Self { opened, mapping, .. } = self;
        drop(opened);
        mapping.close()
    }
}

/// Whether this is a container that a key may open.
pub(crate) fn is_locked(found: &Found) -> bool {
    found.kind.as_deref() == Some(LUKS) && found.doubt.is_none() && found.table.is_none()
}

/// Opens the container that this stretch is, to be read only; or why it is saved as it stands. A wrong key is an error.
pub(crate) fn unlock(disk: &DiskFacts, stretch: Stretch, key: &Path) -> Result<Result<Unlocked, String>> {
    let path = Path::new(&disk.path);
    let container = Range { start: stretch.start, length: stretch.length };
    let payload = luks::payload(&|at, length| part_of(path, container, at, length), stretch.length);
    let payload = match payload {
        Ok(payload) => payload,
        Err(why) => return Ok(Err(why.to_string())),
    };
    let inside = Range { start: container.start + payload, length: container.length - payload };
    let node = Node::of(path, container.start, container.length, disk.logical_sector, Access::Read)?;
    let name = name(container.start);
    let mapping = Mapping::open(node, name, key, Access::Read)?;
    let mapping = mapping.ok_or_else(|| anyhow!("the key that was given does not open it"))?;
    let facts = disk::facts(&mapping.path())?;
    if facts.size != inside.length {
        let (is, expected) = (facts.size, inside.length);
        return Ok(Err(format!("{is} bytes of it are decrypted, and its header says {expected}")));
    }
    let opened = File::open(mapping.path()).with_context(|| format!("cannot open {}", facts.path))?;
    Ok(Ok(Unlocked { container, inside, facts, opened, mapping }))
}

/// What an open container of this place is called while this process has it.
pub(crate) fn name(start: u64) -> String {
    format!("ghost-{}-{start}", std::process::id())
}
