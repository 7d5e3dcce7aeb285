//! A lab's folder: the paths in it, and its lock.
//!
//! The supervisor's log is also the lab's lock. The supervisor inherits the locked descriptor, so the kernel drops the
//! lock when the supervisor ends. A folder whose log is not locked belongs to a stale lab. Labs are claimed and removed
//! under a lock on the folder above. Does not know what runs in a lab.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ghost_contract::HostName;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::config::LabConfig;

/// Where the things of one lab are.
#[derive(Debug, Clone)]
pub struct LabFolder(PathBuf);

/// What was being done to which path, for an error of the system.
fn at<'a>(what: &'static str, path: &'a Path) -> impl Fn() -> String + use<'a> {
    move || format!("cannot {what} {}", path.display())
}

impl LabFolder {
    /// The folder of the lab of this name below `labs`.
    pub fn new(labs: &Path, name: &HostName) -> Self {
        Self(labs.join(name.as_str()))
    }

    /// The folder that is already there, as the supervisor is told.
    pub const fn existing(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }

    /// The clients' base root, exported over NFS.
    pub fn base_root(&self) -> PathBuf {
        self.join("root")
    }

    /// The image store, exported over NFS.
    pub fn image_store(&self) -> PathBuf {
        self.join("backup")
    }

    /// What `ghostctl` keeps: STATEDIR of the lab's ghostrc.
    pub fn state(&self) -> PathBuf {
        self.join("state")
    }

    /// What the TFTP server offers.
    pub fn tftp(&self) -> PathBuf {
        self.join("tftpboot")
    }

    /// The configuration of ISC dhcpd.
    pub fn dhcpd_conf(&self) -> PathBuf {
        self.join("etc/dhcpd.conf")
    }

    /// The script that starts and stops ISC dhcpd.
    pub fn dhcpd_service(&self) -> PathBuf {
        self.join("dhcpd-service")
    }

    pub fn ghostrc(&self) -> PathBuf {
        self.join("etc/ghostrc")
    }

    /// The secret half of the key that opens the clients' shell servers.
    pub fn ssh_key(&self) -> PathBuf {
        self.join("ssh/id")
    }

    pub fn logs(&self) -> PathBuf {
        self.join("log")
    }

    /// The supervisor's log, which is the lab's lock.
    pub fn supervisor_log(&self) -> PathBuf {
        self.join("supervisor.log")
    }

    /// One PC's disk, console and sockets.
    pub fn pc(&self, name: &HostName) -> PathBuf {
        self.join("pc").join(name.as_str())
    }

    /// Begins a lab here: the folder with its configuration, and its lock, to be given to the supervisor.
    /// A stale lab of the same name is removed.
    pub fn claim(&self, config: &LabConfig) -> anyhow::Result<File> {
        fs::create_dir_all(&config.labs).with_context(at("make", &config.labs))?;
        let _above = lock_folder(&config.labs)?;
        if self.0.exists() {
            self.remove_if_stale()?;
        }
        fs::create_dir(&self.0).with_context(at("make", &self.0))?;
        let text =
            serde_json::to_string_pretty(config).context("cannot write down what the lab consists of")?;
        fs::write(self.join("lab.json"), text).with_context(at("write", &self.0))?;
        match self.lock()? {
            Some(log) => Ok(log),
            None => bail!("the lab in {} is up", self.0.display()),
        }
    }

    /// The configuration that the lab was begun with.
    pub fn config(&self) -> anyhow::Result<LabConfig> {
        let path = self.join("lab.json");
        let text = fs::read_to_string(&path).with_context(at("read", &path))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not what a lab writes", path.display()))
    }

    /// The supervisor's process, as seen from outside of the lab.
    pub fn supervisor(&self) -> anyhow::Result<rustix::process::Pid> {
        let path = self.join("pid");
        let text = fs::read_to_string(&path).with_context(at("read", &path))?;
        let pid = text.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        pid.with_context(|| format!("{} does not name a process: '{}'", path.display(), text.trim()))
    }

    /// Whether a supervisor holds the lab.
    pub fn is_up(&self) -> anyhow::Result<bool> {
        if !self.supervisor_log().exists() {
            return Ok(false);
        }
        Ok(self.lock()?.is_none())
    }

    /// Removes what a lab that is not up has left.
    pub fn remove_stale(&self) -> anyhow::Result<()> {
        let Some(labs) = self.0.parent() else { bail!("{} cannot be a lab's folder", self.0.display()) };
        let _above = lock_folder(labs)?;
        if self.0.exists() { self.remove_if_stale() } else { Ok(()) }
    }

    fn remove_if_stale(&self) -> anyhow::Result<()> {
        if self.is_up()? {
            bail!("the lab in {} is up", self.0.display());
        }
        fs::remove_dir_all(&self.0).with_context(at("remove", &self.0))
    }

    /// The open file that holds the lock; none if another process holds it.
    fn lock(&self) -> anyhow::Result<Option<File>> {
        let path = self.supervisor_log();
        let log = OpenOptions::new().create(true).append(true).open(&path).with_context(at("open", &path))?;
        match flock(&log, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(log)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno).with_context(at("lock", &path)),
        }
    }
}

/// All labs below this folder, up or stale.
pub fn all(labs: &Path) -> anyhow::Result<Vec<LabFolder>> {
    if !labs.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(labs).with_context(at("read", labs))?;
    entries.map(|entry| Ok(LabFolder(entry.with_context(at("read", labs))?.path()))).collect()
}

/// Keeps other processes from claiming or removing labs below this folder until the result is dropped.
fn lock_folder(labs: &Path) -> anyhow::Result<File> {
    let folder = File::open(labs).with_context(at("open", labs))?;
    flock(&folder, FlockOperation::LockExclusive).with_context(at("lock", labs))?;
    Ok(folder)
}

#[cfg(test)]
mod tests;
