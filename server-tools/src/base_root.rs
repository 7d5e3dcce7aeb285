//! The root that all clients boot from, as it stands on this boot server: where it is, and by what it is made.
//!
//! ```text
//! PREFIX/sbin/ghostctl
//! PREFIX/lib/ghost4linux/rootfs/    the scripts that make it
//! PREFIX/lib/ghost4linux/client/    the programs that run in it
//! FOLDER/base = PXEBASE             what it becomes
//! FOLDER/netboot                    the files that a client boots with, copied to TFTPBASE
//! FOLDER/.made                      both anew, until no client is at work
//! ```
//! Knows nothing of what is in it: that is `rootfs/` of the source.

pub(crate) mod boot_files;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;
use crate::sys::regular;

/// What a base root's folder is called. The scripts make it under this name.
pub(crate) const BASE: &str = "base";
/// What the base root was made from, inside of it.
const STAMP: &str = "usr/share/ghost4linux/base-root";

/// The folder with the base root and the boot files.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) base: PathBuf,
    pub(crate) boot_files: PathBuf,
}

impl Place {
    pub(crate) fn of(ghostrc: &Ghostrc) -> anyhow::Result<Self> {
        let base = ghostrc.base_root.clone();
        let folder = base.parent().filter(|_| base.ends_with(BASE)).map(Path::to_owned);
        let folder = folder.ok_or_else(|| {
            anyhow!(
                "the base root is made under the name {BASE}, and PXEBASE is {}: let PXEBASE end in /{BASE}",
                base.display()
            )
            .exit(Exit::Configuration)
        })?;
        Ok(Self { boot_files: folder.join("netboot"), folder, base })
    }

    /// A new base root that is whole, and waits to be put in the place of this one.
    pub(crate) fn beside(&self) -> Option<Self> {
        let folder = self.folder.join(".made");
        folder.is_dir().then(|| Self { base: folder.join(BASE), boot_files: folder.join("netboot"), folder })
    }

    /// What the scripts leave beside both.
    pub(crate) fn left_by_scripts(&self) -> [PathBuf; 7] {
        [".made", ".next", ".old", ".building", ".apt", ".lock", "build.log"]
            .map(|name| self.folder.join(name))
    }

    /// What the base root says of itself: the kernel, and the date of Debian's archive. None if there is no base root.
    pub(crate) fn made_from(&self) -> Option<MadeFrom> {
        let stamp = regular::read(&self.base.join(STAMP)).ok()?;
        Some(MadeFrom::read(&String::from_utf8_lossy(&stamp)))
    }

    /// The programs in it that are others than the installed ones.
    pub(crate) fn other_programs(&self, library: &Library) -> anyhow::Result<Vec<String>> {
        let mut others = Vec::new();
        for installed in library.programs()? {
            let name = installed.file_name().unwrap_or_default();
            let inside = regular::read(&self.base.join("sbin").join(name)).ok();
            let program = regular::read(&installed);
            if inside != Some(program.with_context(|| format!("cannot read {}", installed.display()))?) {
                others.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(others)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MadeFrom {
    pub(crate) kernel: String,
    pub(crate) archive: String,
}

impl MadeFrom {
    fn read(stamp: &str) -> Self {
        let value =
            |key| stamp.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown").to_owned();
        Self { kernel: value("kernel "), archive: value("archive ") }
    }
}

/// What makes the base root: installed beside this program.
#[derive(Debug)]
pub(crate) struct Library(PathBuf);

impl Library {
    /// The one that belongs to the program that runs.
    pub(crate) fn installed() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot tell where ghostctl is installed")?;
        let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let library = Self(prefix.join("lib/ghost4linux"));
        if library.script("build").is_file() {
            return Ok(library);
        }
        Err(anyhow!(
            "there is no {}: install the package ghost4linux-server, or all that `make install` installs",
            library.script("build").display()
        )
        .exit(Exit::Configuration))
    }

    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.0.join("rootfs").join(name)
    }

    /// The programs of the clients.
    pub(crate) fn programs(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.0.join("client");
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
        let mut programs: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
        programs.sort();
        Ok(programs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_base_root_was_made_from_is_in_it() {
        let made = MadeFrom::read("fingerprint 7e\nkernel 6.12.1-amd64\narchive 2026-11-21T09:15:44Z\n");
        assert_eq!((made.kernel.as_str(), made.archive.as_str()), ("6.12.1-amd64", "2026-11-21T09:15:44Z"));
        assert_eq!(MadeFrom::read("").kernel, "unknown");
    }
}
