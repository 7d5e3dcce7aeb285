//! A LUKS container that the kernel decrypts (dm-crypt), opened and closed by `cryptsetup`, which alone reads the key.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{MemfdFlags, memfd_create};

use super::node::{Access, Node};
use super::program::{self, LOOKING, ProgramError};

const PROGRAM: &str = "cryptsetup";
/// What cryptsetup exits with if no slot opens (cryptsetup(8), "RETURN CODES").
const WRONG_KEY: i32 = 2;
/// Where the kernel's mappings have their nodes.
const NODES: &str = "/dev/mapper";
/// udev's socket. Where it is not running, device-mapper must make its nodes itself, and not wait for it.
const UDEV: &str = "/run/udev/control";

/// An open container. Closed when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    name: String,
    /// The container, which must outlive it.
    _container: Node,
    is_open: bool,
}

impl Mapping {
    /// Opens a container by a name that is nobody else's; none if the key does not.
    pub(crate) fn open(container: Node, name: String, key: &Path, access: Access) -> Result<Option<Self>> {
        let mut command = cryptsetup(&["open", "--type", "luks", "--batch-mode"]);
        if access == Access::Read {
            command.arg("--readonly");
        }
        command.arg("--key-file").arg(key).arg(container.path()).arg(&name);
        Ok(opens(&mut command)?.then_some(Self { name, _container: container, is_open: true }))
    }

    pub(crate) fn path(&self) -> PathBuf {
        Path::new(NODES).join(&self.name)
    }

    pub(crate) fn close(mut self) -> Result<()> {
        self.is_open = false;
        close(&self.name)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_open {
            // What came before it is what is told; the mapping goes with the next boot.
            let _stays = close(&self.name);
        }
    }
}

/// A file in memory, for a header that is tried and kept nowhere.
pub(crate) fn memory() -> Result<File> {
    let made = memfd_create("luks-header", MemfdFlags::CLOEXEC);
    Ok(File::from(made.context("the kernel gives no memory for a header of LUKS")?))
}

/// Whether this key opens the container whose header is in this file of ours.
pub(crate) fn is_opened_by(header: &File, key: &Path) -> Result<bool> {
    let path = format!("/proc/{}/fd/{}", std::process::id(), header.as_raw_fd());
    let mut command = cryptsetup(&["open", "--type", "luks", "--batch-mode", "--test-passphrase"]);
    opens(command.arg("--key-file").arg(key).arg(path))
}

fn opens(command: &mut Command) -> Result<bool> {
    let said = program::run(command, LOOKING).context("an encrypted container cannot be opened")?;
    match said.status.code() {
        Some(0) => Ok(true),
        Some(WRONG_KEY) => Ok(false),
        _ => {
            let (program, status) = (PROGRAM.to_owned(), said.status);
            bail!(ProgramError::Failed { program, status, said: said.errors })
        }
    }
}

fn close(name: &str) -> Result<()> {
    program::must(cryptsetup(&["close"]).arg(name), LOOKING).with_context(|| {
        format!("the encrypted container that is open as {NODES}/{name} cannot be closed")
    })?;
    Ok(())
}

fn cryptsetup(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments);
    if !Path::new(UDEV).exists() {
        command.env("DM_DISABLE_UDEV", "1");
    }
    command
}
