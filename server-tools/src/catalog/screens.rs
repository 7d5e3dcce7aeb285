//! Finds the screenshots of a backup: they are beside its images, in the staging folder or in the generation.

use std::io;
use std::path::PathBuf;

use ghost_contract::{HostName, JobId, layout};

use super::{Catalog, FAILED, incoming};
use crate::sys::folder::Folder;

impl Catalog {
    /// The folder of a job's screenshots, whether the job runs, has failed or has become a generation; nothing if it has
    /// taken none.
    pub fn screens(&self, host: &HostName, job: &JobId) -> io::Result<Option<(PathBuf, Folder)>> {
        for name in [incoming(job), format!("{FAILED}{job}"), job.as_str().to_owned()] {
            let below = PathBuf::from(host.as_str()).join(name).join(layout::SCREENS);
            match Folder::open(&self.store).and_then(|store| store.folder(&below)) {
                Ok(folder) => return Ok(Some((self.store.join(below), folder))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
