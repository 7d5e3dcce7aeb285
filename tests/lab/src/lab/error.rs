//! What can go wrong with a lab, as whoever uses it sees it.

use std::io;
use std::path::PathBuf;

use ghost_contract::HostName;

use crate::control::ControlError;
use crate::folder::FolderError;
use crate::pc::DiskError;
use crate::qmp::QmpError;
use crate::running::RunningError;
use crate::wait::TimedOut;

/// Why something with a lab went wrong.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("cannot use the lab's folder")]
    Folder(#[from] FolderError),
    /// Its supervisor could not be started.
    #[error("cannot start the lab's supervisor (root is needed)")]
    Start(#[source] io::Error),
    /// Its supervisor could not make it.
    #[error("the lab does not come up: {why}\nits logs are in {}", .logs.display())]
    NotUp {
        why: String,
        /// Where its logs are kept.
        logs: PathBuf,
    },
    #[error("cannot ask the lab")]
    Control(#[from] ControlError),
    /// It did not happen in time.
    #[error("it did not happen in time")]
    Late(#[from] TimedOut),
    #[error("a program in the lab went wrong")]
    Running(#[from] RunningError),
    /// A frame on its network.
    #[error("cannot send a frame")]
    Frame(#[source] io::Error),
    #[error("there is no PC {0} in the lab")]
    NoSuchPc(String),
    #[error("cannot use a PC's disk")]
    Disk(#[from] DiskError),
    #[error("cannot use a PC's monitor")]
    Monitor(#[from] QmpError),
    /// A PC went off before it said what was waited for.
    #[error("{pc} went off without '{wanted}' on its console; the last lines were:\n{last}")]
    OffTooEarly {
        pc: HostName,
        wanted: String,
        /// The end of its console.
        last: String,
    },
    /// A file of the lab.
    #[error("cannot use {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
}
