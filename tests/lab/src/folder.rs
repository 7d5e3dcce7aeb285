//! A lab's folder: where everything of it is kept, and who holds it.
//!
//! The supervisor's log is also the lab's lock: it is locked by whoever has it open since the lab was begun,
//! that is the supervisor, so the kernel lets it go when the supervisor is gone. A folder whose log nobody
//! holds is a stale lab. Claiming and removing folders is done under a lock on the folder above.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::HostName;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::config::LabConfig;

/// Where the things of one lab are.
#[derive(Debug, Clone)]
pub struct LabFolder(PathBuf);

/// What went wrong with a lab's folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It belongs to a lab that is up.
    #[error("the lab in {} is up", .0.display())]
    Held(PathBuf),
    #[error("there is no lab in {}", .0.display())]
    Missing(PathBuf),
    /// Something in it cannot be read, written or locked.
    #[error("cannot {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    /// A file of the lab's own does not hold what it should.
    #[error("{} is not what a lab writes: {why}", .path.display())]
    Content { path: PathBuf, why: String },
}

/// Turns an error of the system into one that says where.
pub(crate) fn at<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> FolderError + use<'a> {
    move |source| FolderError::Io { what, path: path.to_owned(), source }
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

    /// What the TFTP server offers.
    pub fn tftp(&self) -> PathBuf {
        self.join("tftpboot")
    }

    pub fn dhcpd_conf(&self) -> PathBuf {
        self.join("etc/dhcpd.conf")
    }

    /// The script that starts and stops the DHCP server.
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
    pub fn claim(&self, config: &LabConfig) -> Result<File, FolderError> {
        fs::create_dir_all(&config.labs).map_err(at("make", &config.labs))?;
        let _above = lock_folder(&config.labs)?;
        if self.0.exists() {
            self.remove_if_stale()?;
        }
        fs::create_dir(&self.0).map_err(at("make", &self.0))?;
        let text = serde_json::to_string_pretty(config)
            .map_err(|error| FolderError::Content { path: self.join("lab.json"), why: error.to_string() })?;
        fs::write(self.join("lab.json"), text).map_err(at("write", &self.0))?;
        self.lock()?.ok_or_else(|| FolderError::Held(self.0.clone()))
    }

    /// The configuration that the lab was begun with.
    pub fn config(&self) -> Result<LabConfig, FolderError> {
        let path = self.join("lab.json");
        let text = fs::read_to_string(&path).map_err(at("read", &path))?;
        serde_json::from_str(&text).map_err(|error| FolderError::Content { path, why: error.to_string() })
    }

    /// The supervisor's process, as seen from outside of the lab.
    pub fn supervisor(&self) -> Result<rustix::process::Pid, FolderError> {
        let path = self.join("pid");
        let text = fs::read_to_string(&path).map_err(at("read", &path))?;
        let pid = text.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        pid.ok_or_else(|| FolderError::Content { path, why: format!("'{}' is no process", text.trim()) })
    }

    /// Whether somebody holds the lab.
    pub fn is_up(&self) -> Result<bool, FolderError> {
        if !self.supervisor_log().exists() {
            return Ok(false);
        }
        Ok(self.lock()?.is_none())
    }

    /// Removes what a lab that is not up has left.
    pub fn remove_stale(&self) -> Result<(), FolderError> {
        let Some(labs) = self.0.parent() else { return Err(FolderError::Missing(self.0.clone())) };
        let _above = lock_folder(labs)?;
        if self.0.exists() { self.remove_if_stale() } else { Ok(()) }
    }

    fn remove_if_stale(&self) -> Result<(), FolderError> {
        if self.is_up()? {
            return Err(FolderError::Held(self.0.clone()));
        }
        fs::remove_dir_all(&self.0).map_err(at("remove", &self.0))
    }

    /// The lock, as an open file that holds it; none if somebody else does.
    fn lock(&self) -> Result<Option<File>, FolderError> {
        let path = self.supervisor_log();
        let log = OpenOptions::new().create(true).append(true).open(&path).map_err(at("open", &path))?;
        // The plain call, since the lock must live on in the supervisor's copy of the descriptor, and a guard
        // would let it go.
        match rustix::fs::flock(&log, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(log)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(at("lock", &path)(errno.into())),
        }
    }
}

/// All labs below this folder, up or stale.
pub fn all(labs: &Path) -> Result<Vec<LabFolder>, FolderError> {
    if !labs.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(labs).map_err(at("read", labs))?;
    entries.map(|entry| Ok(LabFolder(entry.map_err(at("read", labs))?.path()))).collect()
}

/// Keeps others from claiming or removing labs below this folder, as long as the result lives.
fn lock_folder(labs: &Path) -> Result<Flock<File>, FolderError> {
    let folder = File::open(labs).map_err(at("open", labs))?;
    Flock::lock(folder, FlockArg::LockExclusive)
        .map_err(|(_, errno): (File, Errno)| at("lock", labs)(errno.into()))
}

#[cfg(test)]
mod tests;
