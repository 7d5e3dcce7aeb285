//! The order in this client's tree, and its claim.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use ghost_contract::{JobId, layout};

use super::file::{self, FileError};
use crate::task::Finding;

/// The order; none if there is no such file.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read() -> Result<Finding, FileError> {
    file::read(&Path::new("/etc").join(layout::ORDER)).map(Finding::Order)
}

/// Claims the order of a job: whoever creates the file, and only that one, obeys. NFS version 3 and later
/// create exclusively (RFC 1813, 3.3.8).
///
/// # Errors
/// When nobody knows who has it.
pub fn claim(job: &JobId) -> Result<Finding, FileError> {
    let var = Path::new("/var");
    file::make_folder(&var.join(layout::CLAIMS))?;
    let path = var.join(layout::claim(job));
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(claim) => {
            claim.sync_all().map_err(|source| FileError::Write { path, source })?;
            Ok(Finding::Claimed)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Finding::AlreadyClaimed),
        Err(source) => Err(FileError::Write { path, source }),
    }
}
