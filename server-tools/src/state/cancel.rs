//! How one `ghostctl` asks another to stop a job: a file named after the job, which the other watches for.
//!
//! Not a signal: one program may drive the jobs of many hosts, and only one of them shall stop.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::JobId;

use crate::sys::private;

/// Where requests are, below the state folder.
pub(crate) fn folder(state_folder: &Path) -> PathBuf {
    super::paths::cancels(state_folder)
}

pub(crate) fn ask(state_folder: &Path, job: &JobId) -> io::Result<()> {
    let folder = folder(state_folder);
    private::folder(&folder)?;
    private::write(&folder.join(job.as_str()), b"")
}

/// Whether somebody has asked for a stop of this job; the request is then taken.
pub(crate) fn take(state_folder: &Path, job: &JobId) -> bool {
    fs::remove_file(folder(state_folder).join(job.as_str())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_one_job_and_taken_once() {
        let state = tempfile::tempdir().unwrap();
        let (john, joe): (JobId, JobId) = ("a".parse().unwrap(), "b".parse().unwrap());
        ask(state.path(), &john).unwrap();
        assert!(!take(state.path(), &joe));
        assert!(take(state.path(), &john));
        assert!(!take(state.path(), &john));
    }
}
